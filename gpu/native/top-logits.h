// The greatest logits of a row that passes by in blocks.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace troupe {

class TopLogits {
 public:
  struct Entry {
    float logit;
    int32_t id;
  };

  void begin(long k) {
    k_ = k;
    heap_.clear();
  }
  /// Blocks come in ascending order of id; of equal logits the lower ids stay.
  void add(const float* logits, long n, int32_t firstId) {
    long i = 0;
    for (; i < n && (long)heap_.size() < k_; i++) {
      heap_.push_back({logits[i], firstId + (int32_t)i});
      std::push_heap(heap_.begin(), heap_.end(), isBetter);
    }
    for (; i < n; i++) {
      if (logits[i] <= heap_.front().logit) continue;
      std::pop_heap(heap_.begin(), heap_.end(), isBetter);
      heap_.back() = {logits[i], firstId + (int32_t)i};
      std::push_heap(heap_.begin(), heap_.end(), isBetter);
    }
  }
  /// Best first; the next row begins anew.
  const std::vector<Entry>& sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), isBetter);
    return heap_;
  }

 private:
  static bool isBetter(const Entry& a, const Entry& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; }
  long k_ = 0;
  std::vector<Entry> heap_;  // the worst of the kept is in front
};

}  // namespace troupe

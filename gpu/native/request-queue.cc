#include "request-queue.h"

#include <string_view>
#include <unordered_map>

namespace troupe {

RequestQueue::RequestQueue(const TrRequests& r, long lanes) : count_(r.count), lanes_(lanes) {
  std::unordered_map<std::string_view, long> byContent;
  for (long i = 0; i < r.count; i++) {
    long length = r.promptOffsets[i + 1] - r.promptOffsets[i];
    std::string_view content(reinterpret_cast<const char*>(r.promptTokens + r.promptOffsets[i]), length * sizeof(int32_t));
    promptOf_.push_back(byContent.try_emplace(content, (long)byContent.size()).first->second);
  }
  prompts_ = (long)byContent.size();
}

RequestQueue::Piece RequestQueue::take() {
  std::lock_guard<std::mutex> lock(mutex_);
  long first = next_, left = count_ - first;
  // Half of an even share: what is left then evens out lanes that were held up.
  long wanted = lanes_ == 1 ? left : (left + 2 * lanes_ - 1) / (2 * lanes_), end = first + wanted;
  if (left > 0) {
    long whole = end;
    while (whole < count_ && promptOf_[whole] == promptOf_[end - 1]) whole++;
    if (whole - first <= 2 * wanted) end = whole;
  }
  next_ = end;
  return {first, end};
}

void RequestQueue::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  next_ = count_;
}

}  // namespace troupe

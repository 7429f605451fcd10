// One step of the sampler on the device: any mix of rows that fill the cache and rows that decode, then the next token
// where one is due. Steps that only decode are padded to a few sizes and replayed as CUDA graphs, for launching some
// hundred kernels one by one takes about as long as they run at small batches.
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "pass.h"

namespace troupe::cuda {

/// Sequences in flight at once at most, and rows of one step.
constexpr int kMostInFlight = 256, kStepRows = 2048;

/// Sizes that decode steps are padded to: 1, 2, 4, 8, then multiples of 8, of 32 from 64 on.
inline int paddedRows(int rows) {
  int unit = rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : rows <= 64 ? 8 : 32;
  return (rows + unit - 1) / unit * unit;
}

template <class T>
class Sampler : Layers<T> {
  using Layers<T>::m_;
  using Layers<T>::normed_;

 public:
  struct Step {
    std::vector<int32_t> tokens, positions, slots;  // per row
    std::vector<int32_t> due;                       // rows behind which a token is wanted
    std::vector<RowRules> rules;                    // per due row
    void clear() { tokens.clear(), positions.clear(), slots.clear(), due.clear(), rules.clear(); }
  };

  /// Everything is allocated here, so that a graph's addresses hold as long as this.
  explicit Sampler(const Model<T>& m) : Layers<T>(m), s_(newStream()), attention_(m.shape, m.processors, kStepRows) {
    const Shape& h = m.shape;
    chunk_ = std::min<long>(kMostInFlight, this->logitRows());
    ldPages_ = parts(h.maxPositions, kPageKeys);
    integers_.reserve(4 * kStepRows);
    rules_.reserve(kStepRows), choices_.reserve(kStepRows);
    pages_.reserve((kMostInFlight + 1) * ldPages_);
    x_.reserve((long)kStepRows * h.hiddenSize), last_.reserve((long)kStepRows * h.hiddenSize);
    qkv_.reserve(kStepRows * h.qkvWidth()), attended_.reserve(kStepRows * h.qWidth());
    gateUp_.reserve(2l * kStepRows * h.intermediateSize);
    normed_.reserve((long)kStepRows * h.hiddenSize), this->activated_.reserve((long)kStepRows * h.intermediateSize);
    if (m.adapter != nullptr) {
      this->inner_.reserve(kStepRows * m.adapter->rank);
      this->update_.reserve(kStepRows * std::max<long>(h.qkvWidth(), 2l * h.intermediateSize));
    }
    logits_.reserve(chunk_ * h.vocabSize), weights_.reserve(chunk_ * h.vocabSize);
    nowhere_.reserve(m.pageSize());
    setPage(kMostInFlight, 0, nowhere_);
  }
  ~Sampler() {
    settle(s_);
    graphs_.clear();
    endStream(s_);
  }

  void setPage(long slot, long index, T* page) { copy(pages_ + slot * ldPages_ + index, &page, sizeof page, s_); }
  void setBiases(const int32_t* tokens, const float* values, long n) {
    biases_ = n;
    biasTokens_.upload(tokens, n, s_);
    biasValues_.upload(values, n, s_);
  }

  /// The choices for step.due, valid until the next step.
  const std::vector<RowChoice>& run(const Weights<T>& w, Step& step) {
    size_t wanted = step.due.size();
    bool decodes = wanted == step.tokens.size() && wanted <= (size_t)chunk_ && biases_ == 0;
    if (decodes) {
      // Rows of nobody: they read and write the page of nobody.
      while ((int)step.tokens.size() < std::min<int>(paddedRows((int)wanted), (int)chunk_)) {
        step.due.push_back((int32_t)step.tokens.size());
        step.tokens.push_back(0), step.positions.push_back(0), step.slots.push_back(kMostInFlight);
        step.rules.push_back({1.f, 1.f, 0.f, 0, 0, 0, 0, 0, 0, 0});
      }
    }
    long rows = (long)step.tokens.size(), due = (long)step.due.size();
    int place = 0;
    for (const auto* list : {&step.tokens, &step.positions, &step.slots, &step.due})
      copy(integers_ + kStepRows * place++, list->data(), sizeof(int32_t) * list->size(), s_);
    copy(rules_, step.rules.data(), sizeof(RowRules) * due, s_);
    if (attention_.plan(step.positions, step.slots, decodes, s_)) graphs_.clear();
    if (decodes) graphs_[{rows, w.number}].run(s_, [&] { compute(w, rows, due); });
    else compute(w, rows, due);
    results_.resize(due);
    copy(results_.data(), choices_, sizeof(RowChoice) * due, s_);
    finish(s_);
    results_.resize(wanted);
    return results_;
  }

 private:
  void compute(const Weights<T>& w, long rows, long due) {
    const Shape& h = m_.shape;
    long d = h.hiddenSize;
    const int32_t *tokens = integers_, *positions = tokens + kStepRows, *slots = positions + kStepRows, *dueRows = slots + kStepRows;
    launch(s_, dim3((unsigned)rows), kRowThreads, 0, embedRows<T>, w.matrices + m_.embedding, tokens, x_, (int)d);
    for (int l = 0; l < h.layers; l++) {
      this->begin(s_, w, l, x_, positions, rows, qkv_, nullptr);
      CacheRows<T> at{positions, slots, pages_, ldPages_, l * m_.layerPage()};
      dim3 grid((unsigned)rows, (unsigned)h.kvHeads);
      launch(s_, grid, kWarp, 0, storeKeys<T>, qkv_, h.qkvWidth(), at, h.heads, h.kvHeads, h.headSize);
      attention_.run(s_, qkv_, at, attended_);
      this->addAttended(s_, w, l, x_, attended_, rows, x_);
      this->gateUpOf(s_, w, l, x_, rows, gateUp_);
      this->addFeedForward(s_, w, l, x_, gateUp_, rows, x_);
    }
    launch(s_, dim3((unsigned)due), kRowThreads, 0, embedRows<float>, x_, dueRows, last_, (int)d);
    for (long r = 0; r < due; r += chunk_) {
      long count = std::min(chunk_, due - r);
      this->logits(s_, w, last_ + r * d, count, normed_, logits_);
      launch(s_, dim3((unsigned)count), kVocabularyThreads, parts(h.vocabSize, kDrawBlock) * sizeof(float), chooseTokens, logits_,
             h.vocabSize, rules_ + r, biasTokens_, biasValues_, weights_, choices_ + r);
    }
  }

  Stream s_;
  PagedAttention<T> attention_;
  long chunk_, ldPages_, biases_ = 0;
  Memory<int32_t> integers_, biasTokens_;
  Memory<RowRules> rules_;
  Memory<RowChoice> choices_;
  Memory<T*> pages_;
  Memory<float> x_, last_, logits_, weights_, biasValues_;
  Memory<T> qkv_, attended_, gateUp_, nowhere_;
  std::vector<RowChoice> results_;
  /// By padded rows and weights: a learner has two or three copies of its weights and uses them again and again.
  std::map<std::pair<long, int64_t>, Graph> graphs_;
};

}  // namespace troupe::cuda

// The side that changes weights: master copy, gradients, AdamW moments, and the packed copies made from them.
#pragma once
#include <memory>
#include <vector>

#include "memory.h"
#include "packed-pass.h"
#include "store.h"

namespace troupe {

class Learner {
 public:
  Learner(const Shape&, const Kernels&, uint64_t seed, const TrLearnerOptions&);

  void forward(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
               float* entropies);
  void backward(const float* dLogprobs, const float* dEntropies, long n);
  double step(const TrOptimizerStep&);
  void resetOptimizer();
  int64_t publish(int64_t version);
  /// Keeps the weights, without the adapter, as reference.
  void keepReference();
  const PackedWeights& reference() const;

  void read(TrArray, long offset, float* out, long n) const;
  /// Where an array lies; throws BadInput for one that is not stored. Weights that were written are used after repack().
  float* memoryOf(TrArray) const;
  /// Makes packed weights and backward panels of the master weights and the adapter.
  void repack();

  long size() const { return model_->layout.size; }
  long sizeOf(TrArray) const;
  const Model& model() const { return *model_; }
  const Store& store() const { return *store_; }
  int64_t stepCount = 0;
  int64_t storeId() const { return storeId_; }
  const std::vector<TrTensor>& tensors() const { return tensors_; }
  const std::vector<TrTensor>& trainable() const { return trainable_; }

 private:
  /// At most kChunk numbers of one tensor.
  struct Chunk {
    long at, count;
    bool decays;
  };

  /// `current_` becomes a copy that no snapshot holds.
  void takeCopy();
  void packAdapter();
  void readMerged(long offset, float* out, long n) const;
  const std::vector<Tensor>& tensorsOf(TrArray) const;
  const std::vector<Tensor>& trained() const { return tensorsOf(TR_GRADIENTS); }
  long trainedSize() const { return sizeOf(TR_GRADIENTS); }
  /// Name of the first tensor with a value that is not finite among `values`, which begin at `offset`; or null.
  static const char* firstBadTensor(const std::vector<Tensor>&, const float* values, long offset, long n);

  std::shared_ptr<const Model> model_;
  std::shared_ptr<Store> store_;
  int64_t storeId_;
  int threads_;
  StateSizes sizes_;
  /// Gradients and moments are those of what is trained: the adapter, or the weights.
  Buffer weights_, adapter_, gradients_, first_, second_;
  std::vector<TrTensor> tensors_, trainable_;
  std::vector<Chunk> chunks_;
  /// Packed copies; one that no snapshot holds any more is written again.
  std::vector<std::shared_ptr<PackedWeights>> copies_;
  std::shared_ptr<PackedWeights> current_;
  std::shared_ptr<const PackedWeights> reference_;
  /// What all versions share where only an adapter is trained.
  std::shared_ptr<Buffer> base_;
  BackwardPanels panels_;
  PackedPass pass_;
};

}  // namespace troupe

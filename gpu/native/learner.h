// The side that changes weights: master copy, gradients, AdamW moments, and the packed copies made from them.
#pragma once
#include <memory>
#include <vector>

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

  /// One of the flat arrays, size() floats.
  const float* array(TrArray) const;
  /// Weights that were written are used after repack().
  void write(TrArray, long offset, const float* values, long n);
  /// Makes packed weights and backward panels of the master weights.
  void repack();

  long size() const { return model_->layout.size; }
  const Model& model() const { return *model_; }
  int64_t stepCount = 0;
  int64_t storeId() const { return storeId_; }
  const std::vector<TrTensor>& tensors() const { return tensors_; }

 private:
  /// Name of the first tensor with a value that is not finite among `values`, which begin at `offset`; or null.
  const char* firstBadTensor(const float* values, long offset, long n) const;

  std::shared_ptr<const Model> model_;
  std::shared_ptr<Store> store_;
  int64_t storeId_;
  int threads_;
  Buffer weights_, gradients_, first_, second_;
  std::vector<TrTensor> tensors_;
  /// Packed copies; one that no snapshot holds any more is written again.
  std::vector<std::shared_ptr<PackedWeights>> copies_;
  std::shared_ptr<PackedWeights> current_;
  BackwardPanels panels_;
  PackedPass pass_;
};

}  // namespace troupe

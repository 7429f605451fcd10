// What the C interface sees of the templates: one learner and one store, whatever the numbers are stored in.
#pragma once
#include <memory>
#include <vector>

#include "../run-requests.h"
#include "../shape.h"

namespace troupe::cuda {

/// The k most probable tokens at every place, [n, k]; k 0: none are wanted.
struct TopTokens {
  int k = 0;
  int32_t* ids = nullptr;
  float* logprobs = nullptr;
};

/// One version, held; what scores and samples with it.
class PinBase {
 public:
  virtual ~PinBase() = default;
  virtual int64_t version() const = 0;
  virtual void score(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
                     float* entropies, TopTokens) const = 0;
  /// Throws BadInput for the first request that cannot be served; see tr_pin_generate.
  virtual std::vector<Completion> generate(const TrRequests&, const GenerateOptions&) const = 0;
};

class StoreBase {
 public:
  virtual ~StoreBase() = default;
  virtual const Shape& shape() const = 0;
  virtual int64_t version() const = 0;
  /// Holds a version, -1: the live one. Throws BadInput when it is not kept.
  virtual std::unique_ptr<PinBase> pin(int64_t version) = 0;
  virtual void setVocabulary(std::shared_ptr<const Vocabulary>) = 0;
  /// Of all GPUs together.
  virtual void limitCache(int64_t bytes) = 0;
  virtual TrCache cache() const = 0;

  /// Enters the registry, and finds in it; an entry lasts as long as somebody holds the store.
  static int64_t registerStore(const std::shared_ptr<StoreBase>&);
  static std::shared_ptr<StoreBase> find(int64_t id);
};

class LearnerBase {
 public:
  virtual ~LearnerBase() = default;
  /// What an array is made of.
  virtual const std::vector<Tensor>& tensorsOf(TrArray) const = 0;
  virtual void forward(int rank, const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
                       float* entropies) = 0;
  virtual void backward(int rank, const float* dLogprobs, const float* dEntropies, long n) = 0;
  virtual double step(const TrOptimizerStep&) = 0;
  virtual void resetOptimizer() = 0;
  virtual void read(TrArray, long offset, float* out, long n) const = 0;
  virtual void write(TrArray, long offset, const float* values, long n) = 0;
  /// Makes what forward and samplers read of the master weights.
  virtual void pack() = 0;
  virtual int64_t publish(int64_t version) = 0;
  virtual void keepReference() = 0;
  virtual void scoreReference(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature,
                              float* logprobs, float* entropies) = 0;
  int64_t stepCount = 0, storeId = 0;
};

/// Matrices and activations in the options' format, everything else in float32. Throws BadInput when there are fewer GPUs
/// than ranks, or no NCCL to join several.
std::unique_ptr<LearnerBase> makeLearner(const Shape&, uint64_t seed, const TrLearnerOptions&);

/// Throws NoDevice with the cause unless the first `count` GPUs are such that these kernels run on them alike.
void requireDevices(int count);
/// FLOP/s of the best product and bytes/s of a device copy, measured.
TrPeaks measureDevice();

}  // namespace troupe::cuda

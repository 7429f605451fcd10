#include "learner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "failure.h"
#include "initial-weights.h"
#include "pool.h"

namespace troupe {
namespace {

// Parameters per part of an element-wise job, and per partial sum of the norm: fixed, so the norm's bits are too.
constexpr long kChunk = 1 << 14;

}  // namespace

Learner::Learner(const Shape& shape, const Kernels& kernels, uint64_t seed, const TrLearnerOptions& options)
    : model_(std::make_shared<Model>(shape, kernels)),
      store_(std::make_shared<Store>(model_, options.threads)),
      storeId_(Store::registerStore(store_)),
      threads_(options.threads),
      weights_(size()),
      gradients_(size()),
      first_(size()),
      second_(size()),
      panels_(*model_),
      pass_(model_, options.threads, true, static_cast<Recompute>(options.recompute)) {
  for (const Tensor& t : model_->layout.tensors) tensors_.push_back({t.name.c_str(), t.offset, t.rows, t.columns});
  drawWeights(model_->layout, seed, threads_, weights_);
  std::memset(gradients_, 0, sizeof(float) * size());
  resetOptimizer();
  repack();
  store_->publish(current_, 0);
}

void Learner::repack() {
  current_ = nullptr;
  for (auto& copy : copies_)
    if (copy.use_count() == 1) current_ = copy;
  // Pairs with the release of the last reader: what it read is read before it is written again.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (current_ == nullptr) {
    current_ = std::make_shared<PackedWeights>();
    current_->data.reserve(model_->packedSize);
    copies_.push_back(current_);
  }
  long forward = model_->packParts();
  Pool::shared().run(forward + panels_.parts(), threads_, [&](long part) {
    if (part < forward) model_->pack(weights_, current_->data, part);
    else panels_.pack(*model_, weights_, part - forward);
  });
}

void Learner::forward(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature,
                      float* logprobs, float* entropies) {
  pass_.forward(*current_, tokens, n, offsets, sequences, temperature, logprobs, entropies);
  for (long i = 0; i < n; i++)
    if (!std::isfinite(logprobs[i]) || !std::isfinite(entropies[i]))
      throw Failure(TR_NOT_FINITE, "the logprob of token " + std::to_string(i) + " is not a finite number");
}

void Learner::backward(const float* dLogprobs, const float* dEntropies, long n) {
  if (pass_.tokens() >= 0 && pass_.tokens() != n)
    throw Failure(TR_BAD_SHAPE, "gradients have " + std::to_string(n) + " tokens, the forward pass had " + std::to_string(pass_.tokens()));
  for (long i = 0; i < n; i++)
    if (!std::isfinite(dLogprobs[i]) || !std::isfinite(dEntropies[i]))
      throw Failure(TR_NOT_FINITE, "the loss gradient of token " + std::to_string(i) + " is not a finite number");
  pass_.backward(*current_, panels_, dLogprobs, dEntropies, gradients_);
}

const char* Learner::firstBadTensor(const float* values, long offset, long n) const {
  for (const Tensor& t : model_->layout.tensors)
    for (long i = std::max(t.offset, offset); i < std::min(t.offset + t.size(), offset + n); i++)
      if (!std::isfinite(values[i - offset])) return t.name.c_str();
  return nullptr;
}

double Learner::step(const TrOptimizerStep& o) {
  long parts = (size() + kChunk - 1) / kChunk;
  std::vector<double> sums(parts);
  Pool::shared().run(parts, threads_, [&](long p) {
    sums[p] = model_->kernels.sumOfSquares(gradients_ + p * kChunk, std::min(kChunk, size() - p * kChunk));
  });
  double total = 0;
  for (double s : sums) total += s;
  double norm = std::sqrt(total);
  if (!std::isfinite(norm)) {
    const char* bad = firstBadTensor(gradients_, 0, size());
    std::string name = bad == nullptr ? "the norm of all" : bad;
    std::memset(gradients_, 0, sizeof(float) * size());
    throw Failure(TR_NOT_FINITE, "the gradient of \"" + name + "\" is not finite");
  }
  stepCount++;
  AdamwArgs a;
  a.learningRate = o.learningRate, a.beta1 = o.beta1, a.beta2 = o.beta2, a.epsilon = o.epsilon, a.weightDecay = o.weightDecay;
  a.gradScale = (float)std::min(1.0, (double)o.maxGradNorm / (norm + 1e-6));
  a.correction1 = (float)(1 - std::pow((double)o.beta1, (double)stepCount));
  a.correction2 = (float)(1 - std::pow((double)o.beta2, (double)stepCount));
  Pool::shared().run(parts, threads_, [&](long p) {
    long at = p * kChunk;
    model_->kernels.adamw(weights_ + at, gradients_ + at, first_ + at, second_ + at, std::min(kChunk, size() - at), a);
  });
  repack();
  return norm;
}

void Learner::resetOptimizer() {
  std::memset(first_, 0, sizeof(float) * size());
  std::memset(second_, 0, sizeof(float) * size());
  stepCount = 0;
}

int64_t Learner::publish(int64_t version) {
  if (version < 0) version = store_->live().version + 1;
  store_->publish(current_, version);
  return version;
}

const float* Learner::array(TrArray which) const {
  switch (which) {
    case TR_WEIGHTS: return weights_;
    case TR_GRADIENTS: return gradients_;
    case TR_FIRST_MOMENTS: return first_;
    case TR_SECOND_MOMENTS: return second_;
  }
  throw Failure(TR_BAD_INPUT, "there is no array number " + std::to_string(which));
}

void Learner::write(TrArray which, long offset, const float* values, long n) {
  if (const char* bad = firstBadTensor(values, offset, n))
    throw Failure(TR_NOT_FINITE, "a value given for \"" + std::string(bad) + "\" is not finite");
  std::memcpy(const_cast<float*>(array(which)) + offset, values, sizeof(float) * n);
}

}  // namespace troupe

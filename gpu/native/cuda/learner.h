// The side that changes weights: float32 master copy, gradients and AdamW moments on the device, and the copies in T
// that forward passes and samplers read.
#pragma once
#include <cmath>

#include "../initial-weights.h"
#include "parameters.h"
#include "store.h"

namespace troupe::cuda {

template <class T>
class Learner : public LearnerBase {
 public:
  Learner(const Shape& shape, int processors, uint64_t seed, const TrLearnerOptions& options)
      : model_(std::make_shared<Model<T>>(shape, processors)),
        store_(std::make_shared<Store<T>>(model_, options.olderVersions)),
        stream_(newStream()),
        weights_(size()),
        gradients_(size()),
        first_(size()),
        second_(size()),
        pass_(*model_, true, static_cast<TrRecompute>(options.recompute)) {
    if (options.adapterRank > 0)
      throw Failure(TR_BAD_INPUT, "adapters are trained on the CPU only: give device \"cpu\", or train without one");
    storeId = StoreBase::registerStore(store_);
    {
      std::vector<float> drawn(size());
      if (options.blank == 0) drawWeights(model_->layout, seed, options.threads, drawn.data());
      copy(weights_, drawn.data(), sizeof(float) * size(), stream_);
      finish(stream_);
    }
    clear(gradients_, sizeof(float) * size(), stream_);
    resetOptimizer();
    pack();
    store_->publish(current_, 0);
    // Passes and samplers want memory too.
    store_->pages().setCapacity(std::max<long>(1, (long)(freeMemory() / 2) / store_->pages().pageBytes()));
  }
  ~Learner() override {
    finish(stream_);
    endStream(stream_);
  }

  const Layout& layout() const override { return model_->layout; }

  void forward(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
               float* entropies) override {
    std::fill(logprobs, logprobs + n, 0.f);
    pass_.forward(*current_, tokens, n, offsets, sequences, temperature, logprobs, entropies);
    for (long i = 0; i < n; i++)
      if (!std::isfinite(logprobs[i]) || !std::isfinite(entropies[i]))
        throw Failure(TR_NOT_FINITE, "the logprob of token " + std::to_string(i) + " is not a finite number");
  }

  void backward(const float* dLogprobs, const float* dEntropies, long n) override {
    if (pass_.tokens() >= 0 && pass_.tokens() != n)
      throw Failure(TR_BAD_SHAPE, "gradients have " + std::to_string(n) + " tokens, the forward pass had " + std::to_string(pass_.tokens()));
    for (long i = 0; i < n; i++)
      if (!std::isfinite(dLogprobs[i]) || !std::isfinite(dEntropies[i]))
        throw Failure(TR_NOT_FINITE, "the loss gradient of token " + std::to_string(i) + " is not a finite number");
    pass_.backward(*current_, dLogprobs, dEntropies, gradients_);
  }

  double step(const TrOptimizerStep& o) override {
    unsigned chunks = parts(size(), kNormChunk);
    std::vector<double> sums(chunks);
    launch(stream_, dim3(chunks), kParameterThreads, 0, sumOfSquares, gradients_, size(), norms_.reserve(chunks));
    copy(sums.data(), norms_, sizeof(double) * chunks, stream_);
    finish(stream_);
    double total = 0;
    for (double s : sums) total += s;
    double norm = std::sqrt(total);
    if (!std::isfinite(norm)) {
      std::vector<float> values(size());
      read(TR_GRADIENTS, 0, values.data(), size());
      const char* bad = firstBadTensor(values.data(), 0, size());
      clear(gradients_, sizeof(float) * size(), stream_);
      finish(stream_);
      throw Failure(TR_NOT_FINITE, "the gradient of \"" + std::string(bad == nullptr ? "the norm of all" : bad) + "\" is not finite");
    }
    stepCount++;
    AdamwArgs a{o.learningRate, o.beta1, o.beta2, o.epsilon, o.weightDecay,
                (float)std::min(1.0, (double)o.maxGradNorm / (norm + 1e-6)),
                (float)(1 - std::pow((double)o.beta1, (double)stepCount)), (float)(1 - std::pow((double)o.beta2, (double)stepCount))};
    AdamwArgs undecayed = a;
    if (!o.decayVectors) undecayed.weightDecay = 0;
    // One launch for each run of tensors that decay alike.
    const std::vector<Tensor>& tensors = model_->layout.tensors;
    for (size_t i = 0, end; i < tensors.size(); i = end) {
      bool decays = tensors[i].columns > 0;
      for (end = i; end < tensors.size() && (tensors[end].columns > 0) == decays;) end++;
      long at = tensors[i].offset, n = (end < tensors.size() ? tensors[end].offset : size()) - at;
      launch(stream_, dim3(parts(n, kParameterThreads)), kParameterThreads, 0, adamw, weights_ + at, gradients_ + at, first_ + at,
             second_ + at, n, decays ? a : undecayed);
    }
    pack();
    return norm;
  }

  void resetOptimizer() override {
    clear(first_, sizeof(float) * size(), stream_);
    clear(second_, sizeof(float) * size(), stream_);
    stepCount = 0;
  }

  void read(TrArray which, long offset, float* out, long n) const override {
    copy(out, array(which) + offset, sizeof(float) * n, stream_);
    finish(stream_);
  }
  void write(TrArray which, long offset, const float* values, long n) override {
    if (const char* bad = firstBadTensor(values, offset, n))
      throw Failure(TR_NOT_FINITE, "a value given for \"" + std::string(bad) + "\" is not finite");
    copy(array(which) + offset, values, sizeof(float) * n, stream_);
    finish(stream_);
  }

  void pack() override {
    current_ = nullptr;
    // A copy that nobody else holds is written again: its readers had finished on the device before they let go.
    for (auto& one : copies_)
      if (one.use_count() == 1) current_ = one;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (current_ == nullptr) copies_.push_back(current_ = std::make_shared<Weights<T>>());
    model_->convertInto(weights_, *current_, stream_);
    finish(stream_);
  }

  void keepReference() override { reference_ = current_; }
  void scoreReference(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
                      float* entropies) override {
    if (reference_ == nullptr) throw Failure(TR_BAD_INPUT, "no reference policy was kept");
    store_->scoreWith(*reference_, tokens, n, offsets, sequences, temperature, logprobs, entropies);
  }

  int64_t publish(int64_t version) override {
    if (version < 0) version = store_->version() + 1;
    store_->publish(current_, version);
    return version;
  }

 private:
  long size() const { return model_->layout.size; }
  float* array(TrArray which) const {
    switch (which) {
      case TR_WEIGHTS: return weights_;
      case TR_GRADIENTS: return gradients_;
      case TR_FIRST_MOMENTS: return first_;
      case TR_SECOND_MOMENTS: return second_;
      case TR_MERGED: return weights_;
      case TR_ADAPTER: break;
    }
    throw Failure(TR_BAD_INPUT, "there is no array number " + std::to_string(which));
  }
  /// Name of the first tensor with a value that is not finite among n from `offset` on, or null.
  const char* firstBadTensor(const float* values, long offset, long n) const {
    for (const Tensor& t : model_->layout.tensors)
      for (long i = std::max(t.offset, offset); i < std::min(t.offset + t.size(), offset + n); i++)
        if (!std::isfinite(values[i - offset])) return t.name.c_str();
    return nullptr;
  }

  std::shared_ptr<const Model<T>> model_;
  std::shared_ptr<Store<T>> store_;
  Stream stream_;
  Memory<float> weights_, gradients_, first_, second_;
  Memory<double> norms_;
  std::vector<std::shared_ptr<Weights<T>>> copies_;
  std::shared_ptr<Weights<T>> current_, reference_;
  PackedPass<T> pass_;
};

}  // namespace troupe::cuda

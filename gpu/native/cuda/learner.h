// The side that changes weights: float32 master copy, adapter, gradients and AdamW moments on the device, and the copies
// in T that forward passes and samplers read.
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
      : model_(std::make_shared<Model<T>>(shape, processors, adapterOf(shape, options))),
        store_(std::make_shared<Store<T>>(model_, options.olderVersions)),
        stream_(newStream()),
        weights_(model_->layout.size),
        adapter_(model_->adapter == nullptr ? 0 : trainedSize()),
        gradients_(trainedSize()),
        first_(trainedSize()),
        second_(trainedSize()),
        pass_(*model_, true, static_cast<TrRecompute>(options.recompute), options.fastGradients != 0) {
    storeId = StoreBase::registerStore(store_);
    {
      std::vector<float> drawn(model_->layout.size);
      if (options.blank == 0) drawWeights(model_->layout, seed, options.threads, drawn.data());
      copy(weights_, drawn.data(), sizeof(float) * drawn.size(), stream_);
      finish(stream_);
      if (model_->adapter != nullptr) {
        drawn.resize(trainedSize());
        drawTensors(trained(), seed, 2, options.threads, drawn.data());
        copy(adapter_, drawn.data(), sizeof(float) * drawn.size(), stream_);
        finish(stream_);
      }
    }
    clear(gradients_, sizeof(float) * trainedSize(), stream_);
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

  const std::vector<Tensor>& tensorsOf(TrArray which) const override {
    static const std::vector<Tensor> none;
    if (which == TR_WEIGHTS || which == TR_MERGED) return model_->layout.tensors;
    if (model_->adapter != nullptr) return model_->adapter->tensors;
    return which == TR_ADAPTER ? none : model_->layout.tensors;
  }

  void forward(int, const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
               float* entropies) override {
    std::fill(logprobs, logprobs + n, 0.f);
    pass_.forward(*current_, tokens, n, offsets, sequences, temperature, logprobs, entropies);
    for (long i = 0; i < n; i++)
      if (!std::isfinite(logprobs[i]) || !std::isfinite(entropies[i]))
        throw Failure(TR_NOT_FINITE, "the logprob of token " + std::to_string(i) + " is not a finite number");
  }

  void backward(int, const float* dLogprobs, const float* dEntropies, long n) override {
    if (pass_.tokens() >= 0 && pass_.tokens() != n)
      throw Failure(TR_BAD_SHAPE, "gradients have " + std::to_string(n) + " tokens, the forward pass had " + std::to_string(pass_.tokens()));
    for (long i = 0; i < n; i++)
      if (!std::isfinite(dLogprobs[i]) || !std::isfinite(dEntropies[i]))
        throw Failure(TR_NOT_FINITE, "the loss gradient of token " + std::to_string(i) + " is not a finite number");
    pass_.backward(*current_, dLogprobs, dEntropies, gradients_);
  }

  double step(const TrOptimizerStep& o) override {
    unsigned chunks = parts(trainedSize(), kNormChunk);
    std::vector<double> sums(chunks);
    launch(stream_, dim3(chunks), kParameterThreads, 0, sumOfSquares, gradients_, trainedSize(), norms_.reserve(chunks));
    copy(sums.data(), norms_, sizeof(double) * chunks, stream_);
    finish(stream_);
    double total = 0;
    for (double s : sums) total += s;
    double norm = std::sqrt(total);
    if (!std::isfinite(norm)) {
      std::vector<float> values(trainedSize());
      read(TR_GRADIENTS, 0, values.data(), trainedSize());
      const char* bad = firstBadTensor(trained(), values.data(), 0, trainedSize());
      clear(gradients_, sizeof(float) * trainedSize(), stream_);
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
    const std::vector<Tensor>& tensors = trained();
    float* values = model_->adapter == nullptr ? weights_ : adapter_;
    for (size_t i = 0, end; i < tensors.size(); i = end) {
      bool decays = tensors[i].columns > 0;
      for (end = i; end < tensors.size() && (tensors[end].columns > 0) == decays;) end++;
      long at = tensors[i].offset, n = (end < tensors.size() ? tensors[end].offset : trainedSize()) - at;
      launch(stream_, dim3(parts(n, kParameterThreads)), kParameterThreads, 0, adamw, values + at, gradients_ + at, first_ + at,
             second_ + at, n, decays ? a : undecayed);
    }
    if (model_->adapter == nullptr) pack();
    else packAdapter();
    return norm;
  }

  void resetOptimizer() override {
    clear(first_, sizeof(float) * trainedSize(), stream_);
    clear(second_, sizeof(float) * trainedSize(), stream_);
    stepCount = 0;
  }

  void read(TrArray which, long offset, float* out, long n) const override {
    const float* from = array(which) + offset;
    Memory<float> merged;
    if (which == TR_MERGED && model_->adapter != nullptr) from = merge(offset, n, merged);
    copy(out, from, sizeof(float) * n, stream_);
    finish(stream_);
  }
  void write(TrArray which, long offset, const float* values, long n) override {
    if (const char* bad = firstBadTensor(tensorsOf(which), values, offset, n))
      throw Failure(TR_NOT_FINITE, "a value given for \"" + std::string(bad) + "\" is not finite");
    copy(array(which) + offset, values, sizeof(float) * n, stream_);
    finish(stream_);
  }

  void pack() override {
    if (model_->adapter != nullptr) {
      // Versions of the adapter share what lies beneath, so that is never written again.
      copies_.clear();
      base_ = model_->makeBase();
      model_->convertInto(weights_, *base_, stream_);
      return packAdapter();
    }
    takeCopy([&] { return model_->makeBase(); });
    model_->convertInto(weights_, *current_->base, stream_);
    finish(stream_);
  }

  void keepReference() override { reference_ = model_->adapter == nullptr ? current_ : std::make_shared<Weights<T>>(base_); }
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
  static std::shared_ptr<const AdapterLayout> adapterOf(const Shape& shape, const TrLearnerOptions& o) {
    if (o.adapterRank == 0) return nullptr;
    // The device packs nothing, so panels of one row are asked for.
    Kernels kernels{};
    kernels.panel = 1;
    return std::make_shared<AdapterLayout>(shape, Layout(shape), kernels, o.adapterRank, o.adapterAlpha, o.adapterTargets);
  }

  /// `current_` becomes a copy that nobody else holds, over `base()` if it must be made: the readers of a copy had finished
  /// on the device before they let go of it.
  template <class Base>
  void takeCopy(Base base) {
    current_ = nullptr;
    for (auto& one : copies_)
      if (one.use_count() == 1) current_ = one;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (current_ == nullptr) copies_.push_back(current_ = std::make_shared<Weights<T>>(base()));
  }
  void packAdapter() {
    takeCopy([&] { return base_; });
    model_->copyAdapter(adapter_, current_->adapter, stream_);
    finish(stream_);
  }
  /// n of the weights from `offset` on with the adapter added in.
  const float* merge(long offset, long n, Memory<float>& out) const {
    copy(out.reserve(n), weights_ + offset, sizeof(float) * n, stream_);
    const AdapterLayout& layout = *model_->adapter;
    for (const AdapterPart* p : layout.all()) {
      long first = std::max(p->weight, offset), last = std::min(p->weight + p->outputs * p->inputs, offset + n);
      if (first >= last) continue;
      launch(stream_, dim3(parts(last - first, kRowThreads)), kRowThreads, 0, addMerged, adapter_ + p->a, adapter_ + p->b, layout.rank,
             p->inputs, layout.scale, first - p->weight, last - first, out + (first - offset));
    }
    return out;
  }

  const std::vector<Tensor>& trained() const { return tensorsOf(TR_GRADIENTS); }
  long trainedSize() const { return trained().back().offset + trained().back().size(); }
  float* array(TrArray which) const {
    switch (which) {
      case TR_WEIGHTS: return weights_;
      case TR_GRADIENTS: return gradients_;
      case TR_FIRST_MOMENTS: return first_;
      case TR_SECOND_MOMENTS: return second_;
      case TR_MERGED: return weights_;
      case TR_ADAPTER: return adapter_;
    }
    throw Failure(TR_BAD_INPUT, "there is no array number " + std::to_string(which));
  }
  /// Name of the first tensor with a value that is not finite among n from `offset` on, or null.
  static const char* firstBadTensor(const std::vector<Tensor>& tensors, const float* values, long offset, long n) {
    for (const Tensor& t : tensors)
      for (long i = std::max(t.offset, offset); i < std::min(t.offset + t.size(), offset + n); i++)
        if (!std::isfinite(values[i - offset])) return t.name.c_str();
    return nullptr;
  }

  std::shared_ptr<const Model<T>> model_;
  std::shared_ptr<Store<T>> store_;
  Stream stream_;
  /// Gradients and moments are those of what is trained: the adapter, or the weights.
  Memory<float> weights_, adapter_, gradients_, first_, second_;
  Memory<double> norms_;
  std::vector<std::shared_ptr<Weights<T>>> copies_;
  std::shared_ptr<Weights<T>> current_, reference_;
  /// What all versions share where only an adapter is trained.
  std::shared_ptr<BaseWeights<T>> base_;
  PackedPass<T> pass_;
};

}  // namespace troupe::cuda

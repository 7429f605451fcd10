// The side that changes weights: ranks, each with its share of float32 master copy, gradients and AdamW moments on a GPU of
// its own, and the copies in T that forward passes and samplers read. Files do not know how many ranks there are.
#pragma once
#include <cmath>

#include "../initial-weights.h"
#include "exchange.h"
#include "store.h"

namespace troupe::cuda {

template <class T>
class Learner : public LearnerBase {
 public:
  /// @param processors of each GPU that is a rank
  Learner(const Shape& shape, const std::vector<int>& processors, uint64_t seed, const TrLearnerOptions& options)
      : layout_(shape), adapter_(adapterOf(shape, options)), ranges_(layout_.size, (int)processors.size()), isFast_(options.fastGradients != 0) {
    std::vector<std::shared_ptr<const Model<T>>> models;
    for (size_t i = 0; i < processors.size(); i++) {
      OnGpu on((int)i);
      models.push_back(std::make_shared<Model<T>>(shape, processors[i], adapter_));
      ranks_.push_back(std::make_unique<Rank<T>>((int)i, models.back(), ranges_, options));
    }
    store_ = std::make_shared<Store<T>>(models, options.olderVersions);
    storeId = StoreBase::registerStore(store_);
    if (ranks_.size() > 1) exchange_ = std::make_unique<Exchange<T>>(ranks_);
    if (options.blank == 0) {
      std::vector<float> drawn(layout_.size);
      drawWeights(layout_, seed, options.threads, drawn.data());
      write(TR_WEIGHTS, 0, drawn.data(), layout_.size);
    }
    if (adapter_ != nullptr) {
      std::vector<float> drawn(trainedSize());
      drawTensors(trained(), seed, 2, options.threads, drawn.data());
      write(TR_ADAPTER, 0, drawn.data(), trainedSize());
    }
    pack();
    publish(0);
    // Passes want memory too.
    store_->takeHalfOfMemory();
  }

  const std::vector<Tensor>& tensorsOf(TrArray which) const override {
    static const std::vector<Tensor> none;
    if (which == TR_WEIGHTS || which == TR_MERGED) return layout_.tensors;
    if (adapter_ != nullptr) return adapter_->tensors;
    return which == TR_ADAPTER ? none : layout_.tensors;
  }

  void forward(int rank, const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
               float* entropies) override {
    Rank<T>& r = rankOf(rank);
    OnGpu on(r.gpu);
    std::fill(logprobs, logprobs + n, 0.f);
    r.pass.forward(*r.current, tokens, n, offsets, sequences, temperature, logprobs, entropies);
    for (long i = 0; i < n; i++)
      if (!std::isfinite(logprobs[i]) || !std::isfinite(entropies[i]))
        throw Failure(TR_NOT_FINITE, "the logprob of token " + std::to_string(i) + " is not a finite number");
  }

  void backward(int rank, const float* dLogprobs, const float* dEntropies, long n) override {
    Rank<T>& r = rankOf(rank);
    OnGpu on(r.gpu);
    if (r.pass.tokens() >= 0 && r.pass.tokens() != n)
      throw Failure(TR_BAD_SHAPE, "gradients have " + std::to_string(n) + " tokens, the forward pass had " + std::to_string(r.pass.tokens()));
    for (long i = 0; i < n; i++)
      if (!std::isfinite(dLogprobs[i]) || !std::isfinite(dEntropies[i]))
        throw Failure(TR_NOT_FINITE, "the loss gradient of token " + std::to_string(i) + " is not a finite number");
    r.pass.backward(*r.current, dLogprobs, dEntropies, r.gradients);
  }

  double step(const TrOptimizerStep& o) override {
    double norm = 0;
    together([&] {
      if (exchange_ != nullptr) {
        if (adapter_ == nullptr) exchange_->addGradients(ranges_, isFast_);
        else exchange_->addWholeGradients(trainedSize());
      }
      norm = normOfGradients();
      if (!std::isfinite(norm)) refuseGradients();
      stepCount++;
      AdamwArgs a{o.learningRate, o.beta1, o.beta2, o.epsilon, o.weightDecay,
                  (float)std::min(1.0, (double)o.maxGradNorm / (norm + 1e-6)),
                  (float)(1 - std::pow((double)o.beta1, (double)stepCount)), (float)(1 - std::pow((double)o.beta2, (double)stepCount))};
      AdamwArgs undecayed = a;
      if (!o.decayVectors) undecayed.weightDecay = 0;
      eachRank([&](Rank<T>& r) { r.update(trained(), a, undecayed); });
    });
    if (adapter_ == nullptr) pack();
    else packAdapter();
    return norm;
  }

  void resetOptimizer() override {
    eachRank([&](Rank<T>& r) {
      clear(r.first, sizeof(float) * r.first.size(), r.stream);
      clear(r.second, sizeof(float) * r.second.size(), r.stream);
    });
    stepCount = 0;
  }

  void read(TrArray which, long offset, float* out, long n) const override {
    if (which == TR_GRADIENTS) return readGradients(offset, out, n);
    if (isWhole(which)) return fetch(*ranks_.front(), (*ranks_.front()).*array(which) + offset, out, n);
    ranges_.cut(offset, offset + n, [&](int rank, long from, long to) {
      const Rank<T>& r = *ranks_[rank];
      OnGpu on(r.gpu);
      Memory<float> merged;
      const float* values = which == TR_MERGED && adapter_ != nullptr ? r.merge(from, to, merged) : r.*array(which) + (from - ranges_.first(rank));
      fetch(r, values, out + (from - offset), to - from);
    });
  }
  void write(TrArray which, long offset, const float* values, long n) override {
    if (const char* bad = firstBadTensor(tensorsOf(which), values, offset, n))
      throw Failure(TR_NOT_FINITE, "a value given for \"" + std::string(bad) + "\" is not finite");
    if (isWhole(which)) {
      eachRank([&](Rank<T>& r) {
        // Gradients are the sum of what ranks hold.
        if (which == TR_GRADIENTS && &r != ranks_.front().get()) clear(r.gradients + offset, sizeof(float) * n, r.stream);
        else put(r, r.*array(which) + offset, values, n);
      });
      return;
    }
    ranges_.cut(offset, offset + n, [&](int rank, long from, long to) {
      put(*ranks_[rank], (*ranks_[rank]).*array(which) + (from - ranges_.first(rank)), values + (from - offset), to - from);
    });
  }

  void pack() override {
    eachRank([&](Rank<T>& r) {
      if (adapter_ == nullptr) r.takeCopy();
      else r.takeBase();
    });
    together([&] {
      if (exchange_ != nullptr) return exchange_->gatherWeights(ranges_);
      Rank<T>& only = *ranks_.front();
      only.model->convertInto(only.weights, *only.base, only.stream);
    });
    if (adapter_ != nullptr) packAdapter();
  }

  void keepReference() override {
    for (auto& r : ranks_) r->reference = adapter_ == nullptr ? r->current : std::make_shared<Weights<T>>(r->base);
  }
  void scoreReference(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
                      float* entropies) override {
    if (ranks_.front()->reference == nullptr) throw Failure(TR_BAD_INPUT, "no reference policy was kept");
    Copies<T> copies;
    for (auto& r : ranks_) copies.push_back(r->reference);
    store_->scoreWith(copies, tokens, n, offsets, sequences, temperature, logprobs, entropies);
  }

  int64_t publish(int64_t version) override {
    if (version < 0) version = store_->version() + 1;
    auto copies = std::make_shared<Copies<T>>();
    for (auto& r : ranks_) copies->push_back(r->current);
    store_->publish(std::move(copies), version);
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

  Rank<T>& rankOf(int rank) const {
    if (rank < 0 || rank >= (int)ranks_.size())
      throw Failure(TR_BAD_INPUT, "there is no rank " + std::to_string(rank) + " among " + std::to_string(ranks_.size()));
    return *ranks_[rank];
  }
  template <class Visit>
  void eachRank(Visit visit) const {
    for (auto& r : ranks_) {
      OnGpu on(r->gpu);
      visit(*r);
    }
  }
  /// Runs `body`, then waits for every rank's stream; what fails in it is the end of several ranks' work together.
  template <class Body>
  void together(Body body) {
    auto all = [&] {
      body();
      finishRanks();
    };
    if (exchange_ == nullptr) all();
    else exchange_->run(all);
  }
  void finishRanks() {
    if (exchange_ == nullptr) finish(ranks_.front()->stream);
    else exchange_->finish();
  }
  void packAdapter() {
    eachRank([&](Rank<T>& r) { r.takeCopy(); });
    together([&] { eachRank([&](Rank<T>& r) { r.packAdapter(); }); });
  }

  /// Of the ranks' own sums; partial sums are added in the order of the parameters, whoever's they are.
  double normOfGradients() {
    std::vector<double> sums(parts(trainedSize(), kNormChunk));
    eachRank([&](Rank<T>& r) { r.startNorms(); });
    finishRanks();
    // Every rank's adapter has the same gradient.
    eachRank([&](Rank<T>& r) {
      if (adapter_ == nullptr || &r == ranks_.front().get()) r.readNorms(sums.data());
    });
    double total = 0;
    for (double s : sums) total += s;
    return std::sqrt(total);
  }
  [[noreturn]] void refuseGradients() {
    std::vector<float> values(trainedSize());
    for (auto& r : ranks_) fetch(*r, r->gradients + r->trainedFirst, values.data() + r->trainedFirst, r->trainedEnd - r->trainedFirst);
    const char* bad = firstBadTensor(trained(), values.data(), 0, trainedSize());
    eachRank([&](Rank<T>& r) { clear(r.gradients, sizeof(float) * r.gradients.size(), r.stream); });
    finishRanks();
    throw Failure(TR_NOT_FINITE, "the gradient of \"" + std::string(bad == nullptr ? "the norm of all" : bad) + "\" is not finite");
  }
  /// The sum that the next step would use with `invariant`.
  void readGradients(long offset, float* out, long n) const {
    fetch(*ranks_.front(), ranks_.front()->gradients + offset, out, n);
    std::vector<float> more(ranks_.size() > 1 ? n : 0);
    for (size_t i = 1; i < ranks_.size(); i++) {
      fetch(*ranks_[i], ranks_[i]->gradients + offset, more.data(), n);
      for (long j = 0; j < n; j++) out[j] += more[j];
    }
  }

  const std::vector<Tensor>& trained() const { return tensorsOf(TR_GRADIENTS); }
  long trainedSize() const { return trained().back().offset + trained().back().size(); }
  /// Whether each rank has all of it, and not a range.
  bool isWhole(TrArray which) const {
    return which == TR_GRADIENTS || which == TR_ADAPTER || (adapter_ != nullptr && (which == TR_FIRST_MOMENTS || which == TR_SECOND_MOMENTS));
  }
  static Memory<float> Rank<T>::*array(TrArray which) {
    switch (which) {
      case TR_WEIGHTS: return &Rank<T>::weights;
      case TR_GRADIENTS: return &Rank<T>::gradients;
      case TR_FIRST_MOMENTS: return &Rank<T>::first;
      case TR_SECOND_MOMENTS: return &Rank<T>::second;
      case TR_MERGED: return &Rank<T>::weights;
      case TR_ADAPTER: return &Rank<T>::adapter;
    }
    throw Failure(TR_BAD_INPUT, "there is no array number " + std::to_string(which));
  }
  static void fetch(const Rank<T>& r, const float* from, float* out, long n) {
    copy(out, from, sizeof(float) * n, r.stream);
    finish(r.stream);
  }
  static void put(const Rank<T>& r, float* to, const float* values, long n) {
    copy(to, values, sizeof(float) * n, r.stream);
    finish(r.stream);
  }
  /// Name of the first tensor with a value that is not finite among n from `offset` on, or null.
  static const char* firstBadTensor(const std::vector<Tensor>& tensors, const float* values, long offset, long n) {
    for (const Tensor& t : tensors)
      for (long i = std::max(t.offset, offset); i < std::min(t.offset + t.size(), offset + n); i++)
        if (!std::isfinite(values[i - offset])) return t.name.c_str();
    return nullptr;
  }

  const Layout layout_;
  const std::shared_ptr<const AdapterLayout> adapter_;
  const Ranges ranges_;
  const bool isFast_;
  std::vector<std::unique_ptr<Rank<T>>> ranks_;
  std::shared_ptr<Store<T>> store_;
  /// Null when there is one rank.
  std::unique_ptr<Exchange<T>> exchange_;
};

}  // namespace troupe::cuda

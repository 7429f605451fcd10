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
    : model_(makeModel(shape, kernels, options.adapterRank, options.adapterAlpha, options.adapterTargets)),
      store_(std::make_shared<Store>(model_, options.threads, options.olderVersions)),
      storeId_(Store::registerStore(store_)),
      threads_(options.threads),
      sizes_(*model_),
      weights_(sizes_.weights),
      adapter_(sizes_.adapter),
      gradients_(sizes_.trained),
      first_(sizes_.trained),
      second_(sizes_.trained),
      panels_(*model_),
      pass_(model_, options.threads, true, static_cast<Recompute>(options.recompute)) {
  if (options.shared != 0) store_->share(options);
  for (const Tensor& t : model_->layout.tensors) tensors_.push_back({t.name.c_str(), t.offset, t.rows, t.columns});
  for (const Tensor& t : trained()) {
    trainable_.push_back({t.name.c_str(), t.offset, t.rows, t.columns});
    for (long i = 0; i < t.size(); i += kChunk) chunks_.push_back({t.offset + i, std::min(kChunk, t.size() - i), t.columns > 0});
  }
  if (options.blank != 0) std::memset(weights_, 0, sizeof(float) * sizes_.weights);
  else drawTensors(model_->layout.tensors, seed, 1, threads_, weights_);
  if (model_->adapter != nullptr) drawTensors(trained(), seed, 2, threads_, adapter_);
  std::memset(gradients_, 0, sizeof(float) * trainedSize());
  resetOptimizer();
  panels_.allocate(sizes_.backward, sizes_.backwardAdapter);
  repack();
  store_->publish(current_, 0);
}

void Learner::takeCopy() {
  current_ = nullptr;
  store_->sweep();
  for (auto& copy : copies_)
    if (copy.use_count() == 1) current_ = copy;
  // Pairs with the release of the last reader: what it read is read before it is written again.
  std::atomic_thread_fence(std::memory_order_acquire);
  if (current_ == nullptr) {
    current_ = std::make_shared<PackedWeights>();
    current_->adapter = Buffer(0, store_->kind());
    copies_.push_back(current_);
  }
}

void Learner::repack() {
  takeCopy();
  bool frozen = model_->adapter != nullptr;
  base_ = nullptr;
  // Copies that share a base also read it.
  if (frozen || current_->base == nullptr) current_->base = std::make_shared<Buffer>(sizes_.packed, store_->kind());
  float* packed = *current_->base;
  current_->data = packed;
  long forward = model_->packParts();
  Pool::shared().run(forward + panels_.parts(*model_), threads_, [&](long part) {
    if (part < forward) model_->pack(weights_, packed, part);
    else panels_.pack(*model_, weights_, part - forward);
  });
  if (!frozen) return;
  base_ = current_->base;
  packAdapter();
}

void Learner::packAdapter() {
  takeCopy();
  const AdapterLayout& layout = *model_->adapter;
  current_->base = base_;
  current_->data = *base_;
  float* packed = current_->adapter.reserve(sizes_.packedAdapter);
  auto parts = layout.all();
  Pool::shared().run((long)parts.size(), threads_, [&](long i) {
    layout.pack(model_->kernels, *parts[i], adapter_, packed, panels_.adapter);
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

const char* Learner::firstBadTensor(const std::vector<Tensor>& tensors, const float* values, long offset, long n) {
  for (const Tensor& t : tensors)
    for (long i = std::max(t.offset, offset); i < std::min(t.offset + t.size(), offset + n); i++)
      if (!std::isfinite(values[i - offset])) return t.name.c_str();
  return nullptr;
}

double Learner::step(const TrOptimizerStep& o) {
  std::vector<double> sums(chunks_.size());
  Pool::shared().run((long)chunks_.size(), threads_,
                     [&](long i) { sums[i] = model_->kernels.sumOfSquares(gradients_ + chunks_[i].at, chunks_[i].count); });
  double total = 0;
  for (double s : sums) total += s;
  double norm = std::sqrt(total);
  if (!std::isfinite(norm)) {
    const char* bad = firstBadTensor(trained(), gradients_, 0, trainedSize());
    std::string name = bad == nullptr ? "the norm of all" : bad;
    std::memset(gradients_, 0, sizeof(float) * trainedSize());
    throw Failure(TR_NOT_FINITE, "the gradient of \"" + name + "\" is not finite");
  }
  stepCount++;
  AdamwArgs a;
  a.learningRate = o.learningRate, a.beta1 = o.beta1, a.beta2 = o.beta2, a.epsilon = o.epsilon, a.weightDecay = o.weightDecay;
  a.gradScale = (float)std::min(1.0, (double)o.maxGradNorm / (norm + 1e-6));
  a.correction1 = (float)(1 - std::pow((double)o.beta1, (double)stepCount));
  a.correction2 = (float)(1 - std::pow((double)o.beta2, (double)stepCount));
  AdamwArgs undecayed = a;
  if (!o.decayVectors) undecayed.weightDecay = 0;
  float* values = model_->adapter == nullptr ? weights_ : adapter_;
  Pool::shared().run((long)chunks_.size(), threads_, [&](long i) {
    const Chunk& c = chunks_[i];
    model_->kernels.adamw(values + c.at, gradients_ + c.at, first_ + c.at, second_ + c.at, c.count, c.decays ? a : undecayed);
  });
  if (model_->adapter == nullptr) repack();
  else packAdapter();
  return norm;
}

void Learner::resetOptimizer() {
  std::memset(first_, 0, sizeof(float) * trainedSize());
  std::memset(second_, 0, sizeof(float) * trainedSize());
  stepCount = 0;
}

int64_t Learner::publish(int64_t version) {
  if (version < 0) version = store_->version() + 1;
  store_->publish(current_, version);
  // An earlier base that nobody samples from any more is let go.
  if (model_->adapter != nullptr)
    for (auto& copy : copies_)
      if (copy.use_count() == 1) copy->base = nullptr;
  return version;
}

void Learner::keepReference() {
  reference_ = current_;
  if (model_->adapter == nullptr) return;
  auto bare = std::make_shared<PackedWeights>();
  bare->base = base_;
  bare->data = *base_;
  reference_ = bare;
}

const PackedWeights& Learner::reference() const {
  if (reference_ == nullptr) throw Failure(TR_BAD_INPUT, "no reference was kept");
  return *reference_;
}

const std::vector<Tensor>& Learner::tensorsOf(TrArray which) const {
  bool whole = which == TR_WEIGHTS || which == TR_MERGED;
  static const std::vector<Tensor> none;
  if (whole) return model_->layout.tensors;
  if (model_->adapter != nullptr) return model_->adapter->tensors;
  return which == TR_ADAPTER ? none : model_->layout.tensors;
}

long Learner::sizeOf(TrArray which) const {
  const std::vector<Tensor>& tensors = tensorsOf(which);
  return tensors.empty() ? 0 : tensors.back().offset + tensors.back().size();
}

float* Learner::memoryOf(TrArray which) const {
  switch (which) {
    case TR_WEIGHTS: return weights_;
    case TR_GRADIENTS: return gradients_;
    case TR_FIRST_MOMENTS: return first_;
    case TR_SECOND_MOMENTS: return second_;
    case TR_ADAPTER: return adapter_;
    case TR_MERGED: break;
  }
  throw Failure(TR_BAD_INPUT, "array number " + std::to_string(which) + " is not one that is stored");
}

void Learner::read(TrArray which, long offset, float* out, long n) const {
  if (which == TR_MERGED) return readMerged(offset, out, n);
  std::memcpy(out, memoryOf(which) + offset, sizeof(float) * n);
}

void Learner::readMerged(long offset, float* out, long n) const {
  std::memcpy(out, weights_ + offset, sizeof(float) * n);
  if (model_->adapter == nullptr) return;
  const AdapterLayout& layout = *model_->adapter;
  std::vector<double> sum;
  for (const AdapterPart* p : layout.all())
    for (long row = 0; row < p->outputs; row++) {
      long at = p->weight + row * p->inputs, first = std::max(at, offset), last = std::min(at + p->inputs, offset + n);
      if (first >= last) continue;
      sum.assign(last - first, 0);
      for (long r = 0; r < layout.rank; r++) {
        double b = adapter_[p->b + row * layout.rank + r];
        for (long i = first; i < last; i++) sum[i - first] += b * adapter_[p->a + r * p->inputs + i - at];
      }
      for (long i = first; i < last; i++) out[i - offset] += (float)(layout.scale * sum[i - first]);
    }
}

}  // namespace troupe

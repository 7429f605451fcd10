// The parts of a layer and the head as launches of kernels. The training pass and the sampler are made of these; a row's
// result depends on nothing but the row, so its bits cannot depend on which of them computed it.
#pragma once
#include <algorithm>

#include "attention.h"
#include "product.h"
#include "rows.h"
#include "vocabulary.h"
#include "weights.h"

namespace troupe::cuda {

// Logits held at once, numbers: a chunk of rows of the vocabulary's forward and backward stays under it.
constexpr long kLogitNumbers = 1l << 26;

/// The parts of a layer and the head, for any rows.
template <class T>
class Layers {
 public:
  explicit Layers(const Model<T>& m) : m_(m) {}

  template <bool Add, class Out>
  void multiply(Stream s, const T* x, long rows, long n, long k, const T* w, Out* y, const float* bias = nullptr) {
    ProductArgs<T, Out> p{x, k, w, k, y, n, (int)rows, (int)n, (int)k, bias};
    product<Add>(s, m_.processors, p);
  }
  void norm(Stream s, const float* x, const float* w, T* out, long rows) {
    launch(s, dim3((unsigned)rows), kRowThreads, 0, normRows<T>, x, w, out, m_.shape.hiddenSize, m_.epsilon());
  }

  /// qkv = heads ready for attention from the residual stream x [rows, d]; `raw` as in rotateHeads.
  void begin(Stream s, const Weights<T>& w, int layer, const float* x, const int32_t* positions, long rows, T* qkv, T* raw) {
    const Shape& h = m_.shape;
    const auto& y = m_.layers[layer];
    T* normed = normed_.reserve(rows * h.hiddenSize);
    norm(s, x, w.vectors + y.attentionNorm, normed, rows);
    multiply<false>(s, normed, rows, h.qkvWidth(), h.hiddenSize, w.matrices + y.qkv, qkv, h.qkvBias ? w.vectors + y.qkvBias : nullptr);
    launch(s, dim3((unsigned)rows), kRowThreads, 0, rotateHeads<T>, qkv, h.qkvWidth(), h.heads, h.kvHeads, h.headSize, positions,
           m_.cosine, m_.sine, h.qkNorm ? w.vectors + y.qNorm : nullptr, w.vectors + y.kNorm, raw, m_.epsilon());
  }

  /// mid = x + attended · Woᵀ; `mid` may be x.
  void addAttended(Stream s, const Weights<T>& w, int layer, const float* x, const T* attended, long rows, float* mid) {
    long d = m_.shape.hiddenSize;
    if (mid != x) copy(mid, x, sizeof(float) * rows * d, s);
    multiply<true>(s, attended, rows, d, m_.shape.qWidth(), w.matrices + m_.layers[layer].output, mid);
  }
  /// gateUp [rows, 2F] of the residual rows `mid`.
  void gateUpOf(Stream s, const Weights<T>& w, int layer, const float* mid, long rows, T* gateUp) {
    long d = m_.shape.hiddenSize;
    T* normed = normed_.reserve(rows * d);
    norm(s, mid, w.vectors + m_.layers[layer].mlpNorm, normed, rows);
    multiply<false>(s, normed, rows, 2l * m_.shape.intermediateSize, d, w.matrices + m_.layers[layer].gateUp, gateUp);
  }
  /// next = mid + (silu(gate) · up) · Wdownᵀ; `next` may be mid.
  void addFeedForward(Stream s, const Weights<T>& w, int layer, const float* mid, const T* gateUp, long rows, float* next) {
    long d = m_.shape.hiddenSize, f = m_.shape.intermediateSize;
    T* activated = activated_.reserve(rows * f);
    launch(s, dim3(parts(rows * f, kRowThreads)), kRowThreads, 0, swiglu<T>, gateUp, activated, rows * f, (int)f);
    if (next != mid) copy(next, mid, sizeof(float) * rows * d, s);
    multiply<true>(s, activated, rows, d, f, w.matrices + m_.layers[layer].down, next);
  }

  /// normed [rows, d] and logits [rows, V] of residual rows.
  void logits(Stream s, const Weights<T>& w, const float* x, long rows, T* normed, float* out) {
    norm(s, x, w.vectors + m_.finalNorm, normed, rows);
    multiply<false>(s, normed, rows, m_.shape.vocabSize, m_.shape.hiddenSize, w.matrices + m_.head, out);
  }
  /// Rows of logits to hold at once; a multiple of kSumRows.
  long logitRows() const { return std::max<long>(kSumRows, kLogitNumbers / m_.shape.vocabSize / kSumRows * kSumRows); }

 protected:
  const Model<T>& m_;
  Memory<T> normed_, activated_;
};

}  // namespace troupe::cuda

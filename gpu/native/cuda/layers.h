// The parts of a layer and the head as launches of kernels. The training pass and the sampler are made of these; a row's
// result depends on nothing but the row, so its bits cannot depend on which of them computed it.
#pragma once
#include <algorithm>
#include <type_traits>

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

  /// y [rows, n] = x [rows, k] · Wᵀ for fused linears, with the low-rank updates of `adapted`.
  template <bool Add, class Out>
  void multiply(Stream s, const Weights<T>& w, const std::vector<AdapterPart>& adapted, const T* x, long rows, long n, long k,
                long matrix, Out* y, const float* bias = nullptr) {
    ProductArgs<T, Out> p{x, k, w.matrices + matrix, k, y, n, (int)rows, (int)n, (int)k, bias};
    bool isAdapted = w.adapter.size() > 0 && !adapted.empty();
    if constexpr (std::is_same_v<Out, float>) {
      product<Add>(s, m_.processors, p);
      if (isAdapted) addUpdates(s, w, adapted, x, rows, y, n);
    } else {
      // y is rounded once: an update of less than half a step of y would vanish if it came behind.
      if (isAdapted) {
        p.start = beginUpdates(s, rows, n, bias), p.ldStart = n;
        addUpdates(s, w, adapted, x, rows, update_, n);
      }
      product<Add>(s, m_.processors, p);
    }
  }
  /// y [rows, ldy] += (x Aᵀ scale) Bᵀ at each part's columns.
  void addUpdates(Stream s, const Weights<T>& w, const std::vector<AdapterPart>& adapted, const T* x, long rows, float* y, long ldy) {
    long rank = m_.adapter->rank;
    for (const AdapterPart& part : adapted) {
      float* t = inner_.reserve(rows * rank);
      product<false>(s, m_.processors, ProductArgs<T, float, float>{x, part.inputs, w.adapter + part.a, part.inputs, t, rank, (int)rows,
                                                                    (int)rank, (int)part.inputs});
      product<true>(s, m_.processors, ProductArgs<float, float>{t, rank, w.adapter + part.b, rank, y + part.column, ldy, (int)rows,
                                                                (int)part.outputs, (int)rank});
    }
  }
  /// What updates are added to: rows that all are the bias, or 0.
  float* beginUpdates(Stream s, long rows, long n, const float* bias) {
    float* update = update_.reserve(rows * n);
    launch(s, dim3(parts(rows * n, kRowThreads)), kRowThreads, 0, repeatRow, bias, n, update, rows * n);
    return update;
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
    multiply<false>(s, w, m_.adapterOf(layer).qkv, normed, rows, h.qkvWidth(), h.hiddenSize, y.qkv, qkv,
                    h.qkvBias ? w.vectors + y.qkvBias : nullptr);
    launch(s, dim3((unsigned)rows), kRowThreads, 0, rotateHeads<T>, qkv, h.qkvWidth(), h.heads, h.kvHeads, h.headSize, positions,
           m_.cosine, m_.sine, h.qkNorm ? w.vectors + y.qNorm : nullptr, w.vectors + y.kNorm, raw, m_.epsilon());
  }

  /// mid = x + attended · Woᵀ; `mid` may be x.
  void addAttended(Stream s, const Weights<T>& w, int layer, const float* x, const T* attended, long rows, float* mid) {
    long d = m_.shape.hiddenSize;
    if (mid != x) copy(mid, x, sizeof(float) * rows * d, s);
    multiply<true>(s, w, m_.adapterOf(layer).output, attended, rows, d, m_.shape.qWidth(), m_.layers[layer].output, mid);
  }
  /// gateUp [rows, 2F] of the residual rows `mid`.
  void gateUpOf(Stream s, const Weights<T>& w, int layer, const float* mid, long rows, T* gateUp) {
    long d = m_.shape.hiddenSize;
    T* normed = normed_.reserve(rows * d);
    norm(s, mid, w.vectors + m_.layers[layer].mlpNorm, normed, rows);
    multiply<false>(s, w, m_.adapterOf(layer).gateUp, normed, rows, 2l * m_.shape.intermediateSize, d, m_.layers[layer].gateUp, gateUp);
  }
  /// next = mid + (silu(gate) · up) · Wdownᵀ; `next` may be mid.
  void addFeedForward(Stream s, const Weights<T>& w, int layer, const float* mid, const T* gateUp, long rows, float* next) {
    long d = m_.shape.hiddenSize, f = m_.shape.intermediateSize;
    T* activated = activated_.reserve(rows * f);
    launch(s, dim3(parts(rows * f, kRowThreads)), kRowThreads, 0, swiglu<T>, gateUp, activated, rows * f, (int)f);
    if (next != mid) copy(next, mid, sizeof(float) * rows * d, s);
    multiply<true>(s, w, m_.adapterOf(layer).down, activated, rows, d, f, m_.layers[layer].down, next);
  }

  /// normed [rows, d] and logits [rows, V] of residual rows.
  void logits(Stream s, const Weights<T>& w, const float* x, long rows, T* normed, float* out) {
    norm(s, x, w.vectors + m_.finalNorm, normed, rows);
    multiply<false>(s, w, m_.headAdapter(), normed, rows, m_.shape.vocabSize, m_.shape.hiddenSize, m_.head, out);
  }
  /// Rows of logits to hold at once; a multiple of kSumRows.
  long logitRows() const { return std::max<long>(kSumRows, kLogitNumbers / m_.shape.vocabSize / kSumRows * kSumRows); }

 protected:
  const Model<T>& m_;
  Memory<T> normed_, activated_;
  /// x Aᵀ of one part, and the sum of the updates to a product that is rounded.
  Memory<float> inner_, update_;
};

}  // namespace troupe::cuda

// Forward and backward over packed sequences. Both stand in one file because the second mirrors the first line by line.
#pragma once
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "../interface.h"
#include "attend.h"
#include "backend.h"
#include "layers.h"
#include "library-products.h"

namespace troupe::cuda {

template <class T>
class PackedPass : Layers<T> {
  using Layers<T>::m_;
  using Layers<T>::normed_;
  using Layers<T>::activated_;

 public:
  /// `keep`: activations of every layer stay for backward. `fast`: whose products cuBLASLt may compute.
  PackedPass(const Model<T>& model, bool keep, TrRecompute recompute = TR_RECOMPUTE_NOTHING, bool fast = false)
      : Layers<T>(model), s_(newStream()), attention_(model.shape), keep_(keep), recompute_(recompute) {
    if (fast) library_ = std::make_unique<LibraryProducts>(s_);
  }
  ~PackedPass() { endStream(s_); }

  long tokens() const { return n_; }

  void forward(const Weights<T>& w, const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature,
               float* logprobs, float* entropies, TopTokens top = {}) {
    n_ = -1;
    if (!(temperature > 0)) throw Failure(TR_BAD_INPUT, "temperature must be positive: " + std::to_string(temperature));
    takeRows(tokens, n, offsets, sequences);
    const Shape& h = m_.shape;
    long d = h.hiddenSize, inner = keepsInner() ? h.layers : 1;
    inverseTemperature_ = 1.f / temperature;
    x_.reserve((keep_ ? h.layers + 1 : 1) * rows_ * d);
    qkv_.reserve(inner * rows_ * h.qkvWidth());
    attended_.reserve(inner * rows_ * h.qWidth());
    logSums_.reserve(inner * rows_ * h.heads);
    if (keep_) mid_.reserve(inner * rows_ * d);
    if (keep_ && h.qkNorm) raw_.reserve(inner * rows_ * h.turnedWidth());
    gateUp_.reserve((keepsGateUp() ? h.layers : 1) * rows_ * 2 * h.intermediateSize);
    launch(s_, dim3((unsigned)rows_), kRowThreads, 0, embedRows<T>, w.matrices + m_.embedding, rowTokens_, x_, (int)d);
    for (int l = 0; l < h.layers; l++) {
      attentionHalf(w, l);
      this->gateUpOf(s_, w, l, mid(l), rows_, gateUp(l));
      this->addFeedForward(s_, w, l, mid(l), gateUp(l), rows_, x(l + 1));
    }
    logprobs_.reserve(n), entropies_.reserve(n);
    clear(logprobs_, sizeof(float) * n, s_);
    clear(entropies_, sizeof(float) * n, s_);
    if (top.k > 0) {
      // −1 is all ones.
      fill(topIds_.reserve(n * top.k), 0xff, sizeof(int32_t) * n * top.k, s_);
      clear(topLogprobs_.reserve(n * top.k), sizeof(float) * n * top.k, s_);
    }
    long chunk = this->logitRows();
    logits_.reserve(std::min(chunk, rows_) * h.vocabSize);
    for (long r = 0; r < rows_; r += chunk) {
      long count = std::min(chunk, rows_ - r);
      this->logits(s_, w, x(h.layers) + r * d, count, normed_.reserve(count * d), logits_);
      launch(s_, dim3((unsigned)count), kVocabularyThreads, 0, scoreRows, logits_, h.vocabSize, inverseTemperature_, targets_ + r,
             places_ + r, logprobs_, entropies_);
      if (top.k > 0)
        launch(s_, dim3((unsigned)count), kVocabularyThreads, 0, topTokens, logits_, h.vocabSize, inverseTemperature_, places_ + r, top.k,
               topIds_, topLogprobs_);
    }
    if (top.k > 0) {
      copy(top.ids, topIds_, sizeof(int32_t) * n * top.k, s_);
      copy(top.logprobs, topLogprobs_, sizeof(float) * n * top.k, s_);
    }
    copy(logprobs, logprobs_, sizeof(float) * n, s_);
    copy(entropies, entropies_, sizeof(float) * n, s_);
    finish(s_);
    n_ = n;
  }

  /// Adds to `grad`, laid out as what is trained: the flat weights, or the flat adapter.
  void backward(const Weights<T>& w, const float* dLogprobs, const float* dEntropies, float* grad) {
    if (n_ < 0) throw Failure(TR_NO_FORWARD, "the gradient of a batch needs its forward pass first");
    logprobs_.upload(dLogprobs, n_, s_);
    entropies_.upload(dEntropies, n_, s_);
    n_ = -1;
    const Shape& h = m_.shape;
    const Layout& to = m_.layout;
    long d = h.hiddenSize, width = h.qkvWidth(), f = h.intermediateSize, q = h.qWidth(), turned = h.turnedWidth();
    int all = h.heads + h.kvHeads;
    float *dx = dx_.reserve(rows_ * d), *inverse = inverse_.reserve(rows_ * all), *turn = turned_.reserve(rows_ * turned);
    T *dxT = dxT_.reserve(rows_ * d), *dinner = dinner_.reserve(rows_ * std::max(d, f)), *dGateUp = dGateUp_.reserve(rows_ * 2 * f);
    T *normed = normed_.reserve(rows_ * d), *activated = activated_.reserve(rows_ * f);
    T *dattended = dattended_.reserve(rows_ * q), *dqkv = dqkv_.reserve(rows_ * width);
    bool trainsBase = m_.adapter == nullptr;
    auto ofBase = [&](long offset) { return trainsBase ? grad + offset : nullptr; };
    backwardHead(w, grad);
    for (int l = h.layers - 1; l >= 0; l--) {
      const auto& from = m_.layers[l];
      const Layout::Layer& out = to.layers[l];
      const AdapterLayout::Layer& adapted = m_.adapterOf(l);
      if (!keepsInner()) attentionHalf(w, l);
      if (!keepsGateUp()) this->gateUpOf(s_, w, l, mid(l), rows_, gateUp(l));
      const T* raw = h.qkNorm ? this->raw(l) : nullptr;
      narrow(dx, dxT, rows_ * d);
      inputGrad(w, adapted.down, dxT, rows_, d, f, from.down, dinner);
      launch(s_, dim3(parts(rows_ * f, kRowThreads)), kRowThreads, 0, swigluGrad<T>, gateUp(l), dinner, dGateUp, activated,
             rows_ * f, (int)f);
      weightGrad(w, adapted.down, dxT, d, activated, f, rows_, out.down, grad);
      inputGrad(w, adapted.gateUp, dGateUp, rows_, 2 * f, d, from.gateUp, dinner);
      this->norm(s_, mid(l), w.vectors + from.mlpNorm, normed, rows_);
      weightGrad(w, adapted.gateUp, dGateUp, 2 * f, normed, d, rows_, out.gateUp, grad);
      normGrad(mid(l), w.vectors + from.mlpNorm, dinner, dx, rows_, ofBase(out.mlpNorm));

      narrow(dx, dxT, rows_ * d);
      inputGrad(w, adapted.output, dxT, rows_, d, q, from.output, dattended);
      weightGrad(w, adapted.output, dxT, d, attended(l), q, rows_, out.output, grad);
      attention_.backward(s_, qkv(l), dattended, attended(l), logSums(l), dqkv);
      launch(s_, dim3((unsigned)rows_), kRowThreads, 0, rotateHeadsGrad<T>, dqkv, width, h.heads, h.kvHeads, h.headSize, positions_,
             m_.cosine, m_.sine, h.qkNorm ? w.vectors + from.qNorm : nullptr, w.vectors + from.kNorm, raw, turn, inverse, m_.epsilon());
      if (h.qkNorm && trainsBase) {
        sum(SumArgs<float, T>{turn, turned, raw, turned, inverse, all, (int)rows_ * h.heads, h.heads, h.headSize}, grad + out.qNorm);
        sum(SumArgs<float, T>{turn + q, turned, raw + q, turned, inverse + h.heads, all, (int)rows_ * h.kvHeads, h.kvHeads, h.headSize},
            grad + out.kNorm);
      }
      if (h.qkvBias && trainsBase) sum(SumArgs<T, T>{dqkv, width, nullptr, 0, nullptr, 0, (int)rows_, 1, (int)width}, grad + out.qkvBias);
      this->norm(s_, x(l), w.vectors + from.attentionNorm, normed, rows_);
      inputGrad(w, adapted.qkv, dqkv, rows_, width, d, from.qkv, dinner);
      weightGrad(w, adapted.qkv, dqkv, width, normed, d, rows_, out.qkv, grad);
      normGrad(x(l), w.vectors + from.attentionNorm, dinner, dx, rows_, ofBase(out.attentionNorm));
    }
    if (trainsBase)
      launch(s_, dim3((unsigned)distinct_), kRowThreads, 0, embedGrad<T>, dx, sortedTokens_, sortedStarts_, sortedRows_,
             grad + to.embedding, (int)d);
    finish(s_);
  }

 private:
  bool keepsInner() const { return keep_ && recompute_ < TR_RECOMPUTE_LAYERS; }
  bool keepsGateUp() const { return keep_ && recompute_ < TR_RECOMPUTE_FEED_FORWARD; }
  template <class V>
  V* at(const Memory<V>& b, bool isKept, int layer, long width) const {
    return b + (isKept ? layer : 0) * rows_ * width;
  }
  float* x(int layer) const { return at(x_, keep_, layer, m_.shape.hiddenSize); }
  float* mid(int layer) const { return keep_ ? at(mid_, keepsInner(), layer, m_.shape.hiddenSize) : x(layer); }
  T* qkv(int layer) const { return at(qkv_, keepsInner(), layer, m_.shape.qkvWidth()); }
  T* raw(int layer) const { return at(raw_, keepsInner(), layer, m_.shape.turnedWidth()); }
  T* attended(int layer) const { return at(attended_, keepsInner(), layer, m_.shape.qWidth()); }
  float* logSums(int layer) const { return at(logSums_, keepsInner(), layer, m_.shape.heads); }
  T* gateUp(int layer) const { return at(gateUp_, keepsGateUp(), layer, 2l * m_.shape.intermediateSize); }

  /// From a layer's input to the residual stream behind its attention.
  void attentionHalf(const Weights<T>& w, int l) {
    const Shape& h = m_.shape;
    this->begin(s_, w, l, x(l), positions_, rows_, qkv(l), keep_ && h.qkNorm ? raw(l) : nullptr);
    attention_.forward(s_, qkv(l), attended(l), logSums(l));
    this->addAttended(s_, w, l, x(l), attended(l), rows_, mid(l));
  }

  void takeRows(const int32_t* tokens, long n, const int32_t* offsets, long sequences) {
    const Shape& h = m_.shape;
    checkOffsets(offsets, sequences, n);
    for (long i = 0; i < n; i++)
      if (tokens[i] < 0 || tokens[i] >= h.vocabSize)
        throw Failure(TR_BAD_INPUT, "token " + std::to_string(tokens[i]) + " at index " + std::to_string(i) +
                                        " is outside the vocabulary of " + std::to_string(h.vocabSize));
    // One row per token that predicts another: a sequence's last token has none.
    std::vector<int32_t> rowTokens, positions, targets, places, lengths;
    for (long q = 0; q < sequences; q++) {
      long length = (long)offsets[q + 1] - offsets[q];
      if (length > h.maxPositions)
        throw Failure(TR_BAD_INPUT, "sequence " + std::to_string(q) + " has " + std::to_string(length) +
                                        " tokens, more than maxPositions " + std::to_string(h.maxPositions));
      if (length > 1) lengths.push_back((int32_t)length - 1);
      for (long t = 0; t + 1 < length; t++) {
        long i = offsets[q] + t;
        rowTokens.push_back(tokens[i]);
        positions.push_back((int32_t)t);
        targets.push_back(tokens[i + 1]);
        places.push_back((int32_t)(i + 1));
      }
    }
    rows_ = (long)rowTokens.size();
    rowTokens_.upload(rowTokens.data(), rows_, s_);
    positions_.upload(positions.data(), rows_, s_);
    targets_.upload(targets.data(), rows_, s_);
    places_.upload(places.data(), rows_, s_);
    attention_.take(lengths, s_);
    if (keep_) sortRows(rowTokens);
    finish(s_);
  }

  /// Rows by token, in their own order among equals: who sums the embedding's gradient needs no atomics.
  void sortRows(const std::vector<int32_t>& tokens) {
    std::vector<int32_t> order(tokens.size()), distinct, starts;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return tokens[a] < tokens[b]; });
    for (size_t i = 0; i < order.size(); i++)
      if (i == 0 || tokens[order[i]] != tokens[order[i - 1]]) {
        distinct.push_back(tokens[order[i]]);
        starts.push_back((int32_t)i);
      }
    starts.push_back((int32_t)order.size());
    distinct_ = (long)distinct.size();
    sortedRows_.upload(order.data(), rows_, s_);
    sortedTokens_.upload(distinct.data(), distinct_, s_);
    sortedStarts_.upload(starts.data(), (long)starts.size(), s_);
    finish(s_);
  }

  void narrow(const float* from, T* to, long n) { launch(s_, dim3(parts(n, kRowThreads)), kRowThreads, 0, convert<T>, from, to, n); }

  /// to [columns, ld] = fromᵀ, whose rows are ldf apart; returns ld, the rows rounded up to what the tensor cores copy at
  /// once. Padding is 0.
  template <class V>
  long turn(const V* from, long ldf, long rows, long columns, Memory<V>& to) {
    long ld = (rows + 7) / 8 * 8;
    to.reserve(columns * ld);
    launch(s_, dim3(parts(columns, 32), parts(ld, 32)), kRowThreads, 0, transpose<V>, from, ldf, (int)rows, (int)columns, to, ld);
    return ld;
  }
  /// dx [rows, inputs] = dy [rows, outputs] · W [outputs, inputs] + Σ u · A scale, with u = dy B of each part; u stays for
  /// the weightGrad() that follows.
  void inputGrad(const Weights<T>& w, const std::vector<AdapterPart>& adapted, const T* dy, long rows, long outputs, long inputs,
                 long matrix, T* dx) {
    const T* from = w.matrices + matrix;
    float* update = adapted.empty() ? nullptr : adapterInputGrad(w, adapted, dy, rows, outputs, inputs);
    if (library_ != nullptr) {
      if (update == nullptr && library_->inputGrad(dy, from, dx, rows, outputs, inputs, 0.f)) return;
      if (update != nullptr && library_->inputGrad(dy, from, update, rows, outputs, inputs, 1.f)) return narrow(update, dx, rows * inputs);
    }
    long ld = turn(from, inputs, outputs, inputs, left_);
    product<false>(s_, m_.processors,
                   ProductArgs<T, T>{dy, outputs, left_, ld, dx, inputs, (int)rows, (int)inputs, (int)outputs, update, inputs});
  }
  /// Σ u · A scale [rows, inputs], valid until the next product with an update.
  float* adapterInputGrad(const Weights<T>& w, const std::vector<AdapterPart>& adapted, const T* dy, long rows, long outputs,
                          long inputs) {
    long rank = m_.adapter->rank;
    float* u = lowRankGrads_.reserve((long)adapted.size() * rows * rank);
    float* update = this->beginUpdates(s_, rows, inputs, nullptr);
    for (const AdapterPart& part : adapted) {
      long wide = turn<float>(w.adapter + part.b, rank, part.outputs, rank, turnedFloats_);
      product<false>(s_, m_.processors, ProductArgs<T, float, float>{dy + part.column, outputs, turnedFloats_, wide, u, rank, (int)rows,
                                                                     (int)rank, (int)part.outputs});
      wide = turn<float>(w.adapter + part.a, inputs, rank, inputs, turnedFloats_);
      product<true>(s_, m_.processors, ProductArgs<float, float>{u, rank, turnedFloats_, wide, update, inputs, (int)rows, (int)inputs,
                                                                 (int)rank});
      u += rows * rank;
    }
    return update;
  }
  /// What is trained of fused linears, of dy [rows, outputs] and x [rows, inputs]: grad[matrix…] += dyᵀ x, or of each part
  /// B's += dyᵀ (x Aᵀ scale) and A's += scale uᵀ x.
  void weightGrad(const Weights<T>& w, const std::vector<AdapterPart>& adapted, const T* dy, long outputs, const T* x, long inputs,
                  long rows, long matrix, float* grad) {
    if (m_.adapter != nullptr) return adapterGrad(w, adapted, dy, outputs, x, inputs, rows, grad);
    if (library_ != nullptr && library_->weightGrad(dy, x, grad + matrix, rows, outputs, inputs)) return;
    long ld = turn(dy, outputs, rows, outputs, left_);
    turn(x, inputs, rows, inputs, right_);
    ProductArgs<T, float> p{left_, ld, right_, ld, grad + matrix, inputs, (int)outputs, (int)inputs, (int)ld};
    product<true>(s_, m_.processors, p);
  }
  void adapterGrad(const Weights<T>& w, const std::vector<AdapterPart>& adapted, const T* dy, long outputs, const T* x, long inputs,
                   long rows, float* grad) {
    long rank = m_.adapter->rank, n = rows * rank;
    if (!adapted.empty()) turn(x, inputs, rows, inputs, right_);
    float* u = lowRankGrads_;
    for (const AdapterPart& part : adapted) {
      float* t = this->inner_.reserve(n);
      product<false>(s_, m_.processors, ProductArgs<T, float, float>{x, inputs, w.adapter + part.a, inputs, t, rank, (int)rows, (int)rank,
                                                                     (int)inputs});
      long ld = turn(dy + part.column, outputs, rows, part.outputs, left_);
      turn<float>(t, rank, rows, rank, turnedFloats_);
      product<true>(s_, m_.processors, ProductArgs<T, float, float>{left_, ld, turnedFloats_, ld, grad + part.b, rank, (int)part.outputs,
                                                                    (int)rank, (int)ld});
      launch(s_, dim3(parts(n, kRowThreads)), kRowThreads, 0, scaleAll, u, n, m_.adapter->scale);
      turn<float>(u, rank, rows, rank, turnedFloats_);
      product<true>(s_, m_.processors, ProductArgs<float, float, T>{turnedFloats_, ld, right_, ld, grad + part.a, inputs, (int)rank,
                                                                    (int)inputs, (int)ld});
      u += n;
    }
  }

  template <class D, class X>
  void sum(const SumArgs<D, X>& a, float* grad) {
    unsigned across = parts(a.width, kRowThreads), down = parts(a.rows, kSumRows);
    partials_.reserve((long)down * a.width);
    launch(s_, dim3(across, down), kRowThreads, 0, sumRows<D, X>, a, partials_);
    launch(s_, dim3(across), kRowThreads, 0, addPartials, partials_, (int)down, grad, a.width);
  }
  /// Adds to dx, and to the norm's own gradient unless `grad` is null.
  void normGrad(const float* x, const float* w, const T* dy, float* dx, long rows, float* grad) {
    long d = m_.shape.hiddenSize;
    launch(s_, dim3((unsigned)rows), kRowThreads, 0, normRowsGrad<T>, x, w, dy, dx, inverse_, (int)d, m_.epsilon());
    if (grad != nullptr) sum(SumArgs<T, float>{dy, d, x, d, inverse_, 1, (int)rows, 1, (int)d}, grad);
  }

  void backwardHead(const Weights<T>& w, float* grad) {
    const Shape& h = m_.shape;
    long d = h.hiddenSize, v = h.vocabSize, chunk = this->logitRows();
    logits_.reserve(std::min(chunk, rows_) * v);
    dlogits_.reserve(std::min(chunk, rows_) * v);
    clear(dx_, sizeof(float) * rows_ * d, s_);
    for (long r = 0; r < rows_; r += chunk) {
      long count = std::min(chunk, rows_ - r);
      const float* last = x(h.layers) + r * d;
      this->logits(s_, w, last, count, normed_, logits_);
      launch(s_, dim3((unsigned)count), kVocabularyThreads, 0, logitsGrad<T>, logits_, h.vocabSize, inverseTemperature_, targets_ + r,
             places_ + r, logprobs_, entropies_, dlogits_);
      inputGrad(w, m_.headAdapter(), dlogits_, count, v, d, m_.head, dinner_);
      normGrad(last, w.vectors + m_.finalNorm, dinner_, dx_ + r * d, count, m_.adapter == nullptr ? grad + m_.layout.finalNorm : nullptr);
      weightGrad(w, m_.headAdapter(), dlogits_, v, normed_, d, count, m_.layout.head, grad);
    }
  }

  Stream s_;
  std::unique_ptr<LibraryProducts> library_;
  PackedAttention<T> attention_;
  bool keep_;
  TrRecompute recompute_;
  long n_ = -1, rows_ = 0, distinct_ = 0;
  float inverseTemperature_ = 1;
  Memory<int32_t> rowTokens_, positions_, targets_, places_, sortedRows_, sortedTokens_, sortedStarts_, topIds_;
  Memory<float> x_, mid_, logSums_, logits_, logprobs_, entropies_, topLogprobs_, dx_, inverse_, turned_, partials_,
      lowRankGrads_, turnedFloats_;
  Memory<T> qkv_, raw_, attended_, gateUp_, dxT_, dinner_, dGateUp_, dattended_, dqkv_, dlogits_, left_, right_;
};

}  // namespace troupe::cuda

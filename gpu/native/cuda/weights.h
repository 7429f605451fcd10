// What is fixed about a model on the device, and one immutable copy of its weights: matrices in T, vectors and the
// adapter in float32.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "../adapter.h"
#include "../shape.h"
#include "attention.h"
#include "host.h"
#include "rows.h"

namespace troupe::cuda {

template <class T>
struct BaseWeights {
  Memory<T> matrices;
  Memory<float> vectors;
};

/// Its addresses hold as long as it lives.
template <class T>
struct Weights {
  explicit Weights(std::shared_ptr<BaseWeights<T>> b) : base(std::move(b)), matrices(base->matrices), vectors(base->vectors) {
    static std::atomic<int64_t> last{0};
    number = ++last;
  }
  /// What the learner does not change is shared by many versions.
  std::shared_ptr<BaseWeights<T>> base;
  const T* matrices;
  const float* vectors;
  /// As in the flat adapter, A times its scale; empty in a version without one, such as the reference.
  Memory<float> adapter;
  /// No two of a process have the same, though an address may come again.
  int64_t number;
};

template <class T>
struct Model {
  struct Layer {
    long attentionNorm, qkv, qkvBias, qNorm, kNorm, output, mlpNorm, gateUp, down;
  };
  /// One run of the flat parameters and where it goes.
  struct Piece {
    long from, n, to;
    bool isMatrix;
  };

  /// @param a may be null
  Model(const Shape& s, int processors, std::shared_ptr<const AdapterLayout> a)
      : shape(s), layout(s), adapter(std::move(a)), processors(processors) {
    if (s.headSize > kMostHead)
      throw Failure(TR_BAD_SHAPE, "the CUDA kernels take a headSize of at most " + std::to_string(kMostHead) + ": " + std::to_string(s.headSize));
    if (s.group() > kMostGroup)
      throw Failure(TR_BAD_SHAPE, "the CUDA kernels take at most " + std::to_string(kMostGroup) + " query heads for each kv head: " +
                                      std::to_string(s.group()));
    auto matrix = [&](long from, long n, long k) { return take(from, n * k, true); };
    auto vector = [&](long from, long n) { return take(from, n, false); };
    long d = s.hiddenSize, w = s.qkvWidth(), f = s.intermediateSize;
    embedding = matrix(layout.embedding, s.vocabSize, d);
    for (const Layout::Layer& y : layout.layers)
      layers.push_back({vector(y.attentionNorm, d), matrix(y.qkv, w, d), s.qkvBias ? vector(y.qkvBias, w) : 0,
                        s.qkNorm ? vector(y.qNorm, s.headSize) : 0, s.qkNorm ? vector(y.kNorm, s.headSize) : 0,
                        matrix(y.output, d, s.qWidth()), vector(y.mlpNorm, d), matrix(y.gateUp, 2 * f, d), matrix(y.down, d, f)});
    finalNorm = vector(layout.finalNorm, d);
    head = s.tieEmbeddings ? embedding : matrix(layout.head, s.vocabSize, d);
    long half = s.headSize / 2;
    std::vector<float> c(s.maxPositions * half), n(s.maxPositions * half);
    for (long j = 0; j < half; j++) {
      double turn = rotaryFrequency(s, j);
      for (long t = 0; t < s.maxPositions; t++) {
        c[t * half + j] = (float)std::cos((double)t * turn);
        n[t * half + j] = (float)std::sin((double)t * turn);
      }
    }
    Stream stream = newStream();
    cosine.upload(c.data(), (long)c.size(), stream);
    sine.upload(n.data(), (long)n.size(), stream);
    finish(stream);
    endStream(stream);
  }

  std::shared_ptr<BaseWeights<T>> makeBase() const {
    auto base = std::make_shared<BaseWeights<T>>();
    base->matrices.reserve(matrixSize_);
    base->vectors.reserve(vectorSize_);
    return base;
  }
  /// Makes `to` of flat float32 parameters on the device.
  void convertInto(const float* flat, BaseWeights<T>& to, Stream s) const {
    for (const Piece& p : pieces_) {
      if (p.isMatrix) launch(s, dim3(parts(p.n, kRowThreads)), kRowThreads, 0, convert<T>, flat + p.from, to.matrices + p.to, p.n);
      else copy(to.vectors + p.to, flat + p.from, sizeof(float) * p.n, s);
    }
  }

  /// Copies the matrices' parts among n flat parameters from `from` on, which are T already, to their places.
  void placeMatrices(const T* flat, long from, long n, BaseWeights<T>& to, Stream s) const {
    for (const Piece& p : pieces_) {
      long a = std::max(p.from, from), b = std::min(p.from + p.n, from + n);
      if (p.isMatrix && a < b) copy(to.matrices + p.to + (a - p.from), flat + (a - from), sizeof(T) * (b - a), s);
    }
  }
  /// visit(from, n, to) for every run of vectors in the flat parameters.
  template <class Visit>
  void eachVector(Visit visit) const {
    for (const Piece& p : pieces_)
      if (!p.isMatrix) visit(p.from, p.n, p.to);
  }

  /// Makes a version's adapter of the flat one on the device.
  void copyAdapter(const float* flat, Memory<float>& to, Stream s) const {
    copy(to.reserve(adapter->size), flat, sizeof(float) * adapter->size, s);
    for (const AdapterPart* p : adapter->all()) {
      long n = adapter->rank * p->inputs;
      launch(s, dim3(parts(n, kRowThreads)), kRowThreads, 0, scaleAll, to + p->a, n, adapter->scale);
    }
  }
  /// What is adapted of a layer, and of the head; empty without an adapter.
  const AdapterLayout::Layer& adapterOf(int layer) const { return adapter == nullptr ? none_ : adapter->layers[layer]; }
  const std::vector<AdapterPart>& headAdapter() const { return adapter == nullptr ? none_.qkv : adapter->head; }

  float epsilon() const { return (float)shape.rmsNormEpsilon; }
  /// Elements of one page of the key/value cache, and of one layer's part of it.
  long layerPage() const { return (long)shape.kvHeads * 2 * kPageKeys * shape.headSize; }
  long pageSize() const { return layerPage() * shape.layers; }

  Shape shape;
  Layout layout;
  std::shared_ptr<const AdapterLayout> adapter;
  int processors;
  std::vector<Layer> layers;
  long embedding = 0, finalNorm = 0, head = 0;
  /// [maxPositions, headSize / 2]
  Memory<float> cosine, sine;

 private:
  long take(long from, long n, bool isMatrix) {
    long& size = isMatrix ? matrixSize_ : vectorSize_;
    long at = size;
    // The tensor cores' copies want 16-byte places.
    size += (n + 63) / 64 * 64;
    pieces_.push_back({from, n, at, isMatrix});
    return at;
  }
  std::vector<Piece> pieces_;
  AdapterLayout::Layer none_;
  long matrixSize_ = 0, vectorSize_ = 0;
};

}  // namespace troupe::cuda

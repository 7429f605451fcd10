#include "model.h"

#include <cmath>
#include <cstring>

namespace troupe {
float* scratch(Slot slot, long n) {
  thread_local Buffer buffers[static_cast<int>(Slot::Count)];
  return buffers[static_cast<int>(slot)].reserve(n);
}

std::shared_ptr<const Model> makeModel(const Shape& shape, const Kernels& kernels, long rank, double alpha, const char* targets) {
  std::shared_ptr<const AdapterLayout> adapter;
  if (rank != 0) adapter = std::make_shared<AdapterLayout>(shape, Layout(shape), kernels, rank, alpha, targets);
  return std::make_shared<Model>(shape, kernels, adapter);
}

Model::Model(const Shape& s, const Kernels& k, std::shared_ptr<const AdapterLayout> a)
    : shape(s), layout(s), kernels(k), adapter(std::move(a)) {
  auto take = [&](long n) {
    long at = packedSize;
    packedSize += (n + 15) / 16 * 16;
    return at;
  };
  long d = s.hiddenSize;
  embedding = take((long)s.vocabSize * d);
  for (int l = 0; l < s.layers; l++)
    layers.push_back({take(d), take(k.linearSize(s.qkvWidth(), d)), take(s.qkvWidth()), take(s.headSize), take(s.headSize),
                      take(k.linearSize(d, s.qWidth())), take(d), take(k.linearSize(2l * s.intermediateSize, d)),
                      take(k.linearSize(d, s.intermediateSize))});
  finalNorm = take(d);
  head = take(k.linearSize(s.vocabSize, d));
  long half = s.headSize / 2;
  cosine.reserve(s.maxPositions * half);
  sine.reserve(s.maxPositions * half);
  for (long j = 0; j < half; j++) {
    double turn = rotaryFrequency(s, j);
    for (long t = 0; t < s.maxPositions; t++) {
      cosine[t * half + j] = (float)std::cos((double)t * turn);
      sine[t * half + j] = (float)std::sin((double)t * turn);
    }
  }
}

void Model::pack(const float* weights, float* packed, long part) const {
  long d = shape.hiddenSize;
  auto matrix = [&](long from, long n, long k, long to) {
    kernels.packLinear(weights + from, n, k, packed + to);
  };
  auto copy = [&](long from, long n, long to) { std::memcpy(packed + to, weights + from, sizeof(float) * n); };
  if (part == 0) return copy(layout.embedding, (long)shape.vocabSize * d, embedding);
  if (part == 1) return copy(layout.finalNorm, d, finalNorm);
  part -= 2;
  if (part < headBlocks()) {
    long first = part * kVocabularyBlock;
    return matrix(layout.head + first * d, std::min(kVocabularyBlock, shape.vocabSize - first), d, head + kernels.linearSize(first, d));
  }
  part -= headBlocks();
  const Layout::Layer& from = layout.layers[part / 9];
  const Layer& to = layers[part / 9];
  switch (part % 9) {
    case 0: return copy(from.attentionNorm, d, to.attentionNorm);
    case 1: return matrix(from.qkv, shape.qkvWidth(), d, to.qkv);
    case 2: return shape.qkvBias ? copy(from.qkvBias, shape.qkvWidth(), to.qkvBias) : void();
    case 3: return shape.qkNorm ? copy(from.qNorm, shape.headSize, to.qNorm) : void();
    case 4: return shape.qkNorm ? copy(from.kNorm, shape.headSize, to.kNorm) : void();
    case 5: return matrix(from.output, d, shape.qWidth(), to.output);
    case 6: return copy(from.mlpNorm, d, to.mlpNorm);
    case 7: return matrix(from.gateUp, 2l * shape.intermediateSize, d, to.gateUp);
    default: return matrix(from.down, d, shape.intermediateSize, to.down);
  }
}

void Model::adapt(const PackedWeights& weights, const std::vector<AdapterPart>& parts, const float* x, long rows, float* out,
                  long ldo) const {
  if (weights.adapter.data() == nullptr) return;
  for (const AdapterPart& p : parts) {
    float* t = scratch(Slot::LowRank, rows * adapter->rank);
    multiplyLowRank(rows, adapter->rank, p.inputs, x, p.inputs, weights.adapter + p.aPanels, t, adapter->rank, Start::Zero);
    multiplyLowRank(rows, p.outputs, adapter->rank, t, adapter->rank, weights.adapter + p.bPanels, out + p.column, ldo,
                    Start::Destination);
  }
}

void Model::attentionInputs(const PackedWeights& weights, int layer, const float* x, const int32_t* positions, long rows, float* qkv,
                            float* raw) const {
  const Layer& y = layers[layer];
  long d = shape.hiddenSize, w = shape.qkvWidth();
  float* normed = scratch(Slot::Normed, rows * d);
  kernels.rmsNorm(x, weights.data + y.attentionNorm, normed, rows, d, epsilon());
  multiply(rows, w, d, normed, weights.data + y.qkv, qkv, shape.qkvBias ? Start::Bias : Start::Zero, weights.data + y.qkvBias);
  if (adapter != nullptr) adapt(weights, adapter->layers[layer].qkv, normed, rows, qkv, w);
  kernels.rotateHeads(qkv, w, rows, shape.heads, shape.kvHeads, shape.headSize, positions, cosine, sine,
                      shape.qkNorm ? weights.data + y.qNorm : nullptr, weights.data + y.kNorm, raw, shape.turnedWidth(), epsilon());
}

void Model::addAttended(const PackedWeights& weights, int layer, const float* x, const float* attended, long rows,
                        float* mid) const {
  if (mid != x) std::memcpy(mid, x, sizeof(float) * rows * shape.hiddenSize);
  multiply(rows, shape.hiddenSize, shape.qWidth(), attended, weights.data + layers[layer].output, mid, Start::Destination);
  if (adapter != nullptr) adapt(weights, adapter->layers[layer].output, attended, rows, mid, shape.hiddenSize);
}

void Model::gateUpOf(const PackedWeights& weights, int layer, const float* mid, long rows, float* normed, float* gateUp) const {
  const Layer& y = layers[layer];
  kernels.rmsNorm(mid, weights.data + y.mlpNorm, normed, rows, shape.hiddenSize, epsilon());
  multiply(rows, 2l * shape.intermediateSize, shape.hiddenSize, normed, weights.data + y.gateUp, gateUp, Start::Zero);
  if (adapter != nullptr) adapt(weights, adapter->layers[layer].gateUp, normed, rows, gateUp, 2l * shape.intermediateSize);
}

void Model::addFeedForward(const PackedWeights& weights, int layer, const float* mid, const float* gateUp, long rows,
                           float* next) const {
  long d = shape.hiddenSize, f = shape.intermediateSize;
  float* activated = scratch(Slot::Activated, rows * f);
  kernels.swiglu(gateUp, activated, rows, f);
  if (next != mid) std::memcpy(next, mid, sizeof(float) * rows * d);
  multiply(rows, d, f, activated, weights.data + layers[layer].down, next, Start::Destination);
  if (adapter != nullptr) adapt(weights, adapter->layers[layer].down, activated, rows, next, d);
}

void Model::finishLayer(const PackedWeights& weights, int layer, const float* x, const float* attended, long rows, float* mid,
                        float* gateUp, float* next) const {
  addAttended(weights, layer, x, attended, rows, mid);
  gateUpOf(weights, layer, mid, rows, scratch(Slot::Normed, rows * shape.hiddenSize), gateUp);
  addFeedForward(weights, layer, mid, gateUp, rows, next);
}

void Model::embed(const PackedWeights& weights, int32_t token, float* out) const {
  std::memcpy(out, weights.data + embedding + (long)token * shape.hiddenSize, sizeof(float) * shape.hiddenSize);
}

void Model::finalNormed(const PackedWeights& weights, const float* x, long rows, float* normed) const {
  kernels.rmsNorm(x, weights.data + finalNorm, normed, rows, shape.hiddenSize, epsilon());
}

void Model::logitsOf(const PackedWeights& weights, const float* normed, long rows, long first, long count, float* out) const {
  multiply(rows, count, shape.hiddenSize, normed, weights.data + head + kernels.linearSize(first, shape.hiddenSize), out, Start::Zero);
  if (adapter == nullptr || adapter->head.empty()) return;
  AdapterPart part = adapter->head[0];
  part.outputs = count;
  part.bPanels += first * adapter->rank;
  adapt(weights, {part}, normed, rows, out, count);
}

void Model::logits(const PackedWeights& weights, const float* x, long rows, float* normed, float* out) const {
  finalNormed(weights, x, rows, normed);
  logitsOf(weights, normed, rows, 0, shape.vocabSize, out);
}

}  // namespace troupe

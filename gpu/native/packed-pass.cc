// Forward and backward stand in one file because the second mirrors the first line by line.
#include "packed-pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "interface.h"
#include "pool.h"
#include "top-logits.h"

namespace troupe {
namespace {

// A weight-gradient part: outputs x inputs. Large parts pack their right side less often, small ones balance better;
// parts share no sum, so their size changes no bit and may depend on the number of threads.
constexpr long kMostTileOutputs = 256, kLeastTileOutputs = 32, kMostTileInputs = 256, kTileUnit = 32;
constexpr long kPartsPerThread = 3;
constexpr long kEmbeddingColumns = 32;

}  // namespace

BackwardPanels::BackwardPanels(const Model& m) {
  const Shape& s = m.shape;
  long d = s.hiddenSize;
  auto take = [&](long outputs, long inputs) {  // dx has `inputs` columns
    long at = size;
    size += m.kernels.linearSize(inputs, outputs);
    return at;
  };
  for (int l = 0; l < s.layers; l++)
    layers.push_back({take(s.qkvWidth(), d), take(d, s.qWidth()), take(2l * s.intermediateSize, d), take(d, s.intermediateSize)});
  head = take(s.vocabSize, d);
}

void BackwardPanels::allocate(long floats, long adapterFloats) {
  data.reserve(floats);
  if (adapterFloats > 0) adapter.reserve(adapterFloats);
}

void BackwardPanels::pack(const Model& m, const float* weights, long part) {
  const Shape& s = m.shape;
  long d = s.hiddenSize;
  auto matrix = [&](long from, long outputs, long inputs, long to) {
    m.kernels.packLinearBack(weights + from, outputs, inputs, data + to);
  };
  if (part < m.headBlocks()) {
    // Each block of the vocabulary is a matrix of its own, as backwardHead takes them.
    long first = part * kVocabularyBlock;
    return matrix(m.layout.head + first * d, std::min(kVocabularyBlock, s.vocabSize - first), d, head + m.kernels.linearSize(d, first));
  }
  part -= m.headBlocks();
  const Layout::Layer& from = m.layout.layers[part / 4];
  const Layer& to = layers[part / 4];
  switch (part % 4) {
    case 0: return matrix(from.qkv, s.qkvWidth(), d, to.qkv);
    case 1: return matrix(from.output, d, s.qWidth(), to.output);
    case 2: return matrix(from.gateUp, 2l * s.intermediateSize, d, to.gateUp);
    default: return matrix(from.down, d, s.intermediateSize, to.down);
  }
}

PackedPass::PackedPass(std::shared_ptr<const Model> model, int threads, bool trains, Recompute recompute)
    : model_(std::move(model)), threads_(threads), trains_(trains), recompute_(recompute) {}

void PackedPass::reserve(PassBuffer first, PassBuffer last) {
  for (int b = static_cast<int>(first); b < static_cast<int>(last); b++)
    buffers_[b].reserve(floatsOf(*model_, plan(), static_cast<PassBuffer>(b)));
}

void PackedPass::run(long parts, const std::function<void(long)>& part) const { Pool::shared().run(parts, threads_, part); }

void PackedPass::takeRows(const int32_t* tokens, long n, const int32_t* offsets, long sequences) {
  const Shape& s = model_->shape;
  checkOffsets(offsets, sequences, n);
  rowTokens_.clear(), rowPositions_.clear(), rowTargets_.clear(), rowPlaces_.clear(), spans_.clear();
  for (long i = 0; i < n; i++)
    if (tokens[i] < 0 || tokens[i] >= s.vocabSize)
      throw Failure(TR_BAD_INPUT, "token " + std::to_string(tokens[i]) + " at index " + std::to_string(i) +
                                      " is outside the vocabulary of " + std::to_string(s.vocabSize));
  for (long q = 0; q < sequences; q++) {
    long length = (long)offsets[q + 1] - offsets[q];
    if (length > s.maxPositions)
      throw Failure(TR_BAD_INPUT, "sequence " + std::to_string(q) + " has " + std::to_string(length) +
                                      " tokens, more than maxPositions " + std::to_string(s.maxPositions));
    if (length > 1) spans_.push_back({(long)rowTokens_.size(), length - 1});
    for (long t = 0; t + 1 < length; t++) {
      long i = offsets[q] + t;
      rowTokens_.push_back(tokens[i]);
      rowPositions_.push_back((int32_t)t);
      rowTargets_.push_back(tokens[i + 1]);
      rowPlaces_.push_back(i + 1);
    }
  }
  rows_ = (long)rowTokens_.size();
  // Jobs take spans in order, and end sooner when the short ones come last.
  std::stable_sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) { return a.count > b.count; });
}

void PackedPass::attend(int layer, long item) {
  const Shape& s = model_->shape;
  const Kernels& k = model_->kernels;
  Span span = spans_[item / s.kvHeads];
  long kv = item % s.kvHeads, w = s.qkvWidth(), hd = s.headSize, pages = (span.count + kPageKeys - 1) / kPageKeys;
  long width = (hd + k.panel - 1) / k.panel * k.panel, pageSize = kPageKeys * (hd + width);
  float* storage = scratch(Slot::Pages, pages * pageSize);
  thread_local std::vector<const float*> keyPages, valuePages;
  keyPages.resize(pages), valuePages.resize(pages);
  float* rows = at(PassBuffer::Heads, layer, w, span.first);
  for (long p = 0; p < pages; p++) {
    float *key = storage + p * pageSize, *value = key + kPageKeys * hd;
    const float* from = rows + p * kPageKeys * w + s.qWidth() + kv * hd;
    long count = std::min(kPageKeys, span.count - p * kPageKeys);
    k.packTransposed(from, w, count, hd, key, hd * k.panel);
    k.pack(from + s.kvWidth(), w, count, hd, value, kPageKeys * k.panel);
    keyPages[p] = key, valuePages[p] = value;
  }
  AttendArgs a;
  a.q = rows + kv * s.group() * hd;
  a.ldq = w;
  a.out = at(PassBuffer::Attended, layer, s.qWidth(), span.first) + kv * s.group() * hd;
  a.ldo = s.qWidth();
  a.rows = span.count;
  a.firstPosition = 0;
  a.heads = s.group();
  a.headSize = hd;
  a.keyPages = keyPages.data();
  a.valuePages = valuePages.data();
  a.scratch = scratch(Slot::Attention, k.attendScratch(span.count - 1, s.group()));
  k.attend(a);
}

void PackedPass::beginLayer(const PackedWeights& weights, int layer, long row, long count) {
  const Shape& s = model_->shape;
  model_->attentionInputs(weights, layer, at(PassBuffer::Residual, layer, s.hiddenSize, row), &rowPositions_[row], count,
                          at(PassBuffer::Heads, layer, s.qkvWidth(), row),
                          trains_ && s.qkNorm ? at(PassBuffer::RawHeads, layer, s.turnedWidth(), row) : nullptr);
}

void PackedPass::recomputeLayer(const PackedWeights& weights, int layer) {
  const Shape& s = model_->shape;
  run(blocks(), [&](long b) {
    long r = b * kBlockRows;
    beginLayer(weights, layer, r, std::min(kBlockRows, rows_ - r));
  });
  run((long)spans_.size() * s.kvHeads, [&](long item) { attend(layer, item); });
  run(blocks(), [&](long b) {
    long r = b * kBlockRows, d = s.hiddenSize;
    model_->addAttended(weights, layer, at(PassBuffer::Residual, layer, d, r), at(PassBuffer::Attended, layer, s.qWidth(), r),
                        std::min(kBlockRows, rows_ - r), at(PassBuffer::Mid, layer, d, r));
  });
}

void PackedPass::forward(const PackedWeights& weights, const int32_t* tokens, long n, const int32_t* offsets, long sequences,
                         float temperature, float* logprobs, float* entropies, const TopLogprobs* top) {
  n_ = -1;
  if (!(temperature > 0)) throw Failure(TR_BAD_INPUT, "temperature must be positive: " + std::to_string(temperature));
  takeRows(tokens, n, offsets, sequences);
  const Model& m = *model_;
  const Shape& s = m.shape;
  long d = s.hiddenSize, f = s.intermediateSize;
  inverseTemperature_ = 1.f / temperature;
  reserve(PassBuffer::Residual, kFirstOfBackward);
  if (keepsLogits()) reserve(PassBuffer::LogitsGrad, PassBuffer::HeadPartials);
  rowStatistics_.resize(rows_);
  std::memset(logprobs, 0, sizeof(float) * n);
  std::memset(entropies, 0, sizeof(float) * n);
  if (top != nullptr) {
    std::fill_n(top->ids, n * top->k, -1);
    std::fill_n(top->logprobs, n * top->k, 0.f);
  }

  run(blocks(), [&](long b) {
    long r = b * kBlockRows, count = std::min(kBlockRows, rows_ - r);
    for (long i = r; i < r + count; i++) m.embed(weights, rowTokens_[i], at(PassBuffer::Residual, 0, d, i));
    beginLayer(weights, 0, r, count);
  });
  for (int layer = 0; layer < s.layers; layer++) {
    run((long)spans_.size() * s.kvHeads, [&](long item) { attend(layer, item); });
    run(blocks(), [&](long b) {
      long r = b * kBlockRows, count = std::min(kBlockRows, rows_ - r);
      float* x = at(PassBuffer::Residual, layer, d, r);
      float* gateUp = keepsGateUp() ? at(PassBuffer::GateUp, layer, 2 * f, r) : scratch(Slot::GateUp, count * 2 * f);
      m.finishLayer(weights, layer, x, at(PassBuffer::Attended, layer, s.qWidth(), r), count,
                    trains_ ? at(PassBuffer::Mid, layer, d, r) : x, gateUp, at(PassBuffer::Residual, layer + 1, d, r));
      if (layer + 1 < s.layers) return beginLayer(weights, layer + 1, r, count);
      predict(weights, r, count, logprobs, entropies, top);
    });
  }
  n_ = n;
}

/// Logprobs and entropies of at most kBlockRows rows; a wide vocabulary passes by in blocks.
void PackedPass::predict(const PackedWeights& weights, long first, long count, float* logprobs, float* entropies,
                         const TopLogprobs* top) {
  const Model& m = *model_;
  long d = m.shape.hiddenSize, v = m.shape.vocabSize, width = std::min(v, kVocabularyBlock);
  float* normed = scratch(Slot::Normed, count * d);
  float* logits = keepsLogits() ? all(PassBuffer::LogitsGrad) + first * v : scratch(Slot::Logits, count * width);
  LogitSums sums[kBlockRows];
  float targets[kBlockRows];
  thread_local std::vector<TopLogits> greatest(kBlockRows);
  if (top != nullptr)
    for (long i = 0; i < count; i++) greatest[i].begin(top->k);
  std::fill(sums, sums + count, LogitSums{-INFINITY, 0, 0});
  m.finalNormed(weights, at(PassBuffer::Residual, m.shape.layers, d, first), count, normed);
  for (long from = 0; from < v; from += width) {
    long ids = std::min(width, v - from);
    m.logitsOf(weights, normed, count, from, ids, logits);
    for (long i = 0; i < count; i++) {
      const float* row = logits + i * ids;
      m.kernels.addLogits(row, ids, inverseTemperature_, nullptr, &sums[i]);
      long target = rowTargets_[first + i] - from;
      if (target >= 0 && target < ids) targets[i] = row[target];
      if (top != nullptr) greatest[i].add(row, ids, (int32_t)from);
    }
  }
  for (long i = 0; i < count; i++) {
    RowStatistics t = rowStatistics_[first + i] = m.kernels.finishRow(sums[i]);
    logprobs[rowPlaces_[first + i]] = (targets[i] * inverseTemperature_ - t.maximum) - t.logSum;
    entropies[rowPlaces_[first + i]] = t.entropy;
    if (top == nullptr) continue;
    long at = rowPlaces_[first + i] * top->k;
    for (const TopLogits::Entry& e : greatest[i].sorted()) {
      top->ids[at] = e.id;
      top->logprobs[at++] = (e.logit * inverseTemperature_ - t.maximum) - t.logSum;
    }
  }
}

void PackedPass::attendGrad(int layer, long item) {
  const Shape& s = model_->shape;
  Span span = spans_[item / s.kvHeads];
  long kv = item % s.kvHeads, w = s.qkvWidth(), hd = s.headSize;
  const float* rows = at(PassBuffer::Heads, layer, w, span.first);
  float* drows = all(PassBuffer::HeadsGrad) + span.first * w;
  long query = kv * s.group() * hd, key = s.qWidth() + kv * hd, value = key + s.kvWidth();
  AttendGradArgs a;
  a.q = rows + query, a.k = rows + key, a.v = rows + value;
  a.ld = w;
  a.dout = all(PassBuffer::AttendedGrad) + span.first * s.qWidth() + query;
  a.ldo = s.qWidth();
  a.dq = drows + query, a.dk = drows + key, a.dv = drows + value;
  a.ldd = w;
  a.rows = span.count, a.heads = s.group(), a.headSize = hd;
  a.scratch = scratch(Slot::Attention, model_->kernels.attendGradScratch(span.count, hd));
  model_->kernels.attendGrad(a);
}

void PackedPass::addPartials(const float* partials, long blocks, long width, float* grad) const {
  for (long b = 0; b < blocks; b++) model_->kernels.add(partials + b * width, grad, width);
}

void PackedPass::weightGradients(const std::vector<Product>& products, long rows, long extra,
                                 const std::function<void(long)>& part) {
  struct Tile {
    const Product* product;
    long output, input;
  };
  auto up = [](long n, long unit) { return (n + unit - 1) / unit; };
  // Equal widths: a narrow rest would pack its left side for few columns.
  auto tileInputs = [&](const Product& p) { return up(up(p.inputs, up(p.inputs, kMostTileInputs)), kTileUnit) * kTileUnit; };
  long tileOutputs = kMostTileOutputs * 2, count = 0;
  do {
    tileOutputs /= 2;
    count = extra;
    for (const Product& p : products) count += up(p.outputs, tileOutputs) * up(p.inputs, tileInputs(p));
  } while (tileOutputs > kLeastTileOutputs && count < kPartsPerThread * threads_);
  std::vector<Tile> tiles;
  for (const Product& p : products)
    for (long o = 0; o < p.outputs; o += tileOutputs)
      for (long i = 0; i < p.inputs; i += tileInputs(p)) tiles.push_back({&p, o, i});
  const Kernels& k = model_->kernels;
  long before = (long)tiles.size();
  run(before + extra, [&](long index) {
    if (index >= before) return part(index - before);
    const Tile& t = tiles[index];
    const Product& p = *t.product;
    long outputs = std::min(tileOutputs, p.outputs - t.output), inputs = std::min(tileInputs(p), p.inputs - t.input);
    float* storage = scratch(Slot::Right, (outputs + inputs + 80) * (kTokenBlock + 32));
    for (long r = 0; r < rows; r += kTokenBlock) {
      long count = std::min(kTokenBlock, rows - r), ahead = std::min(kTokenBlock, rows - r - count);
      k.linearGrad(outputs, inputs, count, p.dy + r * p.ldy + t.output, p.ldy, p.x + r * p.inputs + t.input, p.inputs,
                   p.grad + t.output * p.inputs + t.input, p.inputs, storage, ahead);
    }
  });
}

void PackedPass::adapterRows(const PackedWeights& weights, const BackwardPanels& back, const Adapted& of, long slot, long row,
                             long count, float* dx) {
  const Model& m = *model_;
  long rank = m.adapter->rank;
  for (const AdapterPart& p : of.parts) {
    float *t = lowRank(PassBuffer::LowRank, slot, row), *u = lowRank(PassBuffer::LowRankGrad, slot, row);
    slot++;
    m.multiplyLowRank(count, rank, p.inputs, of.x + row * p.inputs, p.inputs, weights.adapter + p.aPanels, t, rank, Start::Zero);
    m.multiplyLowRank(count, rank, p.outputs, of.dy + row * of.ldy + p.column, of.ldy, back.adapter + p.bBack, u, rank, Start::Zero);
    m.multiplyLowRank(count, p.inputs, rank, u, rank, back.adapter + p.aBack, dx, p.inputs, Start::Destination);
  }
}

void PackedPass::addAdapterProducts(const Adapted& of, long slot, float* grad, std::vector<Product>* products) const {
  long rank = model_->adapter->rank;
  for (const AdapterPart& p : of.parts) {
    products->push_back({lowRank(PassBuffer::LowRankGrad, slot, 0), rank, of.x, rank, p.inputs, grad + p.a});
    products->push_back({of.dy + p.column, of.ldy, lowRank(PassBuffer::LowRank, slot, 0), p.outputs, rank, grad + p.b});
    slot++;
  }
}

void PackedPass::backwardHead(const PackedWeights& weights, const BackwardPanels& back, const float* dLogprobs,
                              const float* dEntropies, float* grad) {
  const Model& m = *model_;
  const Kernels& k = m.kernels;
  long d = m.shape.hiddenSize, v = m.shape.vocabSize, width = std::min(v, kVocabularyBlock);
  long chunk = headChunk(m, rows_);
  float *logits = all(PassBuffer::LogitsGrad), *partials = all(PassBuffer::HeadPartials), *input = all(PassBuffer::Normed);
  float *dx = all(PassBuffer::ResidualGrad), *dnormed = all(PassBuffer::MidGrad);
  std::memset(partials, 0, sizeof(float) * blocks() * d);
  bool adaptsHead = m.adapter != nullptr && !m.adapter->head.empty();
  for (long first = 0; first < rows_; first += chunk) {
    long rows = std::min(chunk, rows_ - first), parts = (rows + kBlockRows - 1) / kBlockRows;
    for (long from = 0; from < v; from += width) {
      long ids = std::min(width, v - from);
      run(parts, [&](long b) {
        long local = b * kBlockRows, r = first + local, count = std::min(kBlockRows, rows - local);
        float *dlogits = logits + local * ids, *normed = input + r * d;
        if (from == 0) m.finalNormed(weights, at(PassBuffer::Residual, m.shape.layers, d, r), count, normed);
        if (!keepsLogits()) m.logitsOf(weights, normed, count, from, ids, dlogits);
        for (long i = 0; i < count; i++) {
          float dl = dLogprobs[rowPlaces_[r + i]], de = dEntropies[rowPlaces_[r + i]], *row = dlogits + i * ids;
          long target = rowTargets_[r + i] - from;
          if (dl == 0 && de == 0) std::memset(row, 0, sizeof(float) * ids);
          else k.logitsGrad(row, ids, inverseTemperature_, rowStatistics_[r + i], target < ids ? std::max(target, -1l) : -1, dl, de);
        }
        m.multiply(count, d, ids, dlogits, back.data + back.head + k.linearSize(d, from), dnormed + r * d,
                   from == 0 ? Start::Zero : Start::Destination);
        if (adaptsHead) {
          const AdapterPart& p = m.adapter->head[0];
          long rank = m.adapter->rank;
          if (from == 0)
            m.multiplyLowRank(count, rank, d, normed, d, weights.adapter + p.aPanels, lowRank(PassBuffer::LowRank, 0, r), rank,
                              Start::Zero);
          // u adds up over the blocks of the vocabulary; what of dx follows from it comes after the last.
          k.product(count, rank, ids, dlogits, ids, back.adapter + p.bBack + from * k.panel, p.outputs * k.panel,
                    lowRank(PassBuffer::LowRankGrad, 0, r), rank, from == 0 ? Start::Zero : Start::Destination, nullptr);
        }
      });
      if (m.adapter == nullptr)
        weightGradients({{logits, ids, input + first * d, ids, d, grad + m.layout.head + from * d}}, rows, 0, {});
      else if (adaptsHead)
        weightGradients({{logits, ids, lowRank(PassBuffer::LowRank, 0, first), ids, m.adapter->rank,
                          grad + m.adapter->head[0].b + from * m.adapter->rank}},
                        rows, 0, {});
    }
  }
  if (adaptsHead) {
    const AdapterPart& p = m.adapter->head[0];
    run(blocks(), [&](long b) {
      long r = b * kBlockRows, count = std::min(kBlockRows, rows_ - r);
      long rank = m.adapter->rank;
      m.multiplyLowRank(count, d, rank, lowRank(PassBuffer::LowRankGrad, 0, r), rank, back.adapter + p.aBack, dnormed + r * d, d,
                        Start::Destination);
    });
    weightGradients({{lowRank(PassBuffer::LowRankGrad, 0, 0), m.adapter->rank, input, m.adapter->rank, d, grad + p.a}}, rows_, 0, {});
  }
  run(blocks(), [&](long b) {
    long r = b * kBlockRows, count = std::min(kBlockRows, rows_ - r);
    std::memset(dx + r * d, 0, sizeof(float) * count * d);
    k.rmsNormGrad(at(PassBuffer::Residual, m.shape.layers, d, r), weights.data + m.finalNorm, dnormed + r * d, dx + r * d, partials + b * d,
                  count, d, m.epsilon());
  });
  if (m.adapter == nullptr) addPartials(partials, blocks(), d, grad + m.layout.finalNorm);
}

void PackedPass::backward(const PackedWeights& weights, const BackwardPanels& back, const float* dLogprobs, const float* dEntropies,
                          float* grad) {
  if (n_ < 0) throw Failure(TR_NO_FORWARD, "the gradient of a batch needs its forward pass first");
  n_ = -1;
  const Model& m = *model_;
  const Shape& s = m.shape;
  const Kernels& k = m.kernels;
  long d = s.hiddenSize, w = s.qkvWidth(), f = s.intermediateSize, q = s.qWidth(), hd = s.headSize;
  reserve(kFirstOfBackward, PassBuffer::Count);
  float *dxs = all(PassBuffer::ResidualGrad), *dmids = all(PassBuffer::MidGrad), *normed = all(PassBuffer::Normed);
  float *dattended = all(PassBuffer::AttendedGrad), *dqkvs = all(PassBuffer::HeadsGrad), *dGateUps = all(PassBuffer::GateUpGrad);
  float *activated = all(PassBuffer::Activated), *partials = all(PassBuffer::Partials);
  backwardHead(weights, back, dLogprobs, dEntropies, grad);
  bool trainsBase = m.adapter == nullptr;
  const AdapterLayout::Layer none;
  // Per block: norm weights, then q and k norms, then biases.
  long width = d + 2 * hd + w;
  auto partial = [&](long b, long at) { return partials + at * blocks() + b * (at == 0 ? d : at == d + 2 * hd ? w : hd); };
  for (int layer = s.layers - 1; layer >= 0; layer--) {
    // Forward left the last layer in the one place that all layers share.
    if (recompute_ == Recompute::Layers && layer + 1 < s.layers) recomputeLayer(weights, layer);
    const Layout::Layer& to = m.layout.layers[layer];
    const Model::Layer& from = m.layers[layer];
    const BackwardPanels::Layer& panels = back.layers[layer];
    const AdapterLayout::Layer& adapter = trainsBase ? none : m.adapter->layers[layer];
    // Their slots: gate and up 0 and 1, down 2, output 3; then queries, keys, values 0 to 2.
    Adapted gateUpPart{adapter.gateUp, dGateUps, 2 * f, normed}, downPart{adapter.down, dxs, d, activated};
    Adapted outputPart{adapter.output, dmids, d, at(PassBuffer::Attended, layer, q, 0)}, qkvPart{adapter.qkv, dqkvs, w, normed};
    std::memset(partials, 0, sizeof(float) * blocks() * width);
    run(blocks(), [&](long b) {
      long r = b * kBlockRows, count = std::min(kBlockRows, rows_ - r);
      const float* mid = at(PassBuffer::Mid, layer, d, r);
      float *dx = dxs + r * d, *dmid = dmids + r * d, *dinner = scratch(Slot::Inner, count * std::max(f, d));
      const float* gateUp = at(PassBuffer::GateUp, layer, 2 * f, r);
      if (!keepsGateUp()) {
        float* again = scratch(Slot::GateUp, count * 2 * f);
        m.gateUpOf(weights, layer, mid, count, normed + r * d, again);
        gateUp = again;
      }
      m.multiply(count, f, d, dx, back.data + panels.down, dinner, Start::Zero, nullptr, gateUp, count * 2 * f);
      if (!adapter.down.empty()) {
        k.swiglu(gateUp, activated + r * f, count, f);
        adapterRows(weights, back, downPart, 2, r, count, dinner);
      }
      k.swigluGrad(gateUp, dinner, dGateUps + r * 2 * f, activated + r * f, count, f);
      m.multiply(count, d, 2 * f, dGateUps + r * 2 * f, back.data + panels.gateUp, dinner, Start::Zero);
      k.rmsNorm(mid, weights.data + from.mlpNorm, normed + r * d, count, d, m.epsilon());
      if (!trainsBase) adapterRows(weights, back, gateUpPart, 0, r, count, dinner);
      std::memcpy(dmid, dx, sizeof(float) * count * d);
      k.rmsNormGrad(mid, weights.data + from.mlpNorm, dinner, dmid, partial(b, 0), count, d, m.epsilon());
      m.multiply(count, q, d, dmid, back.data + panels.output, dattended + r * q, Start::Zero);
      if (!trainsBase) adapterRows(weights, back, outputPart, 3, r, count, dattended + r * q);
    });
    std::vector<Product> products;
    if (trainsBase) {
      addPartials(partials, blocks(), d, grad + to.mlpNorm);
      products = {{dGateUps, 2 * f, normed, 2 * f, d, grad + to.gateUp},
                  {dxs, d, activated, d, f, grad + to.down},
                  {dmids, d, at(PassBuffer::Attended, layer, q, 0), d, q, grad + to.output}};
    } else {
      addAdapterProducts(gateUpPart, 0, grad, &products);
      addAdapterProducts(downPart, 2, grad, &products);
      addAdapterProducts(outputPart, 3, grad, &products);
    }
    std::memset(partials, 0, sizeof(float) * blocks() * d);
    weightGradients(products, rows_, (long)spans_.size() * s.kvHeads, [&](long item) { attendGrad(layer, item); });
    run(blocks(), [&](long b) {
      long r = b * kBlockRows, count = std::min(kBlockRows, rows_ - r);
      float *dqkv = dqkvs + r * w, *dinner = scratch(Slot::Inner, count * d), *dx = dxs + r * d;
      k.rotateHeadsGrad(dqkv, w, count, s.heads, s.kvHeads, hd, &rowPositions_[r], m.cosine, m.sine,
                        s.qkNorm ? weights.data + from.qNorm : nullptr, weights.data + from.kNorm,
                        s.qkNorm ? at(PassBuffer::RawHeads, layer, s.turnedWidth(), r) : nullptr, s.turnedWidth(), partial(b, d),
                        partial(b, d + hd), m.epsilon());
      if (s.qkvBias)
        for (long i = 0; i < count; i++) k.add(dqkv + i * w, partial(b, d + 2 * hd), w);
      m.multiply(count, d, w, dqkv, back.data + panels.qkv, dinner, Start::Zero);
      const float* x = at(PassBuffer::Residual, layer, d, r);
      k.rmsNorm(x, weights.data + from.attentionNorm, normed + r * d, count, d, m.epsilon());
      if (!trainsBase) adapterRows(weights, back, qkvPart, 0, r, count, dinner);
      std::memcpy(dx, dmids + r * d, sizeof(float) * count * d);
      k.rmsNormGrad(x, weights.data + from.attentionNorm, dinner, dx, partial(b, 0), count, d, m.epsilon());
    });
    if (!trainsBase) {
      products.clear();
      addAdapterProducts(qkvPart, 0, grad, &products);
      weightGradients(products, rows_, 0, {});
      continue;
    }
    addPartials(partials, blocks(), d, grad + to.attentionNorm);
    for (long b = 0; b < blocks(); b++) {
      if (s.qkNorm) {
        k.add(partial(b, d), grad + to.qNorm, hd);
        k.add(partial(b, d + hd), grad + to.kNorm, hd);
      }
      if (s.qkvBias) k.add(partial(b, d + 2 * hd), grad + to.qkvBias, w);
    }
    weightGradients({{dqkvs, w, normed, w, d, grad + to.qkv}}, rows_, 0, {});
  }
  if (!trainsBase) return;
  // Columns are shared out, rows go in order: no two threads add to one number.
  run((d + kEmbeddingColumns - 1) / kEmbeddingColumns, [&](long part) {
    long c = part * kEmbeddingColumns, count = std::min(kEmbeddingColumns, d - c);
    for (long r = 0; r < rows_; r++)
      k.add(dxs + r * d + c, grad + m.layout.embedding + (long)rowTokens_[r] * d + c, count);
  });
}

}  // namespace troupe

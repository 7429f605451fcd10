#include "memory.h"

#include <algorithm>

#include "packed-pass.h"
#include "store.h"

namespace troupe {
namespace {

// While one version is sampled from, the next is written.
constexpr long kVersions = 2;
constexpr long kSampledRows = 512;

}  // namespace

StateSizes::StateSizes(const Model& m)
    : weights(m.layout.size),
      adapter(m.adapter == nullptr ? 0 : m.adapter->size),
      trained(m.adapter == nullptr ? m.layout.size : m.adapter->size),
      packed(m.packedSize),
      packedAdapter(m.adapter == nullptr ? 0 : m.adapter->packedSize),
      backward(BackwardPanels(m).size),
      backwardAdapter(m.adapter == nullptr ? 0 : m.adapter->backSize) {}

long scratchFloats(const Model& m, long tokens, bool samples) {
  const Shape& s = m.shape;
  const Kernels& k = m.kernels;
  long d = s.hiddenSize, f = s.intermediateSize, v = s.vocabSize, widest = std::max<long>({2 * f, s.qWidth(), s.qkvWidth(), d});
  long keys = (tokens + kPageKeys - 1) / kPageKeys * kPageKeys;
  long attention = std::max(k.attendScratch(tokens, s.group()), k.attendGradScratch(tokens, s.headSize));
  long blocks = kBlockRows * (2 * d + 3 * f + std::max(2 * f, d) + std::min(v, kVocabularyBlock)) + (kBlockRows + 32) * (widest + 32);
  long pages = keys * (2 * s.headSize + k.panel);
  return blocks + pages + attention + (samples ? kSampledRows * (d + s.qkvWidth() + s.qWidth()) + 2 * v + (1l << 20) : 0);
}

std::vector<TrMemoryEntry> memoryTable(const Model& m, const TrLearnerOptions& options, const TrMemoryUse& use) {
  std::vector<TrMemoryEntry> table;
  auto add = [&](const char* name, TrMemoryKind kind, double floats) {
    if (floats > 0) table.push_back({name, kind, (int64_t)(floats * sizeof(float))});
  };
  StateSizes state(m);
  bool adapts = m.adapter != nullptr;
  double versions = kVersions + options.olderVersions;
  add("weights", TR_MEMORY_WEIGHTS, state.weights + state.adapter);
  add("versions to sample from", TR_MEMORY_WEIGHTS, (adapts ? 1.0 : versions) * state.packed + versions * state.packedAdapter);
  add("reference", TR_MEMORY_WEIGHTS, use.keepsReference && !adapts ? state.packed : 0);
  add("weights for the backward pass", TR_MEMORY_WEIGHTS, state.backward + state.backwardAdapter);
  add("rotary tables", TR_MEMORY_WEIGHTS, (double)m.shape.maxPositions * m.shape.headSize);
  add("gradients", TR_MEMORY_GRADIENTS, state.trained);
  add("two moments", TR_MEMORY_OPTIMIZER, 2.0 * state.trained);
  PassPlan plan{true, static_cast<Recompute>(options.recompute), use.trainedTokens};
  if (use.trainedTokens > 0)
    for (int i = 0; i < static_cast<int>(PassBuffer::Count); i++) {
      PassBuffer buffer = static_cast<PassBuffer>(i);
      add(nameOf(buffer), buffer < kFirstOfHead ? TR_MEMORY_ACTIVATIONS : TR_MEMORY_HEAD, floatsOf(m, plan, buffer));
    }
  long tokens = std::max<long>(std::min<long>(use.trainedTokens, m.shape.maxPositions), use.sampledTokens);
  add("scratch of all threads", TR_MEMORY_ACTIVATIONS,
      (double)options.threads * scratchFloats(m, std::max(tokens, 1l), use.sampledSequences > 0));
  double pages = (double)use.sampledSequences * (double)((use.sampledTokens + kPageKeys - 1) / kPageKeys);
  double cache = pages * Store::pageFloats(m);
  if (use.cacheBytes > 0) cache = std::min(cache, (double)use.cacheBytes / sizeof(float));
  add("keys and values", TR_MEMORY_CACHE, cache);
  return table;
}

}  // namespace troupe

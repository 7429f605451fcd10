#include "initial-weights.h"

#include <algorithm>
#include <cmath>

#include "philox.h"
#include "pool.h"

namespace troupe {
namespace {

constexpr double kTwoPi = 6.283185307179586;
constexpr long kChunk = 1 << 14;

}  // namespace

/// Box–Muller over Philox words: parameter i takes words of counter i / 2.
void drawTensors(const std::vector<Tensor>& tensors, uint64_t seed, uint32_t stream, int threads, float* values) {
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  for (const Tensor& t : tensors) {
    float* w = values + t.offset;
    if (t.deviation == 0) {
      std::fill(w, w + t.size(), t.fill);
      continue;
    }
    Pool::shared().run((t.size() + kChunk - 1) / kChunk, threads, [&](long part) {
      for (long i = part * kChunk; i < std::min((part + 1) * kChunk, t.size()); i += 2) {
        uint64_t counter = (uint64_t)(t.offset + i) / 2;
        // The second counter word keeps these draws apart from one another's and from those of a sampler with the same key.
        auto r = philox(key0, key1, {(uint32_t)counter, stream, (uint32_t)(counter >> 32), (uint32_t)(t.offset & 1)});
        double radius = std::sqrt(-2 * std::log((r[0] + 0.5) / 4294967296.0)), angle = kTwoPi * r[1] / 4294967296.0;
        w[i] = t.deviation * (float)(radius * std::cos(angle));
        if (i + 1 < t.size()) w[i + 1] = t.deviation * (float)(radius * std::sin(angle));
      }
    });
  }
}

void drawWeights(const Layout& layout, uint64_t seed, int threads, float* weights) {
  drawTensors(layout.tensors, seed, 1, threads, weights);
}

}  // namespace troupe

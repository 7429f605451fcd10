// What a policy knows before it has learned anything: the same bits on every backend.
#pragma once
#include <cstdint>
#include <vector>

#include "shape.h"

namespace troupe {

/// Draws every tensor of the flat `weights` from `seed`; see tr_learner_create.
void drawWeights(const Layout&, uint64_t seed, int threads, float* weights);
/// Draws tensors of a flat array; another `stream` of the same seed gives other numbers.
void drawTensors(const std::vector<Tensor>&, uint64_t seed, uint32_t stream, int threads, float* values);

}  // namespace troupe

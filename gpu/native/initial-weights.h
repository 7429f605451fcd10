// What a policy knows before it has learned anything: the same bits on every backend.
#pragma once
#include <cstdint>

#include "shape.h"

namespace troupe {

/// Draws every tensor of the flat `weights` from `seed`; see tr_learner_create.
void drawWeights(const Layout&, uint64_t seed, int threads, float* weights);

}  // namespace troupe

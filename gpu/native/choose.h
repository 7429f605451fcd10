// Which token follows: from one row of logits, by inverse transform in ascending order of token id.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels.h"

namespace troupe {

struct Choice {
  int32_t token;
  float logprob, entropy;
};

struct SamplingRules {
  float temperature, topP, minP;
  int32_t topK;
  const int32_t* biasTokens;
  const float* biasValues;
  long biases;
};

/// The token for `uniform` in [0, 1): logit bias, temperature, top-k, top-p (of what top-k left), min-p, in this order.
/// Temperature 0 takes the greatest logit, the lowest id of equals. Logprob and entropy are those of
/// softmax(logits / temperature) without bias or truncation, at temperature 1 when it is 0. `weights` [v] is scratch.
Choice choose(const Kernels&, const float* logits, long v, const SamplingRules&, float uniform, float* weights);

/// Logprob and entropy of a token that is given.
Choice judge(const Kernels&, const float* logits, long v, float temperature, int32_t token, float* weights);

}  // namespace troupe

#include "shape.h"

#include <algorithm>
#include <cmath>

#include "failure.h"
#include "kernels.h"

namespace troupe {

Shape checkShape(const TrShape& given) {
  Shape s{given};
  auto demand = [](bool holds, const std::string& text) {
    if (!holds) throw Failure(TR_BAD_SHAPE, text);
  };
  struct Field {
    const char* name;
    int32_t value;
  };
  for (Field f : {Field{"vocabSize", s.vocabSize}, {"hiddenSize", s.hiddenSize}, {"layers", s.layers}, {"heads", s.heads},
                  {"kvHeads", s.kvHeads}, {"headSize", s.headSize}, {"intermediateSize", s.intermediateSize},
                  {"maxPositions", s.maxPositions}})
    demand(f.value > 0, std::string(f.name) + " must be positive: " + std::to_string(f.value));
  demand(s.vocabSize <= kMostTokens, "vocabSize must be at most " + std::to_string(kMostTokens) + ": " + std::to_string(s.vocabSize));
  demand(s.heads % s.kvHeads == 0, "heads must be a multiple of kvHeads: " + std::to_string(s.heads) + " and " + std::to_string(s.kvHeads));
  demand(s.headSize % 2 == 0, "headSize must be even: " + std::to_string(s.headSize));
  demand(std::isfinite(s.ropeTheta) && s.ropeTheta > 0, "ropeTheta must be positive");
  demand(std::isfinite(s.rmsNormEpsilon) && s.rmsNormEpsilon > 0, "rmsNormEpsilon must be positive");
  demand(std::isfinite(s.ropeFactor) && (s.ropeFactor == 0 || s.ropeFactor >= 1), "the rope scaling's factor must be at least 1");
  if (s.ropeFactor != 0) {
    demand(s.ropeLowFrequencyFactor > 0 && s.ropeHighFrequencyFactor > s.ropeLowFrequencyFactor,
           "the rope scaling's high frequency factor must be greater than the low one, and both positive");
    demand(s.ropeOriginalPositions > 0, "the rope scaling's original positions must be positive");
  }
  return s;
}

double rotaryFrequency(const Shape& s, long j) {
  double f = std::pow(s.ropeTheta, -2.0 * (double)j / s.headSize);
  if (s.ropeFactor == 0) return f;
  double turns = s.ropeOriginalPositions * f / 6.283185307179586;
  double keep = (turns - s.ropeLowFrequencyFactor) / (s.ropeHighFrequencyFactor - s.ropeLowFrequencyFactor);
  keep = std::min(1.0, std::max(0.0, keep));
  return f * (keep + (1 - keep) / s.ropeFactor);
}

Layout::Layout(const Shape& s) {
  auto add = [&](std::string name, long rows, long columns, float deviation, float fill) {
    tensors.push_back({std::move(name), size, rows, columns, deviation, fill});
    long at = size;
    size += tensors.back().size();
    return at;
  };
  long d = s.hiddenSize, q = s.qWidth(), kv = s.kvWidth(), f = s.intermediateSize;
  auto inputs = [](long n) { return 1.f / std::sqrt((float)n); };
  // Two projections per layer add to the residual stream: scaled so, its variance does not grow with depth.
  float residual = 1.f / std::sqrt(2.f * (float)s.layers);
  embedding = add("model.embed_tokens.weight", s.vocabSize, d, inputs(d), 0);
  for (int l = 0; l < s.layers; l++) {
    std::string p = "model.layers." + std::to_string(l) + ".", a = p + "self_attn.";
    Layer y{};
    y.attentionNorm = add(p + "input_layernorm.weight", d, 0, 0, 1);
    y.qkv = add(a + "q_proj.weight", q, d, inputs(d), 0);
    add(a + "k_proj.weight", kv, d, inputs(d), 0);
    add(a + "v_proj.weight", kv, d, inputs(d), 0);
    if (s.qkvBias) {
      y.qkvBias = add(a + "q_proj.bias", q, 0, 0, 0);
      add(a + "k_proj.bias", kv, 0, 0, 0);
      add(a + "v_proj.bias", kv, 0, 0, 0);
    }
    if (s.qkNorm) {
      y.qNorm = add(a + "q_norm.weight", s.headSize, 0, 0, 1);
      y.kNorm = add(a + "k_norm.weight", s.headSize, 0, 0, 1);
    }
    y.output = add(a + "o_proj.weight", d, q, inputs(q) * residual, 0);
    y.mlpNorm = add(p + "post_attention_layernorm.weight", d, 0, 0, 1);
    y.gateUp = add(p + "mlp.gate_proj.weight", f, d, inputs(d), 0);
    add(p + "mlp.up_proj.weight", f, d, inputs(d), 0);
    y.down = add(p + "mlp.down_proj.weight", d, f, inputs(f) * residual, 0);
    layers.push_back(y);
  }
  finalNorm = add("model.norm.weight", d, 0, 0, 1);
  head = s.tieEmbeddings ? embedding : add("lm_head.weight", s.vocabSize, d, inputs(d), 0);
}

}  // namespace troupe

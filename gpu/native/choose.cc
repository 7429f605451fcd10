#include "choose.h"

#include <algorithm>
#include <cmath>

namespace troupe {
namespace {

float inverse(float temperature) { return temperature > 0 ? 1.f / temperature : 1.f; }

Choice describe(const RowStatistics& row, const float* logits, float inverseTemperature, int32_t token) {
  return {token, (logits[token] * inverseTemperature - row.maximum) - row.logSum, row.entropy};
}

/// First id whose cumulative weight exceeds uniform · total. Weights are added within blocks of 64 ids and the blocks'
/// sums then passed over, so a wide vocabulary is not added up one by one twice.
int32_t draw(const float* weights, long v, float uniform) {
  constexpr long kBlock = 64;
  thread_local std::vector<float> sums;
  sums.resize((v + kBlock - 1) / kBlock);
  float total = 0;
  for (long b = 0; b < (long)sums.size(); b++) {
    float s = 0;
    for (long i = b * kBlock; i < std::min(v, (b + 1) * kBlock); i++) s += weights[i];
    sums[b] = s;
    total += s;
  }
  float goal = uniform * total, before = 0;
  int32_t last = 0;
  for (long b = 0; b < (long)sums.size(); b++) {
    if (before + sums[b] <= goal && b + 1 < (long)sums.size()) {
      before += sums[b];
      continue;
    }
    float at = before;
    for (long i = b * kBlock; i < std::min(v, (b + 1) * kBlock); i++) {
      if (weights[i] <= 0) continue;
      at += weights[i];
      last = (int32_t)i;
      if (at > goal) return last;
    }
    before += sums[b];
  }
  // Rounding can leave the goal above the last sum; then the last token that has weight is meant.
  if (weights[last] <= 0)
    for (long i = 0; i < v; i++)
      if (weights[i] > 0) last = (int32_t)i;
  return last;
}

/// Sets the weight of every token that top-k, top-p and min-p exclude to 0.
void truncate(float* weights, long v, const SamplingRules& rules) {
  thread_local std::vector<int32_t> order;
  order.clear();
  for (long i = 0; i < v; i++) order.push_back((int32_t)i);
  auto heavier = [&](int32_t a, int32_t b) { return weights[a] != weights[b] ? weights[a] > weights[b] : a < b; };
  long kept = rules.topK > 0 ? std::min<long>(rules.topK, v) : v;
  if (rules.topP < 1 || kept < v) {
    if (kept < v) std::nth_element(order.begin(), order.begin() + kept, order.end(), heavier);
    if (rules.topP < 1) {
      std::sort(order.begin(), order.begin() + kept, heavier);
      double total = 0, sum = 0;
      for (long i = 0; i < kept; i++) total += weights[order[i]];
      long n = 0;
      // The smallest set whose share reaches top-p; always at least one token.
      while (n < kept && (n == 0 || sum < (double)rules.topP * total)) sum += weights[order[n++]];
      kept = n;
    }
    for (long i = kept; i < v; i++) weights[order[i]] = 0;
  }
  if (rules.minP > 0) {
    float floor = rules.minP * *std::max_element(weights, weights + v);
    for (long i = 0; i < v; i++)
      if (weights[i] < floor) weights[i] = 0;
  }
}

}  // namespace

Choice judge(const Kernels& k, const float* logits, long v, float temperature, int32_t token, float* weights) {
  float scale = inverse(temperature);
  return describe(k.rowStatistics(logits, v, scale, weights), logits, scale, token);
}

Choice choose(const Kernels& k, const float* logits, long v, const SamplingRules& rules, float uniform, float* weights) {
  float scale = inverse(rules.temperature);
  RowStatistics row = k.rowStatistics(logits, v, scale, weights);
  if (rules.biases == 0 && rules.temperature > 0 && rules.topK == 0 && rules.topP >= 1 && rules.minP <= 0)
    return describe(row, logits, scale, draw(weights, v, uniform));
  thread_local std::vector<float> biased;
  biased.assign(logits, logits + v);
  for (long i = 0; i < rules.biases; i++) biased[rules.biasTokens[i]] += rules.biasValues[i];
  if (rules.temperature <= 0)
    return describe(row, logits, scale, (int32_t)(std::max_element(biased.begin(), biased.end()) - biased.begin()));
  if (rules.biases > 0) k.rowStatistics(biased.data(), v, scale, weights);
  truncate(weights, v, rules);
  return describe(row, logits, scale, draw(weights, v, uniform));
}

}  // namespace troupe

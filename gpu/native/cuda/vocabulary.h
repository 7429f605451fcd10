// What happens over the vocabulary: logprob, entropy and their gradient from a chunk of logits, and the choice of the
// next token. One block per row; a row's sums run in one fixed order.
#pragma once
#include "device.h"

namespace troupe::cuda {

constexpr int kVocabularyThreads = 256;

struct RowStatistics {
  float maximum;  // of logits · inverseTemperature
  float logSum;   // ln Σ exp(logit · inverseTemperature − maximum)
  float sum, entropy;
};

DEVICE RowStatistics rowStatistics(const float* logits, int v, float inverseTemperature) {
  float top = -INFINITY, sum = 0, weighted = 0;
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads) top = fmaxf(top, logits[i] * inverseTemperature);
  top = blockJoin<kVocabularyThreads>(top, Greater{});
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads) {
    float z = logits[i] * inverseTemperature - top, e = expf(z);
    sum += e;
    weighted = fmaf(e, z, weighted);
  }
  RowStatistics row;
  row.maximum = top;
  row.sum = blockJoin<kVocabularyThreads>(sum, Plus{});
  row.logSum = logf(row.sum);
  row.entropy = row.logSum - blockJoin<kVocabularyThreads>(weighted, Plus{}) / row.sum;
  return row;
}

DEVICE float logprobOf(const RowStatistics& row, float logit, float inverseTemperature) {
  return (logit * inverseTemperature - row.maximum) - row.logSum;
}

/// Logprob and entropy of given targets, to logprobs[places[r]] and entropies[places[r]].
static BOUNDED_KERNEL(kVocabularyThreads, 1)
scoreRows(const float* logits, int v, float inverseTemperature, const int32_t* targets, const int32_t* places, float* logprobs,
          float* entropies) {
  long r = block().x;
  RowStatistics row = rowStatistics(logits + r * v, v, inverseTemperature);
  if (thread().x != 0) return;
  logprobs[places[r]] = logprobOf(row, logits[r * v + targets[r]], inverseTemperature);
  entropies[places[r]] = row.entropy;
}

/// The k greatest logits, the lower id first among equals, to ids and logprobs [places[r], k].
static BOUNDED_KERNEL(kVocabularyThreads, 1)
topTokens(const float* logits, int v, float inverseTemperature, const int32_t* places, int k, int32_t* ids, float* logprobs) {
  const float* row = logits + (long)block().x * v;
  RowStatistics statistics = rowStatistics(row, v, inverseTemperature);
  float last = INFINITY;
  int lastId = -1;
  for (int rank = 0; rank < k; rank++) {
    // The best of what comes behind the one before.
    auto isBehind = [&](int i) { return row[i] < last || (row[i] == last && i > lastId); };
    float best = -INFINITY;
    for (int i = (int)thread().x; i < v; i += kVocabularyThreads)
      if (isBehind(i)) best = fmaxf(best, row[i]);
    best = blockJoin<kVocabularyThreads>(best, Greater{});
    int first = -v;
    for (int i = (int)thread().x; i < v; i += kVocabularyThreads)
      if (row[i] == best && isBehind(i)) first = first > -i ? first : -i;
    last = best;
    lastId = -blockJoin<kVocabularyThreads>(first, Greater{});
    if (thread().x == 0) {
      long at = (long)places[block().x] * k + rank;
      ids[at] = lastId;
      logprobs[at] = logprobOf(statistics, best, inverseTemperature);
    }
  }
}

/// s = logits / T, p = softmax(s):  d logprob(y) / ds_j = [j = y] − p_j,  d entropy / ds_j = −p_j (ln p_j + entropy).
/// `out` [rows, v] receives the gradient by the logits.
template <class T>
BOUNDED_KERNEL(kVocabularyThreads, 1)
logitsGrad(const float* logits, int v, float inverseTemperature, const int32_t* targets, const int32_t* places,
           const float* dLogprobs, const float* dEntropies, T* out) {
  long r = block().x;
  float dl = dLogprobs[places[r]], de = dEntropies[places[r]];
  const float* from = logits + r * v;
  RowStatistics row = rowStatistics(from, v, inverseTemperature);
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads) {
    float z = from[i] * inverseTemperature - row.maximum, p = expf(z) / row.sum;
    float g = p * fmaf(-de, z + (row.entropy - row.logSum), -dl);
    if (i == targets[r]) g += dl;
    out[r * v + i] = rounded<T>(g * inverseTemperature);
  }
}

// ---- sampling -------------------------------------------------------------------------------------------------------

/// First word of philox4x32-10 of ([counter, 0, 0, 0], key). Source: Salmon et al., SC 2011; ../philox.h is the host's.
DEVICE uint32_t philoxWord(uint32_t key0, uint32_t key1, uint32_t counter) {
  uint32_t c0 = counter, c1 = 0, c2 = 0, c3 = 0;
  for (int round = 0; round < 10; round++) {
    uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ key0, n2 = (uint32_t)(a >> 32) ^ c3 ^ key1;
    c1 = (uint32_t)b, c3 = (uint32_t)a, c0 = n0, c2 = n2;
    key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
  }
  return c0;
}

/// How one row's token is found: see SamplingRules in ../choose.h. `given` ≥ 0: it is not drawn, only judged.
struct RowRules {
  float temperature, topP, minP;
  int32_t topK, given;
  uint32_t key0, key1, counter;
  int32_t firstBias, lastBias;  // into the step's bias lists
};

struct RowChoice {
  int32_t token;
  float logprob, entropy;
};

/// Σ weight and number of the entries that `test` admits, over the block, in a fixed order.
template <class Test>
DEVICE double sumWhere(const float* weights, int v, Test test) {
  double sum = 0;
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads)
    if (test(weights[i])) sum += (double)weights[i];
  return blockJoin<kVocabularyThreads>(sum, Plus{});
}
template <class Test>
DEVICE int countWhere(const float* weights, int v, Test test) {
  int count = 0;
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads) count += test(weights[i]) ? 1 : 0;
  return blockJoin<kVocabularyThreads>(count, Plus{});
}

/// The greatest weight w, as bits, for which `enough(w)` holds, where enough(0) holds and it holds for everything below
/// a w for which it holds. Bits of floats ≥ 0 rise with the floats, so 31 questions find it.
template <class Enough>
DEVICE uint32_t greatest(Enough enough) {
  uint32_t found = 0;
  for (int bit = 30; bit >= 0; bit--)
    if (enough(floatOf(found | 1u << bit))) found |= 1u << bit;
  return found;
}

/// Clears all but the tokens heavier than the floor and the first `ties` that weigh as much as it, by ascending id.
DEVICE void keepAbove(float* weights, int v, float floor, int ties) {
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads)
    if (weights[i] < floor) weights[i] = 0;
  // Equal weights are rare; where there are too many, one thread takes them in order.
  if (countWhere(weights, v, [&](float x) { return x == floor; }) > ties && thread().x == 0)
    for (int i = 0; i < v; i++)
      if (weights[i] == floor && ties-- <= 0) weights[i] = 0;
  blockBarrier();
}

/// top-k, then top-p of what it left, then min-p, as truncate() in ../choose.cc.
DEVICE void truncateRow(float* weights, int v, const RowRules& rules) {
  if (rules.topK > 0 && rules.topK < v) {
    int k = rules.topK;
    float floor = floatOf(greatest([&](float w) { return countWhere(weights, v, [&](float x) { return x >= w; }) >= k; }));
    keepAbove(weights, v, floor, k - countWhere(weights, v, [&](float x) { return x > floor; }));
  }
  if (rules.topP < 1) {
    // The smallest set of the heaviest whose share reaches top-p: a token stays when those heavier do not reach it alone.
    double goal = (double)rules.topP * sumWhere(weights, v, [](float) { return true; });
    float floor = floatOf(greatest([&](float w) { return sumWhere(weights, v, [&](float x) { return x >= w; }) >= goal; }));
    double heavier = sumWhere(weights, v, [&](float x) { return x > floor; });
    int ties = 0, equal = countWhere(weights, v, [&](float x) { return x == floor; });
    for (; ties < equal && (ties == 0 || heavier < goal); ties++) heavier += (double)floor;
    keepAbove(weights, v, floor, ties);
  }
  if (rules.minP > 0) {
    float top = 0;
    for (int i = (int)thread().x; i < v; i += kVocabularyThreads) top = fmaxf(top, weights[i]);
    float floor = rules.minP * blockJoin<kVocabularyThreads>(top, Greater{});
    for (int i = (int)thread().x; i < v; i += kVocabularyThreads)
      if (weights[i] < floor) weights[i] = 0;
    blockBarrier();
  }
}

/// First id whose cumulative weight exceeds uniform · total; sums of kDrawBlock ids first, as draw() in ../choose.cc.
/// They lie in the dynamic shared memory.
constexpr int kDrawBlock = 64;
DEVICE int drawToken(const float* weights, int v, float uniform) {
  constexpr int kBlock = kDrawBlock;
  SHARED int chosen;
  float* sums = reinterpret_cast<float*>(sharedMemory());
  int blocks = (v + kBlock - 1) / kBlock;
  for (int b = (int)thread().x; b < blocks; b += kVocabularyThreads) {
    float s = 0;
    for (int i = b * kBlock; i < v && i < (b + 1) * kBlock; i++) s += weights[i];
    sums[b] = s;
  }
  blockBarrier();
  if (thread().x == 0) {
    float total = 0, before = 0;
    for (int b = 0; b < blocks; b++) total += sums[b];
    float goal = uniform * total;
    int last = 0, found = -1;
    for (int b = 0; b < blocks && found < 0; b++) {
      if (before + sums[b] <= goal && b + 1 < blocks) {
        before += sums[b];
        continue;
      }
      float at = before;
      for (int i = b * kBlock; i < v && i < (b + 1) * kBlock && found < 0; i++) {
        if (weights[i] <= 0) continue;
        at += weights[i];
        last = i;
        if (at > goal) found = i;
      }
      before += sums[b];
    }
    // Rounding can leave the goal above the last sum; then the last token that has weight is meant.
    if (found < 0 && weights[last] <= 0)
      for (int i = 0; i < v; i++)
        if (weights[i] > 0) last = i;
    chosen = found >= 0 ? found : last;
  }
  blockBarrier();
  int token = chosen;
  blockBarrier();
  return token;
}

/// Greatest value, the lowest id of equals.
DEVICE int greatestToken(const float* values, int v) {
  float top = -INFINITY;
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads) top = fmaxf(top, values[i]);
  top = blockJoin<kVocabularyThreads>(top, Greater{});
  int first = -v;
  for (int i = (int)thread().x; i < v; i += kVocabularyThreads)
    if (values[i] == top) first = first > -i ? first : -i;
  return -blockJoin<kVocabularyThreads>(first, Greater{});
}

/// choose() and judge() of ../choose.cc. `weights` [rows, v] is scratch.
static BOUNDED_KERNEL(kVocabularyThreads, 1)
chooseTokens(const float* allLogits, int v, const RowRules* allRules, const int32_t* biasTokens, const float* biasValues,
             float* allWeights, RowChoice* out) {
  long r = block().x;
  RowRules rules = allRules[r];
  const float* logits = allLogits + r * v;
  float* weights = allWeights + r * v;
  float scale = rules.temperature > 0 ? 1.f / rules.temperature : 1.f;
  RowStatistics row = rowStatistics(logits, v, scale);
  int token = rules.given;
  if (token < 0) {
    for (int i = (int)thread().x; i < v; i += kVocabularyThreads) weights[i] = logits[i];
    blockBarrier();
    if (thread().x == 0)
      for (int i = rules.firstBias; i < rules.lastBias; i++) weights[biasTokens[i]] += biasValues[i];
    blockBarrier();
    if (rules.temperature <= 0) {
      token = greatestToken(weights, v);
    } else {
      RowStatistics biased = rules.firstBias < rules.lastBias ? rowStatistics(weights, v, scale) : row;
      for (int i = (int)thread().x; i < v; i += kVocabularyThreads) weights[i] = expf(weights[i] * scale - biased.maximum);
      blockBarrier();
      truncateRow(weights, v, rules);
      float uniform = (float)(philoxWord(rules.key0, rules.key1, rules.counter) >> 8) * (1.f / 16777216.f);
      token = drawToken(weights, v, uniform);
    }
  }
  if (thread().x == 0) out[r] = {token, logprobOf(row, logits[token], scale), row.entropy};
}

}  // namespace troupe::cuda

#include "generate.h"

#include <algorithm>
#include <cstring>

#include "check-requests.h"
#include "choose.h"
#include "philox.h"
#include "pool.h"

namespace troupe {
namespace {

// Sequences that one part decodes together: as many as share a pass over the weights well, few enough to balance.
constexpr long kLeastPerPart = 8, kMostPerPart = 64;
// While the weights stay in the last-level cache, a few sequences per thread decode as fast as many, and the keys and
// values of a few stay there too. Weights beyond it are read from memory once per step, so all should share the step.
constexpr long kCacheFloats = 1l << 22, kCachedPerThread = 16;
// A part takes prompts until it has about this many rows.
constexpr long kRowsPerPart = 512;
// Logits held at once by one part, floats.
constexpr long kLogitFloats = 1l << 23;

class Call {
 public:
  Call(Store& store, const TrRequests& requests, const PackedWeights& weights)
      : store_(store), m_(*store.model), r_(requests), weights_(weights) {}

  /// One forward pass over every sequence's next rows, and one more token for each that has no other left.
  void advance(Sequence* const* sequences, long count) {
    const Shape& s = m_.shape;
    long d = s.hiddenSize, w = s.qkvWidth(), q = s.qWidth();
    thread_local std::vector<int32_t> positions;
    positions.clear();
    for (long i = 0; i < count; i++) {
      Sequence& z = *sequences[i];
      for (long t = z.cached; t < z.cached + z.rows; t++) positions.push_back((int32_t)t);
    }
    long rows = (long)positions.size();
    float *x = scratch(Slot::Residual, rows * d), *qkv = scratch(Slot::Heads, rows * w), *attended = scratch(Slot::Attended, rows * q);
    long row = 0;
    for (long i = 0; i < count; i++)
      for (long t = sequences[i]->cached; t < sequences[i]->cached + sequences[i]->rows; t++, row++)
        m_.embed(weights_, sequences[i]->tokens[t], x + row * d);
    for (int layer = 0; layer < s.layers; layer++) {
      for (long r = 0; r < rows; r += kBlockRows)
        m_.attentionInputs(weights_, layer, x + r * d, &positions[r], std::min(kBlockRows, rows - r), qkv + r * w, nullptr);
      row = 0;
      for (long i = 0; i < count; i++) {
        attend(*sequences[i], layer, qkv + row * w, attended + row * q);
        row += sequences[i]->rows;
      }
      for (long r = 0; r < rows; r += kBlockRows) {
        long n = std::min(kBlockRows, rows - r);
        m_.finishLayer(weights_, layer, x + r * d, attended + r * q, n, x + r * d, scratch(Slot::Inner, n * 2 * s.intermediateSize),
                       x + r * d);
      }
    }
    predict(sequences, count, x);
  }

 private:
  void attend(Sequence& z, int layer, const float* qkv, float* attended) {
    const Shape& s = m_.shape;
    const Kernels& k = m_.kernels;
    long hd = s.headSize, w = s.qkvWidth(), rows = z.rows, pages = (long)z.pages.size();
    long item = store_.itemFloats(), keyFloats = store_.keyFloats();
    thread_local std::vector<const float*> keys, values;
    keys.resize(pages), values.resize(pages);
    for (long kv = 0; kv < s.kvHeads; kv++) {
      for (long p = 0; p < pages; p++) {
        keys[p] = static_cast<float*>(z.pages[p]->data) + (layer * s.kvHeads + kv) * item;
        values[p] = keys[p] + keyFloats;
      }
      for (long r = 0; r < rows; r++) {
        long slot = z.cached + r;
        const float* key = qkv + r * w + s.qWidth() + kv * hd;
        float* page = static_cast<float*>(z.pages[slot / kPageKeys]->data) + (layer * s.kvHeads + kv) * item;
        k.storeKeyValue(key, key + s.kvWidth(), hd, page, page + keyFloats, slot % kPageKeys);
      }
      AttendArgs a;
      a.q = qkv + kv * s.group() * hd;
      a.ldq = w;
      a.out = attended + kv * s.group() * hd;
      a.ldo = s.qWidth();
      a.rows = rows;
      a.firstPosition = z.cached;
      a.heads = s.group();
      a.headSize = hd;
      a.keyPages = keys.data();
      a.valuePages = values.data();
      a.scratch = scratch(Slot::Attention, k.attendScratch(z.cached + rows - 1, s.group()));
      k.attend(a);
    }
  }

  /// Logits where a response token is due: one row per decoding sequence, more where tokens are forced.
  void predict(Sequence* const* sequences, long count, float* x) {
    const Shape& s = m_.shape;
    long d = s.hiddenSize, v = s.vocabSize, step = std::clamp<long>(kLogitFloats / v, 1, kBlockRows);
    struct Due {
      Sequence* sequence;
      long position;  // of the token that is predicted
    };
    thread_local std::vector<Due> due;
    due.clear();
    long row = 0;
    for (long i = 0; i < count; i++) {
      Sequence& z = *sequences[i];
      long first = z.prompt + z.recorded();
      for (long t = z.cached; t < z.cached + z.rows; t++, row++) {
        if (t + 1 < first) continue;
        // Rows that predict move to the front; their number never passes the row in hand.
        std::memmove(x + (long)due.size() * d, x + row * d, sizeof(float) * d);
        due.push_back({&z, t + 1});
      }
    }
    for (long first = 0; first < (long)due.size(); first += step) {
      long n = std::min<long>(step, (long)due.size() - first);
      float *logits = scratch(Slot::Logits, n * v), *weights = scratch(Slot::Weights, v);
      m_.logits(weights_, x + first * d, n, scratch(Slot::Normed, n * d), logits);
      for (long i = 0; i < n; i++) take(*due[first + i].sequence, due[first + i].position, logits + i * v, weights);
    }
  }

  /// Records the token at `position`: the given one if there is one, a drawn one if not.
  void take(Sequence& z, long position, const float* logits, float* weights) {
    if (z.done) return;
    long i = z.request, v = m_.shape.vocabSize;
    if (z.settle(r_, position)) {
      return z.record(r_, position, judge(m_.kernels, logits, v, r_.temperature[i], z.tokens[position], weights), true);
    }
    SamplingRules rules{r_.temperature[i], r_.topP[i], r_.minP[i], r_.topK[i], r_.biasTokens + r_.biasOffsets[i],
                        r_.biasValues + r_.biasOffsets[i], r_.biasOffsets[i + 1] - r_.biasOffsets[i]};
    float chance = uniform(r_.seeds[2 * i], r_.seeds[2 * i + 1], (uint32_t)(position - z.prompt));
    z.record(r_, position, choose(m_.kernels, logits, v, rules, chance, weights), false);
  }

  Store& store_;
  const Model& m_;
  const TrRequests& r_;
  const PackedWeights& weights_;
};

}  // namespace

std::vector<Completion> generate(Store& store, const PackedWeights& weights, const TrRequests& requests, const GenerateOptions& options) {
  checkRequests(requests, store.model->shape, store.vocabulary() != nullptr);
  Call call(store, requests, weights);
  Lanes lanes{{&store.pages}, options.maxInFlight};
  if (store.model->packedSize <= kCacheFloats) {
    // A thread that decodes its own sequences waits for no other's step, above all when other programs hold that one up.
    lanes.pools.resize(std::clamp<long>((requests.count + kLeastPerPart - 1) / kLeastPerPart, 1, store.threads), &store.pages);
    lanes.places = std::clamp<long>(options.maxInFlight / lanes.count(), 1, kCachedPerThread);
  }
  int threads = lanes.count() > 1 ? 1 : store.threads;
  return runRequests(lanes, store.vocabulary(), requests, options, [&](long, const std::vector<Sequence*>& chosen) {
    // Parts of about equal rows, whole sequences each.
    long parts = threads == 1 ? 1 : 2 * threads;
    long share = std::clamp<long>(((long)chosen.size() + parts - 1) / parts, kLeastPerPart, kMostPerPart);
    std::vector<long> bounds{0};
    long rows = 0;
    for (long i = 0; i < (long)chosen.size(); i++) {
      long count = i - bounds.back();
      if (count > 0 && (count >= share || rows + chosen[i]->rows > kRowsPerPart)) {
        bounds.push_back(i);
        rows = 0;
      }
      rows += chosen[i]->rows;
    }
    bounds.push_back((long)chosen.size());
    Pool::shared().run((long)bounds.size() - 1, threads,
                       [&](long part) { call.advance(&chosen[bounds[part]], bounds[part + 1] - bounds[part]); });
  });
}

}  // namespace troupe

#include "generate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "choose.h"
#include "failure.h"
#include "philox.h"
#include "pool.h"

namespace troupe {
namespace {

// Sequences that one part decodes together: as many as share a pass over the weights well, few enough to balance.
constexpr long kLeastPerPart = 8, kMostPerPart = 64;
// While the weights stay in the last-level cache, a few sequences per thread decode as fast as many, and the keys and
// values of a few stay there too. Weights beyond it are read from memory once per step, so more should share the step.
constexpr long kCacheFloats = 1l << 22, kCachedPerThread = 24;
// A part takes prompts until it has about this many rows.
constexpr long kRowsPerPart = 512;

struct Sequence {
  explicit Sequence(Store& s) : store(s) {}
  Sequence(const Sequence&) = delete;
  ~Sequence() { store.returnPages(pages); }
  Store& store;
  long request = 0;
  std::vector<int32_t> tokens;  // prompt and response
  long prompt = 0, cached = 0;
  long forced = 0;  // response tokens that are given
  std::vector<float*> pages;
  Completion result;
  bool done = false;
  long newRows() const { return (long)tokens.size() - cached; }
};

class Call {
 public:
  Call(Store& store, const TrRequests& requests, const PackedWeights& weights)
      : store_(store), m_(*store.model), r_(requests), weights_(weights) {}

  std::unique_ptr<Sequence> begin(long request) const {
    auto s = std::make_unique<Sequence>(store_);
    s->request = request;
    s->tokens.assign(r_.promptTokens + r_.promptOffsets[request], r_.promptTokens + r_.promptOffsets[request + 1]);
    s->prompt = (long)s->tokens.size();
    s->forced = std::min<long>(r_.forcedOffsets[request + 1] - r_.forcedOffsets[request], r_.maxTokens[request]);
    const int32_t* forced = r_.forcedTokens + r_.forcedOffsets[request];
    s->tokens.insert(s->tokens.end(), forced, forced + s->forced);
    return s;
  }

  /// One forward pass over every sequence's tokens that the cache lacks, and one more token for each.
  void advance(Sequence* const* sequences, long count) {
    const Shape& s = m_.shape;
    long d = s.hiddenSize, w = s.qkvWidth(), q = s.qWidth();
    thread_local std::vector<int32_t> positions;
    positions.clear();
    for (long i = 0; i < count; i++) {
      Sequence& z = *sequences[i];
      for (long t = z.cached; t < (long)z.tokens.size(); t++) positions.push_back((int32_t)t);
      while ((long)z.pages.size() * kPageKeys < (long)z.tokens.size()) z.pages.push_back(store_.takePage());
    }
    long rows = (long)positions.size();
    float *x = scratch(Slot::Residual, rows * d), *qkv = scratch(Slot::Heads, rows * w), *attended = scratch(Slot::Attended, rows * q);
    long row = 0;
    for (long i = 0; i < count; i++)
      for (long t = sequences[i]->cached; t < (long)sequences[i]->tokens.size(); t++, row++)
        m_.embed(weights_, sequences[i]->tokens[t], x + row * d);
    for (int layer = 0; layer < s.layers; layer++) {
      for (long r = 0; r < rows; r += kBlockRows)
        m_.attentionInputs(weights_, layer, x + r * d, &positions[r], std::min(kBlockRows, rows - r), qkv + r * w, nullptr);
      row = 0;
      for (long i = 0; i < count; i++) {
        attend(*sequences[i], layer, qkv + row * w, attended + row * q);
        row += sequences[i]->newRows();
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
    long hd = s.headSize, w = s.qkvWidth(), rows = z.newRows(), pages = (long)z.pages.size();
    long item = store_.itemFloats(), keyFloats = store_.keyFloats();
    thread_local std::vector<const float*> keys, values;
    keys.resize(pages), values.resize(pages);
    for (long kv = 0; kv < s.kvHeads; kv++) {
      for (long p = 0; p < pages; p++) {
        keys[p] = z.pages[p] + (layer * s.kvHeads + kv) * item;
        values[p] = keys[p] + keyFloats;
      }
      for (long r = 0; r < rows; r++) {
        long slot = z.cached + r;
        const float* key = qkv + r * w + s.qWidth() + kv * hd;
        float* page = z.pages[slot / kPageKeys] + (layer * s.kvHeads + kv) * item;
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
    long d = s.hiddenSize, v = s.vocabSize, step = std::clamp<long>((1l << 20) / v, 1, kBlockRows);
    struct Due {
      Sequence* sequence;
      long position;  // of the token that is predicted
    };
    thread_local std::vector<Due> due;
    due.clear();
    long row = 0;
    for (long i = 0; i < count; i++) {
      Sequence& z = *sequences[i];
      for (long t = z.cached; t < (long)z.tokens.size(); t++, row++) {
        if (t + 1 < z.prompt) continue;
        // Rows that predict move to the front; their number never passes the row in hand.
        std::memmove(x + (long)due.size() * d, x + row * d, sizeof(float) * d);
        due.push_back({&z, t + 1});
      }
      z.cached = (long)z.tokens.size();
    }
    for (long first = 0; first < (long)due.size(); first += step) {
      long n = std::min<long>(step, (long)due.size() - first);
      float *logits = scratch(Slot::Logits, n * v), *weights = scratch(Slot::Weights, v);
      m_.logits(weights_, x + first * d, n, scratch(Slot::Normed, n * d), logits);
      for (long i = 0; i < n; i++) take(*due[first + i].sequence, due[first + i].position, logits + i * v, weights);
    }
  }

  /// Records the token at `position`: the given one if it is forced, a drawn one if not.
  void take(Sequence& z, long position, const float* logits, float* weights) {
    if (z.done) return;
    long i = z.request, at = position - z.prompt, v = m_.shape.vocabSize;
    Choice c;
    if (position < (long)z.tokens.size()) {
      c = judge(m_.kernels, logits, v, r_.temperature[i], z.tokens[position], weights);
    } else {
      SamplingRules rules{r_.temperature[i], r_.topP[i], r_.minP[i], r_.topK[i], r_.biasTokens + r_.biasOffsets[i],
                          r_.biasValues + r_.biasOffsets[i], r_.biasOffsets[i + 1] - r_.biasOffsets[i]};
      c = choose(m_.kernels, logits, v, rules, uniform(r_.seeds[2 * i], r_.seeds[2 * i + 1], (uint32_t)at), weights);
      z.tokens.push_back(c.token);
    }
    if (!std::isfinite(c.logprob))
      throw Failure(TR_NOT_FINITE, "the logprob of response token " + std::to_string(at) + " of request " + std::to_string(i) + " is not a finite number");
    z.result.tokens.push_back(c.token);
    z.result.logprobs.push_back(c.logprob);
    z.result.entropies.push_back(c.entropy);
    if (at >= z.forced) {
      const int32_t *stop = r_.stopTokens + r_.stopOffsets[i], *end = r_.stopTokens + r_.stopOffsets[i + 1];
      if (std::find(stop, end, c.token) != end) return finish(z, TR_STOP);
    }
    if (at + 1 >= r_.maxTokens[i]) finish(z, TR_LENGTH);
  }

  void finish(Sequence& z, TrStopReason reason) {
    z.result.reason = reason;
    z.done = true;
  }

  Store& store_;
  const Model& m_;
  const TrRequests& r_;
  const PackedWeights& weights_;
};

void check(const TrRequests& r, const Shape& s) {
  for (long i = 0; i < r.count; i++) {
    std::string who = "request " + std::to_string(i);
    auto demand = [&](bool holds, const char* text) {
      if (!holds) throw Failure(TR_BAD_INPUT, who + " " + text);
    };
    auto within = [&](const int32_t* tokens, long first, long last) {
      for (long t = first; t < last; t++)
        if (tokens[t] < 0 || tokens[t] >= s.vocabSize)
          throw Failure(TR_BAD_INPUT, who + " has token " + std::to_string(tokens[t]) + ", outside the vocabulary of " + std::to_string(s.vocabSize));
    };
    long prompt = r.promptOffsets[i + 1] - r.promptOffsets[i];
    demand(prompt > 0, "has an empty prompt");
    demand(r.maxTokens[i] > 0, "must be allowed at least one token");
    if (prompt + r.maxTokens[i] > s.maxPositions)
      throw Failure(TR_BAD_INPUT, who + " may reach " + std::to_string(prompt + r.maxTokens[i]) + " tokens, more than maxPositions " +
                                      std::to_string(s.maxPositions));
    demand(r.temperature[i] >= 0 && std::isfinite(r.temperature[i]), "needs a temperature of 0 or more");
    demand(r.topP[i] > 0 && r.topP[i] <= 1, "needs topP in (0, 1]");
    demand(r.minP[i] >= 0 && r.minP[i] <= 1, "needs minP in [0, 1]");
    demand(r.topK[i] >= 0, "needs topK of 0 or more");
    within(r.promptTokens, r.promptOffsets[i], r.promptOffsets[i + 1]);
    within(r.forcedTokens, r.forcedOffsets[i], r.forcedOffsets[i + 1]);
    within(r.stopTokens, r.stopOffsets[i], r.stopOffsets[i + 1]);
    within(r.biasTokens, r.biasOffsets[i], r.biasOffsets[i + 1]);
    for (long b = r.biasOffsets[i]; b < r.biasOffsets[i + 1]; b++) demand(std::isfinite(r.biasValues[b]), "has a logit bias that is not finite");
  }
}

}  // namespace

std::vector<Completion> generate(Store& store, const TrRequests& requests, int maxInFlight, const std::atomic<bool>* abort,
                                 int64_t* version) {
  check(requests, store.model->shape);
  Store::Live live = store.live();
  *version = live.version;
  Call call(store, requests, *live.weights);
  std::vector<Completion> results(requests.count);
  std::vector<std::unique_ptr<Sequence>> flying;
  long places =
      store.model->packedSize > kCacheFloats ? maxInFlight : std::min<long>(maxInFlight, kCachedPerThread * store.threads);
  long next = 0;
  while ((next < requests.count || !flying.empty()) && !(abort != nullptr && abort->load(std::memory_order_relaxed))) {
    while (next < requests.count && (long)flying.size() < places) flying.push_back(call.begin(next++));
    // Parts of about equal rows, whole sequences each.
    long share = std::clamp<long>(((long)flying.size() + 2 * store.threads - 1) / (2 * store.threads), kLeastPerPart, kMostPerPart);
    std::vector<Sequence*> order;
    std::vector<long> bounds{0};
    long rows = 0;
    for (auto& z : flying) {
      long count = (long)order.size() - bounds.back();
      if (count > 0 && (count >= share || rows + z->newRows() > kRowsPerPart)) {
        bounds.push_back((long)order.size());
        rows = 0;
      }
      order.push_back(z.get());
      rows += z->newRows();
    }
    bounds.push_back((long)order.size());
    Pool::shared().run((long)bounds.size() - 1, store.threads,
                       [&](long part) { call.advance(&order[bounds[part]], bounds[part + 1] - bounds[part]); });
    for (auto& z : flying)
      if (z->done) results[z->request] = std::move(z->result);
    flying.erase(std::remove_if(flying.begin(), flying.end(), [](auto& z) { return z->done; }), flying.end());
  }
  for (auto& z : flying) results[z->request] = std::move(z->result);
  return results;
}

}  // namespace troupe

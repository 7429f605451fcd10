// A learner that trains and publishes while other threads sample, score and abort: what thread and address checks are
// run over. Ends with a comparison of sampled and scored logprobs.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "cases.h"
#include "troupe.h"

namespace {

constexpr long kSequences = 12, kPrompt = 5, kMost = 40;

TrShape shapeOf(bool isWide) {
  TrShape s{};
  s.vocabSize = isWide ? 2100 : 37, s.hiddenSize = 22, s.layers = 2, s.heads = 6, s.kvHeads = 2, s.headSize = 10;
  s.intermediateSize = 41, s.maxPositions = 160, s.ropeTheta = 1000, s.rmsNormEpsilon = 1e-6, s.tieEmbeddings = 1, s.qkNorm = 1;
  return s;
}

/// Requests of random prompts, each for two samples, that ask for 1 … kMost tokens at temperature 1. What is in a few
/// tokens is cut short by injected ones.
struct Requests {
  std::vector<int32_t> prompts, offsets, zeros, most, rules, rule, limit{3};
  std::vector<float> ones, nothing;
  std::vector<uint32_t> seeds;
  TrRequests view{};

  explicit Requests(uint64_t seed)
      : zeros(kSequences + 1, 0), ones(kSequences, 1), nothing(kSequences, 0) {
    check::Chance chance(seed);
    for (long i = 0; i <= kSequences; i++) offsets.push_back((int32_t)(i * kPrompt));
    for (long i = 0; i < kSequences * kPrompt; i++) prompts.push_back((int32_t)chance.whole(0, 36));
    for (long i = 0; i < kSequences; i += 2) std::copy_n(&prompts[i * kPrompt], kPrompt, &prompts[(i + 1) * kPrompt]);
    for (long i = 0; i < kSequences; i++) most.push_back((int32_t)chance.whole(1, kMost));
    for (long i = 0; i < 2 * kSequences; i++) seeds.push_back((uint32_t)chance.whole(0, 1 << 30));
    view.count = kSequences;
    view.promptTokens = prompts.data(), view.promptOffsets = offsets.data();
    view.forcedTokens = view.stopTokens = view.biasTokens = zeros.data();
    view.forcedOffsets = view.stopOffsets = view.biasOffsets = zeros.data();
    view.biasValues = nothing.data(), view.maxTokens = most.data(), view.topK = zeros.data();
    view.temperature = view.topP = ones.data(), view.minP = nothing.data(), view.seeds = seeds.data();
    view.stopBytes = nullptr, view.stopByteOffsets = view.stopStringOffsets = zeros.data();
    // One rule, of the first request: after 3 tokens without a 0 comes a 0.
    rules.assign(kSequences + 1, 1), rules[0] = 0, rule = {0, 1};
    view.ruleLimits = limit.data(), view.ruleOffsets = rules.data();
    view.fromTokens = view.fromOffsets = view.untilTokens = view.injectTokens = zeros.data();
    view.untilOffsets = view.injectOffsets = rule.data();
  }
};

void ok(TrStatus status) { check::that(status == TR_OK, tr_last_error()); }

/// The version that is live now, held; `isAttached`: as another process would.
struct Pin {
  explicit Pin(const TrLearner* learner, bool isAttached = false) {
    TrStore *store = nullptr, *attached = nullptr;
    ok(tr_store_open(tr_learner_store(learner), &store));
    // Room for four of the sequences, so that others give way.
    tr_store_limit_cache(store, 8 * blockBytes(store));
    if (isAttached) ok(tr_store_attach(tr_store_handle(store), &attached));
    ok(tr_store_pin(isAttached ? attached : store, -1, &pin));
    tr_store_close(attached);
    tr_store_close(store);
  }
  ~Pin() { tr_pin_free(pin); }
  static int64_t blockBytes(const TrStore* store) {
    TrCache cache;
    tr_store_cache(store, &cache);
    return cache.blockBytes;
  }
  TrPin* pin = nullptr;
};

struct Sampled {
  explicit Sampled(const Pin& pin, const Requests& requests, const TrAbort* abort = nullptr) {
    auto count = [](void* heard, const int32_t*, const int32_t*, int64_t n) { *static_cast<int64_t*>(heard) += n; };
    int64_t heard = 0;
    ok(tr_pin_generate(pin.pin, &requests.view, 64, abort, count, &heard, &all));
    check::that(heard == all.total, "the tokens that streamed are not those that were sampled");
  }
  ~Sampled() { tr_completions_free(&all); }
  TrCompletions all{};
};

/// Prompts and responses, packed.
void join(const Requests& r, const TrCompletions& c, std::vector<int32_t>* tokens, std::vector<int32_t>* offsets) {
  offsets->assign(1, 0);
  for (long i = 0; i < c.count; i++) {
    tokens->insert(tokens->end(), r.prompts.begin() + i * kPrompt, r.prompts.begin() + (i + 1) * kPrompt);
    tokens->insert(tokens->end(), c.tokens + c.offsets[i], c.tokens + c.offsets[i + 1]);
    offsets->push_back((int32_t)tokens->size());
  }
}

/// Samples and scores under one version: the logprobs must be the same floats.
void compare(const TrLearner* learner, const Requests& requests, bool isAttached = false) {
  Pin pin(learner, isAttached);
  Sampled sampled(pin, requests);
  std::vector<int32_t> tokens, offsets;
  join(requests, sampled.all, &tokens, &offsets);
  std::vector<float> logprobs(tokens.size()), entropies(tokens.size());
  ok(tr_pin_score(pin.pin, tokens.data(), (int64_t)tokens.size(), offsets.data(), kSequences, 1, logprobs.data(), entropies.data(), 0,
                  nullptr, nullptr));
  for (long i = 0; i < kSequences; i++) {
    long count = sampled.all.offsets[i + 1] - sampled.all.offsets[i];
    check::same(sampled.all.logprobs + sampled.all.offsets[i], &logprobs[offsets[i + 1] - count], count, "a sampled logprob when it is scored");
  }
}

void train(TrLearner* learner, const std::vector<int32_t>& tokens, const std::vector<int32_t>& offsets, int steps) {
  long n = (long)tokens.size();
  std::vector<float> logprobs(n), entropies(n), dLogprobs(n, -1.f / (float)n), dEntropies(n, -0.01f / (float)n);
  for (int step = 0; step < steps; step++) {
    ok(tr_learner_forward(learner, 0, tokens.data(), n, offsets.data(), (int64_t)offsets.size() - 1, 1, logprobs.data(), entropies.data()));
    ok(tr_learner_backward(learner, 0, dLogprobs.data(), dEntropies.data(), n));
    TrOptimizerStep o{};
    o.learningRate = 0.01f, o.beta1 = 0.9f, o.beta2 = 0.95f, o.epsilon = 1e-8f, o.weightDecay = 0.1f, o.maxGradNorm = 1;
    double norm = 0;
    int64_t version = 0;
    ok(tr_learner_step(learner, &o, &norm));
    check::that(norm > 0 && std::isfinite(norm), "the gradient has no length");
    ok(tr_learner_publish(learner, -1, &version));
  }
}

void testFormat(TrFormat format, TrRecompute recompute, bool isWide, bool isShared = false) {
  TrShape shape = shapeOf(isWide);
  TrLearnerOptions options{};
  options.format = format, options.recompute = recompute, options.shared = isShared;
  TrLearner* learner = nullptr;
  ok(tr_learner_create(&shape, 7, &options, &learner));
  if (learner == nullptr) return;
  Requests requests(3);
  std::vector<int32_t> tokens, offsets;
  join(requests, Sampled(Pin(learner), requests).all, &tokens, &offsets);
  std::atomic<bool> isDone{false};
  TrAbort* abort = tr_abort_create();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 2; t++)
    threads.emplace_back([&, t] {
      Requests mine(10 + t);
      while (!isDone) {
        compare(learner, mine, isShared && t == 1);
        if (t == 0) Sampled(Pin(learner), mine, abort);
      }
    });
  train(learner, tokens, offsets, 3);
  tr_abort_set(abort);
  train(learner, tokens, offsets, 1);
  isDone = true;
  for (auto& thread : threads) thread.join();
  tr_abort_free(abort);
  compare(learner, requests);
  tr_learner_free(learner);
}

}  // namespace

void testEngine() {
  testFormat(TR_FP32, TR_RECOMPUTE_NOTHING, false);
  testFormat(TR_FP32, TR_RECOMPUTE_LAYERS, true);
#if defined(__linux__)
  testFormat(TR_BF16, TR_RECOMPUTE_FEED_FORWARD, false, true);
#else
  testFormat(TR_BF16, TR_RECOMPUTE_FEED_FORWARD, false);
#endif
}

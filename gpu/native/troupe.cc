// The C interface over the CPU's classes.
#include "troupe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "generate.h"
#include "interface.h"
#include "learner.h"
#include "pool.h"
#include "select-kernels.h"
#include "tensor-files.h"

struct TrLearner {
  troupe::Learner learner;
};
struct TrStore {
  std::shared_ptr<troupe::Store> store;
};
struct TrPin {
  std::shared_ptr<troupe::Store> store;
  troupe::Store::Version held;
};

namespace {

using troupe::checkRange;
using troupe::guarded;

// Tokens that one pass of tr_store_score takes at most, longer single sequences apart.
constexpr int32_t kScoredTokens = 1 << 14;

int poolThreads(int32_t wanted) {
  int all = troupe::Pool::shared().threads();
  return wanted <= 0 ? all : std::min<int>(wanted, all);
}

void score(const troupe::Store& store, const troupe::PackedWeights& weights, const int32_t* tokens, int64_t n,
           const int32_t* offsets, int64_t sequences, float temperature, float* logprobs, float* entropies,
           const troupe::TopLogprobs& top = {0, nullptr, nullptr}) {
  troupe::checkOffsets(offsets, sequences, n);
  troupe::PackedPass pass(store.model, store.threads, false);
  std::vector<int32_t> local;
  // A few sequences at a time, so that memory does not grow with the call.
  for (int64_t first = 0; first < sequences;) {
    int64_t last = first + 1;
    while (last < sequences && offsets[last + 1] - offsets[first] <= kScoredTokens) last++;
    int32_t start = offsets[first];
    local.assign(offsets + first, offsets + last + 1);
    for (int32_t& offset : local) offset -= start;
    troupe::TopLogprobs here{top.k, top.ids + start * top.k, top.logprobs + start * top.k};
    pass.forward(weights, tokens + start, local.back(), local.data(), last - first, temperature, logprobs + start,
                 entropies + start, top.k > 0 ? &here : nullptr);
    first = last;
  }
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Best rate of several repetitions of `body`, which gives the amount of work it did, with all of `threads` at it.
template <class Body>
double bestRate(int threads, Body body) {
  double best = 0;
  for (int repetition = 0; repetition < 8; repetition++) {
    std::atomic<long> done{0};
    double start = seconds();
    troupe::Pool::shared().run(threads, threads, [&](long part) { done += (long)body(part); });
    best = std::max(best, (double)done.load() / (seconds() - start));
  }
  return best;
}

}  // namespace

extern "C" {

const char* tr_kernel_sets(TrFormat format) { return troupe::kernelSets((troupe::Format)format).c_str(); }
TrStatus tr_kernel_set(TrFormat format, const char** name) {
  return guarded([&] { *name = troupe::selectedKernels((troupe::Format)format).name; });
}
int32_t tr_threads(void) { return troupe::Pool::shared().threads(); }

TrStatus tr_memory(const TrShape* shape, const TrLearnerOptions* options, const TrMemoryUse* use, TrMemoryEntry* entries,
                   int64_t capacity, int64_t* count) {
  return guarded([&] {
    TrLearnerOptions checked = *options;
    checked.threads = poolThreads(checked.threads);
    auto model = troupe::makeModel(troupe::checkShape(*shape), troupe::selectedKernels((troupe::Format)checked.format), checked.adapterRank,
                                   checked.adapterAlpha, checked.adapterTargets);
    auto table = troupe::memoryTable(*model, checked, *use);
    *count = std::min<int64_t>(capacity, (int64_t)table.size());
    std::copy(table.begin(), table.begin() + *count, entries);
  });
}

TrStatus tr_learner_create(const TrShape* shape, uint64_t seed, const TrLearnerOptions* options, TrLearner** out) {
  return guarded([&] {
    TrLearnerOptions checked = *options;
    checked.threads = poolThreads(checked.threads);
    *out = new TrLearner{troupe::Learner(troupe::checkShape(*shape), troupe::selectedKernels((troupe::Format)checked.format), seed, checked)};
  });
}
void tr_learner_free(TrLearner* l) { delete l; }
int64_t tr_learner_size(const TrLearner* l) { return l->learner.size(); }
int64_t tr_learner_tensors(const TrLearner* l, const TrTensor** tensors) {
  *tensors = l->learner.tensors().data();
  return (int64_t)l->learner.tensors().size();
}
int64_t tr_learner_trainable(const TrLearner* l, const TrTensor** tensors) {
  *tensors = l->learner.trainable().data();
  return (int64_t)l->learner.trainable().size();
}
TrStatus tr_learner_forward(TrLearner* l, int32_t, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                            float temperature, float* logprobs, float* entropies) {
  return guarded([&] { l->learner.forward(tokens, n, offsets, sequences, temperature, logprobs, entropies); });
}
TrStatus tr_learner_backward(TrLearner* l, int32_t, const float* dLogprobs, const float* dEntropies, int64_t n) {
  return guarded([&] { l->learner.backward(dLogprobs, dEntropies, n); });
}
TrStatus tr_learner_step(TrLearner* l, const TrOptimizerStep* step, double* gradNorm) {
  return guarded([&] { *gradNorm = l->learner.step(*step); });
}
void tr_learner_reset_optimizer(TrLearner* l) { l->learner.resetOptimizer(); }
int64_t tr_learner_step_count(const TrLearner* l) { return l->learner.stepCount; }
void tr_learner_set_step_count(TrLearner* l, int64_t count) { l->learner.stepCount = count; }
TrStatus tr_learner_read(const TrLearner* l, TrArray array, int64_t offset, float* out, int64_t n) {
  return guarded([&] {
    checkRange(l->learner.sizeOf(array), offset, n);
    l->learner.read(array, offset, out, n);
  });
}
TrStatus tr_learner_load(TrLearner* l, TrArray array, const TrFileTensor* tensors, int64_t count, int32_t threads, TrFileFault* fault) {
  return guarded([&] {
    troupe::checkRanges(l->learner.sizeOf(array), tensors, count);
    *fault = troupe::loadFiles(tensors, count, threads, {l->learner.memoryOf(array), {}, {}});
  });
}
TrStatus tr_learner_save(const TrLearner* l, TrArray array, const TrFileTensor* tensors, int64_t count, int32_t threads,
                         TrFileFault* fault) {
  return guarded([&] {
    troupe::checkRanges(l->learner.sizeOf(array), tensors, count);
    troupe::FlatArray flat;
    // Weights with an adapter merged in exist only while they are read.
    if (array == TR_MERGED && l->learner.model().adapter != nullptr) flat.read = [&](long offset, float* out, long n) { l->learner.read(array, offset, out, n); };
    else flat.memory = l->learner.memoryOf(array == TR_MERGED ? TR_WEIGHTS : array);
    *fault = troupe::saveFiles(tensors, count, threads, flat);
  });
}
TrStatus tr_learner_pack(TrLearner* l) {
  return guarded([&] { l->learner.repack(); });
}
TrStatus tr_learner_publish(TrLearner* l, int64_t version, int64_t* published) {
  return guarded([&] { *published = l->learner.publish(version); });
}
void tr_learner_keep_reference(TrLearner* l) { l->learner.keepReference(); }
TrStatus tr_learner_score_reference(TrLearner* l, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                                    float temperature, float* logprobs, float* entropies) {
  return guarded([&] {
    score(l->learner.store(), l->learner.reference(), tokens, n, offsets, sequences, temperature, logprobs, entropies);
  });
}
int64_t tr_learner_store(const TrLearner* l) { return l->learner.storeId(); }

TrStatus tr_store_open(int64_t id, TrStore** out) {
  return guarded([&] {
    auto store = troupe::Store::registered(id);
    if (store == nullptr) throw troupe::Failure(TR_NO_STORE, "no engine of this process has handle " + std::to_string(id));
    *out = new TrStore{store};
  });
}
TrStatus tr_store_attach(const char* handle, TrStore** out) {
  return guarded([&] { *out = new TrStore{troupe::Store::attach(handle)}; });
}
const char* tr_store_handle(const TrStore* s) { return s->store->handle().c_str(); }
int64_t tr_store_held_versions(const TrStore* s) { return s->store->heldVersions(); }
void tr_store_close(TrStore* s) { delete s; }
int64_t tr_store_version(const TrStore* s) { return s->store->version(); }
void tr_store_shape(const TrStore* s, TrShape* shape) { *shape = s->store->model->shape; }
TrStatus tr_store_pin(TrStore* s, int64_t version, TrPin** out) {
  return guarded([&] { *out = new TrPin{s->store, s->store->find(version)}; });
}
void tr_pin_free(TrPin* p) { delete p; }
TrStatus tr_pin_score(const TrPin* s, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                      float temperature, float* logprobs, float* entropies, int32_t topK, int32_t* topIds, float* topLogprobs) {
  return guarded([&] {
    if (topK < 0 || topK > s->store->model->shape.vocabSize)
      throw troupe::Failure(TR_BAD_INPUT, "topK is " + std::to_string(topK) + ", a number in [0, " +
                                              std::to_string(s->store->model->shape.vocabSize) + "] is wanted");
    score(*s->store, *s->held.weights, tokens, n, offsets, sequences, temperature, logprobs, entropies, {topK, topIds, topLogprobs});
  });
}
TrStatus tr_pin_generate(const TrPin* s, const TrRequests* requests, int32_t maxInFlight, const TrAbort* abort, TrOnTokens onTokens,
                         void* context, TrCompletions* out) {
  return guarded([&] {
    troupe::GenerateOptions options{std::max(maxInFlight, 1), abort == nullptr ? nullptr : &abort->set, {}};
    if (onTokens != nullptr)
      options.onTokens = [=](const std::vector<int32_t>& of, const std::vector<int32_t>& tokens) {
        onTokens(context, of.data(), tokens.data(), (int64_t)tokens.size());
      };
    auto results = troupe::generate(*s->store, *s->held.weights, *requests, options);
    *out = troupe::flatten(results, s->held.version);
  });
}
TrStatus tr_store_set_vocabulary(TrStore* s, const uint8_t* bytes, int64_t n, const int32_t* offsets, int64_t tokens) {
  return guarded([&] { s->store->setVocabulary(troupe::makeVocabulary(bytes, n, offsets, tokens)); });
}
void tr_store_limit_cache(TrStore* s, int64_t bytes) {
  s->store->pages.setCapacity(std::max<int64_t>(1, bytes / s->store->pages.pageBytes()));
}
void tr_store_cache(const TrStore* s, TrCache* out) {
  troupe::PageCounts c = s->store->pages.counts();
  *out = {c.capacity, s->store->pages.pageBytes(), troupe::kPageKeys, c.lent, c.mostLent,
          c.preemptions, c.sharedTokens};
}

TrStatus tr_measure_peaks(TrPeaks* out) {
  return guarded([&] {
    const troupe::Kernels &k = troupe::selectedKernels(troupe::Format::Fp32), &bf16 = troupe::selectedKernels(troupe::Format::Bf16);
    int threads = troupe::Pool::shared().threads();
    // More than the last-level cache of common machines holds.
    const long n = 1l << 26;
    troupe::Buffer memory(n);
    std::fill(memory.data(), memory.data() + n, 1.f);
    std::atomic<float> sink{0};
    auto multiply = [&](const troupe::Kernels& set) {
      return [&](long) {
        float s = 0.5f;
        double operations = set.multiplyAddPeak(400'000, &s);
        sink = s;
        return operations;
      };
    };
    auto read = [&](int of) {
      return [&, of](long part) {
        long share = n / of;
        sink = k.readPeak(memory + part * share, share);
        return (double)share * sizeof(float);
      };
    };
    *out = {bestRate(1, multiply(k)),    bestRate(threads, multiply(k)), bestRate(1, multiply(bf16)), bestRate(threads, multiply(bf16)),
            bestRate(1, read(1)), bestRate(threads, read(threads)), threads};
  });
}

}  // extern "C"

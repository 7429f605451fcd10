// The C interface over the CUDA engine. binding.cc is linked against this file in one addon and against ../troupe.cc in
// the other, so JavaScript sees one interface.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../interface.h"
#include "../pool.h"
#include "../tensor-files.h"
#include "backend.h"

struct TrLearner {
  std::unique_ptr<troupe::cuda::LearnerBase> learner;
  std::vector<TrTensor> tensors, trainable;
};
struct TrStore {
  std::shared_ptr<troupe::cuda::StoreBase> store;
};
struct TrPin {
  std::unique_ptr<troupe::cuda::PinBase> pin;
  int32_t vocabSize;
};

namespace {

using troupe::checkRange;
using troupe::guarded;

std::vector<TrTensor> listOf(const std::vector<troupe::Tensor>& tensors) {
  std::vector<TrTensor> list;
  for (const troupe::Tensor& t : tensors) list.push_back({t.name.c_str(), t.offset, t.rows, t.columns});
  return list;
}
int64_t sizeOf(const TrLearner* l, TrArray array) {
  const auto& tensors = l->learner->tensorsOf(array);
  return tensors.empty() ? 0 : tensors.back().offset + tensors.back().size();
}

}  // namespace

extern "C" {

const char* tr_kernel_sets(TrFormat) { return "cuda"; }
TrStatus tr_kernel_set(TrFormat format, const char** name) {
  *name = format == TR_BF16 ? "cuda/bf16" : "cuda";
  return TR_OK;
}
int32_t tr_threads(void) { return troupe::Pool::shared().threads(); }

TrStatus tr_learner_create(const TrShape* shape, uint64_t seed, const TrLearnerOptions* options, TrLearner** out) {
  return guarded([&] {
    auto made = std::make_unique<TrLearner>();
    if (options->shared != 0) throw troupe::Failure(TR_BAD_INPUT, "processes do not share the weights on a GPU");
    TrLearnerOptions checked = *options;
    if (checked.threads <= 0) checked.threads = tr_threads();
    made->learner = troupe::cuda::makeLearner(troupe::checkShape(*shape), seed, checked);
    made->tensors = listOf(made->learner->tensorsOf(TR_WEIGHTS));
    made->trainable = listOf(made->learner->tensorsOf(TR_GRADIENTS));
    *out = made.release();
  });
}
void tr_learner_free(TrLearner* l) { delete l; }
int64_t tr_learner_size(const TrLearner* l) { return sizeOf(l, TR_WEIGHTS); }
int64_t tr_learner_tensors(const TrLearner* l, const TrTensor** tensors) {
  *tensors = l->tensors.data();
  return (int64_t)l->tensors.size();
}
TrStatus tr_memory(const TrShape*, const TrLearnerOptions*, const TrMemoryUse*, TrMemoryEntry*, int64_t, int64_t* count) {
  // The report speaks of the machine's memory; what a GPU has left is asked of it when the cache is bounded.
  *count = 0;
  return TR_OK;
}
int64_t tr_learner_trainable(const TrLearner* l, const TrTensor** tensors) {
  *tensors = l->trainable.data();
  return (int64_t)l->trainable.size();
}
TrStatus tr_learner_forward(TrLearner* l, int32_t rank, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                            float temperature, float* logprobs, float* entropies) {
  return guarded([&] { l->learner->forward(rank, tokens, n, offsets, sequences, temperature, logprobs, entropies); });
}
TrStatus tr_learner_backward(TrLearner* l, int32_t rank, const float* dLogprobs, const float* dEntropies, int64_t n) {
  return guarded([&] { l->learner->backward(rank, dLogprobs, dEntropies, n); });
}
TrStatus tr_learner_step(TrLearner* l, const TrOptimizerStep* step, double* gradNorm) {
  return guarded([&] { *gradNorm = l->learner->step(*step); });
}
void tr_learner_reset_optimizer(TrLearner* l) { l->learner->resetOptimizer(); }
int64_t tr_learner_step_count(const TrLearner* l) { return l->learner->stepCount; }
void tr_learner_set_step_count(TrLearner* l, int64_t count) { l->learner->stepCount = count; }
TrStatus tr_learner_read(const TrLearner* l, TrArray array, int64_t offset, float* out, int64_t n) {
  return guarded([&] {
    checkRange(sizeOf(l, array), offset, n);
    l->learner->read(array, offset, out, n);
  });
}
TrStatus tr_learner_load(TrLearner* l, TrArray array, const TrFileTensor* tensors, int64_t count, int32_t threads, TrFileFault* fault) {
  return guarded([&] {
    troupe::checkRanges(sizeOf(l, array), tensors, count);
    auto write = [&](long offset, const float* values, long n) { l->learner->write(array, offset, values, n); };
    *fault = troupe::loadFiles(tensors, count, threads, {nullptr, write, {}});
  });
}
TrStatus tr_learner_save(const TrLearner* l, TrArray array, const TrFileTensor* tensors, int64_t count, int32_t threads,
                         TrFileFault* fault) {
  return guarded([&] {
    troupe::checkRanges(sizeOf(l, array), tensors, count);
    auto read = [&](long offset, float* out, long n) { l->learner->read(array, offset, out, n); };
    *fault = troupe::saveFiles(tensors, count, threads, {nullptr, {}, read});
  });
}
TrStatus tr_learner_pack(TrLearner* l) {
  return guarded([&] { l->learner->pack(); });
}
TrStatus tr_learner_publish(TrLearner* l, int64_t version, int64_t* published) {
  return guarded([&] { *published = l->learner->publish(version); });
}
void tr_learner_keep_reference(TrLearner* l) { l->learner->keepReference(); }
TrStatus tr_learner_score_reference(TrLearner* l, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                                    float temperature, float* logprobs, float* entropies) {
  return guarded([&] { l->learner->scoreReference(tokens, n, offsets, sequences, temperature, logprobs, entropies); });
}
int64_t tr_learner_store(const TrLearner* l) { return l->learner->storeId; }

TrStatus tr_store_open(int64_t id, TrStore** out) {
  return guarded([&] {
    auto store = troupe::cuda::StoreBase::find(id);
    if (store == nullptr) throw troupe::Failure(TR_NO_STORE, "no engine of this process has handle " + std::to_string(id));
    *out = new TrStore{store};
  });
}
TrStatus tr_store_attach(const char*, TrStore**) {
  return guarded([] { throw troupe::Failure(TR_NO_STORE, "processes do not share the weights on a GPU"); });
}
const char* tr_store_handle(const TrStore*) { return ""; }
int64_t tr_store_held_versions(const TrStore*) { return 0; }
void tr_store_close(TrStore* s) { delete s; }
int64_t tr_store_version(const TrStore* s) { return s->store->version(); }
void tr_store_shape(const TrStore* s, TrShape* shape) { *shape = s->store->shape(); }
TrStatus tr_store_pin(TrStore* s, int64_t version, TrPin** out) {
  return guarded([&] { *out = new TrPin{s->store->pin(version), s->store->shape().vocabSize}; });
}
void tr_pin_free(TrPin* p) { delete p; }
TrStatus tr_pin_score(const TrPin* p, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                      float temperature, float* logprobs, float* entropies, int32_t topK, int32_t* topIds, float* topLogprobs) {
  return guarded([&] {
    if (topK < 0 || topK > p->vocabSize)
      throw troupe::Failure(TR_BAD_INPUT, "topK is " + std::to_string(topK) + ", a number in [0, " + std::to_string(p->vocabSize) + "] is wanted");
    p->pin->score(tokens, n, offsets, sequences, temperature, logprobs, entropies, {topK, topIds, topLogprobs});
  });
}
TrStatus tr_pin_generate(const TrPin* p, const TrRequests* requests, int32_t maxInFlight, const TrAbort* abort, TrOnTokens onTokens,
                         void* context, TrCompletions* out) {
  return guarded([&] {
    troupe::GenerateOptions options{std::max(maxInFlight, 1), abort == nullptr ? nullptr : &abort->set, {}};
    if (onTokens != nullptr)
      options.onTokens = [=](const std::vector<int32_t>& of, const std::vector<int32_t>& tokens) {
        onTokens(context, of.data(), tokens.data(), (int64_t)tokens.size());
      };
    *out = troupe::flatten(p->pin->generate(*requests, options), p->pin->version());
  });
}
TrStatus tr_store_set_vocabulary(TrStore* s, const uint8_t* bytes, int64_t n, const int32_t* offsets, int64_t tokens) {
  return guarded([&] { s->store->setVocabulary(troupe::makeVocabulary(bytes, n, offsets, tokens)); });
}
void tr_store_limit_cache(TrStore* s, int64_t bytes) {
  s->store->limitCache(bytes);
}
void tr_store_cache(const TrStore* s, TrCache* out) {
  *out = s->store->cache();
}

TrStatus tr_measure_peaks(TrPeaks* out) {
  return guarded([&] { *out = troupe::cuda::measureDevice(); });
}

}  // extern "C"

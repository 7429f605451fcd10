// The C interface of the native engine: everything that binding.cc, or any other host, may call.
//
// Conventions. Every function that can fail returns a TrStatus and leaves its outputs untouched on failure;
// tr_last_error() then gives the cause, for the calling thread. Arrays are borrowed for the call's duration unless said
// otherwise; lengths are 64-bit. A TrLearner is used by one call at a time, or by one forward or backward of each rank; a
// TrStore by any number at once, on any threads. No call takes a lock while it computes, none touches the JavaScript engine.
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum TrStatus {
  TR_OK = 0,
  TR_BAD_SHAPE = 1,      // a model shape, array length or offset that does not fit
  TR_BAD_INPUT = 2,      // a token, position or setting out of range
  TR_NOT_FINITE = 3,     // NaN or infinity in logprobs, gradients or weights; the text names the tensor
  TR_OUT_OF_MEMORY = 4,
  TR_NO_KERNELS = 5,     // TROUPE_KERNELS names a set that this build or CPU lacks
  TR_NO_STORE = 6,       // no live store has this id
  TR_NO_FORWARD = 7,     // backward without a forward before it
  TR_INTERNAL = 8,
  TR_NO_DEVICE = 9,      // no GPU that the CUDA kernels run on; the text says why
  TR_DEVICE_LOST = 10,   // one of several GPUs, or what joins them, failed; the learner computes no more
} TrStatus;

/// A Qwen3-shaped decoder: see `ModelShape` in core/src/engines/policy-engine.ts.
typedef struct TrShape {
  int32_t vocabSize, hiddenSize, layers, heads, kvHeads, headSize, intermediateSize, maxPositions;
  double ropeTheta, rmsNormEpsilon;
  int32_t tieEmbeddings, qkNorm, qkvBias;
  /// Llama 3's stretching of slow rotary frequencies; ropeFactor 0: none.
  double ropeFactor, ropeLowFrequencyFactor, ropeHighFrequencyFactor, ropeOriginalPositions;
} TrShape;

/// One parameter tensor in the flat arrays of a learner: Hugging Face name, [rows, columns] (columns 0: a vector).
typedef struct TrTensor {
  const char* name;
  int64_t offset, rows, columns;
} TrTensor;

/// What a training pass computes again in its backward half instead of keeping it. No level changes a bit.
typedef enum TrRecompute { TR_RECOMPUTE_NOTHING = 0, TR_RECOMPUTE_FEED_FORWARD = 1, TR_RECOMPUTE_LAYERS = 2 } TrRecompute;

typedef struct TrLearnerOptions {
  int32_t threads;    // ≤ 0: all of the pool
  int32_t recompute;  // TrRecompute
  int32_t format;     // TrFormat of the linear layers; weights, gradients and moments are fp32 in any case
  int32_t fastGradients;  // CUDA: cuBLASLt computes the linear layers' gradients
  int32_t ranks;  // CUDA: GPUs that train and sample together; ≤ 1: one
  /// Low-rank adapter, trained in place of the weights: rank 0 is none; targets are names of linears, space-separated.
  int32_t adapterRank;
  double adapterAlpha;
  const char* adapterTargets;
  int32_t shared;  // published versions lie in memory that other processes can attach to
  int32_t blank;   // weights are zeros, not drawn: the caller writes them next
  int32_t olderVersions;  // that can be sampled from beside the live one; at most 16
} TrLearnerOptions;

typedef struct TrOptimizerStep {
  float learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm;
  int32_t decayVectors;  // norm weights and biases decay too
} TrOptimizerStep;

/// Requests of one generate call; lists are flat, `…Offsets` have count + 1 entries.
typedef struct TrRequests {
  int64_t count;
  const int32_t *promptTokens, *promptOffsets;
  const int32_t *forcedTokens, *forcedOffsets;
  const int32_t *stopTokens, *stopOffsets;
  const int32_t *biasTokens, *biasOffsets;
  const float* biasValues;
  const int32_t *maxTokens, *topK;
  const float *temperature, *topP, *minP;
  const uint32_t* seeds;  // two words per request
  // Stop strings of request i: stopStringOffsets[i] … stopStringOffsets[i + 1]; bytes of string s likewise.
  const uint8_t* stopBytes;
  const int32_t *stopByteOffsets, *stopStringOffsets;
  // Budget rules of request i: ruleOffsets[i] … ruleOffsets[i + 1]; token lists of rule b by their own offsets. A rule's
  // span begins after a `from` token, or with the response when it has none; when `limit` tokens have followed and none
  // of them was an `until` token, the `inject` tokens follow, once.
  const int32_t *ruleLimits, *ruleOffsets;
  const int32_t *fromTokens, *fromOffsets;
  const int32_t *untilTokens, *untilOffsets;
  const int32_t *injectTokens, *injectOffsets;
} TrRequests;

typedef enum TrStopReason { TR_STOP = 0, TR_LENGTH = 1, TR_ABORTED = 2 } TrStopReason;

/// Where a response token came from: `ORIGIN` in core/src/records/trajectory.ts.
typedef enum TrOrigin { TR_SAMPLED = 1, TR_FORCED = 2, TR_INJECTED = 4 } TrOrigin;

/// Completions, flat; owned by the caller, freed by tr_completions_free.
typedef struct TrCompletions {
  int64_t count, total;
  int64_t version;
  int32_t* tokens;
  float *logprobs, *entropies;
  uint8_t* origins;      // TrOrigin
  int32_t* offsets;      // count + 1
  uint8_t* stopReasons;  // TrStopReason
} TrCompletions;

/// Called on the engine's thread with the tokens that an iteration recorded, request numbers beside them; those of one
/// request come in order. Both arrays are borrowed.
typedef void (*TrOnTokens)(void* context, const int32_t* requests, const int32_t* tokens, int64_t n);

/// The key/value cache of a store, in blocks of `blockTokens` tokens.
typedef struct TrCache {
  int64_t blocks, blockBytes, blockTokens;
  int64_t lent, mostLent;  // blocks
  int64_t preemptions;     // sequences that gave up their blocks and began again
  int64_t sharedTokens;    // prompt tokens taken over from another sequence
} TrCache;

/// Flat arrays of a learner. Gradients and moments are laid out as what is trained: the adapter, or the weights.
/// TR_MERGED is the weights with the adapter added in; it can be read only.
typedef enum TrArray {
  TR_WEIGHTS = 0,
  TR_GRADIENTS = 1,
  TR_FIRST_MOMENTS = 2,
  TR_SECOND_MOMENTS = 3,
  TR_ADAPTER = 4,
  TR_MERGED = 5
} TrArray;

/// Numbers in a file; float32 holds each of them exactly.
typedef enum TrElement { TR_FILE_F32 = 0, TR_FILE_BF16 = 1, TR_FILE_F16 = 2 } TrElement;

/// n numbers of a tensor: in an open file from byte `position` on, in a flat array from `offset` on.
typedef struct TrFileTensor {
  int32_t file;     // descriptor
  int32_t element;  // TrElement; TR_FILE_F16 is only read
  int64_t position, offset, n;
} TrFileTensor;

typedef enum TrFileProblem { TR_FILE_SOUND = 0, TR_FILE_NOT_FINITE = 1, TR_FILE_ENDS = 2, TR_FILE_FAILS = 3 } TrFileProblem;

/// The first number, in the order of the tensors, that could not be used, or what the system said instead.
typedef struct TrFileFault {
  int32_t problem;  // TrFileProblem
  int32_t error;    // errno of TR_FILE_FAILS
  int64_t tensor, index;
  float value;      // of TR_FILE_NOT_FINITE
} TrFileFault;

typedef enum TrMemoryKind {
  TR_MEMORY_WEIGHTS = 0,
  TR_MEMORY_GRADIENTS = 1,
  TR_MEMORY_OPTIMIZER = 2,
  TR_MEMORY_ACTIVATIONS = 3,
  TR_MEMORY_HEAD = 4,  // of the vocabulary
  TR_MEMORY_CACHE = 5
} TrMemoryKind;

/// What an engine will be used for.
typedef struct TrMemoryUse {
  int64_t trainedTokens;  // of the largest micro-batch; 0: never trained
  int64_t sampledSequences, sampledTokens;  // at once, and of each; 0: never sampled
  int64_t cacheBytes;  // bound of the cache; 0: none
  int32_t keepsReference;
} TrMemoryUse;

typedef struct TrMemoryEntry {
  const char* name;
  int32_t kind;  // TrMemoryKind
  int64_t bytes;
} TrMemoryEntry;

typedef enum TrFormat { TR_FP32 = 0, TR_BF16 = 1 } TrFormat;

typedef struct TrPeaks {
  double fmaOneThread, fmaAllThreads;    // FLOP/s, fp32 multiply-add of the selected kernel set
  double bf16OneThread, bf16AllThreads;  // FLOP/s of bf16 linear layers; no more than fp32 where bf16 is emulated
  double readOneThread, readAllThreads;  // bytes/s from memory
  int32_t threads;
} TrPeaks;

typedef struct TrLearner TrLearner;
typedef struct TrStore TrStore;
/// One version of a store, held: it stays while the learner goes on.
typedef struct TrPin TrPin;
/// Set to nonzero by any thread to end a call early.
typedef struct TrAbort TrAbort;

const char* tr_last_error(void);

/// Kernel sets that this CPU can run, best first, separated by spaces; and the one that is used, "/bf16" behind it in bf16.
const char* tr_kernel_sets(TrFormat);
TrStatus tr_kernel_set(TrFormat, const char** name);
/// Threads of the process-wide pool.
int32_t tr_threads(void);

/// What an engine will hold in memory, without making it: at most `capacity` entries, their number in `count`.
TrStatus tr_memory(const TrShape*, const TrLearnerOptions*, const TrMemoryUse*, TrMemoryEntry* entries, int64_t capacity,
                   int64_t* count);

/// Weights drawn from `seed`: normal with deviation 1/√(inputs), divided by √(2 · layers) where a projection writes
/// to the residual stream; norms 1, biases 0. Version 0 is live.
TrStatus tr_learner_create(const TrShape* shape, uint64_t seed, const TrLearnerOptions*, TrLearner** out);
void tr_learner_free(TrLearner*);
/// Number of parameters, and of tensors; the tensor table lives as long as the learner.
int64_t tr_learner_size(const TrLearner*);
int64_t tr_learner_tensors(const TrLearner*, const TrTensor** tensors);
/// The tensors that are trained: those of the adapter, or the same as above.
int64_t tr_learner_trainable(const TrLearner*, const TrTensor** tensors);

/// Logprob and entropy [N] of every token of packed sequences at `temperature`, 0 at each sequence's first token;
/// keeps what tr_learner_backward needs. `rank` in [0, ranks): the GPU that computes it.
TrStatus tr_learner_forward(TrLearner*, int32_t rank, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                            float temperature, float* logprobs, float* entropies);
/// Adds to the gradients, given the loss's derivatives [N] by the logprobs and entropies of the rank's last forward.
TrStatus tr_learner_backward(TrLearner*, int32_t rank, const float* dLogprobs, const float* dEntropies, int64_t n);
/// Clips, applies AdamW, clears the gradients. On TR_NOT_FINITE the weights are unchanged and the gradients cleared.
TrStatus tr_learner_step(TrLearner*, const TrOptimizerStep*, double* gradNorm);
void tr_learner_reset_optimizer(TrLearner*);
int64_t tr_learner_step_count(const TrLearner*);
void tr_learner_set_step_count(TrLearner*, int64_t);
/// Copies n numbers of a flat array out, from `offset` on.
TrStatus tr_learner_read(const TrLearner*, TrArray, int64_t offset, float* out, int64_t n);
/// Reads tensors of open files and writes nothing, to find what tr_learner_load would find; at most `threads` threads.
TrStatus tr_check_files(const TrFileTensor*, int64_t count, int32_t threads, TrFileFault*);
/// Fills places of a flat array from open files; on a fault part of them has changed. Weights are used after tr_learner_pack.
TrStatus tr_learner_load(TrLearner*, TrArray, const TrFileTensor*, int64_t count, int32_t threads, TrFileFault*);
TrStatus tr_learner_pack(TrLearner*);
/// Writes places of a flat array into open files.
TrStatus tr_learner_save(const TrLearner*, TrArray, const TrFileTensor*, int64_t count, int32_t threads, TrFileFault*);
/// Makes the learner's weights the store's live version; `version` < 0: the next number.
TrStatus tr_learner_publish(TrLearner*, int64_t version, int64_t* published);
/// Keeps the weights, without the adapter, as reference; scores under it are as in tr_store_score.
void tr_learner_keep_reference(TrLearner*);
TrStatus tr_learner_score_reference(TrLearner*, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                                    float temperature, float* logprobs, float* entropies);
/// Registry id of the learner's store; valid in every thread of the process while a learner or sampler holds it.
int64_t tr_learner_store(const TrLearner*);

TrStatus tr_store_open(int64_t id, TrStore** out);
/// The store of another process, by what tr_store_handle() gave there; calls in this process share one.
TrStatus tr_store_attach(const char* handle, TrStore** out);
/// Text for tr_store_attach, as long as the store is open; empty when its learner was not made `shared`.
const char* tr_store_handle(const TrStore*);
/// Versions in shared memory: the live one, older ones that are kept, and those that calls of other processes were seen to
/// use.
int64_t tr_store_held_versions(const TrStore*);
void tr_store_close(TrStore*);
int64_t tr_store_version(const TrStore*);
void tr_store_shape(const TrStore*, TrShape*);
/// Holds a version, −1: the one that is live now; any number of calls may use it at once.
TrStatus tr_store_pin(TrStore*, int64_t version, TrPin** out);
void tr_pin_free(TrPin*);
/// As tr_learner_forward. With topK > 0 also the topK most probable tokens at every place, best first: ids −1 and
/// logprobs 0 [N, topK] at each sequence's first token.
TrStatus tr_pin_score(const TrPin*, const int32_t* tokens, int64_t n, const int32_t* offsets, int64_t sequences,
                        float temperature, float* logprobs, float* entropies, int32_t topK, int32_t* topIds, float* topLogprobs);
/// Samples with the version that is held. `maxInFlight`: most sequences decoded at once;
/// `onTokens` may be null.
TrStatus tr_pin_generate(const TrPin*, const TrRequests*, int32_t maxInFlight, const TrAbort*, TrOnTokens onTokens, void* context,
                           TrCompletions* out);
/// The bytes of token t are bytes[offsets[t]] … bytes[offsets[t + 1]]; copied. Needed for stop strings.
TrStatus tr_store_set_vocabulary(TrStore*, const uint8_t* bytes, int64_t n, const int32_t* offsets, int64_t tokens);
/// Bounds the key/value cache; at least one block stays.
void tr_store_limit_cache(TrStore*, int64_t bytes);
void tr_store_cache(const TrStore*, TrCache* out);
void tr_completions_free(TrCompletions*);

TrAbort* tr_abort_create(void);
void tr_abort_set(TrAbort*);
void tr_abort_free(TrAbort*);

/// Philox4x32-10, for tests.
void tr_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);
/// Takes about half a second.
TrStatus tr_measure_peaks(TrPeaks*);

#ifdef __cplusplus
}
#endif

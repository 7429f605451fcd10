#include "interface.h"

#include <algorithm>

#include "philox.h"
#include "tensor-files.h"

namespace troupe {

std::string& lastError() {
  thread_local std::string text;
  return text;
}

void checkRange(int64_t size, int64_t offset, int64_t n) {
  if (offset < 0 || n < 0 || offset > size - n)
    throw Failure(TR_BAD_SHAPE, std::to_string(n) + " numbers from " + std::to_string(offset) + " on do not lie in the array's " +
                                    std::to_string(size));
}

void checkRanges(int64_t size, const TrFileTensor* tensors, int64_t count) {
  for (int64_t i = 0; i < count; i++) checkRange(size, tensors[i].offset, tensors[i].n);
}

void checkOffsets(const int32_t* offsets, long sequences, long n) {
  if (sequences < 0 || offsets[0] != 0 || offsets[sequences] != n)
    throw Failure(TR_BAD_SHAPE, "offsets must begin with 0 and end with the number of tokens, " + std::to_string(n));
  for (long s = 0; s < sequences; s++)
    if (offsets[s + 1] < offsets[s]) throw Failure(TR_BAD_SHAPE, "offsets decrease at sequence " + std::to_string(s));
}

TrCompletions flatten(const std::vector<Completion>& results, int64_t version) {
  int64_t total = 0;
  for (const Completion& c : results) total += (int64_t)c.tokens.size();
  auto tokens = std::make_unique<int32_t[]>(total), offsets = std::make_unique<int32_t[]>(results.size() + 1);
  auto logprobs = std::make_unique<float[]>(total), entropies = std::make_unique<float[]>(total);
  auto origins = std::make_unique<uint8_t[]>(total), reasons = std::make_unique<uint8_t[]>(results.size() + 1);
  for (size_t i = 0; i < results.size(); i++) {
    const Completion& c = results[i];
    std::copy(c.tokens.begin(), c.tokens.end(), tokens.get() + offsets[i]);
    std::copy(c.logprobs.begin(), c.logprobs.end(), logprobs.get() + offsets[i]);
    std::copy(c.entropies.begin(), c.entropies.end(), entropies.get() + offsets[i]);
    std::copy(c.origins.begin(), c.origins.end(), origins.get() + offsets[i]);
    offsets[i + 1] = offsets[i] + (int32_t)c.tokens.size();
    reasons[i] = (uint8_t)c.reason;
  }
  return {(int64_t)results.size(), total,             version,           tokens.release(), logprobs.release(),
          entropies.release(),     origins.release(), offsets.release(), reasons.release()};
}

std::shared_ptr<const Vocabulary> makeVocabulary(const uint8_t* bytes, int64_t n, const int32_t* offsets, int64_t tokens) {
  checkOffsets(offsets, tokens, n);
  auto vocabulary = std::make_shared<Vocabulary>();
  vocabulary->bytes.assign(reinterpret_cast<const char*>(bytes), n);
  vocabulary->offsets.assign(offsets, offsets + tokens + 1);
  return vocabulary;
}

}  // namespace troupe

extern "C" {

TrStatus tr_check_files(const TrFileTensor* tensors, int64_t count, int32_t threads, TrFileFault* fault) {
  return troupe::guarded([&] { *fault = troupe::checkFiles(tensors, count, threads); });
}

const char* tr_last_error(void) { return troupe::lastError().c_str(); }

void tr_completions_free(TrCompletions* c) {
  delete[] c->tokens;
  delete[] c->logprobs;
  delete[] c->entropies;
  delete[] c->origins;
  delete[] c->offsets;
  delete[] c->stopReasons;
  *c = {};
}

TrAbort* tr_abort_create(void) { return new TrAbort; }
void tr_abort_set(TrAbort* a) { a->set.store(true, std::memory_order_relaxed); }
void tr_abort_free(TrAbort* a) { delete a; }

void tr_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
  auto r = troupe::philox(key[0], key[1], {counter[0], counter[1], counter[2], counter[3]});
  std::copy(r.begin(), r.end(), out);
}

}  // extern "C"

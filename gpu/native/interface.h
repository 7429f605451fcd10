// What every implementation of the C interface shares: exceptions become a status and a text, lists become flat.
#pragma once
#include <atomic>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "failure.h"
#include "sequence.h"

struct TrAbort {
  std::atomic<bool> set{false};
};

namespace troupe {

/// What tr_last_error() gives on this thread.
std::string& lastError();

template <class Body>
TrStatus guarded(Body body) {
  try {
    body();
    return TR_OK;
  } catch (const Failure& failure) {
    lastError() = failure.text;
    return failure.status;
  } catch (const std::bad_alloc&) {
    lastError() = "memory is exhausted";
    return TR_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    lastError() = error.what();
    return TR_INTERNAL;
  }
}

/// Throws BadShape unless n numbers from `offset` on lie in an array of `size`.
void checkRange(int64_t size, int64_t offset, int64_t n);
/// The same for every tensor of a list.
void checkRanges(int64_t size, const TrFileTensor*, int64_t count);
/// Throws BadShape unless offsets rise from 0 to n without falling.
void checkOffsets(const int32_t* offsets, long sequences, long n);

TrCompletions flatten(const std::vector<Completion>&, int64_t version);
std::shared_ptr<const Vocabulary> makeVocabulary(const uint8_t* bytes, int64_t n, const int32_t* offsets, int64_t tokens);

}  // namespace troupe

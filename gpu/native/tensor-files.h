// Tensors between open files and flat arrays, by all threads, with no copy of a file in memory but one span a thread.
//
// Spans are read (pread) and not mapped: from the page cache both take the same processor time, and a mapped file that
// another process cuts short, or a network loses, kills this process (SIGBUS) where a read fails.
#pragma once
#include <functional>

#include "troupe.h"

namespace troupe {

/// A flat array in this process's memory; or, with `memory` null, one that the calling thread alone reads and writes.
struct FlatArray {
  float* memory = nullptr;
  std::function<void(long offset, const float* values, long n)> write;
  std::function<void(long offset, float* out, long n)> read;
};

/// Looks for numbers that are not finite, and for files that end early.
TrFileFault checkFiles(const TrFileTensor*, long count, int threads);
/// Reads and checks all; the array holds part of it when there is a fault.
TrFileFault loadFiles(const TrFileTensor*, long count, int threads, const FlatArray&);
/// Writes all; values are finite.
TrFileFault saveFiles(const TrFileTensor*, long count, int threads, const FlatArray&);

}  // namespace troupe

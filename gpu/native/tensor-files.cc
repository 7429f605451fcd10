#include "tensor-files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "pool.h"

namespace troupe {
namespace {

// Small enough for a core's second-level cache, large enough that a system call costs nothing beside it.
constexpr long kSpanNumbers = 1 << 17;
// What is asked of the disk before it is wanted; a disk across a network answers one request at a time slowly.
constexpr long kAheadSpans = 128, kAheadStep = 32;
// Spans that wait between files and an array that one thread alone writes.
constexpr long kStagedSpans = 64;

/// Numbers [from, from + n) of a tensor.
struct Span {
  long tensor, from, n;
};

long bytesOf(const TrFileTensor& t) { return t.element == TR_FILE_F32 ? 4 : 2; }

std::vector<Span> spansOf(const TrFileTensor* tensors, long count) {
  std::vector<Span> spans;
  for (long i = 0; i < count; i++)
    for (long from = 0; from < tensors[i].n; from += kSpanNumbers) spans.push_back({i, from, std::min(kSpanNumbers, tensors[i].n - from)});
  return spans;
}

/// The first fault in the order of the files, whichever thread comes upon one first.
class FirstFault {
 public:
  void add(const TrFileFault& fault) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto place = [](const TrFileFault& f) { return std::make_pair(f.tensor, f.index); };
    if (found.problem == TR_FILE_SOUND || place(fault) < place(found)) found = fault;
    isAny_.store(true, std::memory_order_relaxed);
  }
  /// Spans are taken in order, so those not yet taken come after every fault.
  bool isAny() const { return isAny_.load(std::memory_order_relaxed); }

  TrFileFault found{};

 private:
  std::mutex mutex_;
  std::atomic<bool> isAny_{false};
};

/// Moves all bytes by `move(at, n)`, which gives what pread and pwrite give; false after a fault.
template <class Move>
bool moveAll(long bytes, const Span& span, FirstFault& fault, Move move) {
  for (long done = 0; done < bytes;) {
    ssize_t moved = move(done, bytes - done);
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) {
      fault.add({moved == 0 ? TR_FILE_ENDS : TR_FILE_FAILS, moved == 0 ? 0 : errno, span.tensor, span.from, 0});
      return false;
    }
    done += moved;
  }
  return true;
}

uint8_t* scratch() {
  // Threads of the pool live as long as the process.
  thread_local std::vector<uint8_t> bytes(kSpanNumbers * sizeof(float));
  return bytes.data();
}

template <class Word>
bool anyNotFinite(const Word* words, long n, Word exponent) {
  // Without a branch, so that it is done in vectors.
  Word any = 0;
  for (long i = 0; i < n; i++) any |= (words[i] & exponent) == exponent;
  return any != 0;
}

bool anyNotFinite(const TrFileTensor& t, const uint8_t* raw, long n) {
  if (t.element == TR_FILE_F32) return anyNotFinite<uint32_t>(reinterpret_cast<const uint32_t*>(raw), n, 0x7f800000);
  return anyNotFinite<uint16_t>(reinterpret_cast<const uint16_t*>(raw), n, t.element == TR_FILE_BF16 ? 0x7f80 : 0x7c00);
}

void widen(const TrFileTensor& t, const uint8_t* raw, float* out, long n) {
  const uint16_t* halves = reinterpret_cast<const uint16_t*>(raw);
  if (t.element == TR_FILE_F32) {
    if (raw != reinterpret_cast<const uint8_t*>(out)) std::memcpy(out, raw, n * sizeof(float));
    return;
  }
  for (long i = 0; i < n; i++) {
    // A bfloat16 is the upper half of a float32.
    uint32_t bits = (uint32_t)halves[i] << 16;
    if (t.element == TR_FILE_F16) {
      uint32_t exponent = halves[i] >> 10 & 31, fraction = halves[i] & 1023;
      float small = (float)fraction * 0x1p-24f;
      std::memcpy(&bits, &small, 4);
      uint32_t normal = (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
      bits = (exponent == 0 ? bits : normal) | (uint32_t)(halves[i] & 0x8000) << 16;
    }
    std::memcpy(out + i, &bits, 4);
  }
}

/// Rounds to nearest, to even between.
void narrow(const float* values, uint8_t* raw, long n) {
  uint16_t* halves = reinterpret_cast<uint16_t*>(raw);
  for (long i = 0; i < n; i++) {
    uint32_t bits;
    std::memcpy(&bits, values + i, 4);
    halves[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

/// Reads a span into `out`, or only checks it when that is null.
void readSpan(const TrFileTensor& t, const Span& span, float* out, FirstFault& fault) {
  bool isDirect = t.element == TR_FILE_F32 && out != nullptr;
  uint8_t* raw = isDirect ? reinterpret_cast<uint8_t*>(out) : scratch();
  long size = bytesOf(t);
  if (!moveAll(span.n * size, span, fault, [&](long at, long n) { return pread(t.file, raw + at, n, t.position + span.from * size + at); }))
    return;
  if (anyNotFinite(t, raw, span.n)) {
    long i = 0;
    while (!anyNotFinite(t, raw + i * size, 1)) i++;
    float value;
    widen(t, raw + i * size, &value, 1);
    return fault.add({TR_FILE_NOT_FINITE, 0, span.tensor, span.from + i, value});
  }
  if (out != nullptr) widen(t, raw, out, span.n);
}

void writeSpan(const TrFileTensor& t, const Span& span, const float* values, FirstFault& fault) {
  const uint8_t* raw = reinterpret_cast<const uint8_t*>(values);
  long size = bytesOf(t);
  if (t.element == TR_FILE_BF16) {
    uint8_t* halves = scratch();
    narrow(values, halves, span.n);
    raw = halves;
  }
  moveAll(span.n * size, span, fault, [&](long at, long n) { return pwrite(t.file, raw + at, n, t.position + span.from * size + at); });
}

/// Tells the disk what will be wanted soon, once every kAheadStep spans.
void readAhead(const TrFileTensor* tensors, const std::vector<Span>& spans, long i) {
#if defined(__linux__)
  if (i % kAheadStep != 0) return;
  for (long j = i == 0 ? 0 : i + kAheadSpans; j < std::min((long)spans.size(), i + kAheadSpans + kAheadStep); j++) {
    const TrFileTensor& t = tensors[spans[j].tensor];
    posix_fadvise(t.file, t.position + spans[j].from * bytesOf(t), spans[j].n * bytesOf(t), POSIX_FADV_WILLNEED);
  }
#else
  (void)tensors, (void)spans, (void)i;
#endif
}

/// Calls `move(offset, place, n)` for every stretch of the array that spans [first, last) make up; `place` in what is staged.
template <class Move>
void forStretches(const TrFileTensor* tensors, const std::vector<Span>& spans, long first, long last, Move move) {
  for (long i = first, next; i < last; i = next) {
    long offset = tensors[spans[i].tensor].offset + spans[i].from, n = spans[i].n;
    for (next = i + 1; next < last && spans[next].tensor == spans[i].tensor; next++) n += spans[next].n;
    move(offset, (i - first) * kSpanNumbers, n);
  }
}

}  // namespace

TrFileFault checkFiles(const TrFileTensor* tensors, long count, int threads) {
  std::vector<Span> spans = spansOf(tensors, count);
  FirstFault fault;
  Pool::shared().run((long)spans.size(), threads, [&](long i) {
    if (fault.isAny()) return;
    readAhead(tensors, spans, i);
    readSpan(tensors[spans[i].tensor], spans[i], nullptr, fault);
  });
  return fault.found;
}

TrFileFault loadFiles(const TrFileTensor* tensors, long count, int threads, const FlatArray& array) {
  std::vector<Span> spans = spansOf(tensors, count);
  FirstFault fault;
  auto read = [&](long first, long last, auto place) {
    Pool::shared().run(last - first, threads, [&](long part) {
      long i = first + part;
      if (fault.isAny()) return;
      readAhead(tensors, spans, i);
      readSpan(tensors[spans[i].tensor], spans[i], place(i), fault);
    });
  };
  if (array.memory != nullptr) {
    read(0, (long)spans.size(), [&](long i) { return array.memory + tensors[spans[i].tensor].offset + spans[i].from; });
    return fault.found;
  }
  std::vector<float> staged(std::min<long>(kStagedSpans, (long)spans.size()) * kSpanNumbers);
  for (long first = 0, last; first < (long)spans.size() && !fault.isAny(); first = last) {
    last = std::min((long)spans.size(), first + kStagedSpans);
    read(first, last, [&](long i) { return staged.data() + (i - first) * kSpanNumbers; });
    if (fault.isAny()) break;
    forStretches(tensors, spans, first, last, [&](long offset, long place, long n) { array.write(offset, staged.data() + place, n); });
  }
  return fault.found;
}

TrFileFault saveFiles(const TrFileTensor* tensors, long count, int threads, const FlatArray& array) {
  std::vector<Span> spans = spansOf(tensors, count);
  FirstFault fault;
  auto write = [&](long first, long last, auto place) {
    Pool::shared().run(last - first, threads, [&](long part) {
      long i = first + part;
      if (!fault.isAny()) writeSpan(tensors[spans[i].tensor], spans[i], place(i), fault);
    });
  };
  if (array.memory != nullptr) {
    write(0, (long)spans.size(), [&](long i) { return array.memory + tensors[spans[i].tensor].offset + spans[i].from; });
    return fault.found;
  }
  std::vector<float> staged(std::min<long>(kStagedSpans, (long)spans.size()) * kSpanNumbers);
  for (long first = 0, last; first < (long)spans.size() && !fault.isAny(); first = last) {
    last = std::min((long)spans.size(), first + kStagedSpans);
    forStretches(tensors, spans, first, last, [&](long offset, long place, long n) { array.read(offset, staged.data() + place, n); });
    write(first, last, [&](long i) { return staged.data() + (i - first) * kSpanNumbers; });
  }
  return fault.found;
}

}  // namespace troupe

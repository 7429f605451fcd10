// Float storage aligned to a cache line that grows and never shrinks; growing forgets what it held.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace troupe {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(long n) { reserve(n); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  /// At least n floats, and one cache line behind them.
  float* reserve(long n) {
    if (n > size_ || data_ == nullptr) {
      std::free(data_);
      data_ = nullptr;
      size_t wanted = (size_t)n * sizeof(float) + 64, unit = wanted < 2 * kHugePage ? 64 : kHugePage;
      size_t bytes = (wanted + unit - 1) / unit * unit;
      data_ = static_cast<float*>(std::aligned_alloc(unit, bytes));
      if (data_ == nullptr) throw std::bad_alloc();
#if defined(__linux__)
      // Walks over megabytes miss the address cache at every 4 KiB otherwise. A refusal only costs speed.
      if (unit == kHugePage) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
      size_ = n;
    }
    return data_;
  }
  float* data() const { return data_; }
  long size() const { return size_; }
  operator float*() const { return data_; }

 private:
  static constexpr size_t kHugePage = size_t{1} << 21;
  float* data_ = nullptr;
  long size_ = 0;
};

}  // namespace troupe

// Float storage aligned to a cache line that grows and never shrinks; growing forgets what it held.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

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
      size_t bytes = ((size_t)n * sizeof(float) + 127) / 64 * 64;
      data_ = static_cast<float*>(std::aligned_alloc(64, bytes));
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = n;
    }
    return data_;
  }
  float* data() const { return data_; }
  long size() const { return size_; }
  operator float*() const { return data_; }

 private:
  float* data_ = nullptr;
  long size_ = 0;
};

}  // namespace troupe

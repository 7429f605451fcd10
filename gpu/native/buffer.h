// Float storage aligned to a cache line that grows and never shrinks; growing forgets what it held.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "shared-memory.h"

namespace troupe {

class Buffer {
 public:
  /// Whether other processes may map what it holds.
  enum class Kind { Private, Shared };

  Buffer() = default;
  explicit Buffer(long n, Kind kind = Kind::Private) : kind_(kind) {
    if (n > 0 || kind == Kind::Private) reserve(n);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(isOwner_, other.isOwner_);
    std::swap(shared_, other.shared_);
    return *this;
  }
  ~Buffer() { release(); }

  /// A view of n floats that somebody else keeps.
  static Buffer of(float* data, long n) {
    Buffer view;
    view.data_ = data, view.size_ = n, view.isOwner_ = false;
    return view;
  }

  /// At least n floats, and one cache line behind them.
  float* reserve(long n) {
    if (n > size_ || data_ == nullptr) {
      release();
      size_t wanted = (size_t)n * sizeof(float) + 64, unit = wanted < kHugePage / 2 ? 64 : kHugePage;
      size_t bytes = (wanted + unit - 1) / unit * unit;
      if (kind_ == Kind::Shared) {
        shared_ = std::make_unique<SharedMemory>(bytes);
        data_ = static_cast<float*>(shared_->data());
      } else {
        data_ = static_cast<float*>(std::aligned_alloc(unit, bytes));
        if (data_ == nullptr) throw std::bad_alloc();
      }
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
  /// Where other processes find it; null unless its kind is Shared and it holds something.
  const SharedPlace* shared() const { return shared_ == nullptr ? nullptr : &shared_->place(); }

 private:
  void release() {
    if (isOwner_ && shared_ == nullptr) std::free(data_);
    shared_ = nullptr;
    data_ = nullptr, size_ = 0, isOwner_ = true;
  }

  static constexpr size_t kHugePage = size_t{1} << 21;
  Kind kind_ = Kind::Private;
  float* data_ = nullptr;
  long size_ = 0;
  bool isOwner_ = true;
  std::unique_ptr<SharedMemory> shared_;
};

}  // namespace troupe

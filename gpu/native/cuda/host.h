// What programs that launch kernels are written in: streams, device memory, launches, recorded launches. As device.h,
// CUDA under nvcc and the emulator under a C++ compiler.
#pragma once
#include <string>
#include <utility>

#include "../failure.h"
#include "device.h"

namespace troupe::cuda {

#ifdef __CUDACC__
using Stream = cudaStream_t;
inline void check(cudaError_t error, const char* action) {
  if (error == cudaSuccess) return;
  TrStatus status = error == cudaErrorMemoryAllocation ? TR_OUT_OF_MEMORY : TR_INTERNAL;
  throw Failure(status, std::string(action) + ": " + cudaGetErrorString(error));
}
inline Stream newStream() {
  Stream s;
  check(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "making a stream");
  return s;
}
inline void endStream(Stream s) { cudaStreamDestroy(s); }
inline void finish(Stream s) { check(cudaStreamSynchronize(s), "running on the GPU"); }
inline void* allocate(size_t bytes) {
  void* p = nullptr;
  cudaError_t error = cudaMalloc(&p, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not sticky, but remembered
    throw Failure(TR_OUT_OF_MEMORY, "the GPU has no " + std::to_string(bytes >> 20) + " MiB left");
  }
  check(error, "allocating GPU memory");
  return p;
}
inline void release(void* p) { cudaFree(p); }
inline void copy(void* to, const void* from, size_t bytes, Stream s) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, s), "copying");
}
inline size_t freeMemory() {
  size_t left = 0, all = 0;
  check(cudaMemGetInfo(&left, &all), "asking the GPU");
  return left;
}
inline void fill(void* p, int byte, size_t bytes, Stream s) { check(cudaMemsetAsync(p, byte, bytes, s), "clearing"); }
#else
using Stream = int;
inline Stream newStream() { return 0; }
inline void endStream(Stream) {}
inline void finish(Stream) {}
inline void* allocate(size_t bytes) {
  void* p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (p == nullptr) throw Failure(TR_OUT_OF_MEMORY, "no memory");
  // What a kernel reads before anybody wrote it must not look like a sensible number.
  std::memset(p, 0xff, bytes);
  return p;
}
inline void release(void* p) { std::free(p); }
inline void copy(void* to, const void* from, size_t bytes, Stream) {
  if (bytes > 0) std::memmove(to, from, bytes);
}
inline size_t freeMemory() { return size_t{1} << 30; }
inline void fill(void* p, int byte, size_t bytes, Stream) { std::memset(p, byte, bytes); }
#endif
inline void clear(void* p, size_t bytes, Stream s) { fill(p, 0, bytes, s); }

/// kernel<<<grid, threads, shared>>>(args…); does nothing for an empty grid.
template <class... P, class... A>
void launch(Stream s, dim3 grid, int threads, size_t shared, void (*kernel)(P...), const A&... args) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
#ifdef __CUDACC__
  // More than 48 KiB must be asked for.
  if (shared > 48 << 10)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared),
          "preparing a kernel");
  kernel<<<grid, threads, shared, s>>>(static_cast<P>(args)...);
  check(cudaGetLastError(), "starting a kernel");
#else
  (void)s;
  emulate::Machine::instance().launch(grid, dim3((unsigned)threads), shared, [&] { kernel(static_cast<P>(args)...); });
#endif
}

/// Device memory that grows and never shrinks; growing forgets what it held.
template <class T>
class Memory {
 public:
  Memory() = default;
  explicit Memory(long n) { reserve(n); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory(Memory&& o) noexcept : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)) {}
  Memory& operator=(Memory&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~Memory() {
    if (data_ != nullptr) release(data_);
  }
  T* reserve(long n) {
    if (n > size_ || data_ == nullptr) {
      if (data_ != nullptr) release(data_);
      data_ = nullptr, size_ = 0;
      // Kernels read whole 16-byte pieces; the padding lets the last one stay inside.
      data_ = static_cast<T*>(allocate((size_t)n * sizeof(T) + 64));
      size_ = n;
    }
    return data_;
  }
  /// Copies from the host; the host's memory may change as soon as this returns only after finish().
  T* upload(const T* host, long n, Stream s) {
    reserve(n);
    copy(data_, host, (size_t)n * sizeof(T), s);
    return data_;
  }
  operator T*() const { return data_; }
  long size() const { return size_; }

 private:
  T* data_ = nullptr;
  long size_ = 0;
};

#ifdef __CUDACC__
/// Launches that are always the same, recorded at their second run and then sent to the device in one call.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  ~Graph() {
    if (ready_ != nullptr) cudaGraphExecDestroy(ready_);
  }
  template <class Body>
  void run(Stream s, Body body) {
    // A kernel's first launch loads it, which must not happen while recording.
    if (!std::exchange(warm_, true)) return body();
    if (ready_ == nullptr) {
      cudaGraph_t graph = nullptr;
      check(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed), "recording a step");
      body();
      check(cudaStreamEndCapture(s, &graph), "recording a step");
      cudaError_t error = cudaGraphInstantiate(&ready_, graph, 0);
      cudaGraphDestroy(graph);
      check(error, "recording a step");
    }
    check(cudaGraphLaunch(ready_, s), "replaying a step");
  }

 private:
  cudaGraphExec_t ready_ = nullptr;
  bool warm_ = false;
};
#else
class Graph {
 public:
  template <class Body>
  void run(Stream, Body body) {
    body();
  }
};
#endif

inline unsigned parts(long n, long unit) { return (unsigned)((n + unit - 1) / unit); }

}  // namespace troupe::cuda

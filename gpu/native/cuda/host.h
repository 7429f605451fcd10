// What programs that launch kernels are written in: GPUs, streams, device memory, launches, recorded launches. As device.h,
// CUDA under nvcc and the emulator under a C++ compiler.
#pragma once
#include <shared_mutex>
#include <string>
#include <utility>

#include "../failure.h"
#include "device.h"
#ifndef __CUDACC__
#include "emulator/gpus.h"
#endif

namespace troupe::cuda {

#ifdef __CUDACC__
inline void check(cudaError_t error, const char* action) {
  if (error == cudaSuccess) return;
  TrStatus status = error == cudaErrorMemoryAllocation ? TR_OUT_OF_MEMORY : TR_INTERNAL;
  throw Failure(status, std::string(action) + ": " + cudaGetErrorString(error));
}
inline int currentGpu() noexcept {
  int gpu = 0;
  (void)cudaGetDevice(&gpu);  // answers even when the GPU is lost
  return gpu;
}
inline void useGpu(int gpu) { check(cudaSetDevice(gpu), "choosing a GPU"); }
/// For destructors, which have nobody to tell of a GPU that is lost.
inline void tryUseGpu(int gpu) noexcept { (void)cudaSetDevice(gpu); }
#else
inline int currentGpu() noexcept { return emulate::Gpus::current(); }
inline void useGpu(int gpu) { emulate::Gpus::current() = gpu; }
inline void tryUseGpu(int gpu) noexcept { useGpu(gpu); }
#endif

/// CUDA's calls speak of one GPU for each thread, the first one unless told otherwise. While this lives, of another.
class OnGpu {
 public:
  explicit OnGpu(int gpu) : before_(currentGpu()) {
    if (gpu != before_) useGpu(gpu);
    isOther_ = gpu != before_;
  }
  OnGpu(const OnGpu&) = delete;
  ~OnGpu() {
    if (isOther_) tryUseGpu(before_);
  }

 private:
  int before_;
  bool isOther_ = false;
};

/// Taking and giving back memory waits for a GPU, and must not come between launches on several GPUs that wait for each
/// other: those hold this alone.
inline std::shared_mutex& quietDriver() {
  static std::shared_mutex mutex;
  return mutex;
}

#ifdef __CUDACC__
/// Kernels are launched into it while its GPU is the thread's.
struct Stream {
  cudaStream_t handle = nullptr;
  int gpu = 0;
};
inline Stream newStream() {
  Stream s;
  s.gpu = currentGpu();
  check(cudaStreamCreateWithFlags(&s.handle, cudaStreamNonBlocking), "making a stream");
  return s;
}
inline void endStream(Stream s) { cudaStreamDestroy(s.handle); }
inline void finish(Stream s) { check(cudaStreamSynchronize(s.handle), "running on the GPU"); }
/// As finish(), for destructors, which have nobody to tell of a GPU that is lost.
inline void settle(Stream s) noexcept { (void)cudaStreamSynchronize(s.handle); }
inline bool isDone(Stream s) {
  cudaError_t error = cudaStreamQuery(s.handle);
  if (error == cudaErrorNotReady) return false;
  check(error, "running on the GPU");
  return true;
}
inline void* handleOf(Stream s) { return s.handle; }
inline void* allocate(size_t bytes) {
  std::shared_lock<std::shared_mutex> lock(quietDriver());
  void* p = nullptr;
  cudaError_t error = cudaMalloc(&p, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not sticky, but remembered
    throw Failure(TR_OUT_OF_MEMORY, "GPU " + std::to_string(currentGpu()) + " has no " + std::to_string(bytes >> 20) + " MiB left");
  }
  check(error, "allocating GPU memory");
  return p;
}
inline void release(void* p) noexcept {
  std::shared_lock<std::shared_mutex> lock(quietDriver());
  (void)cudaFree(p);
}
inline void copy(void* to, const void* from, size_t bytes, Stream s) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, s.handle), "copying");
}
/// Of the thread's GPU.
inline size_t freeMemory() {
  size_t left = 0, all = 0;
  check(cudaMemGetInfo(&left, &all), "asking the GPU");
  return left;
}
inline void fill(void* p, int byte, size_t bytes, Stream s) { check(cudaMemsetAsync(p, byte, bytes, s.handle), "clearing"); }
#else
struct Stream {
  int gpu = 0;
};
/// Refuses words of arguments, addresses or not, that lie in another GPU's memory.
template <class V>
void requireOwn(Stream s, const V& argument) {
  for (size_t at = 0; at + sizeof(uintptr_t) <= sizeof(V); at += sizeof(uintptr_t)) {
    uintptr_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(&argument) + at, sizeof word);
    int owner = emulate::Gpus::instance().ownerOf(word);
    if (owner >= 0 && owner != s.gpu)
      throw Failure(TR_INTERNAL, "work of GPU " + std::to_string(s.gpu) + " was given memory of GPU " + std::to_string(owner));
  }
}
inline Stream newStream() { return {currentGpu()}; }
inline void endStream(Stream) {}
inline void finish(Stream) {}
inline void settle(Stream) noexcept {}
inline bool isDone(Stream) { return true; }
inline void* handleOf(Stream) { return nullptr; }
inline void* allocate(size_t bytes) {
  void* p = emulate::Gpus::instance().allocate(bytes);
  if (p == nullptr) throw Failure(TR_OUT_OF_MEMORY, "no memory");
  return p;
}
inline void release(void* p) noexcept { emulate::Gpus::instance().release(p); }
inline void copy(void* to, const void* from, size_t bytes, Stream s) {
  requireOwn(s, to), requireOwn(s, from);
  if (bytes > 0) std::memmove(to, from, bytes);
}
inline size_t freeMemory() { return size_t{1} << 30; }
inline void fill(void* p, int byte, size_t bytes, Stream s) {
  requireOwn(s, p);
  std::memset(p, byte, bytes);
}
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
  kernel<<<grid, threads, shared, s.handle>>>(static_cast<P>(args)...);
  check(cudaGetLastError(), "starting a kernel");
#else
  if (currentGpu() != s.gpu)
    throw Failure(TR_INTERNAL, "a kernel of GPU " + std::to_string(s.gpu) + " is started on GPU " + std::to_string(currentGpu()));
  (requireOwn(s, static_cast<P>(args)), ...);
  emulate::Machine::instance().launch(grid, dim3((unsigned)threads), shared, [&] { kernel(static_cast<P>(args)...); });
#endif
}

/// Device memory that grows and never shrinks, on the GPU that was the thread's when it first held something; growing
/// forgets what it held.
template <class T>
class Memory {
 public:
  Memory() = default;
  explicit Memory(long n) { reserve(n); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory(Memory&& o) noexcept : data_(std::exchange(o.data_, nullptr)), size_(std::exchange(o.size_, 0)), gpu_(o.gpu_) {}
  Memory& operator=(Memory&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(gpu_, o.gpu_);
    return *this;
  }
  ~Memory() {
    if (data_ == nullptr) return;
    int before = currentGpu();
    if (before != gpu_) tryUseGpu(gpu_);
    release(data_);
    if (before != gpu_) tryUseGpu(before);
  }
  T* reserve(long n) {
    if (n > size_ || data_ == nullptr) {
      if (gpu_ < 0) gpu_ = currentGpu();
      OnGpu on(gpu_);
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
  int gpu_ = -1;
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
      check(cudaStreamBeginCapture(s.handle, cudaStreamCaptureModeRelaxed), "recording a step");
      body();
      check(cudaStreamEndCapture(s.handle, &graph), "recording a step");
      std::shared_lock<std::shared_mutex> lock(quietDriver());
      cudaError_t error = cudaGraphInstantiate(&ready_, graph, 0);
      cudaGraphDestroy(graph);
      check(error, "recording a step");
    }
    check(cudaGraphLaunch(ready_, s.handle), "replaying a step");
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

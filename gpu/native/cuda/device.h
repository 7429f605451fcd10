// What device code is written in. Compiled by nvcc it is CUDA; compiled by a C++
// compiler it is the emulator of emulator/emulator.h, in which the tests run every kernel. Nothing else in this folder
// knows which of the two it is, but for host.h.
#pragma once
#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#define DEVICE __device__ __forceinline__
#define KERNEL __global__ void
#define BOUNDED_KERNEL(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#define SHARED __shared__
#define UNROLL _Pragma("unroll")
#else
#include "emulator/emulator.h"
#define DEVICE inline
#define KERNEL inline void
#define BOUNDED_KERNEL(threads, blocks) inline void
// Blocks of one emulated machine run one after another, so one copy per host thread serves.
#define SHARED static thread_local
#define UNROLL
#endif

namespace troupe::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// ---- numbers --------------------------------------------------------------------------------------------------------

/// The upper half of a float32.
struct Bf16 {
  uint16_t bits;
};

DEVICE uint32_t bitsOf(float x) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(x);
#else
  uint32_t u;
  memcpy(&u, &x, 4);
  return u;
#endif
}
DEVICE float floatOf(uint32_t u) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(u);
#else
  float x;
  memcpy(&x, &u, 4);
  return x;
#endif
}

DEVICE float number(float x) { return x; }
DEVICE float number(Bf16 x) { return floatOf((uint32_t)x.bits << 16); }

template <class T>
DEVICE T rounded(float x);
template <>
DEVICE float rounded<float>(float x) {
  return x;
}
/// To the nearest, ties to even; NaN stays NaN.
template <>
DEVICE Bf16 rounded<Bf16>(float x) {
  uint32_t u = bitsOf(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {(uint16_t)(u >> 16 | 0x40)};
  return {(uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16)};
}

// ---- where a thread stands, and how it meets others -----------------------------------------------------------------

#ifdef __CUDACC__
DEVICE dim3 thread() { return dim3(threadIdx.x, threadIdx.y, threadIdx.z); }
DEVICE dim3 block() { return dim3(blockIdx.x, blockIdx.y, blockIdx.z); }
DEVICE int threads() { return (int)blockDim.x; }
DEVICE int blocks() { return (int)gridDim.x; }
DEVICE void blockBarrier() { __syncthreads(); }
DEVICE void warpBarrier() { __syncwarp(); }
/// The launch's dynamic shared memory.
DEVICE char* sharedMemory() {
  extern __shared__ __align__(16) char memory[];
  return memory;
}
template <class V>
DEVICE V fromLane(V value, int lane) {
  return __shfl_sync(kAllLanes, value, lane);
}
template <class V>
DEVICE V fromLaneXor(V value, int mask) {
  return __shfl_xor_sync(kAllLanes, value, mask);
}
#else
DEVICE dim3 thread() { return emulate::Machine::instance().threadIndex(); }
DEVICE dim3 block() { return emulate::Machine::instance().blockIdx; }
DEVICE int threads() { return (int)emulate::Machine::instance().block_.x; }
DEVICE int blocks() { return (int)emulate::Machine::instance().grid_.x; }
DEVICE void blockBarrier() { emulate::Machine::instance().wait(emulate::State::AtBlock); }
DEVICE void warpBarrier() { emulate::Machine::instance().wait(emulate::State::AtWarp); }
DEVICE char* sharedMemory() { return emulate::Machine::instance().shared(); }
template <class V>
DEVICE V fromLane(V value, int lane) {
  emulate::Machine& m = emulate::Machine::instance();
  m.meet(&value, sizeof value);
  V out;
  std::memcpy(&out, m.slot(lane), sizeof out);
  return out;
}
template <class V>
DEVICE V fromLaneXor(V value, int mask) {
  return fromLane(value, (int)(emulate::Machine::instance().current() % kWarp) ^ mask);
}
#endif

DEVICE int laneOf(int threadIndex) { return threadIndex % kWarp; }

/// The same value in every lane, by the same tree in every warp.
DEVICE float warpSum(float x) {
  for (int w = kWarp / 2; w > 0; w /= 2) x += fromLaneXor(x, w);
  return x;
}
DEVICE double warpSum(double x) {
  for (int w = kWarp / 2; w > 0; w /= 2) x += fromLaneXor(x, w);
  return x;
}
DEVICE int warpSum(int x) {
  for (int w = kWarp / 2; w > 0; w /= 2) x += fromLaneXor(x, w);
  return x;
}
DEVICE float warpMax(float x) {
  for (int w = kWarp / 2; w > 0; w /= 2) x = fmaxf(x, fromLaneXor(x, w));
  return x;
}

/// Joins one value per thread over a block of `Threads`, a multiple of 32; every thread gets the result. All threads call.
template <int Threads, class V, class Join>
DEVICE V blockJoin(V x, Join join) {
  SHARED V parts[Threads / kWarp];
  int t = (int)thread().x;
  for (int w = kWarp / 2; w > 0; w /= 2) x = join(x, fromLaneXor(x, w));
  if (laneOf(t) == 0) parts[t / kWarp] = x;
  blockBarrier();
  V all = parts[0];
  for (int i = 1; i < Threads / kWarp; i++) all = join(all, parts[i]);
  // Nobody may write the next call's parts while somebody still reads these.
  blockBarrier();
  return all;
}
struct Plus {
  template <class V>
  DEVICE V operator()(V a, V b) const {
    return a + b;
  }
};
struct Greater {
  template <class V>
  DEVICE V operator()(V a, V b) const {
    return a > b ? a : b;
  }
};

// ---- tensor cores and asynchronous copies ---------------------------------------------------------------------------

/// d = a · b + d for a [16, 16], b [16, 8] in bf16, d [16, 8] in float32, spread over a warp. With g = lane / 4,
/// t = lane % 4, pairs along k: a = {(g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8)}, b = {(2t, g), (2t + 8, g)},
/// d = {(g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)}. Source: PTX ISA, mma.m16n8k16.
DEVICE void multiplyTile(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDACC__
#ifdef __CUDA_ARCH__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
#else
  emulate::Machine& m = emulate::Machine::instance();
  uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  m.meet(mine, sizeof mine);
  int lane = m.current() % kWarp, g = lane / 4, t = lane % 4;
  auto part = [&](int owner, int index, int half) {
    uint32_t word;
    std::memcpy(&word, m.slot(owner) + 4 * index, 4);
    return floatOf(half == 0 ? word << 16 : word & 0xffff0000u);
  };
  float rows[2][16], columns[2][16];
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 16; k++) {
      int owner = k % 8 / 2;
      rows[i][k] = part(g * 4 + owner, i + k / 8 * 2, k % 2);
      columns[i][k] = part((2 * t + i) * 4 + owner, 4 + k / 8, k % 2);
    }
  for (int i = 0; i < 4; i++)
    for (int k = 0; k < 16; k++) d[i] = fmaf(rows[i / 2][k], columns[i % 2][k], d[i]);
#endif
}

/// Four [8, 8] tiles of bf16 from shared memory, as multiplyTile() takes them: lane 8 j + i names row i of tile j, 16 bytes,
/// and d[j] of a lane is {(g, 2t), (g, 2t + 1)} of tile j, or of its transpose when `Turned`. Source: PTX ISA, ldmatrix.
template <bool Turned>
DEVICE void loadTiles(uint32_t (&d)[4], const Bf16* row) {
#ifdef __CUDACC__
#ifdef __CUDA_ARCH__
  uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
  if constexpr (Turned)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(at));
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
                 : "r"(at));
#endif
#else
  emulate::Machine& m = emulate::Machine::instance();
  m.meet(&row, sizeof row);
  int lane = m.current() % kWarp, g = lane / 4, t = lane % 4;
  auto element = [&](int j, int i, int column) {
    const Bf16* from;
    std::memcpy(&from, m.slot(8 * j + i), sizeof from);
    return (uint32_t)from[column].bits;
  };
  for (int j = 0; j < 4; j++)
    d[j] = Turned ? element(j, 2 * t, g) | element(j, 2 * t + 1, g) << 16 : element(j, g, 2 * t) | element(j, g, 2 * t + 1) << 16;
#endif
}

/// Two numbers, rounded, as a register of multiplyTile() holds them.
DEVICE uint32_t pairOf(float low, float high) {
#ifdef __CUDA_ARCH__
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  return (uint32_t)rounded<Bf16>(low).bits | (uint32_t)rounded<Bf16>(high).bits << 16;
#endif
}
DEVICE uint32_t pairAt(const Bf16* p) { return *reinterpret_cast<const uint32_t*>(p); }

/// 2^x within 2 units of the last place; exactly 1 at 0 and 0 at −∞.
DEVICE float powerOfTwo(float x) {
#ifdef __CUDA_ARCH__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
#else
  return exp2f(x);
#endif
}

/// Sixteen bytes from global to shared memory without registers, or zeros when not `wanted`; both addresses aligned.
DEVICE void copyLater(void* shared, const void* global, bool wanted) {
#ifdef __CUDACC__
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"((uint32_t)__cvta_generic_to_shared(shared)), "l"(global),
               "r"(wanted ? 16 : 0));
#endif
#else
  if (wanted) std::memcpy(shared, global, 16);
  else std::memset(shared, 0, 16);
#endif
}
DEVICE void endCopies() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.commit_group;\n");
#endif
}
/// Waits until at most `Open` groups of this thread's copies are still on their way.
template <int Open>
DEVICE void awaitCopies() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Open));
#endif
}

}  // namespace troupe::cuda

// y = x Wᵀ, the one product of the engine: both sides have their inner dimension contiguous; what needs another form is
// transposed first. An element's sum runs k = 0, 1, 2, … in one chain, never split, so its bits do not depend on the
// number of rows, the tile shape or the number of blocks. In bf16 a link of the chain is one tensor-core step of 16 k.
#pragma once
#include "host.h"

namespace troupe::cuda {

template <class A, class Out, class B = A>
struct ProductArgs {
  const A* a;  // [m, k]
  long lda;
  const B* b;  // [n, k]
  long ldb;
  Out* c;  // [m, n]
  long ldc;
  int m, n, k;
  /// Added to the sum before it is rounded, or null: rows [n] that are ldStart apart, 0 for a bias.
  const float* start = nullptr;
  long ldStart = 0;
};

template <bool Add, class A, class Out, class B>
DEVICE void deliver(const ProductArgs<A, Out, B>& p, int row, int column, float sum) {
  if (row >= p.m || column >= p.n) return;
  Out& c = p.c[(long)row * p.ldc + column];
  if constexpr (Add) c += sum;
  else c = rounded<Out>(p.start == nullptr ? sum : sum + p.start[(long)row * p.ldStart + column]);
}

// ---- float32, where one side is: fused multiply-adds ----------------------------------------------------------------

constexpr int kFloatTile = 64, kFloatDepth = 16, kFloatThreads = 256;

template <bool Add, class A, class Out, class B>
BOUNDED_KERNEL(kFloatThreads, 2) productFloat(ProductArgs<A, Out, B> p) {
  SHARED float as[kFloatDepth][kFloatTile + 4], bs[kFloatDepth][kFloatTile + 4];
  int t = (int)thread().x, m0 = (int)block().y * kFloatTile, n0 = (int)block().x * kFloatTile;
  int row = t / 16 * 4, column = t % 16 * 4;
  float sum[4][4] = {};
  for (int k0 = 0; k0 < p.k; k0 += kFloatDepth) {
    for (int i = t; i < kFloatTile * kFloatDepth; i += kFloatThreads) {
      int r = i / kFloatDepth, k = i % kFloatDepth;
      as[k][r] = m0 + r < p.m && k0 + k < p.k ? number(p.a[(long)(m0 + r) * p.lda + k0 + k]) : 0.f;
      bs[k][r] = n0 + r < p.n && k0 + k < p.k ? number(p.b[(long)(n0 + r) * p.ldb + k0 + k]) : 0.f;
    }
    blockBarrier();
    UNROLL for (int k = 0; k < kFloatDepth; k++)
      UNROLL for (int i = 0; i < 4; i++)
        UNROLL for (int j = 0; j < 4; j++) sum[i][j] = fmaf(as[k][row + i], bs[k][column + j], sum[i][j]);
    blockBarrier();
  }
  UNROLL for (int i = 0; i < 4; i++)
    UNROLL for (int j = 0; j < 4; j++) deliver<Add>(p, m0 + row + i, n0 + column + j, sum[i][j]);
}

// ---- bf16: tensor cores ---------------------------------------------------------------------------------------------

/// Where a lane's accumulators of one [16, 8] tile belong.
template <bool Add, class Out>
DEVICE void deliverTile(const ProductArgs<Bf16, Out>& p, int row, int column, int lane, const float (&d)[4]) {
  UNROLL for (int i = 0; i < 4; i++) deliver<Add>(p, row + lane / 4 + i / 2 * 8, column + lane % 4 * 2 + i % 2, d[i]);
}

// A block of 4 warps makes a [128, 128] tile, each warp a [64, 64] quarter, from slices of 32 k that are copied ahead.
// Rows in shared memory are 80 bytes apart: the 32 words of a fragment then lie in 32 banks.
constexpr int kTile = 128, kDepth = 32, kPitch = 40, kStages = 3, kTileThreads = 128;
constexpr size_t kTileShared = (size_t)kStages * 2 * kTile * kPitch * sizeof(Bf16);

template <bool Aligned>
DEVICE void fetchSlice(const Bf16* from, long ld, int first, int rows, int k0, int k, Bf16* to) {
  int t = (int)thread().x;
  for (int i = t; i < kTile * kDepth / 8; i += kTileThreads) {
    int r = i / (kDepth / 8), c = i % (kDepth / 8) * 8;
    Bf16* place = to + r * kPitch + c;
    const Bf16* source = from + (long)(first + r) * ld + k0 + c;
    if constexpr (Aligned) {
      // k is a multiple of 8 then, so a piece is inside as a whole or not at all.
      bool inside = first + r < rows && k0 + c < k;
      copyLater(place, inside ? source : from, inside);
    } else {
      for (int j = 0; j < 8; j++) place[j] = first + r < rows && k0 + c + j < k ? source[j] : Bf16{0};
    }
  }
}

/// Persistent: blocks take tile after tile, eight tiles of rows for each column of tiles so that both sides stay in cache.
template <bool Aligned, bool Add, class Out>
BOUNDED_KERNEL(kTileThreads, 2) productTiles(ProductArgs<Bf16, Out> p) {
  Bf16* memory = reinterpret_cast<Bf16*>(sharedMemory());
  auto left = [&](int stage) { return memory + stage * 2 * kTile * kPitch; };
  auto right = [&](int stage) { return left(stage) + kTile * kPitch; };
  int t = (int)thread().x, lane = laneOf(t), warp = t / kWarp, g = lane / 4, q = lane % 4;
  int down = (p.m + kTile - 1) / kTile, across = (p.n + kTile - 1) / kTile, slices = (p.k + kDepth - 1) / kDepth;
  for (int index = (int)block().x; index < down * across; index += blocks()) {
    constexpr int kBand = 8;
    int band = index / (kBand * across), height = down - band * kBand < kBand ? down - band * kBand : kBand;
    int inBand = index - band * kBand * across;
    int m0 = (band * kBand + inBand % height) * kTile, n0 = inBand / height * kTile;
    float sum[4][8][4] = {};
    for (int s = 0; s < kStages - 1; s++) {
      if (s < slices) {
        fetchSlice<Aligned>(p.a, p.lda, m0, p.m, s * kDepth, p.k, left(s));
        fetchSlice<Aligned>(p.b, p.ldb, n0, p.n, s * kDepth, p.k, right(s));
      }
      endCopies();
    }
    for (int s = 0; s < slices; s++) {
      awaitCopies<kStages - 2>();
      blockBarrier();
      int ahead = s + kStages - 1;
      if (ahead < slices) {
        fetchSlice<Aligned>(p.a, p.lda, m0, p.m, ahead * kDepth, p.k, left(ahead % kStages));
        fetchSlice<Aligned>(p.b, p.ldb, n0, p.n, ahead * kDepth, p.k, right(ahead % kStages));
      }
      endCopies();
      const Bf16 *a0 = left(s % kStages) + warp / 2 * 64 * kPitch, *b0 = right(s % kStages) + warp % 2 * 64 * kPitch;
      UNROLL for (int k = 0; k < kDepth; k += 16) {
        uint32_t a[4][4], b[8][2];
        UNROLL for (int i = 0; i < 4; i++)
          UNROLL for (int r = 0; r < 4; r++) a[i][r] = pairAt(a0 + (i * 16 + g + r % 2 * 8) * kPitch + k + 2 * q + r / 2 * 8);
        UNROLL for (int j = 0; j < 8; j++)
          UNROLL for (int r = 0; r < 2; r++) b[j][r] = pairAt(b0 + (j * 8 + g) * kPitch + k + 2 * q + r * 8);
        UNROLL for (int i = 0; i < 4; i++)
          UNROLL for (int j = 0; j < 8; j++) multiplyTile(sum[i][j], a[i], b[j]);
      }
    }
    // The next tile's copies overwrite slices that a slow warp may still read.
    awaitCopies<0>();
    blockBarrier();
    UNROLL for (int i = 0; i < 4; i++)
      UNROLL for (int j = 0; j < 8; j++)
        deliverTile<Add>(p, m0 + warp / 2 * 64 + i * 16, n0 + warp % 2 * 64 + j * 8, lane, sum[i][j]);
  }
}

// Few rows, as in decoding: bound by reading W once, which each warp does for its own 8 columns straight into
// registers. Needs even k and leading dimensions.
constexpr int kFewWarps = 4, kFewDeep = 8;

template <int RowTiles, bool Add, class Out>
BOUNDED_KERNEL(kFewWarps* kWarp, 2) productFewRows(ProductArgs<Bf16, Out> p) {
  int t = (int)thread().x, lane = laneOf(t), g = lane / 4, q = lane % 4;
  int n0 = ((int)block().x * kFewWarps + t / kWarp) * 8, m0 = (int)block().y * RowTiles * 16;
  if (n0 >= p.n) return;
  const Bf16* column = p.b + (long)(n0 + g < p.n ? n0 + g : p.n - 1) * p.ldb;
  float sum[RowTiles][4] = {};
  auto pair = [&](const Bf16* row, int k, bool inside) { return inside && k < p.k ? pairAt(row + k) : 0u; };
  for (int k0 = 0; k0 < p.k; k0 += 16 * kFewDeep) {
    // All loads of a stretch of W are under way before the first product waits for one.
    uint32_t b[kFewDeep][2];
    UNROLL for (int s = 0; s < kFewDeep; s++)
      UNROLL for (int r = 0; r < 2; r++) b[s][r] = pair(column, k0 + s * 16 + 2 * q + r * 8, true);
    UNROLL for (int s = 0; s < kFewDeep; s++) {
      UNROLL for (int i = 0; i < RowTiles; i++) {
        uint32_t a[4];
        UNROLL for (int r = 0; r < 4; r++) {
          int row = m0 + i * 16 + g + r % 2 * 8;
          a[r] = pair(p.a + (long)row * p.lda, k0 + s * 16 + 2 * q + r / 2 * 8, row < p.m);
        }
        multiplyTile(sum[i], a, b[s]);
      }
    }
  }
  UNROLL for (int i = 0; i < RowTiles; i++) deliverTile<Add>(p, m0 + i * 16, n0, lane, sum[i]);
}

// ---- choice of kernel; it changes no bit ----------------------------------------------------------------------------

/// Most rows for which reading W straight into registers is the faster way.
constexpr int kFewRows = 64;

template <bool Add, class A, class Out, class B>
void product(Stream s, int, const ProductArgs<A, Out, B>& p) {
  if (p.m == 0) return;
  launch(s, dim3(parts(p.n, kFloatTile), parts(p.m, kFloatTile)), kFloatThreads, 0, productFloat<Add, A, Out, B>, p);
}

template <bool Add, class Out>
void product(Stream s, int processors, const ProductArgs<Bf16, Out>& p) {
  if (p.m == 0) return;
  auto isAt = [](const void* address, size_t unit) { return reinterpret_cast<uintptr_t>(address) % unit == 0; };
  if (p.m <= kFewRows && p.k % 2 == 0 && p.lda % 2 == 0 && p.ldb % 2 == 0 && isAt(p.a, 4) && isAt(p.b, 4)) {
    unsigned across = parts(p.n, 8 * kFewWarps);
    if (p.m <= 16) return launch(s, dim3(across, 1), kFewWarps * kWarp, 0, productFewRows<1, Add, Out>, p);
    if (p.m <= 32) return launch(s, dim3(across, 1), kFewWarps * kWarp, 0, productFewRows<2, Add, Out>, p);
    return launch(s, dim3(across, 1), kFewWarps * kWarp, 0, productFewRows<4, Add, Out>, p);
  }
  long tiles = (long)parts(p.m, kTile) * parts(p.n, kTile);
  unsigned grid = (unsigned)(tiles < 2l * processors ? tiles : 2l * processors);
  bool aligned = p.k % 8 == 0 && p.lda % 8 == 0 && p.ldb % 8 == 0 && isAt(p.a, 16) && isAt(p.b, 16);
  if (aligned) launch(s, dim3(grid), kTileThreads, kTileShared, productTiles<true, Add, Out>, p);
  else launch(s, dim3(grid), kTileThreads, kTileShared, productTiles<false, Add, Out>, p);
}

}  // namespace troupe::cuda

// The gradient of causal attention of bf16 on tensor cores. The weights are computed again from the logarithms of their
// sums. Queries' gradients belong to query tiles, keys' and values' to key tiles, and each walks what it sums over in a
// fixed order: no atomics, so bits do not depend on how the chip orders its blocks. With p = exp(q k / √headSize − logSum)
// and delta = dout · out:  dv = Σ p dout,  ds = p (dout · v − delta) / √headSize,  dq = Σ ds k,  dk = Σ ds q.
// Source: Dao, FlashAttention-2, 2023, algorithm 2.
#pragma once
#include "attention-tiles.h"

namespace troupe::cuda {

/// Keys, or query rows, of which a warp holds scores at once.
constexpr int kGradStep = 32;
constexpr int kKeyWarps = 4, kKeyThreads = kKeyWarps * kWarp;
static_assert(kKeyWarps * kWarpRows == kBlockKeys && kGradStep == kWarp, "a key tile is a block, and a lane knows one row");

/// Of gradKeys: its keys and values, and the stages of queries and of dout.
template <int Wide>
constexpr size_t kGradShared = (2 * kBlockKeys + kKeyStages<Wide> * 2 * kGradStep) * kHeadPitch<Wide> * sizeof(Bf16);

struct GradArgs {
  const Bf16 *qkv, *dout;
  const float *logSums, *delta;
  Bf16* dqkv;
};

/// Blocks and tiles as of attendTiles.
template <int Wide>
BOUNDED_KERNEL(kAttendThreads, 1) gradQueries(HeadSizes h, GradArgs a, const RowTile* tiles) {
  RowTile tile = tiles[block().x];
  int kv = (int)block().y, made = (int)block().z * kMade<Wide>, count = tile.position + tile.rows;
  int blocks = (count + kBlockKeys - 1) / kBlockKeys, column = laneOf((int)thread().x) % 4 * 2;
  LaneRows mine(h, tile, kv);
  const Bf16 *from[2], *above[2];
  float base[2], delta[2];
  for (int i = 0; i < 2; i++) {
    long at = mine.row[i] * h.heads + mine.head[i];
    bool isThere = mine.isThere[i];
    from[i] = isThere ? a.qkv + mine.row[i] * h.qkvWidth() + (long)mine.head[i] * h.headSize : nullptr;
    above[i] = isThere ? a.dout + at * h.headSize : nullptr;
    base[i] = isThere ? -a.logSums[at] * kLog2E : -INFINITY;
    delta[i] = isThere ? a.delta[at] : 0.f;
  }
  PackedKeys<Bf16> keys = PackedPlace{a.qkv}.keys(h, tile, kv);
  KeyBlocks<Wide, kAttendThreads, PackedKeys<Bf16>> passing(keys, h.headSize, 0, blocks, count);
  uint32_t q[Wide / 16][4], d[Wide / 16][4];
  loadHeadRows<Wide>(from, h.headSize, q);
  loadHeadRows<Wide>(above, h.headSize, d);
  float scale = h.scale(), slope = scale / kLog2E, sum[kMade<Wide> / 8][4] = {};
  for (int b = 0; b < blocks; b++) {
    passing.begin(b);
    for (int part = 0; part < kBlockKeys; part += kGradStep) {
      int first = b * kBlockKeys + part;
      if (first >= mine.most) break;
      float score[kGradStep / 8][4], grad[kGradStep / 8][4];
      multiplyRows<Wide>(q, passing.keys(b) + part * kHeadPitch<Wide>, score);
      multiplyRows<Wide>(d, passing.values(b) + part * kHeadPitch<Wide>, grad);
      UNROLL for (int n = 0; n < kGradStep / 8; n++)
        UNROLL for (int i = 0; i < 4; i++) {
          bool isSeen = first + n * 8 + column + i % 2 < mine.seen[i / 2];
          float weight = isSeen ? powerOfTwo(fmaf(score[n][i], scale, base[i / 2])) : 0.f;
          grad[n][i] = weight * (grad[n][i] - delta[i / 2]) * slope;
        }
      UNROLL for (int step = 0; step < kGradStep / 16; step++) {
        uint32_t ds[4];
        columnsOf(grad, step, ds);
        addWeighted<Wide>(ds, passing.keys(b) + (part + step * 16) * kHeadPitch<Wide> + made, sum);
      }
    }
    passing.finish(b);
  }
  for (int i = 0; i < 2; i++) {
    if (!mine.isThere[i]) continue;
    Bf16* to = a.dqkv + mine.row[i] * h.qkvWidth() + (long)mine.head[i] * h.headSize;
    UNROLL for (int n = 0; n < kMade<Wide> / 8; n++)
      if (made + n * 8 + column < h.headSize) putPair(to + made + n * 8 + column, sum[n][2 * i], sum[n][2 * i + 1]);
  }
}

/// One block per tile of up to 64 keys, kv head and kMade numbers of a head; a warp owns 16 keys and meets the query rows
/// behind the tile's first key, tokens in order with the heads of the group inside.
template <int Wide>
BOUNDED_KERNEL(kKeyThreads, 2) gradKeys(HeadSizes h, GradArgs a, const RowTile* tiles) {
  constexpr int kPitch = kHeadPitch<Wide>, kStages = kKeyStages<Wide>;
  RowTile tile = tiles[block().x];
  int kv = (int)block().y, made = (int)block().z * kMade<Wide>, group = h.group();
  int lane = laneOf((int)thread().x), warp = (int)thread().x / kWarp, column = lane % 4 * 2;
  long start = tile.row - tile.position, ld = h.qkvWidth();
  int firstRow = tile.position * group, rows = tile.length * group, steps = (rows - firstRow + kGradStep - 1) / kGradStep;
  Bf16 *keys = reinterpret_cast<Bf16*>(sharedMemory()), *values = keys + kBlockKeys * kPitch;
  auto queries = [&](int s) { return values + (kBlockKeys + s % kStages * 2 * kGradStep) * kPitch; };
  auto numberOf = [&](int m) { return (start + m / group) * h.heads + kv * group + m % group; };
  auto fetch = [&](int s) {
    int first = firstRow + s * kGradStep;
    if (s < steps) {
      fetchRows<Wide, kKeyThreads, kGradStep>(queries(s), rows - first, h.headSize, [&](int r) {
        int m = first + r;
        return a.qkv + (start + m / group) * ld + (long)(kv * group + m % group) * h.headSize;
      });
      fetchRows<Wide, kKeyThreads, kGradStep>(queries(s) + kGradStep * kPitch, rows - first, h.headSize,
                                              [&](int r) { return a.dout + numberOf(first + r) * h.headSize; });
    }
    endCopies();
  };
  PackedKeys<Bf16> from = PackedPlace{a.qkv}.keys(h, tile, kv);
  fetchRows<Wide, kKeyThreads, kBlockKeys>(keys, tile.rows, h.headSize, [&](int r) { return from.key(tile.position + r); });
  fetchRows<Wide, kKeyThreads, kBlockKeys>(values, tile.rows, h.headSize, [&](int r) { return from.value(tile.position + r); });
  fetch(0);
  // The warp's keys and values, 16 columns at a time, as multiplyTile()'s a.
  const Bf16* mine = keys + (warp * kWarpRows + lane % 16) * kPitch + lane / 16 * 8;
  auto ofKeys = [&](int k, uint32_t(&to)[4]) { loadTiles<false>(to, mine + k * 16); };
  auto ofValues = [&](int k, uint32_t(&to)[4]) { loadTiles<false>(to, mine + kBlockKeys * kPitch + k * 16); };
  float scale = h.scale(), slope = scale / kLog2E, dk[kMade<Wide> / 8][4] = {}, dv[kMade<Wide> / 8][4] = {};
  int key = tile.position + warp * kWarpRows + lane / 4;
  for (int s = 0; s < steps; s++) {
    if constexpr (kStages == 2) {
      fetch(s + 1);
      awaitCopies<1>();
    } else {
      awaitCopies<0>();
    }
    // The row that this lane looks after; the others ask it.
    int first = firstRow + s * kGradStep, m = first + lane;
    float base = m < rows ? -a.logSums[numberOf(m)] * kLog2E : -INFINITY, delta = m < rows ? a.delta[numberOf(m)] : 0.f;
    int position = m / group;
    blockBarrier();
    float weight[kGradStep / 8][4], grad[kGradStep / 8][4];
    multiplyRows<Wide>(ofKeys, queries(s), weight);
    multiplyRows<Wide>(ofValues, queries(s) + kGradStep * kPitch, grad);
    UNROLL for (int n = 0; n < kGradStep / 8; n++)
      UNROLL for (int j = 0; j < 2; j++) {
        int who = n * 8 + column + j, at = fromLane(position, who);
        float itsBase = fromLane(base, who), itsDelta = fromLane(delta, who);
        UNROLL for (int i = j; i < 4; i += 2) {
          float p = key + i / 2 * 8 <= at ? powerOfTwo(fmaf(weight[n][i], scale, itsBase)) : 0.f;
          weight[n][i] = p;
          grad[n][i] = p * (grad[n][i] - itsDelta) * slope;
        }
      }
    UNROLL for (int step = 0; step < kGradStep / 16; step++) {
      uint32_t p[4], ds[4];
      columnsOf(weight, step, p);
      columnsOf(grad, step, ds);
      const Bf16* q = queries(s) + step * 16 * kPitch + made;
      addWeighted<Wide>(p, q + kGradStep * kPitch, dv);
      addWeighted<Wide>(ds, q, dk);
    }
    blockBarrier();
    if constexpr (kStages == 1) fetch(s + 1);
  }
  for (int i = 0; i < 2; i++) {
    int r = warp * kWarpRows + lane / 4 + i * 8;
    if (r >= tile.rows) continue;
    Bf16* to = a.dqkv + (tile.row + r) * ld + (long)(h.heads + kv) * h.headSize + made + column;
    UNROLL for (int n = 0; n < kMade<Wide> / 8; n++)
      if (made + n * 8 + column < h.headSize) {
        putPair(to + n * 8, dk[n][2 * i], dk[n][2 * i + 1]);
        putPair(to + (long)h.kvHeads * h.headSize + n * 8, dv[n][2 * i], dv[n][2 * i + 1]);
      }
  }
}

}  // namespace troupe::cuda

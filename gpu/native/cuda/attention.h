// Causal attention with grouped queries, forward and backward, of float32; attention-tiles.h has that of bf16 and takes from
// here where keys lie and how they get there. One warp owns one row of one head and walks the keys in blocks of 32 from
// position 0 with an online softmax. Training and decoding run the same row function and differ only in where key j lies,
// so their bits are the same. No atomics anywhere: in the backward pass dq is owned by its query row, dk and dv by their key
// row.
#pragma once
#include "../kernels.h"
#include "device.h"

namespace troupe::cuda {

/// Widest head, and most query heads that share a kv head.
constexpr int kMostHead = 256, kMostGroup = 16;
constexpr int kHeadParts = kMostHead / kWarp;

/// Key j at keys + j · ld, the value `values` elements behind it.
template <class T>
struct PackedKeys {
  const T* keys;
  long ld, values;
  DEVICE const T* key(int j) const { return keys + j * ld; }
  DEVICE const T* value(int j) const { return keys + j * ld + values; }
};

/// Pages of [kPageKeys, headSize] keys and as many values behind them, `offset` elements into each page.
template <class T>
struct PagedKeys {
  T* const* pages;
  long offset;
  int headSize;
  DEVICE const T* key(int j) const { return pages[j / kPageKeys] + offset + j % kPageKeys * headSize; }
  DEVICE const T* value(int j) const { return key(j) + kPageKeys * headSize; }
};

template <class T>
DEVICE float dot(const float* x, const T* y, int n) {
  float sum = 0;
  for (int i = 0; i < n; i++) sum = fmaf(x[i], number(y[i]), sum);
  return sum;
}

/// out = softmax(q · keys[0 … count − 1] · scale) values; returns the log-sum-exp of the scaled scores. A warp calls it.
/// `q` is float32 in shared memory.
template <class T, class Keys>
DEVICE float attendRow(const float* q, const Keys& keys, int count, int headSize, float scale, T* out) {
  int lane = laneOf((int)thread().x);
  float top = -INFINITY, total = 0, sum[kHeadParts] = {};
  for (int first = 0; first < count; first += kWarp) {
    int j = first + lane, here = count - first < kWarp ? count - first : kWarp;
    float score = j < count ? dot(q, keys.key(j), headSize) * scale : -INFINITY;
    float higher = fmaxf(top, warpMax(score)), fade = expf(top - higher), weight = j < count ? expf(score - higher) : 0.f;
    top = higher;
    total = fmaf(total, fade, warpSum(weight));
    UNROLL for (int p = 0; p < kHeadParts; p++) sum[p] *= fade;
    for (int i = 0; i < here; i++) {
      float w = fromLane(weight, i);
      const T* value = keys.value(first + i);
      UNROLL for (int p = 0; p < kHeadParts; p++)
        if (p * kWarp + lane < headSize) sum[p] = fmaf(w, number(value[p * kWarp + lane]), sum[p]);
    }
  }
  UNROLL for (int p = 0; p < kHeadParts; p++)
    if (p * kWarp + lane < headSize) out[p * kWarp + lane] = rounded<T>(sum[p] / total);
  return top + logf(total);
}

/// The calling warp's row of `from`, as float32 in the dynamic shared memory.
template <class T>
DEVICE const float* rowInShared(const T* from, int headSize, int slot) {
  float* q = reinterpret_cast<float*>(sharedMemory()) + slot * headSize;
  for (int i = laneOf((int)thread().x); i < headSize; i += kWarp) q[i] = number(from[i]);
  warpBarrier();
  return q;
}

/// Packed sequences: rows of [q | k | v]; row r belongs to the sequence that begins at row starts[r]. One block per row
/// and kv head, one warp per query head of its group.
template <class T>
KERNEL attendPacked(const T* qkv, long ld, const int32_t* starts, int heads, int kvHeads, int headSize, T* out, float* logSums) {
  long row = block().x;
  int kv = (int)block().y, warp = (int)thread().x / kWarp, h = kv * (heads / kvHeads) + warp, start = starts[row];
  const float* q = rowInShared(qkv + row * ld + (long)h * headSize, headSize, warp);
  PackedKeys<T> keys{qkv + start * ld + (long)(heads + kv) * headSize, ld, (long)kvHeads * headSize};
  float logSum = attendRow(q, keys, (int)row - start + 1, headSize, 1.f / sqrtf((float)headSize), out + (row * heads + h) * headSize);
  if (logSums != nullptr && laneOf((int)thread().x) == 0) logSums[row * heads + h] = logSum;
}

/// Rows that decode or fill the cache: row r stands at positions[r] of the sequence with slot slots[r], whose pages are
/// at pages + slot · ldPages; `offset` is the layer's place in a page.
template <class T>
struct CacheRows {
  const int32_t *positions, *slots;
  T* const* pages;
  long ldPages, offset;
};

template <class T>
KERNEL attendPaged(const T* qkv, long ld, CacheRows<T> at, int heads, int kvHeads, int headSize, T* out) {
  long row = block().x;
  int kv = (int)block().y, warp = (int)thread().x / kWarp, h = kv * (heads / kvHeads) + warp;
  const float* q = rowInShared(qkv + row * ld + (long)h * headSize, headSize, warp);
  PagedKeys<T> keys{at.pages + at.slots[row] * at.ldPages, at.offset + (long)kv * 2 * kPageKeys * headSize, headSize};
  attendRow(q, keys, at.positions[row] + 1, headSize, 1.f / sqrtf((float)headSize), out + (row * heads + h) * headSize);
}

/// Writes the rows' keys and values into their pages; one block per row and kv head.
template <class T>
KERNEL storeKeys(const T* qkv, long ld, CacheRows<T> at, int heads, int kvHeads, int headSize) {
  long row = block().x;
  int kv = (int)block().y, position = at.positions[row];
  const T* key = qkv + row * ld + (long)(heads + kv) * headSize;
  T* page = at.pages[at.slots[row] * at.ldPages + position / kPageKeys];
  T* to = page + at.offset + ((long)kv * 2 * kPageKeys + position % kPageKeys) * headSize;
  for (int i = (int)thread().x; i < headSize; i += threads()) {
    to[i] = key[i];
    to[kPageKeys * headSize + i] = key[(long)kvHeads * headSize + i];
  }
}

/// delta[r, h] = dout · out, one warp per head.
template <class T>
KERNEL attendDelta(const T* dout, const T* out, float* delta, long count, int headSize) {
  long at = (long)block().x * (threads() / kWarp) + thread().x / kWarp;
  if (at >= count) return;
  float sum = 0;
  for (int i = laneOf((int)thread().x); i < headSize; i += kWarp)
    sum = fmaf(number(dout[at * headSize + i]), number(out[at * headSize + i]), sum);
  sum = warpSum(sum);
  if (laneOf((int)thread().x) == 0) delta[at] = sum;
}

/// With p = exp(q k scale − logSum):  dq = scale Σ_j p_j (dout · v_j − delta) k_j. Blocks as in attendPacked.
template <class T>
KERNEL attendGradQueries(const T* qkv, long ld, const T* dout, const float* logSums, const float* delta, const int32_t* starts,
                         int heads, int kvHeads, int headSize, T* dqkv) {
  long row = block().x;
  int group = heads / kvHeads, kv = (int)block().y, warp = (int)thread().x / kWarp, h = kv * group + warp;
  int lane = laneOf((int)thread().x), start = starts[row], count = (int)row - start + 1;
  const float* q = rowInShared(qkv + row * ld + (long)h * headSize, headSize, warp);
  const float* d = rowInShared(dout + (row * heads + h) * headSize, headSize, group + warp);
  PackedKeys<T> keys{qkv + start * ld + (long)(heads + kv) * headSize, ld, (long)kvHeads * headSize};
  float scale = 1.f / sqrtf((float)headSize), logSum = logSums[row * heads + h], mean = delta[row * heads + h];
  float sum[kHeadParts] = {};
  for (int first = 0; first < count; first += kWarp) {
    int j = first + lane, here = count - first < kWarp ? count - first : kWarp;
    float ds = 0;
    if (j < count) {
      float p = expf(dot(q, keys.key(j), headSize) * scale - logSum);
      ds = p * (dot(d, keys.value(j), headSize) - mean) * scale;
    }
    for (int i = 0; i < here; i++) {
      float w = fromLane(ds, i);
      const T* key = keys.key(first + i);
      UNROLL for (int p = 0; p < kHeadParts; p++)
        if (p * kWarp + lane < headSize) sum[p] = fmaf(w, number(key[p * kWarp + lane]), sum[p]);
    }
  }
  UNROLL for (int p = 0; p < kHeadParts; p++)
    if (p * kWarp + lane < headSize) dqkv[row * ld + (long)h * headSize + p * kWarp + lane] = rounded<T>(sum[p]);
}

/// dv = Σ p dout and dk = scale Σ p (dout · v − delta) q over the rows behind a key and the heads of its group, heads
/// first. One block of one warp per key row and kv head; row r's sequence ends before row ends[r].
template <class T>
KERNEL attendGradKeys(const T* qkv, long ld, const T* dout, const float* logSums, const float* delta, const int32_t* ends,
                      int heads, int kvHeads, int headSize, T* dqkv) {
  long row = block().x;
  int group = heads / kvHeads, kv = (int)block().y, lane = laneOf((int)thread().x), end = ends[row];
  long at = row * ld + (long)(heads + kv) * headSize, toValue = (long)kvHeads * headSize;
  const float* key = rowInShared(qkv + at, headSize, 0);
  const float* value = rowInShared(qkv + at + toValue, headSize, 1);
  float scale = 1.f / sqrtf((float)headSize), dk[kHeadParts] = {}, dv[kHeadParts] = {};
  for (int h = kv * group; h < (kv + 1) * group; h++)
    for (int first = (int)row; first < end; first += kWarp) {
      int r = first + lane, here = end - first < kWarp ? end - first : kWarp;
      float weight = 0, ds = 0;
      if (r < end) {
        weight = expf(dot(key, qkv + r * ld + (long)h * headSize, headSize) * scale - logSums[(long)r * heads + h]);
        ds = weight * (dot(value, dout + ((long)r * heads + h) * headSize, headSize) - delta[(long)r * heads + h]) * scale;
      }
      for (int i = 0; i < here; i++) {
        float w = fromLane(weight, i), s = fromLane(ds, i);
        const T *q = qkv + (first + i) * ld + (long)h * headSize, *d = dout + ((long)(first + i) * heads + h) * headSize;
        UNROLL for (int p = 0; p < kHeadParts; p++)
          if (p * kWarp + lane < headSize) {
            dv[p] = fmaf(w, number(d[p * kWarp + lane]), dv[p]);
            dk[p] = fmaf(s, number(q[p * kWarp + lane]), dk[p]);
          }
      }
    }
  UNROLL for (int p = 0; p < kHeadParts; p++)
    if (p * kWarp + lane < headSize) {
      dqkv[at + p * kWarp + lane] = rounded<T>(dk[p]);
      dqkv[at + toValue + p * kWarp + lane] = rounded<T>(dv[p]);
    }
}

}  // namespace troupe::cuda

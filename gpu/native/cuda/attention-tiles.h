// Causal attention of bf16 on tensor cores, forward. A warp owns 16 query rows: tokens times the heads that share a kv head,
// so keys are read once for all of them. Keys go by in blocks of 64 from position 0 with an online softmax, and after each
// span of 128 what the softmax holds is added to what the spans before came to. A row's bits depend on its own keys only:
// which row of which tile it is, and whether one warp walks its spans in turn (training, prompts) or many warps take a
// span each (decoding, where a few long sequences must fill the chip), changes no operation on its numbers.
// Source of the order of work: Dao, FlashAttention-2, 2023.
#pragma once
#include "attention.h"

namespace troupe::cuda {

constexpr int kBlockKeys = 64, kSpanKeys = 128, kSpanBlocks = kSpanKeys / kBlockKeys;
constexpr int kWarpRows = 16, kAttendWarps = 8, kAttendThreads = kAttendWarps * kWarp, kAttendRows = kAttendWarps * kWarpRows;

/// Numbers between rows of a head in shared memory: any 8 rows then lie in different banks, 16 bytes each.
template <int Wide>
constexpr int kHeadPitch = Wide + 8;
/// Blocks of keys and values that are there or on their way at once; two of the widest would not fit every chip.
template <int Wide>
constexpr int kKeyStages = Wide <= 128 ? 2 : 1;
template <int Wide>
constexpr size_t kKeyShared = (size_t)kKeyStages<Wide> * 2 * kBlockKeys * kHeadPitch<Wide> * sizeof(Bf16);

constexpr float kLog2E = 1.44269504f;

/// Numbers of a head that one block makes: registers hold no more beside the rest. The widest heads take two blocks.
template <int Wide>
constexpr int kMade = Wide <= 128 ? Wide : 128;

struct HeadSizes {
  int heads, kvHeads, headSize;
  DEVICE int group() const { return heads / kvHeads; }
  DEVICE long qkvWidth() const { return (long)(heads + 2 * kvHeads) * headSize; }
  /// exp(x / √headSize) as a power of 2.
  DEVICE float scale() const { return kLog2E / sqrtf((float)headSize); }
};

/// Rows [row, row + rows) of one sequence, of which the first stands at `position`; `length` is the sequence's rows in a
/// packed pass, `slot` its place in the page table.
struct RowTile {
  int32_t row, rows, position, length, slot;
};

/// Where a tile's keys are. In a packed pass they are rows themselves.
struct PackedPlace {
  const Bf16* qkv;
  DEVICE PackedKeys<Bf16> keys(const HeadSizes& h, const RowTile& t, int kv) const {
    long ld = h.qkvWidth();
    return {qkv + (t.row - t.position) * ld + (long)(h.heads + kv) * h.headSize, ld, (long)h.kvHeads * h.headSize};
  }
};
struct PagedPlace {
  CacheRows<Bf16> at;
  DEVICE PagedKeys<Bf16> keys(const HeadSizes& h, const RowTile& t, int kv) const {
    return {at.pages + t.slot * at.ldPages, at.offset + (long)kv * 2 * kPageKeys * h.headSize, h.headSize};
  }
};

/// to [rows, kHeadPitch<Wide>] = rows that `at(r)` points to for r < count, 0 elsewhere; copies may still be on their way.
template <int Wide, int Threads, int Rows, class At>
DEVICE void fetchRows(Bf16* to, int count, int headSize, At at) {
  for (int i = (int)thread().x; i < Rows * (Wide / 8); i += Threads) {
    int r = i / (Wide / 8), c = i % (Wide / 8) * 8;
    const Bf16* from = at(r < count ? r : 0);
    Bf16* place = to + r * kHeadPitch<Wide> + c;
    if (headSize % 8 == 0) {
      bool inside = r < count && c < headSize;
      copyLater(place, inside ? from + c : from, inside);
    } else {
      for (int j = 0; j < 8; j++) place[j] = r < count && c + j < headSize ? from[c + j] : Bf16{0};
    }
  }
}

/// The blocks [first, end) of `count` keys and their values pass through shared memory; all threads of a block call.
template <int Wide, int Threads, class Keys>
class KeyBlocks {
 public:
  DEVICE KeyBlocks(const Keys& keys, int headSize, int first, int end, int count)
      : keys_(keys), headSize_(headSize), end_(end), count_(count) {
    fetch(first);
  }
  /// Waits for block b, and has the next one fetched meanwhile.
  DEVICE void begin(int b) {
    if constexpr (kStages == 2) {
      fetch(b + 1);
      awaitCopies<1>();
    } else {
      awaitCopies<0>();
    }
    blockBarrier();
  }
  /// Block b may be overwritten.
  DEVICE void finish(int b) {
    blockBarrier();
    if constexpr (kStages == 1) fetch(b + 1);
  }
  DEVICE const Bf16* keys(int b) const { return stage(b); }
  DEVICE const Bf16* values(int b) const { return stage(b) + kBlockKeys * kHeadPitch<Wide>; }

 private:
  static constexpr int kStages = kKeyStages<Wide>;
  DEVICE Bf16* stage(int b) const {
    return reinterpret_cast<Bf16*>(sharedMemory()) + b % kStages * 2 * kBlockKeys * kHeadPitch<Wide>;
  }
  DEVICE void fetch(int b) {
    int first = b * kBlockKeys;
    if (b < end_) {
      fetchRows<Wide, Threads, kBlockKeys>(stage(b), count_ - first, headSize_, [&](int r) { return keys_.key(first + r); });
      fetchRows<Wide, Threads, kBlockKeys>(stage(b) + kBlockKeys * kHeadPitch<Wide>, count_ - first, headSize_,
                                           [&](int r) { return keys_.value(first + r); });
    }
    endCopies();
  }
  Keys keys_;
  int headSize_, end_, count_;
};

/// 16 rows as multiplyTile()'s a; a lane gives the addresses of its rows lane / 4 and lane / 4 + 8, null for zeros.
template <int Wide>
DEVICE void loadHeadRows(const Bf16* const (&rows)[2], int headSize, uint32_t (&a)[Wide / 16][4]) {
  int q = laneOf((int)thread().x) % 4;
  UNROLL for (int k = 0; k < Wide / 16; k++)
    UNROLL for (int r = 0; r < 4; r++) {
      int c = k * 16 + 2 * q + r / 2 * 8;
      a[k][r] = rows[r % 2] != nullptr && c < headSize ? pairAt(rows[r % 2] + c) : 0u;
    }
}

/// out [16, 8 · Tiles] = a [16, Wide] · rowsᵀ for rows in shared memory; `part(k, to)` gives
/// columns 16 k … of a.
template <int Wide, int Tiles, class Part>
DEVICE void multiplyRows(Part part, const Bf16* rows, float (&out)[Tiles][4]) {
  int lane = laneOf((int)thread().x);
  const Bf16* mine = rows + (lane / 16 * 8 + lane % 8) * kHeadPitch<Wide> + lane / 8 % 2 * 8;
  UNROLL for (int n = 0; n < Tiles; n++)
    UNROLL for (int i = 0; i < 4; i++) out[n][i] = 0;
  UNROLL for (int k = 0; k < Wide / 16; k++) {
    uint32_t a[4];
    part(k, a);
    UNROLL for (int n = 0; n < Tiles; n += 2) {
      uint32_t b[4];
      loadTiles<false>(b, mine + n * 8 * kHeadPitch<Wide> + k * 16);
      multiplyTile(out[n], a, {b[0], b[1]});
      multiplyTile(out[n + 1], a, {b[2], b[3]});
    }
  }
}
template <int Wide, int Tiles>
DEVICE void multiplyRows(const uint32_t (&a)[Wide / 16][4], const Bf16* rows, float (&out)[Tiles][4]) {
  multiplyRows<Wide>([&](int k, uint32_t(&to)[4]) { UNROLL for (int r = 0; r < 4; r++) to[r] = a[k][r]; }, rows, out);
}

/// out [16, 8 · Tiles] += a [16, 16] · rows [16, 8 · Tiles], a part of rows in shared memory.
template <int Wide, int Tiles>
DEVICE void addWeighted(const uint32_t (&a)[4], const Bf16* rows, float (&out)[Tiles][4]) {
  int lane = laneOf((int)thread().x);
  const Bf16* mine = rows + lane % 16 * kHeadPitch<Wide> + lane / 16 * 8;
  UNROLL for (int n = 0; n < Tiles; n += 2) {
    uint32_t b[4];
    loadTiles<true>(b, mine + n * 8);
    multiplyTile(out[n], a, {b[0], b[1]});
    multiplyTile(out[n + 1], a, {b[2], b[3]});
  }
}

/// The 16 columns from 16 · step on of what multiplyTile() made, rounded, as its next a.
template <int Tiles>
DEVICE void columnsOf(const float (&x)[Tiles][4], int step, uint32_t (&a)[4]) {
  UNROLL for (int i = 0; i < 4; i++) a[i] = pairOf(x[2 * step + i / 2][i % 2 * 2], x[2 * step + i / 2][i % 2 * 2 + 1]);
}

/// What a softmax over some keys came to, not yet divided; a lane holds its parts of rows lane / 4 and lane / 4 + 8.
template <int Wide>
struct Partial {
  /// Largest score, not scaled.
  float top[2] = {-INFINITY, -INFINITY};
  /// Sum of the weights, as the product of the rounded weights with a matrix of ones: all columns are equal.
  float total[4] = {};
  float out[kMade<Wide> / 8][4] = {};
};

/// What a weight under the maximum `from` is worth under the maximum `to`: exactly 1 where they are equal, 0 for the weights
/// of no keys.
DEVICE float fading(float from, float to, float scale) { return to == -INFINITY ? 0.f : powerOfTwo((from - to) * scale); }

/// Takes a block of keys in, with the columns of the values that are made. Row i of the lane sees the first limit[i] keys of it; `isWhole`: all rows see all.
template <int Wide>
DEVICE void attendBlock(const uint32_t (&q)[Wide / 16][4], const Bf16* keys, const Bf16* values, const int (&limit)[2],
                        bool isWhole, float scale, Partial<Wide>& p) {
  float score[kBlockKeys / 8][4];
  multiplyRows<Wide>(q, keys, score);
  int column = laneOf((int)thread().x) % 4 * 2;
  if (!isWhole)
    UNROLL for (int n = 0; n < kBlockKeys / 8; n++)
      UNROLL for (int i = 0; i < 4; i++)
        if (n * 8 + column + i % 2 >= limit[i / 2]) score[n][i] = -INFINITY;
  float base[2];
  UNROLL for (int i = 0; i < 2; i++) {
    float top = p.top[i];
    UNROLL for (int n = 0; n < kBlockKeys / 8; n++) top = fmaxf(top, fmaxf(score[n][2 * i], score[n][2 * i + 1]));
    top = fmaxf(top, fromLaneXor(top, 1));
    top = fmaxf(top, fromLaneXor(top, 2));
    float fade = fading(p.top[i], top, scale);
    p.top[i] = top;
    base[i] = top == -INFINITY ? 0.f : -top * scale;
    UNROLL for (int j = 2 * i; j < 2 * i + 2; j++) {
      p.total[j] *= fade;
      UNROLL for (int n = 0; n < kMade<Wide> / 8; n++) p.out[n][j] *= fade;
    }
  }
  UNROLL for (int n = 0; n < kBlockKeys / 8; n++)
    UNROLL for (int i = 0; i < 4; i++) score[n][i] = powerOfTwo(fmaf(score[n][i], scale, base[i / 2]));
  constexpr uint32_t kOnes = 0x3f803f80u;
  UNROLL for (int step = 0; step < kBlockKeys / 16; step++) {
    uint32_t weights[4];
    columnsOf(score, step, weights);
    multiplyTile(p.total, weights, {kOnes, kOnes});
    addWeighted<Wide>(weights, values + step * 16 * kHeadPitch<Wide>, p.out);
  }
}

/// What two partial results are multiplied by when they become one.
struct Merger {
  float top, kept, added;
  DEVICE Merger(float before, float next, float scale)
      : top(fmaxf(before, next)), kept(fading(before, top, scale)), added(fading(next, top, scale)) {}
  DEVICE float operator()(float before, float next) const { return fmaf(next, added, before * kept); }
};

template <int Wide>
DEVICE void addSpan(Partial<Wide>& all, const Partial<Wide>& span, float scale) {
  UNROLL for (int i = 0; i < 2; i++) {
    Merger merge(all.top[i], span.top[i], scale);
    all.top[i] = merge.top;
    UNROLL for (int j = 2 * i; j < 2 * i + 2; j++) {
      all.total[j] = merge(all.total[j], span.total[j]);
      UNROLL for (int n = 0; n < kMade<Wide> / 8; n++) all.out[n][j] = merge(all.out[n][j], span.out[n][j]);
    }
  }
}

/// A row's number of the result. A key that a row does not see adds ±0 to its sums, so the sign of a zero is nobody's.
DEVICE float divided(float sum, float total) { return sum / total + 0.f; }

DEVICE void putPair(Bf16* to, float first, float second) { *reinterpret_cast<uint32_t*>(to) = pairOf(first, second); }

/// The query rows of a tile that a lane holds: row m of a tile is head m % group of token m / group.
struct LaneRows {
  DEVICE LaneRows(const HeadSizes& h, const RowTile& t, int kv) {
    int warp = (int)thread().x / kWarp * kWarpRows, group = h.group(), all = t.rows * group;
    for (int i = 0; i < 2; i++) {
      int m = warp + laneOf((int)thread().x) / 4 + i * 8;
      isThere[i] = m < all;
      row[i] = t.row + m / group;
      head[i] = kv * group + m % group;
      seen[i] = isThere[i] ? t.position + m / group + 1 : 0;
    }
    int last = warp + kWarpRows < all ? warp + kWarpRows - 1 : all - 1;
    least = t.position + warp / group + 1;
    most = warp < all ? t.position + last / group + 1 : 0;
  }
  bool isThere[2];
  long row[2];
  int head[2];
  /// Keys that each sees; the fewest and the most of the warp.
  int seen[2], least, most;
};

/// One block per tile, kv head and kMade numbers of a head. `logSums` [rows, heads], or null.
template <int Wide, class Place>
BOUNDED_KERNEL(kAttendThreads, 1)
attendTiles(const Bf16* qkv, HeadSizes h, const RowTile* tiles, Place place, Bf16* out, float* logSums) {
  RowTile tile = tiles[block().x];
  int kv = (int)block().y, made = (int)block().z * kMade<Wide>, count = tile.position + tile.rows, blocks = (count + kBlockKeys - 1) / kBlockKeys;
  LaneRows mine(h, tile, kv);
  const Bf16* from[2];
  for (int i = 0; i < 2; i++)
    from[i] = mine.isThere[i] ? qkv + mine.row[i] * h.qkvWidth() + (long)mine.head[i] * h.headSize : nullptr;
  auto keys = place.keys(h, tile, kv);
  KeyBlocks<Wide, kAttendThreads, decltype(keys)> passing(keys, h.headSize, 0, blocks, count);
  uint32_t q[Wide / 16][4];
  loadHeadRows<Wide>(from, h.headSize, q);
  float scale = h.scale();
  Partial<Wide> all, span;
  for (int b = 0; b < blocks; b++) {
    passing.begin(b);
    int first = b * kBlockKeys;
    if (first < mine.most) {
      int limit[2] = {mine.seen[0] - first, mine.seen[1] - first};
      attendBlock<Wide>(q, passing.keys(b), passing.values(b) + made, limit, first + kBlockKeys <= mine.least, scale, span);
    }
    passing.finish(b);
    if (b % kSpanBlocks == kSpanBlocks - 1 || b == blocks - 1) {
      addSpan(all, span, scale);
      span = Partial<Wide>();
    }
  }
  int column = laneOf((int)thread().x) % 4 * 2 + made;
  for (int i = 0; i < 2; i++) {
    if (!mine.isThere[i]) continue;
    long at = mine.row[i] * h.heads + mine.head[i];
    UNROLL for (int n = 0; n < kMade<Wide> / 8; n++)
      if (n * 8 + column < h.headSize)
        putPair(out + at * h.headSize + n * 8 + column, divided(all.out[n][2 * i], all.total[2 * i]),
                divided(all.out[n][2 * i + 1], all.total[2 * i]));
    if (logSums != nullptr && column == 0) logSums[at] = fmaf(all.top[i], scale, log2f(all.total[2 * i])) / kLog2E;
  }
}

/// Rows that stand alone: item i is span items[2 i + 1] of row items[2 i]. Row r's begin with item firsts[r], below 0 for a
/// row of a tile. What an item comes to for a head, its sums, total and top, lies at
/// partials + (i · heads + head) · (headSize + 2).
struct SpanPlan {
  const int32_t *count, *firsts, *items;
  float* partials;
};

/// Blocks of one warp take item after item; the grid is as large as the chip, so that a recorded launch fits any lengths.
template <int Wide>
BOUNDED_KERNEL(kWarp, 1) attendSpans(const Bf16* qkv, HeadSizes h, CacheRows<Bf16> at, SpanPlan plan) {
  int kv = (int)block().y, made = (int)block().z * kMade<Wide>;
  float scale = h.scale();
  for (int item = (int)block().x; item < *plan.count; item += blocks()) {
    long row = plan.items[2 * item];
    RowTile tile{(int32_t)row, 1, at.positions[row], 0, at.slots[row]};
    int first = plan.items[2 * item + 1] * kSpanBlocks, count = tile.position + 1, last = (count + kBlockKeys - 1) / kBlockKeys;
    if (last > first + kSpanBlocks) last = first + kSpanBlocks;
    LaneRows mine(h, tile, kv);
    const Bf16* from[2];
    for (int i = 0; i < 2; i++)
      from[i] = mine.isThere[i] ? qkv + row * h.qkvWidth() + (long)mine.head[i] * h.headSize : nullptr;
    PagedKeys<Bf16> keys = PagedPlace{at}.keys(h, tile, kv);
    KeyBlocks<Wide, kWarp, PagedKeys<Bf16>> passing(keys, h.headSize, first, last, count);
    uint32_t q[Wide / 16][4];
    loadHeadRows<Wide>(from, h.headSize, q);
    Partial<Wide> span;
    for (int b = first; b < last; b++) {
      passing.begin(b);
      int limit[2] = {mine.seen[0] - b * kBlockKeys, mine.seen[1] - b * kBlockKeys};
      attendBlock<Wide>(q, passing.keys(b), passing.values(b) + made, limit, (b + 1) * kBlockKeys <= count, scale, span);
      passing.finish(b);
    }
    int column = laneOf((int)thread().x) % 4 * 2 + made;
    for (int i = 0; i < 2; i++) {
      if (!mine.isThere[i]) continue;
      float* to = plan.partials + ((long)item * h.heads + mine.head[i]) * (h.headSize + 2);
      UNROLL for (int n = 0; n < kMade<Wide> / 8; n++)
        if (n * 8 + column < h.headSize) to[n * 8 + column] = span.out[n][2 * i], to[n * 8 + column + 1] = span.out[n][2 * i + 1];
      if (column == 0) to[h.headSize] = span.total[2 * i], to[h.headSize + 1] = span.top[i];
    }
  }
}

/// Adds the spans of a row as attendTiles does; one block per row and kv head, one warp per head.
static KERNEL joinSpans(HeadSizes h, const int32_t* positions, SpanPlan plan, Bf16* out) {
  long row = block().x;
  if (plan.firsts[row] < 0) return;
  int head = (int)block().y * h.group() + (int)thread().x / kWarp, lane = laneOf((int)thread().x);
  int spans = positions[row] / kSpanKeys + 1;
  long width = h.headSize + 2, step = h.heads * width;
  const float* from = plan.partials + plan.firsts[row] * step + head * width;
  float scale = h.scale(), top = -INFINITY, total = 0, sum[kHeadParts] = {};
  for (int s = 0; s < spans; s++, from += step) {
    Merger merge(top, from[h.headSize + 1], scale);
    top = merge.top;
    total = merge(total, from[h.headSize]);
    UNROLL for (int p = 0; p < kHeadParts; p++)
      if (p * kWarp + lane < h.headSize) sum[p] = merge(sum[p], from[p * kWarp + lane]);
  }
  UNROLL for (int p = 0; p < kHeadParts; p++)
    if (p * kWarp + lane < h.headSize) out[(row * h.heads + head) * h.headSize + p * kWarp + lane] = rounded<Bf16>(divided(sum[p], total));
}

}  // namespace troupe::cuda

// The launches of attention: over packed sequences, forward and backward, and over rows whose keys lie in pages. Float32
// takes the row functions of attention.h, bf16 the tensor cores, in training and sampling alike.
#pragma once
#include <algorithm>
#include <type_traits>
#include <vector>

#include "../shape.h"
#include "attention-tiles-grad.h"
#include "host.h"

namespace troupe::cuda {

/// Calls `body` with the width, a constant, that heads are padded to in shared memory.
template <class Body>
void withWidth(int headSize, Body body) {
  if (headSize <= 32) body(std::integral_constant<int, 32>{});
  else if (headSize <= 64) body(std::integral_constant<int, 64>{});
  else if (headSize <= 128) body(std::integral_constant<int, 128>{});
  else body(std::integral_constant<int, kMostHead>{});
}

inline HeadSizes sizesOf(const Shape& h) { return {h.heads, h.kvHeads, h.headSize}; }

/// Adds the tiles of `rows` rows from `row` on; a tile has as many tokens as fill its rows with their heads.
inline void addTiles(std::vector<RowTile>& to, int tokens, int row, int rows, int position, int slot) {
  for (int at = 0; at < rows; at += tokens)
    to.push_back({row + at, std::min(tokens, rows - at), position + at, rows, slot});
}
/// Those with most work begin first, so that none of them is what all wait for.
template <class Work>
void sortTiles(std::vector<RowTile>& tiles, Work work) {
  std::stable_sort(tiles.begin(), tiles.end(), [&](const RowTile& a, const RowTile& b) { return work(a) > work(b); });
}
inline int keysOf(const RowTile& t) { return t.position; }
inline int rowsBehind(const RowTile& t) { return t.length - t.position; }

/// Blocks of threads for tiles, or for what takes their place.
template <int Wide>
dim3 tileGrid(long tiles, const Shape& h) {
  return dim3((unsigned)tiles, (unsigned)h.kvHeads, Wide / kMade<Wide>);
}

/// Rows that are sequences one behind the other.
template <class T>
class PackedAttention {
 public:
  explicit PackedAttention(const Shape& shape) : shape_(shape) {}

  /// @param lengths rows of each sequence
  void take(const std::vector<int32_t>& lengths, Stream s) {
    std::vector<int32_t> starts, ends;
    std::vector<RowTile> queries, keys;
    int32_t first = 0;
    for (int32_t n : lengths) {
      addTiles(queries, kAttendRows / shape_.group(), first, n, 0, 0);
      addTiles(keys, kBlockKeys, first, n, 0, 0);
      starts.insert(starts.end(), n, first);
      ends.insert(ends.end(), n, first += n);
    }
    rows_ = first;
    if constexpr (isTiled) {
      sortTiles(queries, keysOf);
      sortTiles(keys, rowsBehind);
      queries_.upload(queries.data(), queryTiles_ = (long)queries.size(), s);
      keys_.upload(keys.data(), keyTiles_ = (long)keys.size(), s);
    } else {
      starts_.upload(starts.data(), rows_, s);
      ends_.upload(ends.data(), rows_, s);
    }
    finish(s);
  }

  void forward(Stream s, const T* qkv, T* out, float* logSums) {
    const Shape& h = shape_;
    if constexpr (isTiled)
      withWidth(h.headSize, [&](auto wide) {
        launch(s, tileGrid<wide>(queryTiles_, h), kAttendThreads, kKeyShared<wide>, attendTiles<wide, PackedPlace>, qkv, sizesOf(h),
               queries_, PackedPlace{qkv}, out, logSums);
      });
    else
      launch(s, dim3((unsigned)rows_, (unsigned)h.kvHeads), h.group() * kWarp, h.group() * h.headSize * sizeof(float), attendPacked<T>,
             qkv, h.qkvWidth(), starts_, h.heads, h.kvHeads, h.headSize, out, logSums);
  }

  /// dqkv of dout, with what forward() was given and made.
  void backward(Stream s, const T* qkv, const T* dout, const T* out, const float* logSums, T* dqkv) {
    const Shape& h = shape_;
    long pairs = rows_ * h.heads, width = h.qkvWidth();
    float* delta = delta_.reserve(pairs);
    launch(s, dim3(parts(pairs, kDeltaThreads / kWarp)), kDeltaThreads, 0, attendDelta<T>, dout, out, delta, pairs, h.headSize);
    if constexpr (isTiled) {
      withWidth(h.headSize, [&](auto wide) {
        GradArgs a{qkv, dout, logSums, delta, dqkv};
        launch(s, tileGrid<wide>(queryTiles_, h), kAttendThreads, kKeyShared<wide>, gradQueries<wide>, sizesOf(h), a, queries_);
        launch(s, tileGrid<wide>(keyTiles_, h), kKeyThreads, kGradShared<wide>, gradKeys<wide>, sizesOf(h), a, keys_);
      });
    } else {
      dim3 grid((unsigned)rows_, (unsigned)h.kvHeads);
      size_t row = h.headSize * sizeof(float);
      launch(s, grid, h.group() * kWarp, 2 * h.group() * row, attendGradQueries<T>, qkv, width, dout, logSums, delta, starts_, h.heads,
             h.kvHeads, h.headSize, dqkv);
      launch(s, grid, kWarp, 2 * row, attendGradKeys<T>, qkv, width, dout, logSums, delta, ends_, h.heads, h.kvHeads, h.headSize, dqkv);
    }
  }

 private:
  static constexpr bool isTiled = std::is_same_v<T, Bf16>;
  static constexpr int kDeltaThreads = 128;
  const Shape& shape_;
  long rows_ = 0, queryTiles_ = 0, keyTiles_ = 0;
  Memory<int32_t> starts_, ends_;
  Memory<RowTile> queries_, keys_;
  Memory<float> delta_;
};

/// Rows whose keys are in pages: a row of a prompt has its neighbours beside it, one that decodes stands alone.
template <class T>
class PagedAttention {
 public:
  /// @param mostRows of a step
  PagedAttention(const Shape& shape, int processors, long mostRows) : shape_(shape), processors_(processors), mostRows_(mostRows) {
    if constexpr (isTiled) makeRoom(mostRows);
  }

  /// Prepares for a step's rows. @param alone each row is taken for one that stands alone, so that launches depend on the
  /// number of rows only. Returns whether recorded launches have lost their memory.
  bool plan(const std::vector<int32_t>& positions, const std::vector<int32_t>& slots, bool alone, Stream s) {
    rows_ = (long)positions.size();
    if constexpr (!isTiled) return false;
    tiles_.clear();
    integers_.assign(1 + mostRows_, -1);
    for (long r = 0, end; r < rows_; r = end) {
      for (end = r + 1; !alone && end < rows_ && slots[end] == slots[r] && positions[end] == positions[end - 1] + 1;) end++;
      if (end - r > 1) {
        addTiles(tiles_, kAttendRows / shape_.group(), (int)r, (int)(end - r), positions[r], slots[r]);
        continue;
      }
      integers_[1 + r] = (int32_t)items();
      for (int32_t span = 0; span <= positions[r] / kSpanKeys; span++) integers_.insert(integers_.end(), {(int32_t)r, span});
    }
    integers_[0] = (int32_t)items();
    sortTiles(tiles_, keysOf);
    if (!tiles_.empty()) deviceTiles_.upload(tiles_.data(), (long)tiles_.size(), s);
    bool isTooSmall = items() > capacity_;
    // Twice what is needed now: sequences grow on.
    if (isTooSmall) makeRoom(2 * items());
    copy(deviceIntegers_, integers_.data(), sizeof(int32_t) * integers_.size(), s);
    return isTooSmall;
  }

  void run(Stream s, const T* qkv, const CacheRows<T>& at, T* out) {
    const Shape& h = shape_;
    unsigned kvHeads = (unsigned)h.kvHeads;
    dim3 perRow((unsigned)rows_, kvHeads);
    if constexpr (!isTiled) {
      launch(s, perRow, h.group() * kWarp, h.group() * h.headSize * sizeof(float), attendPaged<T>, qkv, h.qkvWidth(), at, h.heads,
             h.kvHeads, h.headSize, out);
    } else {
      withWidth(h.headSize, [&](auto wide) {
        launch(s, tileGrid<wide>((long)tiles_.size(), h), kAttendThreads, kKeyShared<wide>, attendTiles<wide, PagedPlace>, qkv,
               sizesOf(h), deviceTiles_, PagedPlace{at}, out, nullptr);
        if (items() == 0) return;
        SpanPlan plan{deviceIntegers_, deviceIntegers_ + 1, deviceIntegers_ + 1 + mostRows_, partials_};
        launch(s, tileGrid<wide>(parts(kWarpsPerProcessor * processors_, kvHeads), h), kWarp, kKeyShared<wide>, attendSpans<wide>, qkv,
               sizesOf(h), at, plan);
        launch(s, perRow, h.group() * kWarp, 0, joinSpans, sizesOf(h), at.positions, plan, out);
      });
    }
  }

 private:
  static constexpr bool isTiled = std::is_same_v<T, Bf16>;
  /// About as many as find room in shared memory beside each other.
  static constexpr int kWarpsPerProcessor = 4;

  long items() const { return ((long)integers_.size() - 1 - mostRows_) / 2; }
  void makeRoom(long items) {
    capacity_ = items;
    deviceIntegers_.reserve(1 + mostRows_ + 2 * items);
    partials_.reserve(items * shape_.heads * (shape_.headSize + 2));
  }

  const Shape& shape_;
  int processors_;
  long mostRows_, rows_ = 0, capacity_ = 0;
  std::vector<RowTile> tiles_;
  /// As SpanPlan has them: the count of items, the rows' first ones, the items.
  std::vector<int32_t> integers_;
  Memory<RowTile> deviceTiles_;
  Memory<int32_t> deviceIntegers_;
  Memory<float> partials_;
};

}  // namespace troupe::cuda

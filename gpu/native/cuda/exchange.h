// What ranks tell each other in a step: gradients before it, weights behind it. Arrays pass in pieces of a fixed size, so
// an exchange takes little memory beside them.
#pragma once
#include <memory>
#include <vector>

#include "collectives.h"
#include "rank.h"
#include "ranges.h"

namespace troupe::cuda {

/// out[i] = ((piece 0 + piece 1) + piece 2) + …, pieces of n numbers one behind another.
static KERNEL addPieces(const float* pieces, int count, long n, float* out) {
  long i = (long)block().x * kParameterThreads + thread().x;
  if (i >= n) return;
  float sum = pieces[i];
  for (int p = 1; p < count; p++) sum += pieces[p * n + i];
  out[i] = sum;
}

#ifdef __CUDACC__
/// Numbers that each rank gives to one piece: 16 MiB.
constexpr long kExchanged = 1l << 22;
#else
/// Small models pass in several pieces too.
constexpr long kExchanged = kNormChunk;
#endif

template <class T>
class Exchange {
 public:
  using RankList = std::vector<std::unique_ptr<Rank<T>>>;

  /// @param all outlives this
  explicit Exchange(const RankList& all) : ranks_(all), joined_((int)all.size()) {
    for (const auto& r : ranks_) {
      OnGpu on(r->gpu);
      r->exchanged.reserve((long)ranks_.size() * kExchanged);
      streams_.push_back(r->stream);
    }
  }

  template <class Body>
  void run(Body body) {
    joined_.run(body);
  }
  void finish() { joined_.finish(streams_); }

  /// Each rank's range of its gradients becomes the sum over all ranks: in the order of ranks, or in NCCL's if `isFast`.
  void addGradients(const Ranges& ranges, bool isFast) {
    long each = ranges.each;
    if (isFast) {
      joined_.group([&] {
        eachRank([&](int r, Rank<T>& mine) {
          joined_.reduceScatter(r, mine.gradients, mine.gradients + r * each, each, mine.stream);
        });
      });
      return;
    }
    pass(each, [&](long at, long n) {
      joined_.group([&] {
        eachRank([&](int r, Rank<T>& mine) {
          for (int other = 0; other < ranges.count; other++) {
            if (other == r) continue;
            joined_.send(r, mine.gradients + other * each + at, n, other, mine.stream);
            joined_.receive(r, mine.exchanged + other * n, n, other, mine.stream);
          }
        });
      });
      eachRank([&](int r, Rank<T>& mine) {
        copy(mine.exchanged + r * n, mine.gradients + r * each + at, sizeof(float) * n, mine.stream);
        add(mine, n, mine.gradients + r * each + at);
      });
    });
  }
  /// Every rank's whole gradients become the sum over all ranks, in the order of ranks.
  void addWholeGradients(long size) {
    pass(size, [&](long at, long n) {
      joined_.group([&] {
        eachRank([&](int r, Rank<T>& mine) {
          joined_.allGather(r, mine.gradients + at, mine.exchanged, sizeof(float) * n, mine.stream);
        });
      });
      eachRank([&](int, Rank<T>& mine) { add(mine, n, mine.gradients + at); });
    });
  }

  /// Every rank's copy of the weights from everybody's range of them: matrices in T, vectors as they are.
  void gatherWeights(const Ranges& ranges) {
    pass(ranges.each, [&](long at, long n) {
      auto pieces = [&](Rank<T>& of) { return reinterpret_cast<T*>(static_cast<float*>(of.exchanged)); };
      eachRank([&](int r, Rank<T>& mine) {
        launch(mine.stream, dim3(parts(n, kRowThreads)), kRowThreads, 0, convert<T>, mine.weights + at, pieces(mine) + r * n, n);
      });
      joined_.group([&] {
        eachRank([&](int r, Rank<T>& mine) {
          joined_.allGather(r, pieces(mine) + r * n, pieces(mine), sizeof(T) * n, mine.stream);
        });
      });
      eachRank([&](int, Rank<T>& mine) {
        for (int owner = 0; owner < ranges.count; owner++)
          mine.model->placeMatrices(pieces(mine) + owner * n, owner * ranges.each + at, n, *mine.base, mine.stream);
      });
    });
    joined_.group([&] {
      ranks_.front()->model->eachVector([&](long from, long n, long to) {
        ranges.cut(from, from + n, [&](int owner, long first, long end) {
          eachRank([&](int r, Rank<T>& mine) {
            float* place = mine.base->vectors + to + (first - from);
            const float* values = r == owner ? mine.weights + (first - owner * ranges.each) : place;
            joined_.broadcast(r, values, place, end - first, owner, mine.stream);
          });
        });
      });
    });
  }

 private:
  template <class Visit>
  void eachRank(Visit visit) {
    for (int r = 0; r < (int)ranks_.size(); r++) {
      OnGpu on(ranks_[r]->gpu);
      visit(r, *ranks_[r]);
    }
  }
  /// visit(at, n) for pieces of `size` numbers, in order.
  template <class Visit>
  static void pass(long size, Visit visit) {
    for (long at = 0; at < size; at += kExchanged) visit(at, std::min(kExchanged, size - at));
  }
  void add(Rank<T>& mine, long n, float* out) {
    launch(mine.stream, dim3(parts(n, kParameterThreads)), kParameterThreads, 0, addPieces, mine.exchanged, (int)ranks_.size(), n, out);
  }

  const RankList& ranks_;
  Collectives joined_;
  std::vector<Stream> streams_;
};

}  // namespace troupe::cuda

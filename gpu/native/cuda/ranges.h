// How a flat array of parameters is dealt out to ranks: equal ranges, one a rank, each whole chunks of the norm, so that
// no partial sum of it crosses a border. The last ones may reach past the end, or lie behind it.
#pragma once
#include <algorithm>

#include "parameters.h"

namespace troupe::cuda {

struct Ranges {
  Ranges(long n, int ranks) : size(n), count(ranks), each(((n + kNormChunk - 1) / kNormChunk + ranks - 1) / ranks * kNormChunk) {}

  long first(int rank) const { return std::min(size, rank * each); }
  long end(int rank) const { return std::min(size, (rank + 1) * each); }
  /// With what lies behind the end.
  long padded() const { return count * each; }
  /// visit(rank, first, end) for each rank's part of [first, end), in order.
  template <class Visit>
  void cut(long from, long to, Visit visit) const {
    for (int rank = 0; rank < count; rank++) {
      long a = std::max(from, first(rank)), b = std::min(to, end(rank));
      if (a < b) visit(rank, a, b);
    }
  }

  long size;
  int count;
  long each;
};

}  // namespace troupe::cuda

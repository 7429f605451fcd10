// What an engine will hold in memory, before it is made: the sums of the very tables that it allocates from.
#pragma once
#include <vector>

#include "model.h"
#include "troupe.h"

namespace troupe {

/// Floats of what a learner holds from its beginning to its end.
struct StateSizes {
  explicit StateSizes(const Model&);
  long weights, adapter, trained;
  /// Per version: what all share where only an adapter is trained, and what is its own.
  long packed, packedAdapter;
  long backward, backwardAdapter;
};

/// Floats that one thread's scratch grows to with sequences of `tokens`.
long scratchFloats(const Model&, long tokens, bool samples);

/// Every entry that is not 0.
std::vector<TrMemoryEntry> memoryTable(const Model&, const TrLearnerOptions&, const TrMemoryUse&);

}  // namespace troupe

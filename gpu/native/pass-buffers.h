// The table of everything that a packed pass stores between jobs: the pass allocates from it, and the memory report adds
// it up, so the two cannot disagree.
#pragma once
#include "model.h"

namespace troupe {

/// What a training pass computes again in its backward half instead of keeping it; no level changes a bit.
enum class Recompute : int { Nothing, FeedForward, Layers };

enum class PassBuffer : int {
  // Kept by the forward half, per layer as Recompute says.
  Residual, Mid, Heads, RawHeads, Attended, GateUp,
  // Of the backward half, for one layer at a time.
  ResidualGrad, MidGrad, Normed, AttendedGrad, HeadsGrad, GateUpGrad, Activated, Partials,
  // Of adapters: t = x (s A)ᵀ and u = dy (s B) of up to kAdapterSlots linears at a time.
  LowRank, LowRankGrad,
  // Of the vocabulary.
  LogitsGrad, HeadPartials,
  Count
};
constexpr PassBuffer kFirstOfBackward = PassBuffer::ResidualGrad, kFirstOfHead = PassBuffer::LogitsGrad;

struct PassPlan {
  /// A backward half follows.
  bool trains;
  Recompute recompute;
  long rows;
};

const char* nameOf(PassBuffer);
/// Floats of a buffer.
long floatsOf(const Model&, const PassPlan&, PassBuffer);
/// Rows whose logit gradients exist at once.
long headChunk(const Model&, long rows);
inline long blocksOf(long rows) { return (rows + kBlockRows - 1) / kBlockRows; }

/// Linears whose low-rank rows exist at once.
constexpr long kAdapterSlots = 4;

/// Tokens per block of a weight gradient's sum: blocks are added in order.
constexpr long kTokenBlock = 128;

}  // namespace troupe

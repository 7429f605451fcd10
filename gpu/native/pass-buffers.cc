#include "pass-buffers.h"

#include <algorithm>

namespace troupe {
namespace {

// Logit gradients held at once, floats.
constexpr long kLogitFloats = 1l << 22;

}  // namespace

const char* nameOf(PassBuffer buffer) {
  switch (buffer) {
    case PassBuffer::Residual: return "residual stream";
    case PassBuffer::Mid: return "residual after attention";
    case PassBuffer::Heads: return "queries, keys, values";
    case PassBuffer::RawHeads: return "heads before their norms";
    case PassBuffer::Attended: return "attention output";
    case PassBuffer::GateUp: return "gate and up";
    case PassBuffer::ResidualGrad: return "gradient of the residual stream";
    case PassBuffer::MidGrad: return "gradient after attention";
    case PassBuffer::Normed: return "normed input";
    case PassBuffer::AttendedGrad: return "gradient of the attention output";
    case PassBuffer::HeadsGrad: return "gradient of queries, keys, values";
    case PassBuffer::GateUpGrad: return "gradient of gate and up";
    case PassBuffer::Activated: return "feed-forward activation";
    case PassBuffer::Partials: return "partial sums of vectors";
    case PassBuffer::LowRank: return "low-rank rows";
    case PassBuffer::LowRankGrad: return "gradient of low-rank rows";
    case PassBuffer::LogitsGrad: return "logit gradients";
    case PassBuffer::HeadPartials: return "partial sums of the last norm";
    case PassBuffer::Count: break;
  }
  return "";
}

long headChunk(const Model& m, long rows) {
  long width = std::min<long>(m.shape.vocabSize, kVocabularyBlock);
  return std::min(rows, std::max(kTokenBlock, kLogitFloats / width / kTokenBlock * kTokenBlock));
}

long floatsOf(const Model& m, const PassPlan& plan, PassBuffer buffer) {
  const Shape& s = m.shape;
  long n = plan.rows, d = s.hiddenSize, f = s.intermediateSize;
  long layers = plan.trains && plan.recompute != Recompute::Layers ? s.layers : 1;
  if (!plan.trains && buffer != PassBuffer::Residual && buffer != PassBuffer::Heads && buffer != PassBuffer::Attended) return 0;
  switch (buffer) {
    case PassBuffer::Residual: return (plan.trains ? s.layers + 1 : 1) * n * d;
    case PassBuffer::Mid: return layers * n * d;
    case PassBuffer::Heads: return layers * n * s.qkvWidth();
    case PassBuffer::RawHeads: return s.qkNorm ? layers * n * s.turnedWidth() : 0;
    case PassBuffer::Attended: return layers * n * s.qWidth();
    case PassBuffer::GateUp: return plan.recompute == Recompute::Nothing ? s.layers * n * 2 * f : 0;
    case PassBuffer::ResidualGrad:
    case PassBuffer::MidGrad:
    case PassBuffer::Normed: return n * d;
    case PassBuffer::AttendedGrad: return n * s.qWidth();
    case PassBuffer::HeadsGrad: return n * s.qkvWidth();
    case PassBuffer::GateUpGrad: return n * 2 * f;
    case PassBuffer::Activated: return n * f;
    case PassBuffer::Partials: return blocksOf(n) * (d + 2l * s.headSize + s.qkvWidth());
    case PassBuffer::LowRank:
    case PassBuffer::LowRankGrad: return m.adapter == nullptr ? 0 : kAdapterSlots * n * m.adapter->rank;
    case PassBuffer::LogitsGrad: return headChunk(m, n) * std::min<long>(s.vocabSize, kVocabularyBlock);
    case PassBuffer::HeadPartials: return blocksOf(n) * d;
    case PassBuffer::Count: break;
  }
  return 0;
}

}  // namespace troupe

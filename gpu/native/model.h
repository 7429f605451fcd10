// What is fixed about a model (shape, layout, kernels, tables) and the row-wise halves of a layer. Both the training
// pass and the sampler are made of these, so a row's bits cannot depend on which of them computed it.
#pragma once
#include <memory>
#include <vector>

#include "adapter.h"
#include "buffer.h"
#include "kernels.h"
#include "shape.h"

namespace troupe {

/// Rows that one part of a job takes through a layer; also the unit of partial sums, hence fixed.
constexpr long kBlockRows = 64;

/// Storage of the calling thread, one per slot; a slot's content lasts until the slot is asked for again.
enum class Slot { Residual, Heads, Attended, Normed, Activated, Inner, Logits, Weights, Pages, Attention, Right, GateUp, Rounded, LowRank, Count };
float* scratch(Slot, long n);

struct Model;
/// A model whose linears have an adapter unless the rank is 0. Throws BadInput naming a target that matches none.
std::shared_ptr<const Model> makeModel(const Shape&, const Kernels&, long adapterRank, double adapterAlpha, const char* adapterTargets);

/// The weights of one version, ready for the kernels; immutable once published.
struct PackedWeights {
  /// What the learner does not change may be shared by many versions.
  std::shared_ptr<Buffer> base;
  const float* data = nullptr;  // of base
  /// Empty in a version without one, such as the reference.
  Buffer adapter;
};

struct Model {
  /// Offsets into packed weights. Matrices are panels for y = x Wᵀ; vectors and the embedding are plain.
  struct Layer {
    long attentionNorm, qkv, qkvBias, qNorm, kNorm, output, mlpNorm, gateUp, down;
  };

  /// `adapter` may be null.
  Model(const Shape&, const Kernels&, std::shared_ptr<const AdapterLayout> adapter = nullptr);

  Shape shape;
  Layout layout;
  const Kernels& kernels;
  std::shared_ptr<const AdapterLayout> adapter;
  std::vector<Layer> layers;
  long embedding = 0, finalNorm = 0, head = 0, packedSize = 0;
  /// [maxPositions, headSize / 2]
  Buffer cosine, sine;

  float epsilon() const { return (float)shape.rmsNormEpsilon; }
  /// Packs matrix or vector number `part` (of packParts()) of the flat weights.
  void pack(const float* weights, float* packed, long part) const;
  long packParts() const { return 2 + headBlocks() + 9 * (long)layers.size(); }
  long headBlocks() const { return (shape.vocabSize + kVocabularyBlock - 1) / kVocabularyBlock; }

  /// out[rows, n] = start + x[rows, k] · panels; `next` as in Kernels::linear.
  void multiply(long rows, long n, long k, const float* x, const float* panels, float* out, Start start,
                const float* bias = nullptr, const float* next = nullptr, long nextFloats = 0) const {
    kernels.linear(rows, n, k, x, k, panels, out, n, start, bias, scratch(Slot::Rounded, (rows + 32) * (k + 32)), next, nextFloats);
  }

  /// The same for low-rank products, whose panels are fp32 in any format; rows of x and out may lie apart.
  void multiplyLowRank(long rows, long n, long k, const float* x, long ldx, const float* panels, float* out, long ldo,
                       Start start) const {
    kernels.product(rows, n, k, x, ldx, panels, k * kernels.panel, out, ldo, start, nullptr);
  }
  /// Adds the low-rank updates of a fused product's linears to its output [rows, ldo], if the version has any.
  void adapt(const PackedWeights&, const std::vector<AdapterPart>&, const float* x, long rows, float* out, long ldo) const;

  /// qkv = heads ready for attention from the residual stream x [rows, d]; `raw` as in Kernels::rotateHeads.
  void attentionInputs(const PackedWeights&, int layer, const float* x, const int32_t* positions, long rows, float* qkv,
                       float* raw) const;
  /// mid = x + attended · Woᵀ, then next = mid + mlp(norm(mid)). `mid` and `next` may be x; gateUp [rows, 2F] is written.
  void finishLayer(const PackedWeights&, int layer, const float* x, const float* attended, long rows, float* mid, float* gateUp,
                   float* next) const;
  /// The three steps of finishLayer: mid = x + attended · Woᵀ, the gate and up products of mid, and the product down.
  void addAttended(const PackedWeights&, int layer, const float* x, const float* attended, long rows, float* mid) const;
  void gateUpOf(const PackedWeights&, int layer, const float* mid, long rows, float* normed, float* gateUp) const;
  void addFeedForward(const PackedWeights&, int layer, const float* mid, const float* gateUp, long rows, float* next) const;
  /// Copies the embedding of a token, d floats.
  void embed(const PackedWeights&, int32_t token, float* out) const;
  void finalNormed(const PackedWeights&, const float* x, long rows, float* normed) const;
  /// Logits of ids [first, first + count) of normed rows; `first` is a multiple of kVocabularyBlock.
  void logitsOf(const PackedWeights&, const float* normed, long rows, long first, long count, float* out) const;
  /// logits [rows, V] of residual rows.
  void logits(const PackedWeights&, const float* x, long rows, float* normed, float* out) const;
};

}  // namespace troupe

// Forward and backward over packed sequences. Work is cut in blocks of kBlockRows rows and in (sequence, kv head)
// items; no sum crosses a thread, so the thread count changes no bit of logprobs or gradients.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "pass-buffers.h"

namespace troupe {

/// Matrices of the flat weights packed for dx = dy W; made by the learner alone.
struct BackwardPanels {
  struct Layer {
    long qkv, output, gateUp, down;
  };
  /// Knows sizes; allocate() comes before pack().
  explicit BackwardPanels(const Model&);
  void allocate(long floats, long adapterFloats);
  void pack(const Model&, const float* weights, long part);
  long parts(const Model& m) const { return m.headBlocks() + 4 * (long)layers.size(); }
  std::vector<Layer> layers;
  long size = 0;
  long head = 0;  // one matrix per vocabulary block
  Buffer data, adapter;
};

/// Where the k most probable tokens at every place go, best first: [n, k]; ids −1 and logprobs 0 at first tokens.
struct TopLogprobs {
  long k;
  int32_t* ids;
  float* logprobs;
};

class PackedPass {
 public:
  /// `trains`: a backward half may follow each forward half.
  PackedPass(std::shared_ptr<const Model>, int threads, bool trains, Recompute = Recompute::Nothing);

  /// Throws BadInput or BadShape; see tr_learner_forward.
  void forward(const PackedWeights&, const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature,
               float* logprobs, float* entropies, const TopLogprobs* top = nullptr);
  /// Adds to `grad`, laid out as the flat weights, or as the flat adapter where the model has one.
  void backward(const PackedWeights&, const BackwardPanels&, const float* dLogprobs, const float* dEntropies, float* grad);

  /// Tokens of the forward pass that backward would follow; −1 when there is none.
  long tokens() const { return n_; }

 private:
  struct Span {
    long first, count;
  };
  /// One weight gradient: grad[outputs, inputs] += dyᵀ x over all rows.
  struct Product {
    const float* dy;
    long ldy;
    const float* x;
    long outputs, inputs;
    float* grad;
  };
  /// The linears of one fused product that adapters change, with the product's output gradient and input.
  struct Adapted {
    const std::vector<AdapterPart>& parts;
    const float* dy;
    long ldy;
    const float* x;
  };

  void takeRows(const int32_t* tokens, long n, const int32_t* offsets, long sequences);
  void attend(int layer, long item);
  void attendGrad(int layer, long item);
  void predict(const PackedWeights&, long first, long count, float* logprobs, float* entropies, const TopLogprobs* top);
  void backwardHead(const PackedWeights&, const BackwardPanels&, const float* dLogprobs, const float* dEntropies, float* grad);
  /// Weight gradients as parts of a job, tiles of equal size; `extra` smaller parts follow.
  void weightGradients(const std::vector<Product>&, long rows, long extra, const std::function<void(long)>& part);
  /// For `count` rows from `row` on: dx += u A for each part, with t and u kept in the slots from `slot` on.
  void adapterRows(const PackedWeights&, const BackwardPanels&, const Adapted&, long slot, long row, long count, float* dx);
  /// The weight gradients that follow from those slots.
  void addAdapterProducts(const Adapted&, long slot, float* grad, std::vector<Product>*) const;
  float* lowRank(PassBuffer b, long slot, long row) const { return all(b) + (slot * rows_ + row) * model_->adapter->rank; }
  void addPartials(const float* partials, long blocks, long width, float* grad) const;
  void run(long parts, const std::function<void(long)>& part) const;
  long blocks() const { return blocksOf(rows_); }
  bool keepsGateUp() const { return trains_ && recompute_ == Recompute::Nothing; }
  /// Whether the logits of all rows, which the backward half overwrites with their gradients, fit where those go.
  bool keepsLogits() const {
    return trains_ && model_->shape.vocabSize <= kVocabularyBlock && headChunk(*model_, rows_) == rows_;
  }
  PassPlan plan() const { return {trains_, recompute_, rows_}; }
  void reserve(PassBuffer first, PassBuffer last);
  float* all(PassBuffer b) const { return buffers_[static_cast<int>(b)]; }
  /// Row `row` of what the forward half kept of a layer.
  float* at(PassBuffer b, int layer, long width, long row) const {
    bool perLayer = trains_ && (b == PassBuffer::Residual || recompute_ != Recompute::Layers);
    return all(b) + ((perLayer ? layer : 0) * rows_ + row) * width;
  }
  /// Heads ready for attention, from the layer's residual stream.
  void beginLayer(const PackedWeights&, int layer, long row, long count);
  /// Computes again what forward did not keep of a layer.
  void recomputeLayer(const PackedWeights&, int layer);

  std::shared_ptr<const Model> model_;
  int threads_;
  bool trains_;
  Recompute recompute_;
  long n_ = -1, rows_ = 0;
  float inverseTemperature_ = 1;
  // One row per token that predicts another: a sequence's last token has none.
  std::vector<int32_t> rowTokens_, rowPositions_, rowTargets_;
  std::vector<long> rowPlaces_;  // where the prediction's logprob stands in the caller's arrays
  std::vector<RowStatistics> rowStatistics_;
  std::vector<Span> spans_;
  Buffer buffers_[static_cast<int>(PassBuffer::Count)];
};

}  // namespace troupe

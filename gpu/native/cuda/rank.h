// One GPU's share of a learner: all matrices to compute with, the gradients of what it computed, and its range of the
// float32 master weights and of AdamW's moments. An adapter is small, so every rank has it whole, and does its whole step.
#pragma once
#include <memory>
#include <vector>

#include "ranges.h"
#include "pass.h"

namespace troupe::cuda {

template <class T>
class Rank {
 public:
  /// On the thread's GPU, which becomes this rank's; everything is 0.
  Rank(int index, std::shared_ptr<const Model<T>> of, const Ranges& ranges, const TrLearnerOptions& options)
      : gpu(currentGpu()),
        stream(newStream()),
        model(std::move(of)),
        trainedFirst(model->adapter == nullptr ? ranges.first(index) : 0),
        trainedEnd(model->adapter == nullptr ? ranges.end(index) : model->adapter->size),
        pass(*model, true, static_cast<TrRecompute>(options.recompute), options.fastGradients != 0),
        firstWeight_(ranges.first(index)) {
    bool trainsAll = model->adapter == nullptr;
    long held = trainsAll ? ranges.each : model->adapter->size;
    allocated(weights, ranges.each), allocated(gradients, trainsAll ? ranges.padded() : held);
    allocated(first, held), allocated(second, held);
    if (!trainsAll) allocated(adapter, held);
    cuda::finish(stream);
  }
  ~Rank() { endStream(stream); }

  // ---- a step, each part on the rank's GPU --------------------------------------------------------------------------

  /// Starts the sums of squares of the rank's chunks of gradients.
  void startNorms() {
    long n = trainedEnd - trainedFirst;
    norms_.reserve(parts(n, kNormChunk));
    launch(stream, dim3(parts(n, kNormChunk)), kParameterThreads, 0, sumOfSquares, gradients + trainedFirst, n, norms_);
  }
  /// To their places among all chunks; they were finished before.
  void readNorms(double* all) const {
    copy(all + trainedFirst / kNormChunk, norms_, sizeof(double) * parts(trainedEnd - trainedFirst, kNormChunk), stream);
    cuda::finish(stream);
  }
  /// AdamW on what is the rank's; vectors have settings of their own. Gradients are 0 then.
  void update(const std::vector<Tensor>& tensors, const AdamwArgs& ofMatrices, const AdamwArgs& ofVectors) {
    float* values = model->adapter == nullptr ? weights : adapter;
    // One launch for each run of tensors that decay alike.
    for (size_t i = 0, next; i < tensors.size(); i = next) {
      bool isMatrix = tensors[i].columns > 0;
      for (next = i; next < tensors.size() && (tensors[next].columns > 0) == isMatrix;) next++;
      long at = std::max(tensors[i].offset, trainedFirst), end = std::min(tensors[next - 1].offset + tensors[next - 1].size(), trainedEnd);
      if (at >= end) continue;
      long own = at - trainedFirst;
      launch(stream, dim3(parts(end - at, kParameterThreads)), kParameterThreads, 0, adamw, values + own, gradients + at, first + own,
             second + own, end - at, isMatrix ? ofMatrices : ofVectors);
    }
    clear(gradients, sizeof(float) * trainedFirst, stream);
    clear(gradients + trainedEnd, sizeof(float) * (gradients.size() - trainedEnd), stream);
  }

  // ---- copies for passes and samplers -------------------------------------------------------------------------------

  /// `current` becomes a copy that nobody else holds, over a base that may be written unless an adapter is trained: the
  /// readers of a copy had finished on the device before they let go of it.
  void takeCopy() {
    current = nullptr;
    for (auto& one : copies_)
      if (one.use_count() == 1) current = one;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (current == nullptr) copies_.push_back(current = std::make_shared<Weights<T>>(model->adapter == nullptr ? model->makeBase() : base));
    base = current->base;
  }
  /// Versions of an adapter share what lies beneath, so that is never written again: a new one.
  void takeBase() {
    copies_.clear();
    base = model->makeBase();
  }
  void packAdapter() { model->copyAdapter(adapter, current->adapter, stream); }

  /// Weights [from, to), all of them the rank's, with the adapter added in.
  const float* merge(long from, long to, Memory<float>& out) const {
    copy(out.reserve(to - from), weights + (from - firstWeight_), sizeof(float) * (to - from), stream);
    const AdapterLayout& layout = *model->adapter;
    for (const AdapterPart* p : layout.all()) {
      long a = std::max(p->weight, from), b = std::min(p->weight + p->outputs * p->inputs, to);
      if (a >= b) continue;
      launch(stream, dim3(parts(b - a, kRowThreads)), kRowThreads, 0, addMerged, adapter + p->a, adapter + p->b, layout.rank, p->inputs,
             layout.scale, a - p->weight, b - a, out + (a - from));
    }
    return out;
  }

  const int gpu;
  const Stream stream;
  const std::shared_ptr<const Model<T>> model;
  /// Of the trained parameters, whose step the rank does; the moments begin there.
  const long trainedFirst, trainedEnd;
  /// Weights and moments: the rank's range. Gradients and adapter: whole. Exchanged: on its way between ranks.
  Memory<float> weights, adapter, gradients, first, second, exchanged;
  PackedPass<T> pass;
  std::shared_ptr<Weights<T>> current, reference;
  /// Of `current`.
  std::shared_ptr<BaseWeights<T>> base;

 private:
  void allocated(Memory<float>& memory, long n) { clear(memory.reserve(n), sizeof(float) * n, stream); }

  const long firstWeight_;
  Memory<double> norms_;
  std::vector<std::shared_ptr<Weights<T>>> copies_;
};

}  // namespace troupe::cuda

// Low-rank adapters (LoRA, arXiv:2106.09685): y = x Wᵀ + s (x Aᵀ) Bᵀ with s = alpha / rank, A [rank, inputs] and
// B [outputs, rank]. Never merged: rollout and training compute this very expression, so both round alike.
#pragma once
#include <string>
#include <vector>

#include "buffer.h"
#include "kernels.h"
#include "shape.h"

namespace troupe {

/// The update of one linear, as part of the fused product that computes it.
struct AdapterPart {
  long column;  // of the fused product, where the linear's outputs begin
  long outputs, inputs;
  long weight;           // of the frozen matrix, in the flat weights
  long a, b;             // in the flat adapter
  long aPanels, bPanels;  // panels of s A for t = x (s A)ᵀ and of B for y += t Bᵀ, in the packed adapter
  long aBack, bBack;      // panels of A for dx += u A and of s B for u = dy (s B), in the backward panels
};

struct AdapterLayout {
  struct Layer {
    std::vector<AdapterPart> qkv, output, gateUp, down;
  };

  /// Throws BadInput naming the target that matches no linear, or the setting out of range.
  AdapterLayout(const Shape&, const Layout&, const Kernels&, long rank, double alpha, const std::string& targets);

  long rank;
  float scale;
  std::vector<Tensor> tensors;  // PEFT's names
  std::vector<Layer> layers;
  std::vector<AdapterPart> head;
  long size = 0, packedSize = 0, backSize = 0;

  std::vector<const AdapterPart*> all() const;
  /// Makes the panels of one part.
  void pack(const Kernels&, const AdapterPart&, const float* adapter, float* packed, float* back) const;
};

}  // namespace troupe

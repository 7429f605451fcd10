// A model's shape and where each of its tensors lies in the flat parameter array.
#pragma once
#include <string>
#include <vector>

#include "troupe.h"

namespace troupe {

struct Shape : TrShape {
  long qWidth() const { return (long)heads * headSize; }
  long kvWidth() const { return (long)kvHeads * headSize; }
  /// Width of the fused query, key and value rows.
  long qkvWidth() const { return qWidth() + 2 * kvWidth(); }
  /// Width of what rotary embedding turns: queries and keys.
  long turnedWidth() const { return qWidth() + kvWidth(); }
  int group() const { return heads / kvHeads; }
};

/// Throws BadShape with the first thing that does not fit.
Shape checkShape(const TrShape&);

/// Radians per position of rotary pair j; see core/src/numerics/rotary-frequencies.ts.
double rotaryFrequency(const Shape&, long j);

struct Tensor {
  std::string name;
  long offset, rows, columns;  // columns 0: a vector of `rows`
  long size() const { return columns == 0 ? rows : rows * columns; }
  /// Standard deviation of the initial values; 0: all `fill`.
  float deviation, fill;
};

/// Offsets into the flat array. q, k, v stand one behind another, and gate, up too, so each group is one matrix.
struct Layout {
  struct Layer {
    long attentionNorm, qkv, qkvBias, qNorm, kNorm, output, mlpNorm, gateUp, down;
  };
  explicit Layout(const Shape&);
  std::vector<Tensor> tensors;
  std::vector<Layer> layers;
  long embedding = 0, finalNorm = 0, head = 0, size = 0;
};

}  // namespace troupe

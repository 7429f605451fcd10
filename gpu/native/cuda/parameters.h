// Kernels over all parameters: global norm and AdamW.
#pragma once
#include "device.h"

namespace troupe::cuda {

constexpr int kParameterThreads = 256;
/// Parameters per partial sum of the norm; fixed, so its bits are too.
constexpr long kNormChunk = 1l << 14;

/// partial[b] = Σ x² in double over the b-th kNormChunk numbers.
static BOUNDED_KERNEL(kParameterThreads, 1) sumOfSquares(const float* x, long n, double* partial) {
  long first = (long)block().x * kNormChunk, last = first + kNormChunk < n ? first + kNormChunk : n;
  double sum = 0;
  for (long i = first + thread().x; i < last; i += kParameterThreads) sum += (double)x[i] * (double)x[i];
  sum = blockJoin<kParameterThreads>(sum, Plus{});
  if (thread().x == 0) partial[block().x] = sum;
}

struct AdamwArgs {
  float learningRate, beta1, beta2, epsilon, weightDecay, gradScale, correction1, correction2;
};

/// One AdamW update with decoupled decay; clears the gradient. The same operations as adamw() of ../cpu/kernels.cc.
static KERNEL adamw(float* weight, float* grad, float* m, float* v, long n, AdamwArgs a) {
  long i = (long)block().x * kParameterThreads + thread().x;
  if (i >= n) return;
  float g = grad[i] * a.gradScale;
  float mi = fmaf(1.f - a.beta1, g, m[i] * a.beta1), vi = fmaf((1.f - a.beta2) * g, g, v[i] * a.beta2);
  m[i] = mi, v[i] = vi;
  float step = mi / fmaf(sqrtf(vi), 1.f / sqrtf(a.correction2), a.epsilon);
  weight[i] = fmaf(-a.learningRate / a.correction1, step, weight[i] * (1.f - a.learningRate * a.weightDecay));
  grad[i] = 0;
}

}  // namespace troupe::cuda

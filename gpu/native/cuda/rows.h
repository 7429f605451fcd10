// Kernels over rows: embedding, norms, rotary embedding, SwiGLU, and the sums over rows that their gradients need.
// A row's result depends on that row alone. The residual stream and its gradient are float32, everything between is T.
#pragma once
#include "device.h"

namespace troupe::cuda {

constexpr int kRowThreads = 128;
/// Rows per partial sum of a gradient that is summed over rows; fixed, so its bits do not depend on anything else.
constexpr int kSumRows = 64;

/// x[row, :] = table[tokens[row], :]
template <class T>
KERNEL embedRows(const T* table, const int32_t* tokens, float* x, int d) {
  long row = block().x;
  const T* from = table + (long)tokens[row] * d;
  for (int i = (int)thread().x; i < d; i += threads()) x[row * d + i] = number(from[i]);
}

/// Adds the gradient of rows that share a token, in the order of `rows`. Block b serves token tokens[b], whose rows are
/// rows[starts[b]] … rows[starts[b + 1] − 1]: every number has one writer.
template <class T>
KERNEL embedGrad(const float* dx, const int32_t* tokens, const int32_t* starts, const int32_t* rows, float* grad, int d) {
  int b = (int)block().x;
  float* to = grad + (long)tokens[b] * d;
  for (int i = (int)thread().x; i < d; i += threads()) {
    float sum = 0;
    for (int r = starts[b]; r < starts[b + 1]; r++) sum += dx[(long)rows[r] * d + i];
    to[i] += sum;
  }
}

DEVICE float inverseRms(const float* x, int d, float epsilon) {
  float sum = 0;
  for (int i = (int)thread().x; i < d; i += kRowThreads) sum = fmaf(x[i], x[i], sum);
  return 1.f / sqrtf(blockJoin<kRowThreads>(sum, Plus{}) / (float)d + epsilon);
}

/// out = x · w / rms(x); one block per row.
template <class T>
BOUNDED_KERNEL(kRowThreads, 1) normRows(const float* x, const float* w, T* out, int d, float epsilon) {
  long at = (long)block().x * d;
  float r = inverseRms(x + at, d, epsilon);
  for (int i = (int)thread().x; i < d; i += kRowThreads) out[at + i] = rounded<T>(x[at + i] * r * w[i]);
}

/// dx += r (g − x r² mean(g x)) with g = dy w, r = 1/rms(x); r goes to `inverse`.
template <class T>
BOUNDED_KERNEL(kRowThreads, 1)
normRowsGrad(const float* x, const float* w, const T* dy, float* dx, float* inverse, int d, float epsilon) {
  long row = block().x, at = row * d;
  float r = inverseRms(x + at, d, epsilon), sum = 0;
  for (int i = (int)thread().x; i < d; i += kRowThreads) sum = fmaf(number(dy[at + i]) * w[i], x[at + i], sum);
  float along = -(blockJoin<kRowThreads>(sum, Plus{}) / (float)d) * r * r;
  for (int i = (int)thread().x; i < d; i += kRowThreads) dx[at + i] += fmaf(x[at + i], along, number(dy[at + i]) * w[i]) * r;
  if (thread().x == 0) inverse[row] = r;
}

/// What sumRows adds up: dy · x · scale, x and scale null for 1. Heads within rows count as rows: row r lies at
/// (r / inner) · ld + (r % inner) · width in dy and x, at (r / inner) · ldScale + r % inner in scale.
template <class D, class X>
struct SumArgs {
  const D* dy;
  long ldd;
  const X* x;
  long ldx;
  const float* scale;
  long ldScale;
  int rows, inner, width;
};

/// partial[b, i] = Σ dy[r, i] · x[r, i] · scale[r] over the b-th kSumRows rows.
template <class D, class X>
KERNEL sumRows(SumArgs<D, X> a, float* partial) {
  int first = (int)block().y * kSumRows, last = first + kSumRows < a.rows ? first + kSumRows : a.rows;
  int i = (int)(block().x * kRowThreads + thread().x);
  if (i >= a.width) return;
  float sum = 0;
  for (int r = first; r < last; r++) {
    long outer = r / a.inner, in = (long)(r % a.inner) * a.width + i;
    float v = number(a.dy[outer * a.ldd + in]);
    if (a.x != nullptr) v *= number(a.x[outer * a.ldx + in]);
    sum = a.scale == nullptr ? sum + v : fmaf(v, a.scale[outer * a.ldScale + r % a.inner], sum);
  }
  partial[(long)block().y * a.width + i] = sum;
}

/// grad[i] += Σ_b partial[b, i], in order.
static KERNEL addPartials(const float* partial, int blocks, float* grad, int width) {
  int i = (int)(block().x * kRowThreads + thread().x);
  if (i >= width) return;
  float sum = 0;
  for (int b = 0; b < blocks; b++) sum += partial[(long)b * width + i];
  grad[i] += sum;
}

/// In place on rows of [q heads | k heads | …]: norms of q and k when `qNorm` is given (the values before go to `raw`
/// when that is given), then rotary embedding. One warp per head; cosine, sine: [maxPositions, headSize / 2].
template <class T>
BOUNDED_KERNEL(kRowThreads, 1)
rotateHeads(T* qkv, long ld, int heads, int kvHeads, int headSize, const int32_t* positions, const float* cosine,
            const float* sine, const float* qNorm, const float* kNorm, T* raw, float epsilon) {
  long row = block().x;
  int lane = laneOf((int)thread().x), half = headSize / 2, all = heads + kvHeads;
  const float *c = cosine + (long)positions[row] * half, *s = sine + (long)positions[row] * half;
  for (int h = (int)thread().x / kWarp; h < all; h += kRowThreads / kWarp) {
    T* head = qkv + row * ld + (long)h * headSize;
    const float* w = h < heads ? qNorm : kNorm;
    float r = 1;
    if (qNorm != nullptr) {
      float sum = 0;
      for (int i = lane; i < headSize; i += kWarp) {
        float x = number(head[i]);
        sum = fmaf(x, x, sum);
        if (raw != nullptr) raw[(row * all + h) * headSize + i] = head[i];
      }
      r = 1.f / sqrtf(warpSum(sum) / (float)headSize + epsilon);
    }
    for (int i = lane; i < half; i += kWarp) {
      float a = number(head[i]), b = number(head[half + i]);
      if (qNorm != nullptr) a *= r * w[i], b *= r * w[half + i];
      head[i] = rounded<T>(fmaf(a, c[i], -(b * s[i])));
      head[half + i] = rounded<T>(fmaf(b, c[i], a * s[i]));
    }
  }
}

/// The gradient of rotateHeads, in place on dqkv. With norms, `turned` [rows, heads + kvHeads, headSize] receives the
/// gradient before the norm's, and `inverse` [rows, heads + kvHeads] the 1/rms: what the norms' weight gradients need.
template <class T>
BOUNDED_KERNEL(kRowThreads, 1)
rotateHeadsGrad(T* dqkv, long ld, int heads, int kvHeads, int headSize, const int32_t* positions, const float* cosine,
                const float* sine, const float* qNorm, const float* kNorm, const T* raw, float* turned, float* inverse,
                float epsilon) {
  long row = block().x;
  int lane = laneOf((int)thread().x), half = headSize / 2, all = heads + kvHeads;
  const float *c = cosine + (long)positions[row] * half, *s = sine + (long)positions[row] * half;
  for (int h = (int)thread().x / kWarp; h < all; h += kRowThreads / kWarp) {
    T* head = dqkv + row * ld + (long)h * headSize;
    const T* x = raw + (row * all + h) * headSize;
    float* g = turned + (row * all + h) * headSize;
    const float* w = h < heads ? qNorm : kNorm;
    float squares = 0, along = 0;
    for (int i = lane; i < half; i += kWarp) {
      float a = number(head[i]), b = number(head[half + i]);
      float da = fmaf(a, c[i], b * s[i]), db = fmaf(b, c[i], -(a * s[i]));
      if (qNorm == nullptr) {
        head[i] = rounded<T>(da), head[half + i] = rounded<T>(db);
        continue;
      }
      g[i] = da, g[half + i] = db;
      float xa = number(x[i]), xb = number(x[half + i]);
      squares = fmaf(xb, xb, fmaf(xa, xa, squares));
      along = fmaf(db * w[half + i], xb, fmaf(da * w[i], xa, along));
    }
    if (qNorm == nullptr) continue;
    float r = 1.f / sqrtf(warpSum(squares) / (float)headSize + epsilon);
    float back = -(warpSum(along) / (float)headSize) * r * r;
    // A lane reads back what it wrote itself.
    for (int i = lane; i < half; i += kWarp) {
      head[i] = rounded<T>(fmaf(number(x[i]), back, g[i] * w[i]) * r);
      head[half + i] = rounded<T>(fmaf(number(x[half + i]), back, g[half + i] * w[half + i]) * r);
    }
    if (lane == 0) inverse[row * all + h] = r;
  }
}

/// out[F] = silu(gate) · up for rows of [gate F | up F].
template <class T>
KERNEL swiglu(const T* gateUp, T* out, long count, int f) {
  long i = (long)block().x * kRowThreads + thread().x;
  if (i >= count) return;
  long at = i / f * 2 * f + i % f;
  float g = number(gateUp[at]), u = number(gateUp[at + f]);
  out[i] = rounded<T>(g / (1.f + expf(-g)) * u);
}

/// silu(g) = g σ(g), silu'(g) = σ (1 + g (1 − σ)); dGateUp and the recomputed output from gateUp and dout.
template <class T>
KERNEL swigluGrad(const T* gateUp, const T* dout, T* dGateUp, T* out, long count, int f) {
  long i = (long)block().x * kRowThreads + thread().x;
  if (i >= count) return;
  long at = i / f * 2 * f + i % f;
  float g = number(gateUp[at]), u = number(gateUp[at + f]), d = number(dout[i]);
  float sigma = 1.f / (1.f + expf(-g)), silu = g * sigma;
  out[i] = rounded<T>(silu * u);
  dGateUp[at + f] = rounded<T>(d * silu);
  dGateUp[at] = rounded<T>(d * u * (sigma * fmaf(g, 1.f - sigma, 1.f)));
}

template <class To>
KERNEL convert(const float* from, To* to, long n) {
  long i = (long)block().x * kRowThreads + thread().x;
  if (i < n) to[i] = rounded<To>(from[i]);
}

/// x *= by
static KERNEL scaleAll(float* x, long n, float by) {
  long i = (long)block().x * kRowThreads + thread().x;
  if (i < n) x[i] *= by;
}

/// Rows of `width` that all are `row`, or 0 where it is null; n numbers in all.
static KERNEL repeatRow(const float* row, long width, float* to, long n) {
  long i = (long)block().x * kRowThreads + thread().x;
  if (i < n) to[i] = row == nullptr ? 0.f : row[i % width];
}

/// out[i] += scale Σ_r b[row, r] a[r, column] for n elements of a matrix [·, inputs] from element `first` on; in double,
/// as readMerged() of ../learner.cc.
static KERNEL addMerged(const float* a, const float* b, long rank, long inputs, float scale, long first, long n, float* out) {
  long i = (long)block().x * kRowThreads + thread().x;
  if (i >= n) return;
  long row = (first + i) / inputs, column = (first + i) % inputs;
  double sum = 0;
  for (long r = 0; r < rank; r++) sum += (double)b[row * rank + r] * (double)a[r * inputs + column];
  out[i] += (float)((double)scale * sum);
}

/// to[c, r] = from[r, c]; rows of `to` are `ldt` apart and zero behind `rows`.
template <class T>
KERNEL transpose(const T* from, long ldf, int rows, int columns, T* to, long ldt) {
  constexpr int kSide = 32;
  SHARED T tile[kSide][kSide + 1];
  int r0 = (int)block().y * kSide, c0 = (int)block().x * kSide, i = (int)thread().x % kSide, j = (int)thread().x / kSide;
  for (int r = j; r < kSide; r += kRowThreads / kSide) {
    bool inside = r0 + r < rows && c0 + i < columns;
    tile[r][i] = inside ? from[(long)(r0 + r) * ldf + c0 + i] : rounded<T>(0.f);
  }
  blockBarrier();
  for (int c = j; c < kSide; c += kRowThreads / kSide)
    if (c0 + c < columns && r0 + i < ldt) to[(long)(c0 + c) * ldt + r0 + i] = tile[i][c];
}

}  // namespace troupe::cuda

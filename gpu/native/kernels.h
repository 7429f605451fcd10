// The table of operations that one instruction set supplies. Model code calls the table and knows no instruction set.
//
// Two rules hold for every entry, and the engine's zero mismatch rests on them:
//   1. An output element is one chain of operations in one order, whatever the number of rows, their place in a tile
//      and the thread that computes them. A product's sum over k runs k = 0, 1, 2, … by fused multiply-add
//      (by multiply and add where the instruction set has no fused one; in the tiles' order with AMX, cpu/amx.h).
//   2. A row reduction keeps 16 lanes (lane i sums elements i, i + 16, …) and joins them by halves: 8, 4, 2, 1.
// So AVX2 and AVX-512 give the same bits; the baseline of x86-64, without fused multiply-add, gives others.
//
// All matrices are float32, row-major, borrowed; `ld…` is the distance between rows in floats. Any thread may call.
#pragma once
#include <cstdint>

namespace troupe {

/// Where a product's accumulators start.
enum class Start : int { Zero, Destination, Bias };

/// Keys per page of the key/value cache; a multiple of every panel width.
constexpr long kPageKeys = 32;

/// One kv head's attention of consecutive rows of one sequence.
struct AttendArgs {
  const float* q;  // row r, head h of the group at q + r * ldq + h * headSize
  long ldq;
  float* out;  // same places
  long ldo;
  long rows;
  long firstPosition;  // row r attends to keys 0 … firstPosition + r
  long heads;          // query heads that share this kv head
  long headSize;
  const float* const* keyPages;    // each [kPageKeys / panel][headSize][panel]
  const float* const* valuePages;  // each [padded headSize / panel][kPageKeys][panel]
  float* scratch;                  // attendScratch(…) floats
};

/// Gradients of one kv head's attention over one whole sequence (positions 0 … rows − 1).
struct AttendGradArgs {
  const float *q, *k, *v;  // k and v: row r at k + r * ld
  long ld;
  const float* dout;
  long ldo;
  float *dq, *dk, *dv;  // written, laid out like q, k, v
  long ldd;
  long rows, heads, headSize;
  float* scratch;  // attendGradScratch(…) floats
};

/// What AdamW needs beyond the arrays; the corrections are 1 − βᵗ.
struct AdamwArgs {
  float learningRate, beta1, beta2, epsilon, weightDecay, gradScale, correction1, correction2;
};

/// Normaliser and entropy of one row of logits at a temperature.
struct RowStatistics {
  float maximum;  // of logits · inverseTemperature
  float logSum;   // ln Σ exp(logit · inverseTemperature − maximum)
  float sum;
  float entropy;  // nats
};

/// What rowStatistics keeps of the ids that it has seen; begins as {−∞, 0, 0}.
struct LogitSums {
  float maximum;   // of z = logit · inverseTemperature
  float sum;       // Σ exp(z − maximum)
  float weighted;  // Σ exp(z − maximum) (z − maximum)
};

/// Ids whose statistics are summed together before they join those of the ids before them; a multiple of every panel
/// width. Fixed, so that a row's bits do not depend on how many of its logits exist at once.
constexpr long kVocabularyBlock = 2048;
/// Most ids of a vocabulary.
constexpr long kMostTokens = 1l << 21;

struct Kernels {
  /// Instruction set, and "/bf16" behind it where the linear layers round to bf16.
  const char* name;
  long panel;  // width of a packed fp32 panel, floats

  // Linear layers, in the table's number format: weights [n, k] are packed whole, `linearSize` floats.
  long (*linearSize)(long n, long k);
  /// For y = x srcᵀ from src[n, k].
  void (*packLinear)(const float* src, long n, long k, float* packed);
  /// For dx = dy src from src[k, n]; linearSize(n, k) floats.
  void (*packLinearBack)(const float* src, long k, long n, float* packed);
  /// c[m, n] = start + a[m, k] · packed. `bias` [n] is read when start is Bias. Scratch: (m + 32)(k + 32) floats. What the
  /// caller reads next may be asked for meanwhile: `nextFloats` from `next` on.
  void (*linear)(long m, long n, long k, const float* a, long lda, const float* packed, float* c, long ldc, Start start,
                 const float* bias, float* scratch, const float* next, long nextFloats);
  /// grad[outputs, inputs] += dyᵀ x over a block of rows. Scratch: (outputs + inputs + 80)(rows + 32) floats. `ahead` rows
  /// follow in dy and x for the next call, and may be asked for meanwhile.
  void (*linearGrad)(long outputs, long inputs, long rows, const float* dy, long ldy, const float* x, long ldx, float* grad,
                     long ldg, float* scratch, long ahead);

  // Products in fp32 always: attention's, and low-rank ones.
  /// b[n / panel][k][panel] from src[n, k]: the right side of y = x srcᵀ. Columns past n are 0.
  void (*packTransposed)(const float* src, long lds, long n, long k, float* b, long ldp);
  /// b[n / panel][k][panel] from src[k, n]: the right side of y = x src. `ldp`: floats from panel to panel.
  void (*pack)(const float* src, long lds, long k, long n, float* b, long ldp);
  /// c[m, n] = start + a[m, k] · b. `bias` [n] is read when start is Bias.
  void (*product)(long m, long n, long k, const float* a, long lda, const float* b, long ldp, float* c, long ldc, Start start,
                  const float* bias);
  /// c[m, n] += aᵀ · b with a[k, m]: the block's own sum starts at 0 and is added at its end.
  void (*productTransposed)(long m, long n, long k, const float* a, long lda, const float* b, long ldp, float* c, long ldc);

  /// out = x · w / rms(x), rows of width d.
  void (*rmsNorm)(const float* x, const float* w, float* out, long rows, long d, float epsilon);
  /// dx += gradient through rmsNorm of dout; dw += its weight gradient, rows in order.
  void (*rmsNormGrad)(const float* x, const float* w, const float* dout, float* dx, float* dw, long rows, long d, float epsilon);

  /// In place on rows of [q heads | k heads | v …]: q/k norms when `qNorm` is given (the values before go to `raw`
  /// when that is given), then rotary embedding. cosine, sine: [maxPositions, headSize / 2].
  void (*rotateHeads)(float* qkv, long ld, long rows, long heads, long kvHeads, long headSize, const int32_t* positions,
                      const float* cosine, const float* sine, const float* qNorm, const float* kNorm, float* raw, long ldr,
                      float epsilon);
  /// The gradient of rotateHeads, in place on dqkv; dqNorm and dkNorm are added to.
  void (*rotateHeadsGrad)(float* dqkv, long ld, long rows, long heads, long kvHeads, long headSize, const int32_t* positions,
                          const float* cosine, const float* sine, const float* qNorm, const float* kNorm, const float* raw,
                          long ldr, float* dqNorm, float* dkNorm, float epsilon);

  /// Writes one key and one value row into their page at `slot`.
  void (*storeKeyValue)(const float* key, const float* value, long headSize, float* keyPage, float* valuePage, long slot);
  void (*attend)(const AttendArgs&);
  void (*attendGrad)(const AttendGradArgs&);
  long (*attendScratch)(long lastPosition, long heads);
  long (*attendGradScratch)(long rows, long headSize);

  /// out[F] = silu(gate) · up for rows of [gate F | up F].
  void (*swiglu)(const float* gateUp, float* out, long rows, long f);
  /// dGateUp and the recomputed output from gateUp and dout.
  void (*swigluGrad)(const float* gateUp, const float* dout, float* dGateUp, float* out, long rows, long f);

  /// Adds at most kVocabularyBlock logits to a row's sums; blocks come in ascending order. Where `weights` is given,
  /// weights[v] = exp(z[v] − maximum of this block).
  void (*addLogits)(const float* logits, long count, float inverseTemperature, float* weights, LogitSums*);
  RowStatistics (*finishRow)(const LogitSums&);
  /// The two above over a whole row; weights[v] = exp(z[v] − maximum of the row).
  RowStatistics (*rowStatistics)(const float* logits, long v, float inverseTemperature, float* weights);
  /// Overwrites consecutive logits of a row with the gradient of dLogprob · logprob(target) + dEntropy · entropy.
  /// `target` is the index among them, −1 when it is not there.
  void (*logitsGrad)(float* logits, long count, float inverseTemperature, const RowStatistics&, long target, float dLogprob,
                     float dEntropy);

  /// out += x over n floats.
  void (*add)(const float* x, float* out, long n);
  /// Σ x² in double, in a fixed order.
  double (*sumOfSquares)(const float* x, long n);
  /// One AdamW update with decoupled decay; clears the gradient.
  void (*adamw)(float* weight, float* grad, float* m, float* v, long n, const AdamwArgs&);

  /// Runs independent multiply-adds of the linear layers' kind in registers; returns their number of operations.
  double (*multiplyAddPeak)(long iterations, float* sink);
  /// Sum of n floats as fast as memory gives them.
  float (*readPeak)(const float* x, long n);
};

/// What the linear layers compute with; everything else is fp32, weights and optimizer state too.
enum class Format : int { Fp32 = 0, Bf16 = 1 };

const Kernels* kernelsBaseline(Format);
const Kernels* kernelsAvx2(Format);
const Kernels* kernelsAvx512(Format);
/// bf16 products by VDPBF16PS; in fp32 the same as kernelsAvx512.
const Kernels* kernelsAvx512bf16(Format);
/// bf16 products by AMX tiles; in fp32 the same as kernelsAvx512.
const Kernels* kernelsAmx(Format);

}  // namespace troupe

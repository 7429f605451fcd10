// Every CPU operation, written once in vector types and compiled once per instruction set (build.mjs passes the flags
// TROUPE_KERNELS_NAME and TROUPE_KERNELS_GETTER). One file on purpose: its functions inline into one another, and nothing in it may have
// external linkage but the table's getter, or the linker could keep an AVX-512 copy for every CPU. For the same reason
// no standard header with inline functions is included.
#include "../kernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace troupe {
namespace {

#include "simd.h"

INLINE long least(long a, long b) { return a < b ? a : b; }
INLINE long roundUp(long n, long unit) { return (n + unit - 1) / unit * unit; }

// ---- products -----------------------------------------------------------------------------------------------------
#include "products.h"
#include "bf16.h"

// ---- norms and rotary embedding -------------------------------------------------------------------------------------

INLINE float inverseRms(const float* x, long d, float epsilon) {
  F16 s = splat16(0.f);
  for (long i = 0; i < d; i += 16) {
    F16 v = loadUpTo(x + i, d - i);
    s = fma(v, v, s);
  }
  return 1.f / __builtin_sqrtf(joinSum(s) / (float)d + epsilon);
}

INLINE void normRow(const float* x, const float* w, float* out, long d, float epsilon) {
  F16 r = splat16(inverseRms(x, d, epsilon));
  for (long i = 0; i < d; i += 16) storeUpTo(out + i, d - i, loadUpTo(x + i, d - i) * r * loadUpTo(w + i, d - i));
}

/// y = x r w with r = 1/rms(x):  dx = r (g − x r² mean(g x)) where g = dy w;  dw += dy x r
template <bool Add>
INLINE void normRowGrad(const float* x, const float* w, const float* dy, float* dx, float* dw, long d, float epsilon) {
  float r = inverseRms(x, d, epsilon);
  F16 s = splat16(0.f), inverse = splat16(r);
  for (long i = 0; i < d; i += 16) s = fma(loadUpTo(dy + i, d - i) * loadUpTo(w + i, d - i), loadUpTo(x + i, d - i), s);
  F16 along = splat16(-(joinSum(s) / (float)d) * r * r);
  for (long i = 0; i < d; i += 16) {
    long left = d - i;
    F16 xi = loadUpTo(x + i, left), di = loadUpTo(dy + i, left);
    F16 g = fma(xi, along, di * loadUpTo(w + i, left)) * inverse;
    storeUpTo(dw + i, left, fma(di, xi * inverse, loadUpTo(dw + i, left)));
    storeUpTo(dx + i, left, Add ? loadUpTo(dx + i, left) + g : g);
  }
}

void rmsNorm(const float* x, const float* w, float* out, long rows, long d, float epsilon) {
  for (long r = 0; r < rows; r++) normRow(x + r * d, w, out + r * d, d, epsilon);
}

void rmsNormGrad(const float* x, const float* w, const float* dout, float* dx, float* dw, long rows, long d, float epsilon) {
  for (long r = 0; r < rows; r++) normRowGrad<true>(x + r * d, w, dout + r * d, dx + r * d, dw, d, epsilon);
}

/// (a, b) → (a cos − b sin, b cos + a sin) on the two halves of a head; direction −1 turns back.
INLINE void rotate(float* head, long half, const float* cosine, const float* sine, float direction) {
  for (long j = 0; j < half; j += 16) {
    long left = half - j;
    F16 a = loadUpTo(head + j, left), b = loadUpTo(head + half + j, left);
    F16 c = loadUpTo(cosine + j, left), s = loadUpTo(sine + j, left) * splat16(direction);
    F16 zero = splat16(0.f);
    storeUpTo(head + j, left, fma(a, c, zero - b * s));
    storeUpTo(head + half + j, left, fma(b, c, a * s));
  }
}

void rotateHeads(float* qkv, long ld, long rows, long heads, long kvHeads, long headSize, const int32_t* positions,
                 const float* cosine, const float* sine, const float* qNorm, const float* kNorm, float* raw, long ldr,
                 float epsilon) {
  long half = headSize / 2;
  for (long r = 0; r < rows; r++)
    for (long h = 0; h < heads + kvHeads; h++) {
      float* head = qkv + r * ld + h * headSize;
      if (qNorm != nullptr) {
        if (raw != nullptr)
          for (long i = 0; i < headSize; i++) raw[r * ldr + h * headSize + i] = head[i];
        normRow(head, h < heads ? qNorm : kNorm, head, headSize, epsilon);
      }
      rotate(head, half, cosine + positions[r] * half, sine + positions[r] * half, 1.f);
    }
}

void rotateHeadsGrad(float* dqkv, long ld, long rows, long heads, long kvHeads, long headSize, const int32_t* positions,
                     const float* cosine, const float* sine, const float* qNorm, const float* kNorm, const float* raw, long ldr,
                     float* dqNorm, float* dkNorm, float epsilon) {
  long half = headSize / 2;
  for (long r = 0; r < rows; r++)
    for (long h = 0; h < heads + kvHeads; h++) {
      float* head = dqkv + r * ld + h * headSize;
      rotate(head, half, cosine + positions[r] * half, sine + positions[r] * half, -1.f);
      if (qNorm != nullptr)
        normRowGrad<false>(raw + r * ldr + h * headSize, h < heads ? qNorm : kNorm, head, head, h < heads ? dqNorm : dkNorm,
                           headSize, epsilon);
    }
}

// ---- attention ------------------------------------------------------------------------------------------------------
// scores = q kᵀ, softmax over keys 0 … position, out = p v; keys in order from 0. Keys that a row may not see weigh
// exactly 0, so a longer padded row changes no bit.

void storeKeyValue(const float* key, const float* value, long headSize, float* keyPage, float* valuePage, long slot) {
  float* k = keyPage + slot / kPanel * headSize * kPanel + slot % kPanel;
  for (long i = 0; i < headSize; i++) k[i * kPanel] = key[i];
  for (long i = 0; i < headSize; i++) valuePage[(i / kPanel * kPageKeys + slot) * kPanel + i % kPanel] = value[i];
}

/// softmax(row · scale) over [0, length), zeros in [length, end); end is a multiple of 16.
INLINE void softmaxRow(float* row, long length, long end, float scale) {
  F16 m = splat16(-__builtin_inff());
  for (long i = 0; i < length; i += 16) m = vmax(m, loadUpTo(row + i, length - i, -__builtin_inff()));
  F16 top = splat16(joinMax(m)), factor = splat16(scale), s = splat16(0.f);
  for (long i = 0; i < length; i += 16) {
    F16 e = vexp((loadUpTo(row + i, length - i) - top) * factor);
    if (length - i < 16) e = keepPart16(e, length - i);
    store16(row + i, e);
    s = s + e;
  }
  F16 inverse = splat16(1.f / joinSum(s));
  for (long i = 0; i < length; i += 16) store16(row + i, load16(row + i) * inverse);
  for (long i = (length + 15) / 16 * 16; i < end; i += 16) store16(row + i, splat16(0.f));
}

constexpr long kQueryTile = 32;

/// m rows of queries; row r sees firstLength + r · lengthStep keys. `p` [m, whole pages] receives the probabilities.
INLINE void probabilities(const float* q, long ldq, long m, long firstLength, long lengthStep, long headSize,
                          const float* const* keyPages, float* p, long ldp) {
  float scale = 1.f / __builtin_sqrtf((float)headSize);
  long keys = firstLength + (m - 1) * lengthStep, end = roundUp(keys, kPageKeys);
  for (long k = 0; k < end; k += kPageKeys)
    product(m, kPageKeys, headSize, q, ldq, keyPages[k / kPageKeys], headSize * kPanel, p + k, ldp, Start::Zero, nullptr);
  for (long r = 0; r < m; r++) softmaxRow(p + r * ldp, firstLength + r * lengthStep, end, scale);
}

/// out[m, n] = p[m, keys] · pages
INLINE void weighPages(const float* p, long ldp, long m, long keys, long n, const float* const* pages, float* out, long ldo) {
  for (long k = 0; k < keys; k += kPageKeys)
    product(m, n, least(kPageKeys, keys - k), p + k, ldp, pages[k / kPageKeys], kPageKeys * kPanel, out, ldo,
            k > 0 ? Start::Destination : Start::Zero, nullptr);
}

long attendScratch(long lastPosition, long heads) {
  return roundUp(lastPosition + 1, kPageKeys) * (heads > kQueryTile ? heads : kQueryTile) + 16;
}

void attend(const AttendArgs& a) {
  long ldp = roundUp(a.firstPosition + a.rows, kPageKeys);
  if (a.rows == 1) {  // one query: the heads of the group are the rows, and share each load of a key
    probabilities(a.q, a.headSize, a.heads, a.firstPosition + 1, 0, a.headSize, a.keyPages, a.scratch, ldp);
    weighPages(a.scratch, ldp, a.heads, a.firstPosition + 1, a.headSize, a.valuePages, a.out, a.headSize);
    return;
  }
  for (long h = 0; h < a.heads; h++)
    for (long t = 0; t < a.rows; t += kQueryTile) {
      long m = least(kQueryTile, a.rows - t), first = a.firstPosition + t + 1;
      probabilities(a.q + t * a.ldq + h * a.headSize, a.ldq, m, first, 1, a.headSize, a.keyPages, a.scratch, ldp);
      weighPages(a.scratch, ldp, m, first + m - 1, a.headSize, a.valuePages, a.out + t * a.ldo + h * a.headSize, a.ldo);
    }
}

long attendGradScratch(long rows, long headSize) {
  long keys = roundUp(rows, kPageKeys), width = roundUp(headSize, kPanel);
  return 2 * keys * headSize + 3 * keys * width + 2 * kQueryTile * width + 2 * kQueryTile * keys + 3 * keys / kPageKeys * 2 + 64;
}

void attendGrad(const AttendGradArgs& a) {
  long keys = roundUp(a.rows, kPageKeys), width = roundUp(a.headSize, kPanel), pages = keys / kPageKeys;
  float* at = a.scratch;
  auto take = [&at](long n) {
    float* p = at;
    at += n;
    return p;
  };
  float *kT = take(keys * a.headSize), *vT = take(keys * a.headSize), *k = take(keys * width);
  float *dk = take(keys * width), *dv = take(keys * width), *q = take(kQueryTile * width), *dout = take(kQueryTile * width);
  float *p = take(kQueryTile * keys), *dp = take(kQueryTile * keys);
  // Pointers stand behind the floats, at an address that is a multiple of their size.
  const float** kTPages = reinterpret_cast<const float**>((reinterpret_cast<uintptr_t>(at) + 7) & ~uintptr_t(7));
  const float** kPages = kTPages + pages;
  packTransposed(a.k, a.ld, a.rows, a.headSize, kT, a.headSize * kPanel);
  packTransposed(a.v, a.ld, a.rows, a.headSize, vT, a.headSize * kPanel);
  for (long j = roundUp(a.rows, kPanel); j < keys; j += kPanel)
    for (long i = 0; i < a.headSize * kPanel; i++) kT[j * a.headSize + i] = vT[j * a.headSize + i] = 0.f;
  for (long page = 0; page < pages; page++) {
    long first = page * kPageKeys;
    kTPages[page] = kT + first * a.headSize;
    kPages[page] = k + first * width;
    pack(a.k + first * a.ld, a.ld, least(kPageKeys, a.rows - first), a.headSize, k + first * width, kPageKeys * kPanel);
  }
  for (long i = 0; i < keys * width; i++) dk[i] = dv[i] = 0.f;
  float scale = 1.f / __builtin_sqrtf((float)a.headSize);
  for (long h = 0; h < a.heads; h++)
    for (long t = 0; t < a.rows; t += kQueryTile) {
      long m = least(kQueryTile, a.rows - t), seen = t + m, end = roundUp(seen, kPageKeys);
      const float *qRows = a.q + t * a.ld + h * a.headSize, *doutRows = a.dout + t * a.ldo + h * a.headSize;
      probabilities(qRows, a.ld, m, t + 1, 1, a.headSize, kTPages, p, keys);
      product(m, end, a.headSize, doutRows, a.ldo, vT, a.headSize * kPanel, dp, keys, Start::Zero, nullptr);
      pack(doutRows, a.ldo, m, a.headSize, dout, kQueryTile * kPanel);
      pack(qRows, a.ld, m, a.headSize, q, kQueryTile * kPanel);
      productTransposed(seen, width, m, p, keys, dout, kQueryTile * kPanel, dv, width);
      for (long r = 0; r < m; r++) {  // dp becomes the gradient of the unscaled scores
        float *pr = p + r * keys, *dr = dp + r * keys;
        F16 s = splat16(0.f);
        for (long i = 0; i < end; i += 16) s = fma(load16(pr + i), load16(dr + i), s);
        F16 mean = splat16(joinSum(s)), factor = splat16(scale);
        for (long i = 0; i < end; i += 16) store16(dr + i, load16(pr + i) * (load16(dr + i) - mean) * factor);
      }
      weighPages(dp, keys, m, seen, a.headSize, kPages, a.dq + t * a.ldd + h * a.headSize, a.ldd);
      productTransposed(seen, width, m, dp, keys, q, kQueryTile * kPanel, dk, width);
    }
  for (long r = 0; r < a.rows; r++)
    for (long i = 0; i < a.headSize; i += 16) {
      storeUpTo(a.dk + r * a.ldd + i, a.headSize - i, loadUpTo(dk + r * width + i, a.headSize - i));
      storeUpTo(a.dv + r * a.ldd + i, a.headSize - i, loadUpTo(dv + r * width + i, a.headSize - i));
    }
}

// ---- feed-forward ---------------------------------------------------------------------------------------------------

void swiglu(const float* gateUp, float* out, long rows, long f) {
  F16 one = splat16(1.f), zero = splat16(0.f);
  for (long r = 0; r < rows; r++)
    for (long i = 0; i < f; i += 16) {
      long left = f - i;
      F16 g = loadUpTo(gateUp + r * 2 * f + i, left), u = loadUpTo(gateUp + r * 2 * f + f + i, left);
      storeUpTo(out + r * f + i, left, g / (one + vexp(zero - g)) * u);
    }
}

/// silu(g) = g σ(g), silu'(g) = σ (1 + g (1 − σ))
void swigluGrad(const float* gateUp, const float* dout, float* dGateUp, float* out, long rows, long f) {
  F16 one = splat16(1.f), zero = splat16(0.f);
  for (long r = 0; r < rows; r++)
    for (long i = 0; i < f; i += 16) {
      long left = f - i, at = r * 2 * f + i;
      F16 g = loadUpTo(gateUp + at, left), u = loadUpTo(gateUp + at + f, left), d = loadUpTo(dout + r * f + i, left);
      F16 sigma = one / (one + vexp(zero - g)), silu = g * sigma;
      storeUpTo(out + r * f + i, left, silu * u);
      storeUpTo(dGateUp + at + f, left, d * silu);
      storeUpTo(dGateUp + at, left, d * u * (sigma * fma(g, one - sigma, one)));
    }
}

// ---- logits ---------------------------------------------------------------------------------------------------------

/// With M, S, W of the ids before and m, s, w of those after, relative to their own maxima, and t = max(M, m):
///   S ← e^(M − t) S + e^(m − t) s        W ← e^(M − t) (W + (M − t) S) + e^(m − t) (w + (m − t) s)
LogitSums join(const LogitSums& before, const LogitSums& after) {
  if (before.sum == 0.f) return after;
  float t = before.maximum > after.maximum ? before.maximum : after.maximum, m = before.maximum - t, n = after.maximum - t;
  float old = __builtin_expf(m), now = __builtin_expf(n);
  return {t, old * before.sum + now * after.sum,
          old * (before.weighted + m * before.sum) + now * (after.weighted + n * after.sum)};
}

void addLogits(const float* logits, long count, float inverseTemperature, float* weights, LogitSums* sums) {
  const float lowest = -__builtin_inff();
  F16 scale = splat16(inverseTemperature), m = splat16(lowest);
  for (long i = 0; i < count; i += 16) m = vmax(m, loadUpTo(logits + i, count - i, lowest) * scale);
  float maximum = joinMax(m);
  F16 top = splat16(maximum), s = splat16(0.f), w = splat16(0.f);
  for (long i = 0; i < count; i += 16) {
    long left = count - i;
    F16 z = loadUpTo(logits + i, left) * scale - top, e = vexp(z);
    if (left < 16) e = keepPart16(e, left);
    if (weights != nullptr) storeUpTo(weights + i, left, e);
    s = s + e;
    w = fma(e, z, w);
  }
  *sums = join(*sums, {maximum, joinSum(s), joinSum(w)});
}

RowStatistics finishRow(const LogitSums& sums) {
  float logSum = __builtin_logf(sums.sum);
  return {sums.maximum, logSum, sums.sum, logSum - sums.weighted / sums.sum};
}

RowStatistics rowStatistics(const float* logits, long v, float inverseTemperature, float* weights) {
  LogitSums sums{-__builtin_inff(), 0.f, 0.f};
  float tops[kMostTokens / kVocabularyBlock];
  for (long b = 0; b < v; b += kVocabularyBlock) {
    LogitSums block{-__builtin_inff(), 0.f, 0.f};
    addLogits(logits + b, least(kVocabularyBlock, v - b), inverseTemperature, weights + b, &block);
    tops[b / kVocabularyBlock] = block.maximum;
    sums = join(sums, block);
  }
  if (v > kVocabularyBlock)
    for (long b = 0; b < v; b += kVocabularyBlock) {
      long end = least(b + kVocabularyBlock, v);
      F16 factor = splat16(__builtin_expf(tops[b / kVocabularyBlock] - sums.maximum));
      for (long i = b; i < end; i += 16) storeUpTo(weights + i, end - i, loadUpTo(weights + i, end - i) * factor);
    }
  return finishRow(sums);
}

/// z = logits / T, p = softmax(z):  d logprob(y) / dz_j = [j = y] − p_j,  d entropy / dz_j = −p_j (ln p_j + entropy)
void logitsGrad(float* logits, long count, float inverseTemperature, const RowStatistics& row, long target, float dLogprob,
                float dEntropy) {
  F16 scale = splat16(inverseTemperature), top = splat16(row.maximum), inverse = splat16(1.f / row.sum);
  F16 lp = splat16(-dLogprob), en = splat16(-dEntropy), shift = splat16(row.entropy - row.logSum);
  for (long i = 0; i < count; i += 16) {
    long left = count - i;
    F16 z = loadUpTo(logits + i, left) * scale - top, p = vexp(z) * inverse;
    storeUpTo(logits + i, left, p * fma(en, z + shift, lp) * scale);
  }
  if (target >= 0) logits[target] += dLogprob * inverseTemperature;
}

// ---- parameters -----------------------------------------------------------------------------------------------------

void add(const float* x, float* out, long n) {
  for (long i = 0; i < n; i += 16) storeUpTo(out + i, n - i, loadUpTo(out + i, n - i) + loadUpTo(x + i, n - i));
}

double sumOfSquares(const float* x, long n) {
  double lanes[8] = {};
  for (long i = 0; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; j++) lanes[j] += (double)x[i + j] * (double)x[i + j];
  for (long i = n / 8 * 8; i < n; i++) lanes[i % 8] += (double)x[i] * (double)x[i];
  for (int w = 4; w > 0; w /= 2)
    for (int j = 0; j < w; j++) lanes[j] += lanes[j + w];
  return lanes[0];
}

void adamw(float* weight, float* grad, float* m, float* v, long n, const AdamwArgs& a) {
  F16 b1 = splat16(a.beta1), b2 = splat16(a.beta2), c1 = splat16(1.f - a.beta1), c2 = splat16(1.f - a.beta2);
  F16 scale = splat16(a.gradScale), epsilon = splat16(a.epsilon), rate = splat16(-a.learningRate / a.correction1);
  F16 keep = splat16(1.f - a.learningRate * a.weightDecay), correction = splat16(1.f / __builtin_sqrtf(a.correction2));
  for (long i = 0; i < n; i += 16) {
    long left = n - i;
    F16 g = loadUpTo(grad + i, left) * scale;
    F16 mi = fma(c1, g, loadUpTo(m + i, left) * b1), vi = fma(c2 * g, g, loadUpTo(v + i, left) * b2);
    storeUpTo(m + i, left, mi);
    storeUpTo(v + i, left, vi);
    storeUpTo(weight + i, left, fma(rate, mi / fma(vsqrt(vi), correction, epsilon), loadUpTo(weight + i, left) * keep));
    storeUpTo(grad + i, left, splat16(0.f));
  }
}

// ---- limits of the machine ------------------------------------------------------------------------------------------

float readPeak(const float* x, long n) {
  vec s[8];
  UNROLL for (int j = 0; j < 8; j++) s[j] = vec{};
  for (long i = 0; i + 8 * kLanes <= n; i += 8 * kLanes)
    UNROLL for (int j = 0; j < 8; j++) s[j] = s[j] + loadVec(x + i + j * kLanes);
  UNROLL for (int j = 1; j < 8; j++) s[0] = s[0] + s[j];
  return s[0][0];
}

#define QUOTE2(x) #x
#define QUOTE(x) QUOTE2(x)

constexpr Kernels fp32Table = {
    QUOTE(TROUPE_KERNELS_NAME),
    kPanel,
    fp32::linearSize,
    fp32::packLinear,
    fp32::packLinearBack,
    fp32::linear,
    fp32::linearGrad,
    packTransposed,
    pack,
    product,
    productTransposed,
    rmsNorm,
    rmsNormGrad,
    rotateHeads,
    rotateHeadsGrad,
    storeKeyValue,
    attend,
    attendGrad,
    attendScratch,
    attendGradScratch,
    swiglu,
    swigluGrad,
    addLogits,
    finishRow,
    rowStatistics,
    logitsGrad,
    add,
    sumOfSquares,
    adamw,
    peakOf<Fp32Cell>,
    readPeak,
};

// Constant expressions both: code that fills a table while the addon loads would run before anybody looked at the CPU.
constexpr Kernels withBf16(Kernels table) {
  table.name = QUOTE(TROUPE_KERNELS_NAME) "/bf16";
  table.linearSize = bf16::linearSize;
  table.packLinear = bf16::packLinear;
  table.packLinearBack = bf16::packLinearBack;
  table.linear = bf16::linear;
  table.linearGrad = bf16::linearGrad;
  table.multiplyAddPeak = bf16::multiplyAddPeak;
  return table;
}
constexpr Kernels bf16Table = withBf16(fp32Table);

}  // namespace

const Kernels* TROUPE_KERNELS_GETTER(Format format) { return format == Format::Bf16 ? &bf16Table : &fp32Table; }

}  // namespace troupe

// The linear layers of a bf16 engine: operands rounded to bf16 (to nearest, ties to even; what is too small for a normal
// number becomes 0), sums in fp32. Included by kernels.cc alone, inside its anonymous namespace.
//
// The sum is the chain of fp32: k = 0, 1, 2, … by fused multiply-add, each product exact. VDPBF16PS does two links of it
// at once, the upper half of a cell first, so the even k stands there. The sets without that instruction run the fp32
// tiles over rounded numbers and give the same bits (with one exception: the instruction also flushes sums that are too
// small). AMX gives others: see amx.h.

namespace bf16 {

#if defined(__AVX512BF16__)

/// Two neighbours along k.
struct Cell {
  using Type = uint32_t;
  static constexpr long kValues = 2;
  static inline __attribute__((always_inline)) vec broadcast(uint32_t x) { return (vec)_mm512_set1_epi32((int)x); }
  static inline __attribute__((always_inline)) vec load(const uint32_t* p) { return (vec)_mm512_loadu_si512(p); }
  static inline __attribute__((always_inline)) vec step(vec left, vec right, vec sum) {
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
  }
  static inline __attribute__((always_inline)) vec peakStep(vec sum, vec x, vec y) { return step(x, y, sum); }
};

#if defined(__AMX_BF16__)
constexpr long kPad = 16;  // cells of a tile's depth
#else
constexpr long kPad = 1;
#endif
INLINE long cellsOf(long k) { return roundUp((k + 1) / 2, kPad); }
INLINE __mmask16 lanes(long n) { return n >= 16 ? (__mmask16)0xffff : n <= 0 ? (__mmask16)0 : (__mmask16)((1u << n) - 1); }

/// 16 cells of 32 neighbours along a row, of which `left` exist.
INLINE __m512i cellsAlong(const float* p, long left) {
  __m512 low = _mm512_maskz_loadu_ps(lanes(left), p), high = _mm512_maskz_loadu_ps(lanes(left - 16), left > 16 ? p + 16 : p);
  return _mm512_rol_epi32((__m512i)_mm512_cvtne2ps_pbh(high, low), 16);
}

/// 16 cells of two neighbouring rows; the second may be absent.
INLINE __m512i cellsAcross(const float* even, const float* odd, long left) {
  const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
                                         3, 18, 2, 17, 1, 16, 0);
  __mmask16 m = lanes(left);
  __m512 lower = odd == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(m, odd);
  return _mm512_permutexvar_epi16(pairs, (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(m, even), lower));
}

/// Rows of a[m, k] as rows of cells.
INLINE void roundRows(const float* a, long lda, long m, long k, uint32_t* out, long ldo) {
  for (long i = 0; i < m; i++)
    for (long p = 0; p < ldo; p += 16)
      _mm512_mask_storeu_epi32(out + i * ldo + p, lanes(ldo - p), cellsAlong(a + i * lda + 2 * p, k - 2 * p));
}

/// Pairs of rows of a[k, n] as rows of cells, `width` cells at a time: panels when that is kPanel, one matrix when it is n.
INLINE void pairRows(const float* a, long lda, long k, long n, uint32_t* out, long width, long ldp) {
  for (long j0 = 0; j0 < n; j0 += width, out += ldp)
    for (long p = 0; p < cellsOf(k); p++) {
      const float *even = a + 2 * p * lda + j0, *odd = 2 * p + 1 < k ? even + lda : nullptr;
      for (long j = 0; j < width; j += 16)
        _mm512_mask_storeu_epi32(out + p * width + j, lanes(width - j),
                                 2 * p < k ? cellsAcross(even + j, odd == nullptr ? nullptr : odd + j, least(width, n - j0) - j)
                                           : _mm512_setzero_si512());
    }
}

INLINE uint32_t* cellsIn(float* p) { return reinterpret_cast<uint32_t*>(p); }
INLINE const uint32_t* cellsIn(const float* p) { return reinterpret_cast<const uint32_t*>(p); }

long linearSize(long n, long k) { return roundUp(n, kPanel) * cellsOf(k); }

void packLinear(const float* src, long n, long k, float* packed) {
  uint32_t* out = cellsIn(packed);
  long steps = cellsOf(k);
  for (long j = 0; j < roundUp(n, kPanel); j++)
    for (long p = 0; p < steps; p += 16) {
      uint32_t cells[16];
      _mm512_storeu_si512(cells, j < n ? cellsAlong(src + j * k + 2 * p, k - 2 * p) : _mm512_setzero_si512());
      for (long i = 0; i < least(16, steps - p); i++) out[j / kPanel * kPanel * steps + (p + i) * kPanel + j % kPanel] = cells[i];
    }
}

void packLinearBack(const float* src, long k, long n, float* packed) {
  pairRows(src, n, k, n, cellsIn(packed), kPanel, cellsOf(k) * kPanel);
}

#if defined(__AMX_BF16__)
#include "amx.h"
#else

void linear(long m, long n, long k, const float* a, long lda, const float* packed, float* c, long ldc, Start start,
            const float* bias, float* scratch, const float* next, long nextFloats) {
  long steps = cellsOf(k);
  roundRows(a, lda, m, k, cellsIn(scratch), steps);
  productOf<Cell>(m, n, steps, cellsIn(scratch), steps, cellsIn(packed), steps * kPanel, c, ldc, start, bias, next, nextFloats);
}

void linearGrad(long outputs, long inputs, long rows, const float* dy, long ldy, const float* x, long ldx, float* grad, long ldg,
                float* scratch, long ahead) {
  long steps = cellsOf(rows);
  uint32_t *right = cellsIn(scratch), *left = right + roundUp(inputs, kPanel) * steps;
  pairRows(x, ldx, rows, inputs, right, kPanel, steps * kPanel);
  pairRows(dy, ldy, rows, outputs, left, outputs, 0);
  productTransposedOf<Cell>(outputs, inputs, steps, left, outputs, right, steps * kPanel, grad, ldg,
                            {dy + rows * ldy, ldy, outputs, x + rows * ldx, ldx, inputs, ahead});
}

double multiplyAddPeak(long iterations, float* sink) { return peakOf<Cell>(iterations, sink); }

#endif

#else

typedef uint32_t uvec __attribute__((vector_size(kVectorBytes)));

INLINE vec rounded(vec x) {
  uvec bits = (uvec)x, size = bits & 0x7fffffffu;
  uvec nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
  uvec normal = (uvec)(size >= 0x00800000u), number = (uvec)(size <= 0x7f800000u);
  // Rounding up may carry NaN over into zero, so a NaN stays what it is.
  return (vec)((nearest & normal & number) | (bits & 0x80000000u & ~normal) | (bits & ~number));
}
INLINE F16 rounded(F16 a) { EACH_PART(rounded(a.v[i])); }

INLINE void roundRow(const float* x, long n, float* out) {
  for (long i = 0; i < n; i += 16) storeUpTo(out + i, n - i, rounded(loadUpTo(x + i, n - i)));
}

INLINE long linearSize(long n, long k) { return fp32::linearSize(n, k); }

void packLinear(const float* src, long n, long k, float* packed) {
  fp32::packLinear(src, n, k, packed);
  roundRow(packed, linearSize(n, k), packed);
}

void packLinearBack(const float* src, long k, long n, float* packed) {
  fp32::packLinearBack(src, k, n, packed);
  roundRow(packed, linearSize(n, k), packed);
}

void linear(long m, long n, long k, const float* a, long lda, const float* packed, float* c, long ldc, Start start,
            const float* bias, float* scratch, const float* next, long nextFloats) {
  for (long i = 0; i < m; i++) roundRow(a + i * lda, k, scratch + i * k);
  productOf<Fp32Cell>(m, n, k, scratch, k, packed, k * kPanel, c, ldc, start, bias, next, nextFloats);
}

void linearGrad(long outputs, long inputs, long rows, const float* dy, long ldy, const float* x, long ldx, float* grad, long ldg,
                float* scratch, long ahead) {
  float *right = scratch, *left = right + roundUp(inputs, kPanel) * rows;
  pack(x, ldx, rows, inputs, right, rows * kPanel);
  roundRow(right, roundUp(inputs, kPanel) * rows, right);
  for (long r = 0; r < rows; r++) roundRow(dy + r * ldy, outputs, left + r * outputs);
  productTransposedOf<Fp32Cell>(outputs, inputs, rows, left, outputs, right, rows * kPanel, grad, ldg,
                                {dy + rows * ldy, ldy, outputs, x + rows * ldx, ldx, inputs, ahead});
}

double multiplyAddPeak(long iterations, float* sink) { return peakOf<Fp32Cell>(iterations, sink); }

#endif

}  // namespace bf16

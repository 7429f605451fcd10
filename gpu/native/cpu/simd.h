// Vectors for one instruction set: `vec` is the native width, F16 is 16 lanes made of native vectors.
// Included by kernels.cc alone, inside its anonymous namespace, because each build of that file must keep its own copy.

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kLanes = kVectorBytes / 4;

typedef float vec __attribute__((vector_size(kVectorBytes)));
typedef float vec_unaligned __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(kVectorBytes)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE vec loadVec(const float* p) { return *reinterpret_cast<const vec_unaligned*>(p); }
INLINE void storeVec(float* p, vec v) { *reinterpret_cast<vec_unaligned*>(p) = v; }
INLINE vec splat(float x) { return x - vec{}; }

#if defined(__AVX512F__)
INLINE vec fma(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vec vmax(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vec vmin(vec a, vec b) { return (vec)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vec vsqrt(vec a) { return (vec)_mm512_sqrt_ps((__m512)a); }
#elif defined(__AVX2__)
INLINE vec fma(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vec vmax(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vec vmin(vec a, vec b) { return (vec)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vec vsqrt(vec a) { return (vec)_mm256_sqrt_ps((__m256)a); }
#elif defined(__aarch64__)
INLINE vec fma(vec a, vec b, vec c) { return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
INLINE vec vmax(vec a, vec b) { return (vec)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vec vmin(vec a, vec b) { return (vec)vminq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vec vsqrt(vec a) { return (vec)vsqrtq_f32((float32x4_t)a); }
#elif defined(__SSE2__)
INLINE vec fma(vec a, vec b, vec c) { return a * b + c; }
INLINE vec vmax(vec a, vec b) { return (vec)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vec vmin(vec a, vec b) { return (vec)_mm_min_ps((__m128)a, (__m128)b); }
INLINE vec vsqrt(vec a) { return (vec)_mm_sqrt_ps((__m128)a); }
#endif

constexpr int kParts = 16 / kLanes;
struct F16 {
  vec v[kParts];
};

#define EACH_PART(expression)                       \
  F16 out;                                          \
  UNROLL for (int i = 0; i < kParts; i++) out.v[i] = (expression); \
  return out

INLINE F16 splat16(float x) { EACH_PART(splat(x)); }
INLINE F16 load16(const float* p) { EACH_PART(loadVec(p + i * kLanes)); }
INLINE void store16(float* p, F16 a) {
  UNROLL for (int i = 0; i < kParts; i++) storeVec(p + i * kLanes, a.v[i]);
}
INLINE F16 operator+(F16 a, F16 b) { EACH_PART(a.v[i] + b.v[i]); }
INLINE F16 operator-(F16 a, F16 b) { EACH_PART(a.v[i] - b.v[i]); }
INLINE F16 operator*(F16 a, F16 b) { EACH_PART(a.v[i] * b.v[i]); }
INLINE F16 operator/(F16 a, F16 b) { EACH_PART(a.v[i] / b.v[i]); }
INLINE F16 fma(F16 a, F16 b, F16 c) { EACH_PART(fma(a.v[i], b.v[i], c.v[i])); }
INLINE F16 vmax(F16 a, F16 b) { EACH_PART(vmax(a.v[i], b.v[i])); }
INLINE F16 vmin(F16 a, F16 b) { EACH_PART(vmin(a.v[i], b.v[i])); }
INLINE F16 vsqrt(F16 a) { EACH_PART(vsqrt(a.v[i])); }

/// The first n < 16 lanes from memory, the others `fill`.
INLINE F16 loadPart16(const float* p, long n, float fill = 0.f) {
#if defined(__AVX512F__)
  F16 out;
  out.v[0] = (vec)_mm512_mask_loadu_ps((__m512)splat(fill), (__mmask16)((1u << n) - 1), p);
  return out;
#else
  alignas(64) float t[16];
  for (int i = 0; i < 16; i++) t[i] = fill;
  for (long i = 0; i < n; i++) t[i] = p[i];
  return load16(t);
#endif
}
INLINE void storePart16(float* p, long n, F16 a) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)a.v[0]);
#else
  alignas(64) float t[16];
  store16(t, a);
  for (long i = 0; i < n; i++) p[i] = t[i];
#endif
}
/// The first n < 16 lanes of a, 0 in the others.
INLINE F16 keepPart16(F16 a, long n) {
#if defined(__AVX512F__)
  a.v[0] = (vec)_mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), (__m512)a.v[0]);
  return a;
#else
  alignas(64) float t[16];
  store16(t, a);
  return loadPart16(t, n);
#endif
}
/// 16 lanes or what is left of the row.
INLINE F16 loadUpTo(const float* p, long left, float fill = 0.f) { return left >= 16 ? load16(p) : loadPart16(p, left, fill); }
INLINE void storeUpTo(float* p, long left, F16 a) {
  if (left >= 16) store16(p, a);
  else storePart16(p, left, a);
}

INLINE float joinSum(F16 a) {
#if defined(__AVX512F__)
  // The sums below without a way through memory, which costs more than they do.
  __m512 sixteen = (__m512)a.v[0];
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps(sixteen, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
  alignas(64) float t[16];
  store16(t, a);
  for (int w = 8; w > 0; w /= 2)
    for (int i = 0; i < w; i++) t[i] += t[i + w];
  return t[0];
#endif
}
INLINE float joinMax(F16 a) {
#if defined(__AVX512F__)
  __m512 sixteen = (__m512)a.v[0];
  __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps(sixteen, 1));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
#else
  alignas(64) float t[16];
  store16(t, a);
  float m = t[0];
  for (int i = 1; i < 16; i++) m = t[i] > m ? t[i] : m;
  return m;
#endif
}

/// exp with |x| clamped to 87, so the result is a normal number; about 1 unit in the last place from the truth.
/// x = n ln 2 + r with |r| ≤ ln 2 / 2 and a polynomial of degree 6 in r. Adding 1.5 · 2²³ rounds to the integer n and
/// leaves it in the low bits, from where a shift makes 2ⁿ.
INLINE vec vexp(vec x) {
  x = vmin(vmax(x, splat(-87.f)), splat(87.f));
  vec t = fma(x, splat(1.44269504f), splat(12582912.f));
  vec n = t - splat(12582912.f);
  vec r = fma(n, splat(-0.693359375f), x);
  r = fma(n, splat(2.12194440e-4f), r);
  vec p = splat(1.9875691e-4f);
  p = fma(p, r, splat(1.3981999e-3f));
  p = fma(p, r, splat(8.3334519e-3f));
  p = fma(p, r, splat(4.1665796e-2f));
  p = fma(p, r, splat(1.6666665e-1f));
  p = fma(p, r, splat(0.5f));
  p = fma(p, r * r, r + splat(1.f));
  ivec power = ((ivec)t << 23) + (0x3f800000 - ivec{});
  return p * (vec)power;
}
INLINE F16 vexp(F16 a) { EACH_PART(vexp(a.v[i])); }

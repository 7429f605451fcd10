// Products: a tile is M rows x P panels of accumulators in registers; the left side is read in place and broadcast, the
// right side comes in packed panels. Included by kernels.cc alone, inside its anonymous namespace.
//
// A tile is written for cells: a cell is what one step of the sum over k takes from one row or column. In fp32 it is
// one float; in bf16 with its own instruction (bf16.h) it is a pair of values.

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRows = 8, kFewRows = 4;
/// Panels beside each other that a tile of m ≤ kFewRows rows takes: with fewer accumulators the sums would wait for
/// one another.
constexpr int panelsFor(int m) { return m <= 2 ? 4 : 2; }
#elif defined(__AVX2__)
constexpr int kRows = 6, kFewRows = 2;
constexpr int panelsFor(int m) { return m == 1 ? 4 : 2; }
#else
constexpr int kRows = 4, kFewRows = 2;
constexpr int panelsFor(int m) { return m == 1 ? 4 : 2; }
#endif
constexpr int kColumns = 2;
constexpr long kPanel = kColumns * kLanes;
// Steps per pass, so that a panel stays near. The sum goes on from the stored partial sums, which is exact: this
// constant changes no bit.
constexpr long kDepth = 512;
static_assert(kPageKeys % kPanel == 0, "a page holds whole panels");

struct Fp32Cell {
  using Type = float;
  static constexpr long kValues = 1;
  static inline __attribute__((always_inline)) vec broadcast(float x) { return splat(x); }
  static inline __attribute__((always_inline)) vec load(const float* p) { return loadVec(p); }
  static inline __attribute__((always_inline)) vec step(vec left, vec right, vec sum) { return fma(left, right, sum); }
  /// A step that depends on the one before, for the limits of the machine.
  static inline __attribute__((always_inline)) vec peakStep(vec sum, vec x, vec y) { return fma(sum, x, y); }
};

template <class Cell, int M, int P, bool Transposed>
INLINE void accumulate(const typename Cell::Type* __restrict a, long lda, const typename Cell::Type* __restrict b, long ldp,
                       long steps, vec (&s)[M][P * kColumns]) {
  for (long p = 0; p < steps; p++, b += kPanel) {
    vec right[P * kColumns];
    UNROLL for (int j = 0; j < P * kColumns; j++) right[j] = Cell::load(b + j / kColumns * ldp + j % kColumns * kLanes);
    UNROLL for (int i = 0; i < M; i++) {
      vec left = Cell::broadcast(Transposed ? a[p * lda + i] : a[i * lda + p]);
      UNROLL for (int j = 0; j < P * kColumns; j++) s[i][j] = Cell::step(left, right[j], s[i][j]);
    }
  }
}

/// Asks for the lines that a tile will write, long before its sums are done. The few rows of a decoding step are near anyway.
template <int M, int W>
INLINE void fetchTile(const float* c, long ldc) {
  if constexpr (M == kRows)
    UNROLL for (int i = 0; i < M; i++)
      UNROLL for (int j = 0; j < W * kLanes; j += 16) __builtin_prefetch(c + i * ldc + j, 1);
}

/// c[M, n] = start + a · b for at most P panels of columns. Every loop over accumulators is unrolled, or the compiler
/// would keep them in memory.
template <class Cell, int M, int P>
void tile(const typename Cell::Type* a, long lda, const typename Cell::Type* b, long ldp, long steps, float* c, long ldc, long n,
          Start start, const float* bias) {
  constexpr int W = P * kColumns;
  vec s[M][W];
  float edge[P * kPanel];
  bool whole = n >= P * kPanel;
  UNROLL for (int i = 0; i < M; i++) {
    const float* from = start == Start::Bias ? bias : c + i * ldc;
    if (!whole && start != Start::Zero) {
      for (long j = 0; j < P * kPanel; j++) edge[j] = j < n ? from[j] : 0.f;
      from = edge;
    }
    UNROLL for (int j = 0; j < W; j++) s[i][j] = start == Start::Zero ? vec{} : loadVec(from + j * kLanes);
  }
  if (whole) fetchTile<M, W>(c, ldc);
  accumulate<Cell, M, P, false>(a, lda, b, ldp, steps, s);
  UNROLL for (int i = 0; i < M; i++) {
    float* to = whole ? c + i * ldc : edge;
    UNROLL for (int j = 0; j < W; j++) storeVec(to + j * kLanes, s[i][j]);
    if (!whole)
      for (long j = 0; j < n; j++) c[i * ldc + j] = edge[j];
  }
}

/// c[M, n] += aᵀ · b: the block's own sum starts at 0 and is added at its end.
template <class Cell, int M>
void tileAdded(const typename Cell::Type* a, long lda, const typename Cell::Type* b, long steps, float* c, long ldc, long n) {
  vec s[M][kColumns];
  UNROLL for (int i = 0; i < M; i++)
    UNROLL for (int j = 0; j < kColumns; j++) s[i][j] = vec{};
  float edge[kPanel];
  bool whole = n >= kPanel;
  if (whole) fetchTile<M, kColumns>(c, ldc);
  accumulate<Cell, M, 1, true>(a, lda, b, 0, steps, s);
  UNROLL for (int i = 0; i < M; i++) {
    float* to = whole ? c + i * ldc : edge;
    UNROLL for (int j = 0; j < kColumns; j++) storeVec(to + j * kLanes, whole ? loadVec(to + j * kLanes) + s[i][j] : s[i][j]);
    if (!whole)
      for (long j = 0; j < n; j++) c[i * ldc + j] += edge[j];
  }
}

template <int M>
struct Count {
  static constexpr int value = M;
};
/// f(Count<m>{}) with m in 1 … Most as a constant.
template <int Most, class F>
INLINE void withCount(long m, F f) {
  if constexpr (Most > 0) {
    if (m == Most) f(Count<Most>{});
    else withCount<Most - 1>(m, f);
  }
}

/// c[m, n] = start + a · b; `steps` cells deep. Each tile asks for a piece of what is read after the product.
template <class Cell>
INLINE void productOf(long m, long n, long steps, const typename Cell::Type* a, long lda, const typename Cell::Type* b, long ldp,
                      float* c, long ldc, Start start, const float* bias, const float* next = nullptr, long nextFloats = 0) {
  long tiles = (m + kRows - 1) / kRows * ((n + kPanel - 1) / kPanel) * ((steps + kDepth - 1) / kDepth);
  for (long p = 0; p < steps; p += kDepth) {
    long depth = least(kDepth, steps - p);
    Start from = p > 0 ? Start::Destination : start;
    auto block = [&](auto rows, auto panels, long i, long j) {
      tile<Cell, decltype(rows)::value, decltype(panels)::value>(a + i * lda + p, lda, b + j / kPanel * ldp + p * kPanel, ldp, depth,
                                                                c + i * ldc + j, ldc, n - j, from,
                                                                bias == nullptr ? nullptr : bias + j);
    };
    long j = 0;
    if (m <= kFewRows)
      withCount<kFewRows>(m, [&](auto rows) {
        constexpr int P = panelsFor(decltype(rows)::value);
        for (; j + P * kPanel <= n; j += P * kPanel) block(rows, Count<P>{}, 0, j);
      });
    for (; j < n; j += kPanel)
      for (long i = 0; i < m; i += kRows)
        withCount<kRows>(least(kRows, m - i), [&](auto rows) {
          for (long end = nextFloats - nextFloats / tiles--; nextFloats > end; next += 16, nextFloats -= 16)
            __builtin_prefetch(next, 0, 2);
          block(rows, Count<1>{}, i, j);
        });
  }
}

/// The rows that a weight gradient reads next. They come from far, and packing them would wait for every line: so each
/// tile of the block before asks for a piece of them.
struct RowsAhead {
  const float* dy;
  long ldy, outputs;
  const float* x;
  long ldx, inputs, rows, fetched = 0;
  /// `tiles` − 1 more calls follow.
  void fetchPiece(long tiles) {
    for (long end = fetched + (rows - fetched) / tiles; fetched < end; fetched++) {
      for (long i = 0; i < outputs; i += 16) __builtin_prefetch(dy + fetched * ldy + i, 0, 2);
      for (long i = 0; i < inputs; i += 16) __builtin_prefetch(x + fetched * ldx + i, 0, 2);
    }
  }
};

/// c[m, n] += aᵀ · b with a[steps, m].
template <class Cell>
INLINE void productTransposedOf(long m, long n, long steps, const typename Cell::Type* a, long lda, const typename Cell::Type* b,
                                long ldp, float* c, long ldc, RowsAhead ahead = {}) {
  long tiles = (m + kRows - 1) / kRows * ((n + kPanel - 1) / kPanel);
  for (long i = 0; i < m; i += kRows)
    withCount<kRows>(least(kRows, m - i), [&](auto rows) {
      for (long j = 0; j < n; j += kPanel) {
        if (ahead.rows > 0) ahead.fetchPiece(tiles--);
        tileAdded<Cell, decltype(rows)::value>(a + i, lda, b + j / kPanel * ldp, steps, c + i * ldc + j, ldc, n - j);
      }
    });
}

/// Independent multiply-adds in registers; returns how many operations they were.
template <class Cell>
double peakOf(long iterations, float* sink) {
  vec s[12], x = splat(0.999f), y = splat(0.001f);
  // Different starts, or the compiler would see twelve equal chains and keep one.
  UNROLL for (int j = 0; j < 12; j++) s[j] = splat(*sink + (float)j);
  for (long i = 0; i < iterations; i++)
    UNROLL for (int j = 0; j < 12; j++) s[j] = Cell::peakStep(s[j], x, y);
  UNROLL for (int j = 1; j < 12; j++) s[0] = s[0] + s[j];
  *sink = s[0][0];
  return 2.0 * 12 * kLanes * Cell::kValues * (double)iterations;
}

// Rows a multiple of so many floats apart lie in few sets of the nearest cache, and evict one another while a column is
// read down; those an odd number of cache lines (16 floats) apart do not.
constexpr long kEvicting = 256;

// ---- fp32 -----------------------------------------------------------------------------------------------------------

void packTransposed(const float* src, long lds, long n, long k, float* b, long ldp) {
  for (long j0 = 0; j0 < n; j0 += kPanel, b += ldp) {
    long width = least(kPanel, n - j0);
    for (long j = 0; j < kPanel; j++) {
      const float* row = src + (j0 + j) * lds;
      if (j < width)
        for (long p = 0; p < k; p++) b[p * kPanel + j] = row[p];
      else
        for (long p = 0; p < k; p++) b[p * kPanel + j] = 0.f;
    }
  }
}

void pack(const float* src, long lds, long k, long n, float* b, long ldp) {
  for (long j0 = 0; j0 < n; j0 += kPanel, b += ldp) {
    long width = least(kPanel, n - j0);
    for (long p = 0; p < k; p++) {
      const float* row = src + p * lds + j0;
      float* to = b + p * kPanel;
      if (width == kPanel) {
        UNROLL for (int j = 0; j < kColumns; j++) storeVec(to + j * kLanes, loadVec(row + j * kLanes));
      } else {
        for (long j = 0; j < kPanel; j++) to[j] = j < width ? row[j] : 0.f;
      }
    }
  }
}

void product(long m, long n, long k, const float* a, long lda, const float* b, long ldp, float* c, long ldc, Start start,
             const float* bias) {
  productOf<Fp32Cell>(m, n, k, a, lda, b, ldp, c, ldc, start, bias);
}

void productTransposed(long m, long n, long k, const float* a, long lda, const float* b, long ldp, float* c, long ldc) {
  productTransposedOf<Fp32Cell>(m, n, k, a, lda, b, ldp, c, ldc);
}

namespace fp32 {

long linearSize(long n, long k) { return roundUp(n, kPanel) * k; }
void packLinear(const float* src, long n, long k, float* packed) { packTransposed(src, k, n, k, packed, k * kPanel); }
void packLinearBack(const float* src, long k, long n, float* packed) { pack(src, n, k, n, packed, k * kPanel); }

void linear(long m, long n, long k, const float* a, long lda, const float* packed, float* c, long ldc, Start start,
            const float* bias, float*, const float* next, long nextFloats) {
  productOf<Fp32Cell>(m, n, k, a, lda, packed, k * kPanel, c, ldc, start, bias, next, nextFloats);
}

void linearGrad(long outputs, long inputs, long rows, const float* dy, long ldy, const float* x, long ldx, float* grad, long ldg,
                float* scratch, long ahead) {
  RowsAhead next{dy + rows * ldy, ldy, outputs, x + rows * ldx, ldx, inputs, ahead};
  // The right side is read once per kRows outputs; as panels its rows do not evict one another.
  pack(x, ldx, rows, inputs, scratch, rows * kPanel);
  if (ldy % kEvicting == 0) {
    float* left = scratch + roundUp(inputs, kPanel) * rows;
    long ldl = roundUp(outputs, 32) + 16;
    for (long r = 0; r < rows; r++)
      for (long i = 0; i < outputs; i += 16) storeUpTo(left + r * ldl + i, outputs - i, loadUpTo(dy + r * ldy + i, outputs - i));
    dy = left, ldy = ldl;
  }
  productTransposedOf<Fp32Cell>(outputs, inputs, rows, dy, ldy, scratch, rows * kPanel, grad, ldg, next);
}

}  // namespace fp32

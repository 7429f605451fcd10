// bf16 products by AMX: tiles of 16 rows of 16 cells. Included by bf16.h where the compiler targets AMX.
//
// One instruction adds 16 cells to an element: it sums even and odd k apart, then joins them. So the order of a sum is
// fixed by k alone, but it is not the chain of the other sets. Depth is padded with zeros to whole tiles.

constexpr long kTile = 16;
static_assert(kPanel == 2 * kTile && kPad == kTile, "a panel is two tiles wide");

/// All eight tiles 16 rows of 64 bytes. By hand, as compilers do not know that the instruction reads memory.
INLINE void configureTiles() {
  struct alignas(64) {
    uint8_t palette = 1, startRow = 0, reserved[14] = {};
    uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  asm volatile("ldtilecfg %0" ::"m"(config));
}

/// c[m, n] = start + a · b for at most 32 x 32 elements and one panel; rows of `a` past m may be anything. An edge block
/// goes through `edge` and starts from the same sums as a whole one, so a row's bits do not depend on where a batch ends.
INLINE void tileBlock(const uint32_t* a, long lda, const uint32_t* b, long steps, float* c, long ldc, long m, long n, Start start,
                      const float* bias) {
  alignas(64) float edge[2 * kTile * kPanel];
  bool isWhole = m >= 2 * kTile && n >= kPanel, hasLower = m > kTile, hasRight = n > kTile;
  float* out = isWhole ? c : edge;
  long ldo = isWhole ? ldc : kPanel;
  if (start == Start::Zero) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    const float* from = c;
    long ldf = ldc;
    if (!isWhole || start == Start::Bias) {
      for (long i = 0; i < 2 * kTile; i++)
        for (long j = 0; j < kPanel; j++) edge[i * kPanel + j] = i >= m || j >= n ? 0.f : start == Start::Bias ? bias[j] : c[i * ldc + j];
      from = edge, ldf = kPanel;
    }
    // Compilers take tile loads for register moves: what they read must be in memory by here.
    asm volatile("" ::: "memory");
    _tile_loadd(0, from, ldf * 4);
    _tile_loadd(1, from + kTile, ldf * 4);
    _tile_loadd(2, from + kTile * ldf, ldf * 4);
    _tile_loadd(3, from + kTile * ldf + kTile, ldf * 4);
  }
  for (long p = 0; p < steps; p += kTile) {
    _tile_loadd(4, a + p, lda * 4);
    _tile_loadd(6, b + p * kPanel, kPanel * 4);
    if (hasLower) _tile_loadd(5, a + kTile * lda + p, lda * 4);
    if (hasRight) _tile_loadd(7, b + p * kPanel + kTile, kPanel * 4);
    _tile_dpbf16ps(0, 4, 6);
    if (hasRight) _tile_dpbf16ps(1, 4, 7);
    if (hasLower) _tile_dpbf16ps(2, 5, 6);
    if (hasLower && hasRight) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, out, ldo * 4);
  _tile_stored(1, out + kTile, ldo * 4);
  _tile_stored(2, out + kTile * ldo, ldo * 4);
  _tile_stored(3, out + kTile * ldo + kTile, ldo * 4);
  asm volatile("" ::: "memory");
  if (!isWhole)
    for (long i = 0; i < least(m, 2 * kTile); i++)
      for (long j = 0; j < least(n, kPanel); j++) c[i * ldc + j] = edge[i * kPanel + j];
}

INLINE void tileProduct(long m, long n, long steps, const uint32_t* a, const uint32_t* b, float* c, long ldc, Start start,
                        const float* bias) {
  configureTiles();
  asm volatile("" ::: "memory");
  for (long j = 0; j < n; j += kPanel)
    for (long i = 0; i < m; i += 2 * kTile)
      tileBlock(a + i * steps, steps, b + j * steps, steps, c + i * ldc + j, ldc, m - i, n - j, start,
                bias == nullptr ? nullptr : bias + j);
  // Tiles in use would be saved at every switch of threads.
  _tile_release();
}

/// 16 rows of 16 cells become columns.
INLINE void turn(__m512i (&r)[16]) {
  __m512i t[16];
  UNROLL for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 8; i++) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

/// Rows of aᵀ as rows of cells, from a[k, n].
INLINE void turnedRows(const float* a, long lda, long k, long n, uint32_t* out, long steps) {
  for (long j = 0; j < n; j += kTile)
    for (long p = 0; p < steps; p += kTile) {
      __m512i r[16];
      UNROLL for (int i = 0; i < 16; i++) {
        long row = 2 * (p + i);
        const float* even = a + row * lda + j;
        r[i] = row < k ? cellsAcross(even, row + 1 < k ? even + lda : nullptr, n - j) : _mm512_setzero_si512();
      }
      turn(r);
      for (long i = 0; i < least(kTile, n - j); i++) _mm512_storeu_si512(out + (j + i) * steps + p, r[i]);
    }
}

void linear(long m, long n, long k, const float* a, long lda, const float* packed, float* c, long ldc, Start start,
            const float* bias, float* scratch, const float*, long) {
  long steps = cellsOf(k);
  roundRows(a, lda, m, k, cellsIn(scratch), steps);
  tileProduct(m, n, steps, cellsIn(scratch), cellsIn(packed), c, ldc, start, bias);
}

void linearGrad(long outputs, long inputs, long rows, const float* dy, long ldy, const float* x, long ldx, float* grad, long ldg,
                float* scratch, long) {
  long steps = cellsOf(rows);
  uint32_t *right = cellsIn(scratch), *left = right + roundUp(inputs, kPanel) * steps;
  pairRows(x, ldx, rows, inputs, right, kPanel, steps * kPanel);
  turnedRows(dy, ldy, rows, outputs, left, steps);
  tileProduct(outputs, inputs, steps, left, right, grad, ldg, Start::Destination, nullptr);
}

double multiplyAddPeak(long iterations, float* sink) {
  alignas(64) float zeros[kTile * kTile] = {};
  configureTiles();
  asm volatile("" ::: "memory");
  _tile_loadd(4, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (long i = 0; i < iterations; i++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 6);
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(3, 4, 6);
  }
  _tile_stored(0, zeros, 64);
  asm volatile("" ::: "memory");
  _tile_release();
  *sink = zeros[0];
  return 4.0 * 2 * kTile * kTile * 2 * kTile * (double)iterations;
}

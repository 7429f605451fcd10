// Every product against sums in double, and the rule that a row's bits do not depend on the rows beside it.
#include <algorithm>

#include "cases.h"

namespace {

using troupe::Format;
using troupe::Kernels;
using troupe::Start;

struct Sizes {
  long m, n, k;
};

/// Sizes around every edge: rows of a tile, panels, pairs, tiles of AMX, the depth of a pass.
Sizes draw(check::Chance& chance, int round) {
  static const long rows[] = {1, 2, 3, 4, 5, 8, 13, 16, 17, 33, 64}, depths[] = {1, 2, 15, 31, 32, 33, 64, 200, 511, 513, 700};
  return {rows[round % 11], chance.whole(1, 100), depths[chance.whole(0, 10)]};
}

/// Σ over k of |a| |b|, at most: what a relative error is relative to.
double sizeOf(long k) { return 4.0 * std::sqrt((double)k) + 4; }

std::vector<double> expectProduct(Sizes s, const std::vector<float>& a, const std::vector<float>& w, const std::vector<float>& c,
                                  Start start, const std::vector<float>& bias) {
  std::vector<double> out(s.m * s.n);
  for (long i = 0; i < s.m; i++)
    for (long j = 0; j < s.n; j++) {
      double sum = start == Start::Zero ? 0 : start == Start::Bias ? bias[j] : c[i * s.n + j];
      for (long p = 0; p < s.k; p++) sum += (double)a[i * s.k + p] * w[j * s.k + p];
      out[i * s.n + j] = sum;
    }
  return out;
}

std::vector<float> turned(const std::vector<float>& w, long n, long k) {
  std::vector<float> out(w.size());
  for (long j = 0; j < n; j++)
    for (long p = 0; p < k; p++) out[p * n + j] = w[j * k + p];
  return out;
}

void testLinear(const Kernels& kernels, Format format) {
  check::Chance chance(11);
  double tolerance = format == Format::Fp32 ? 2e-6 : 1e-2;
  for (int round = 0; round < 44; round++) {
    Sizes s = draw(chance, round);
    Start start = (Start)(round % 3);
    auto a = chance.normal(s.m * s.k), w = chance.normal(s.n * s.k), c = chance.normal(s.m * s.n), bias = chance.normal(s.n);
    std::vector<float> packed(kernels.linearSize(s.n, s.k)), scratch((s.m + 32) * (s.k + 32));
    kernels.packLinear(w.data(), s.n, s.k, packed.data());
    auto run = [&](long row, long rows, std::vector<float> out) {
      kernels.linear(rows, s.n, s.k, a.data() + row * s.k, s.k, packed.data(), out.data() + row * s.n, s.n, start, bias.data(),
                     scratch.data(), w.data(), (long)w.size());
      return out;
    };
    auto all = run(0, s.m, c);
    check::near(all, expectProduct(s, a, w, c, start, bias), tolerance, sizeOf(s.k), "linear");
    for (long i = 0; i < s.m; i++) check::same(&run(i, 1, c)[i * s.n], &all[i * s.n], s.n, "a row of linear alone");
    if (s.m > 2) check::same(&run(1, s.m - 1, c)[s.n], &all[s.n], (s.m - 1) * s.n, "linear without its first row");
    auto back = turned(w, s.n, s.k);
    std::vector<float> packedBack(kernels.linearSize(s.n, s.k));
    kernels.packLinearBack(back.data(), s.k, s.n, packedBack.data());
    check::same(packed.data(), packedBack.data(), (long)packed.size(), "packLinearBack of the transposed matrix");
  }
}

void testLinearGrad(const Kernels& kernels, Format format) {
  check::Chance chance(12);
  for (int round = 0; round < 22; round++) {
    long outputs = chance.whole(1, 90), inputs = chance.whole(1, 90), rows = draw(chance, round).m * 2 - round % 2;
    auto dy = chance.normal(rows * outputs), x = chance.normal(rows * inputs), grad = chance.normal(outputs * inputs);
    std::vector<double> expected = check::wide(grad);
    for (long r = 0; r < rows; r++)
      for (long o = 0; o < outputs; o++)
        for (long i = 0; i < inputs; i++) expected[o * inputs + i] += (double)dy[r * outputs + o] * x[r * inputs + i];
    std::vector<float> scratch((outputs + inputs + 80) * (rows + 32)), apart = grad, wide(rows * 256);
    for (long r = 0; r < rows; r++) std::copy_n(&dy[r * outputs], outputs, &wide[r * 256]);
    kernels.linearGrad(outputs, inputs, rows, wide.data(), 256, x.data(), inputs, apart.data(), inputs, scratch.data(), 0);
    kernels.linearGrad(outputs, inputs, rows, dy.data(), outputs, x.data(), inputs, grad.data(), inputs, scratch.data(), 0);
    check::same(grad.data(), apart.data(), (long)grad.size(), "linearGrad of rows a power of two apart");
    check::near(grad, expected, format == Format::Fp32 ? 2e-6 : 1e-2, sizeOf(rows), "linearGrad");
  }
}

void testProducts(const Kernels& kernels) {
  check::Chance chance(13);
  for (int round = 0; round < 22; round++) {
    Sizes s = draw(chance, round);
    auto a = chance.normal(s.m * s.k), w = chance.normal(s.n * s.k), c = chance.normal(s.m * s.n), bias = chance.normal(s.n);
    long panels = (s.n + kernels.panel - 1) / kernels.panel, ldp = s.k * kernels.panel;
    std::vector<float> b(panels * ldp), same(panels * ldp), out = c;
    kernels.packTransposed(w.data(), s.k, s.n, s.k, b.data(), ldp);
    kernels.pack(turned(w, s.n, s.k).data(), s.n, s.k, s.n, same.data(), ldp);
    check::same(b.data(), same.data(), (long)b.size(), "pack of the transposed matrix");
    Start start = (Start)(round % 3);
    kernels.product(s.m, s.n, s.k, a.data(), s.k, b.data(), ldp, out.data(), s.n, start, bias.data());
    check::near(out, expectProduct(s, a, w, c, start, bias), 2e-6, sizeOf(s.k), "product");
    std::vector<float> added = c;
    kernels.productTransposed(s.m, s.n, s.k, turned(a, s.m, s.k).data(), s.m, b.data(), ldp, added.data(), s.n);
    check::near(added, expectProduct(s, a, w, c, Start::Destination, bias), 2e-6, sizeOf(s.k), "productTransposed");
  }
}

}  // namespace

void testProductsOf(const Kernels& kernels, Format format) {
  testLinear(kernels, format);
  testLinearGrad(kernels, format);
  if (format == Format::Fp32) testProducts(kernels);
}

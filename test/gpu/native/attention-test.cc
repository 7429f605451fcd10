// Attention over pages against its formula in double, its gradient against central differences, and the rule that a
// query's bits are the same alone and among others.
#include <cstring>

#include "cases.h"

namespace {

using check::Chance;
using troupe::kPageKeys;
using troupe::Kernels;
using Row = std::vector<double>;

struct Sizes {
  long rows, heads, headSize;
};

/// x: q [rows, heads, hd], then k [rows, hd], then v [rows, hd]; rows are positions 0, 1, …
Row attended(Sizes s, const Row& x) {
  long hd = s.headSize, k0 = s.rows * s.heads * hd, v0 = k0 + s.rows * hd;
  Row out(k0);
  for (long r = 0; r < s.rows; r++)
    for (long h = 0; h < s.heads; h++) {
      Row p(r + 1);
      double top = -1e300, sum = 0;
      for (long t = 0; t <= r; t++) {
        for (long i = 0; i < hd; i++) p[t] += x[(r * s.heads + h) * hd + i] * x[k0 + t * hd + i] / std::sqrt((double)hd);
        top = std::max(top, p[t]);
      }
      for (double& one : p) sum += one = std::exp(one - top);
      for (long t = 0; t <= r; t++)
        for (long i = 0; i < hd; i++) out[(r * s.heads + h) * hd + i] += p[t] / sum * x[v0 + t * hd + i];
    }
  return out;
}

/// The same through pages, rows [first, first + rows) in one call.
std::vector<float> throughPages(const Kernels& kernels, Sizes s, const std::vector<float>& x, long first, long rows) {
  long hd = s.headSize, width = (hd + kernels.panel - 1) / kernels.panel * kernels.panel, pages = (s.rows + kPageKeys - 1) / kPageKeys;
  long size = kPageKeys * (hd + width), k0 = s.rows * s.heads * hd, v0 = k0 + s.rows * hd;
  std::vector<float> storage(pages * size), out(rows * s.heads * hd);
  std::vector<const float*> keys, values;
  for (long p = 0; p < pages; p++) {
    keys.push_back(&storage[p * size]);
    values.push_back(keys.back() + kPageKeys * hd);
  }
  for (long t = 0; t < s.rows; t++) {
    float* page = &storage[t / kPageKeys * size];
    kernels.storeKeyValue(&x[k0 + t * hd], &x[v0 + t * hd], hd, page, page + kPageKeys * hd, t % kPageKeys);
  }
  std::vector<float> scratch(kernels.attendScratch(first + rows - 1, s.heads));
  kernels.attend({&x[first * s.heads * hd], s.heads * hd, out.data(), s.heads * hd, rows, first, s.heads, hd, keys.data(),
                  values.data(), scratch.data()});
  return out;
}

void testForward(const Kernels& kernels, Sizes s) {
  Chance chance(31);
  long row = s.heads * s.headSize;
  auto x = chance.normal(s.rows * (row + 2 * s.headSize));
  auto all = throughPages(kernels, s, x, 0, s.rows);
  check::near(all, attended(s, check::wide(x)), 2e-6, 8, "attend");
  for (long r : {0l, s.rows / 2, s.rows - 1})
    check::same(throughPages(kernels, s, x, r, 1).data(), &all[r * row], row, "attend for one row alone");
  if (s.rows > 3) check::same(throughPages(kernels, s, x, 2, s.rows - 2).data(), &all[2 * row], (s.rows - 2) * row, "attend from row 2 on");
}

void testGradient(const Kernels& kernels, Sizes s) {
  Chance chance(32);
  long row = s.heads * s.headSize, hd = s.headSize, ld = row + 2 * hd;
  auto x = chance.normal(s.rows * ld), dout = chance.normal(s.rows * row);
  Row slope = check::slope([&](const Row& at) { return check::dot(attended(s, at), dout); }, check::wide(x));
  // The kernel takes q, k and v of a row beside each other.
  std::vector<float> rows(s.rows * ld), grads(s.rows * ld), found(s.rows * ld);
  auto place = [&](long i) {
    long r = i < s.rows * row ? i / row : (i - s.rows * row) / hd % s.rows;
    long at = i < s.rows * row ? i % row : row + (i - s.rows * row) / (s.rows * hd) * hd + (i - s.rows * row) % hd;
    return r * ld + at;
  };
  for (long i = 0; i < (long)x.size(); i++) rows[place(i)] = x[i];
  std::vector<float> scratch(kernels.attendGradScratch(s.rows, hd));
  kernels.attendGrad({rows.data(), rows.data() + row, rows.data() + row + hd, ld, dout.data(), row, grads.data(), grads.data() + row,
                      grads.data() + row + hd, ld, s.rows, s.heads, hd, scratch.data()});
  for (long i = 0; i < (long)x.size(); i++) found[i] = grads[place(i)];
  check::near(found, slope, 1e-4, 4, "attendGrad");
}

}  // namespace

void testAttentionOf(const Kernels& kernels) {
  for (Sizes s : {Sizes{1, 1, 2}, {5, 2, 6}, {33, 3, 10}, {70, 1, 16}, {100, 2, 40}}) testForward(kernels, s);
  for (Sizes s : {Sizes{1, 1, 2}, {5, 2, 6}, {35, 2, 4}}) testGradient(kernels, s);
}

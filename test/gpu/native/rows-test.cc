// Row functions against their formulas in double; gradients against central differences of those formulas.
#include <algorithm>
#include <cstring>

#include "cases.h"

namespace {

using check::Chance;
using troupe::Kernels;
using Row = std::vector<double>;

constexpr double kEpsilon = 1e-6;

Row normed(const Row& x, const Row& w) {
  double square = 0;
  for (double v : x) square += v * v;
  double r = 1 / std::sqrt(square / (double)x.size() + kEpsilon);
  Row out(x.size());
  for (size_t i = 0; i < x.size(); i++) out[i] = x[i] * w[i] * r;
  return out;
}

Row part(const Row& x, long from, long n) { return {x.begin() + from, x.begin() + from + n}; }

void testNorm(const Kernels& k) {
  Chance chance(21);
  for (long d : {1, 7, 16, 22, 64}) {
    const long rows = 3;
    auto x = chance.normal(rows * d), w = chance.normal(d), dy = chance.normal(rows * d);
    std::vector<float> out(rows * d), dx(rows * d, 0.5f), dw(d, 0.25f);
    k.rmsNorm(x.data(), w.data(), out.data(), rows, d, (float)kEpsilon);
    auto all = [&](const Row& xw) {  // x, then w
      Row y;
      for (long r = 0; r < rows; r++)
        for (double v : normed(part(xw, r * d, d), part(xw, rows * d, d))) y.push_back(v);
      return y;
    };
    Row xw = check::wide(x);
    for (float v : w) xw.push_back(v);
    check::near(out, all(xw), 1e-5, 4, "rmsNorm");
    Row slope = check::slope([&](const Row& at) { return check::dot(all(at), dy); }, xw);
    for (double& v : slope) v += &v - slope.data() < rows * d ? 0.5 : 0.25;
    k.rmsNormGrad(x.data(), w.data(), dy.data(), dx.data(), dw.data(), rows, d, (float)kEpsilon);
    check::near(dx, part(slope, 0, rows * d), 1e-4, 4, "rmsNormGrad dx");
    check::near(dw, part(slope, rows * d, d), 1e-4, 4, "rmsNormGrad dw");
  }
}

void testRotation(const Kernels& k) {
  Chance chance(22);
  for (long hd : {2, 10, 32, 40})
    for (bool hasNorm : {false, true}) {
      const long rows = 2, heads = 2, kvHeads = 1, ld = (heads + 2 * kvHeads) * hd, turned = (heads + kvHeads) * hd, half = hd / 2;
      auto qkv = chance.normal(rows * ld), qNorm = chance.normal(hd), kNorm = chance.normal(hd), dout = chance.normal(rows * ld);
      int32_t positions[rows] = {3, 1};
      std::vector<float> cosine(4 * half), sine(4 * half), raw(rows * turned);
      for (long i = 0; i < 4 * half; i++) cosine[i] = (float)std::cos(0.3 * (double)i), sine[i] = (float)std::sin(0.3 * (double)i);
      auto all = [&](const Row& x) {  // qkv, then the norms of q and k
        Row y = part(x, 0, rows * ld);
        for (long r = 0; r < rows; r++)
          for (long h = 0; h < heads + kvHeads; h++) {
            Row head = part(x, r * ld + h * hd, hd);
            if (hasNorm) head = normed(head, part(x, rows * ld + (h < heads ? 0 : hd), hd));
            for (long j = 0; j < half; j++) {
              double c = cosine[positions[r] * half + j], s = sine[positions[r] * half + j];
              y[r * ld + h * hd + j] = head[j] * c - head[half + j] * s;
              y[r * ld + h * hd + half + j] = head[half + j] * c + head[j] * s;
            }
          }
        return y;
      };
      Row x = check::wide(qkv);
      for (auto* norm : {&qNorm, &kNorm}) x.insert(x.end(), norm->begin(), norm->end());
      auto out = qkv;
      k.rotateHeads(out.data(), ld, rows, heads, kvHeads, hd, positions, cosine.data(), sine.data(),
                    hasNorm ? qNorm.data() : nullptr, kNorm.data(), raw.data(), turned, (float)kEpsilon);
      check::near(out, all(x), 1e-5, 4, "rotateHeads");
      Row slope = check::slope([&](const Row& at) { return check::dot(all(at), dout); }, x);
      auto grad = dout;
      std::vector<float> dq(hd), dk(hd);
      k.rotateHeadsGrad(grad.data(), ld, rows, heads, kvHeads, hd, positions, cosine.data(), sine.data(),
                        hasNorm ? qNorm.data() : nullptr, kNorm.data(), raw.data(), turned, dq.data(), dk.data(), (float)kEpsilon);
      check::near(grad, part(slope, 0, rows * ld), 1e-4, 8, "rotateHeadsGrad");
      check::near(dq, part(slope, rows * ld, hd), 1e-4, 8, "rotateHeadsGrad of the q norm");
      check::near(dk, part(slope, rows * ld + hd, hd), 1e-4, 8, "rotateHeadsGrad of the k norm");
    }
}

void testSwiglu(const Kernels& k) {
  Chance chance(23);
  for (long f : {1, 15, 16, 41}) {
    const long rows = 2;
    auto gateUp = chance.normal(rows * 2 * f, 3), dout = chance.normal(rows * f);
    auto all = [&](const Row& x) {
      Row y(rows * f);
      for (long i = 0; i < rows * f; i++) {
        double g = x[i / f * 2 * f + i % f], u = x[i / f * 2 * f + f + i % f];
        y[i] = g / (1 + std::exp(-g)) * u;
      }
      return y;
    };
    std::vector<float> out(rows * f), again(rows * f), grad(rows * 2 * f);
    k.swiglu(gateUp.data(), out.data(), rows, f);
    check::near(out, all(check::wide(gateUp)), 1e-5, 9, "swiglu");
    k.swigluGrad(gateUp.data(), dout.data(), grad.data(), again.data(), rows, f);
    check::near(again, all(check::wide(gateUp)), 1e-5, 9, "swigluGrad's output");
    check::near(grad, check::slope([&](const Row& x) { return check::dot(all(x), dout); }, check::wide(gateUp)), 1e-4, 9, "swigluGrad");
  }
}

void testLogits(const Kernels& k) {
  Chance chance(24);
  for (long v : {1, 2, 17, 64, 100, 2048, 2100, 5000}) {
    auto logits = chance.normal(v, 3);
    const float inverse = 1.25f;
    long target = chance.whole(0, v - 1);
    auto loss = [&](const Row& x, double dl, double de) {
      double top = *std::max_element(x.begin(), x.end()) * inverse, sum = 0, entropy = 0;
      for (double z : x) sum += std::exp(z * inverse - top);
      for (double z : x) {
        double lp = z * inverse - top - std::log(sum);
        entropy -= std::exp(lp) * lp;
      }
      return dl * (x[target] * inverse - top - std::log(sum)) + de * entropy;
    };
    std::vector<float> weights(v);
    troupe::RowStatistics row = k.rowStatistics(logits.data(), v, inverse, weights.data());
    double logprob = (logits[target] * inverse - row.maximum) - row.logSum;
    check::that(std::fabs(logprob - loss(check::wide(logits), 1, 0)) < 1e-5, "rowStatistics' logprob");
    check::that(std::fabs(row.entropy - loss(check::wide(logits), 0, 1)) < 1e-4, "rowStatistics' entropy");
    check::that(std::fabs(weights[target] / row.sum - std::exp(logprob)) < 1e-6, "rowStatistics' weights");
    if (v > 100) continue;
    auto grad = logits;
    k.logitsGrad(grad.data(), v, inverse, row, target, 0.7f, -0.4f);
    check::near(grad, check::slope([&](const Row& x) { return loss(x, 0.7, -0.4); }, check::wide(logits)), 1e-4, 1, "logitsGrad");
  }
}

void testParameters(const Kernels& k) {
  Chance chance(25);
  for (long n : {1, 16, 37, 1000}) {
    auto w = chance.normal(n), g = chance.normal(n), m = chance.normal(n, 0.1f), v = chance.normal(n), sum = w;
    for (float& x : v) x *= x;
    k.add(g.data(), sum.data(), n);
    double squares = 0;
    Row ew, em, ev, es;
    troupe::AdamwArgs a{0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.19f, 0.0975f};
    for (long i = 0; i < n; i++) {
      double gi = (double)g[i] * a.gradScale;
      squares += (double)g[i] * g[i];
      es.push_back((double)w[i] + g[i]);
      em.push_back(0.9 * m[i] + 0.1 * gi);
      ev.push_back(0.95 * v[i] + 0.05 * gi * gi);
      ew.push_back(w[i] * (1 - 0.01 * 0.1) - 0.01 / 0.19 * em[i] / (std::sqrt(ev[i] / 0.0975) + 1e-8));
    }
    check::near(sum, es, 1e-6, 4, "add");
    check::that(std::fabs(k.sumOfSquares(g.data(), n) - squares) <= 1e-12 * squares, "sumOfSquares");
    k.adamw(w.data(), g.data(), m.data(), v.data(), n, a);
    check::near(w, ew, 1e-6, 4, "adamw's weights");
    check::near(m, em, 1e-6, 1, "adamw's first moments");
    check::near(v, ev, 1e-6, 4, "adamw's second moments");
    check::near(g, Row(n, 0), 0, 1, "adamw's cleared gradient");
  }
}

}  // namespace

void testRowsOf(const Kernels& kernels) {
  testNorm(kernels);
  testRotation(kernels);
  testSwiglu(kernels);
  testLogits(kernels);
  testParameters(kernels);
}

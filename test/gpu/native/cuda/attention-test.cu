// Attention of the CUDA kernels and its gradient against their formulas in double, and the rule that a row's bits are the
// same in a packed pass, in a prompt that fills the cache in parts, and alone. Runs in the emulator, or on a GPU when nvcc
// compiled it.
#include <cstring>
#include <numeric>

#include "../check.h"
#include "cuda/attend.h"

namespace {

using namespace troupe;
using namespace troupe::cuda;
using check::Chance;
using Wide = std::vector<double>;

template <class T>
constexpr bool isBf16 = std::is_same_v<T, Bf16>;
/// Of the whole against the formula, relative. Of bf16: weights, their slopes and the results are rounded to 8 bits.
template <class T>
constexpr double kTolerance = isBf16<T> ? 4e-3 : 2e-6;

struct Sizes {
  int heads, kvHeads, headSize;
  std::vector<int32_t> lengths;
  long width() const { return (heads + 2l * kvHeads) * headSize; }
  long outWidth() const { return (long)heads * headSize; }
  int32_t rows() const { return std::accumulate(lengths.begin(), lengths.end(), 0); }
  Shape shape() const {
    Shape s{};
    s.heads = heads, s.kvHeads = kvHeads, s.headSize = headSize;
    return s;
  }
  std::string name() const {
    std::string text = std::to_string(heads) + "/" + std::to_string(kvHeads) + " heads of " + std::to_string(headSize) + ", rows";
    for (int32_t n : lengths) text += " " + std::to_string(n);
    return text;
  }
};

template <class T>
std::vector<T> drawn(Chance& chance, long n) {
  std::vector<T> out;
  for (float x : chance.normal(n)) out.push_back(rounded<T>(x));
  return out;
}
template <class T>
Wide wide(const std::vector<T>& x) {
  Wide out;
  for (T one : x) out.push_back(number(one));
  return out;
}
template <class T>
std::vector<T> fetched(const Memory<T>& from, long n, Stream s) {
  std::vector<T> out(n);
  copy(out.data(), from, sizeof(T) * n, s);
  finish(s);
  return out;
}

/// Calls visit(row, head, p, first) with the weights p of the keys from row `first` on.
template <class Visit>
void forEachRow(const Sizes& z, const Wide& qkv, Visit visit) {
  long first = 0, ld = z.width(), hd = z.headSize;
  for (int32_t n : z.lengths) {
    for (long r = first; r < first + n; r++)
      for (long h = 0; h < z.heads; h++) {
        long key = (z.heads + h / (z.heads / z.kvHeads)) * hd;
        Wide p(r - first + 1);
        double top = -1e300, sum = 0;
        for (long t = 0; t <= r - first; t++) {
          for (long i = 0; i < hd; i++) p[t] += qkv[r * ld + h * hd + i] * qkv[(first + t) * ld + key + i] / std::sqrt((double)hd);
          top = std::max(top, p[t]);
        }
        for (double& one : p) sum += one = std::exp(one - top);
        for (double& one : p) one /= sum;
        visit(r, h, p, first);
      }
    first += n;
  }
}

Wide attended(const Sizes& z, const Wide& qkv) {
  Wide out(z.rows() * z.outWidth());
  long hd = z.headSize;
  forEachRow(z, qkv, [&](long r, long h, const Wide& p, long first) {
    long value = (z.heads + z.kvHeads + h / (z.heads / z.kvHeads)) * hd;
    for (size_t t = 0; t < p.size(); t++)
      for (long i = 0; i < hd; i++) out[(r * z.heads + h) * hd + i] += p[t] * qkv[(first + (long)t) * z.width() + value + i];
  });
  return out;
}

/// The formula's gradient: of q, k and v of every row.
Wide gradients(const Sizes& z, const Wide& qkv, const Wide& dout) {
  Wide out(qkv.size());
  long hd = z.headSize, ld = z.width();
  forEachRow(z, qkv, [&](long r, long h, const Wide& p, long first) {
    long query = r * ld + h * hd, key = (z.heads + h / (z.heads / z.kvHeads)) * hd, value = key + z.kvHeads * hd;
    const double* d = &dout[(r * z.heads + h) * hd];
    Wide slope(p.size());
    double mean = 0;
    for (size_t t = 0; t < p.size(); t++) {
      long at = (first + (long)t) * ld;
      for (long i = 0; i < hd; i++) slope[t] += d[i] * qkv[at + value + i], out[at + value + i] += p[t] * d[i];
      mean += p[t] * slope[t];
    }
    for (size_t t = 0; t < p.size(); t++) {
      long at = (first + (long)t) * ld;
      double ds = p[t] * (slope[t] - mean) / std::sqrt((double)hd);
      for (long i = 0; i < hd; i++) out[query + i] += ds * qkv[at + key + i], out[at + key + i] += ds * qkv[query + i];
    }
  });
  return out;
}

/// Columns [first, first + n) of rows.
Wide columns(const Wide& x, long width, long first, long n) {
  Wide out;
  for (size_t r = 0; r < x.size(); r += width) out.insert(out.end(), x.begin() + r + first, x.begin() + r + first + n);
  return out;
}

void isNear(const Wide& actual, const Wide& expected, double tolerance, const std::string& what) {
  double gap = 0, size = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    gap += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  double relative = std::sqrt(gap / size);
  check::that(relative <= tolerance, what + " is off by " + std::to_string(relative) + " of its size");
}

/// The same rows through pages, in steps of the given rows of each sequence; one row means that it stands alone.
template <class T>
std::vector<T> throughPages(const Sizes& z, const std::vector<T>& qkv, int32_t step, Stream s) {
  Shape shape = z.shape();
  long ldPages = 16, pageSize = (long)z.kvHeads * 2 * kPageKeys * z.headSize, sequences = (long)z.lengths.size();
  // Rows of the device's table in turned order, the layer's part second in each page, and nothing there but NaN.
  Memory<T> pages(sequences * ldPages * 2 * pageSize);
  fill(pages, 0xff, sequences * ldPages * 2 * pageSize * sizeof(T), s);
  std::vector<T*> table(sequences * ldPages);
  for (size_t i = 0; i < table.size(); i++) table[i] = pages + (table.size() - 1 - i) * 2 * pageSize;
  Memory<T*> deviceTable;
  deviceTable.upload(table.data(), (long)table.size(), s);
  // No more room than for rows at first, so that long ones outgrow it.
  PagedAttention<T> attention(shape, 2, std::min<long>(z.rows(), step * sequences));
  std::vector<T> out(z.rows() * z.outWidth());
  int32_t longest = *std::max_element(z.lengths.begin(), z.lengths.end());
  for (int32_t at = 0; at < longest; at += step) {
    std::vector<int32_t> positions, slots, rows;
    for (int32_t q = 0, first = 0; q < (int32_t)sequences; first += z.lengths[q++])
      for (int32_t t = at; t < std::min(at + step, z.lengths[q]); t++) {
        positions.push_back(t), slots.push_back(q);
        rows.push_back(first + t);
      }
    std::vector<T> mine;
    for (int32_t r : rows) mine.insert(mine.end(), &qkv[r * z.width()], &qkv[r * z.width()] + z.width());
    long n = (long)rows.size();
    Memory<T> x, result(n * z.outWidth());
    Memory<int32_t> devicePositions, deviceSlots;
    x.upload(mine.data(), (long)mine.size(), s);
    CacheRows<T> cache{devicePositions.upload(positions.data(), n, s), deviceSlots.upload(slots.data(), n, s), deviceTable, ldPages,
                       pageSize};
    launch(s, dim3((unsigned)n, (unsigned)z.kvHeads), kWarp, 0, storeKeys<T>, x, z.width(), cache, z.heads, z.kvHeads, z.headSize);
    attention.plan(positions, slots, step == 1, s);
    attention.run(s, x, cache, result);
    auto found = fetched(result, n * z.outWidth(), s);
    for (long i = 0; i < n; i++) std::copy_n(&found[i * z.outWidth()], z.outWidth(), &out[rows[i] * z.outWidth()]);
  }
  return out;
}

template <class T>
void testSizes(const Sizes& z, Stream s) {
  check::place = std::string(isBf16<T> ? "bf16, " : "fp32, ") + z.name();
  Chance chance(41);
  Shape shape = z.shape();
  auto qkv = drawn<T>(chance, z.rows() * z.width());
  Memory<T> deviceQkv, out(z.rows() * z.outWidth());
  Memory<float> logSums(z.rows() * z.heads);
  PackedAttention<T> attention(shape);
  attention.take(z.lengths, s);
  attention.forward(s, deviceQkv.upload(qkv.data(), (long)qkv.size(), s), out, logSums);
  auto packed = fetched(out, z.rows() * z.outWidth(), s);
  isNear(wide(packed), attended(z, wide(qkv)), kTolerance<T>, "the result");
  auto dout = drawn<T>(chance, z.rows() * z.outWidth());
  Memory<T> deviceDout, dqkv(z.rows() * z.width());
  attention.backward(s, deviceQkv, deviceDout.upload(dout.data(), (long)dout.size(), s), out, logSums, dqkv);
  auto found = wide(fetched(dqkv, z.rows() * z.width(), s));
  Wide wanted = gradients(z, wide(qkv), wide(dout));
  long q = z.outWidth(), k = (long)z.kvHeads * z.headSize, w = z.width();
  // A sequence of one row has no gradient but its value's.
  bool hasSlopes = z.rows() > (int32_t)z.lengths.size();
  if (hasSlopes) isNear(columns(found, w, 0, q), columns(wanted, w, 0, q), kTolerance<T>, "the queries' gradient");
  if (hasSlopes) isNear(columns(found, w, q, k), columns(wanted, w, q, k), kTolerance<T>, "the keys' gradient");
  isNear(columns(found, w, q + k, k), columns(wanted, w, q + k, k), kTolerance<T>, "the values' gradient");
  for (int32_t step : {1, 50, 1000}) {
    auto paged = throughPages(z, qkv, step, s);
    check::that(std::memcmp(paged.data(), packed.data(), sizeof(T) * packed.size()) == 0,
                "pages filled by " + std::to_string(step) + " give other bits than the packed pass");
  }
}

}  // namespace

int main() {
  Stream s = newStream();
  for (const Sizes& z : {Sizes{6, 2, 10, {3, 1, 70}}, {4, 1, 40, {64, 65, 2}}, {2, 1, 256, {67}}}) testSizes<float>(z, s);
  // Groups of heads that fill a tile evenly and some that do not, every width and sizes that fill none, and lengths on both
  // sides of a block and of a span.
  for (const Sizes& z : {Sizes{1, 1, 16, {1, 270}}, {6, 2, 10, {3, 1, 70}}, {4, 1, 40, {64, 65, 2}}, {16, 1, 32, {20, 66}},
                         {3, 3, 64, {128, 33}}, {14, 2, 64, {70}}, {5, 1, 128, {129}}, {2, 1, 256, {67}}, {1, 1, 98, {140}}})
    testSizes<Bf16>(z, s);
  endStream(s);
  std::printf(check::failures == 0 ? "all attention tests passed\n" : "%ld attention tests failed\n", check::failures);
  return check::failures == 0 ? 0 : 1;
}

// What stands for NVIDIA's cuBLASLt beside the emulator: the functions of it that ../library-products.h calls, as plain
// loops over host memory. It refuses what the library would.
#include <cstdint>
#include <cstring>

namespace {

constexpr int kSuccess = 0, kBadValue = 7, kNotSupported = 15;
constexpr int kFloat32 = 0, kBf16 = 14, kCompute32 = 68;

struct Product {
  int compute, scale;
  int32_t transposeA = 0, transposeB = 0;
};
struct Layout {
  int type;
  long rows, columns, ld;
};
struct Preference {
  uint64_t workspace = 0;
  uint32_t alignments[4] = {256, 256, 256, 256};
};
struct Candidate {
  uint64_t algorithm[8];
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};

float at(const void* data, const Layout& of, long row, long column) {
  long i = row + column * of.ld;
  if (of.type == kFloat32) return static_cast<const float*>(data)[i];
  uint32_t bits = (uint32_t) static_cast<const uint16_t*>(data)[i] << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
void put(void* data, const Layout& of, long row, long column, float x) {
  long i = row + column * of.ld;
  if (of.type == kFloat32) {
    static_cast<float*>(data)[i] = x;
    return;
  }
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  static_cast<uint16_t*>(data)[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <class T>
int create(void** out, T made) {
  *out = new T(made);
  return kSuccess;
}
template <class T>
int destroy(void* p) {
  delete static_cast<T*>(p);
  return kSuccess;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default"))) int

EXPORTED cublasLtCreate(void** out) { return create(out, 0); }
EXPORTED cublasLtDestroy(void* p) { return destroy<int>(p); }
EXPORTED cublasLtMatmulDescCreate(void** out, int compute, int scale) { return create(out, Product{compute, scale}); }
EXPORTED cublasLtMatmulDescDestroy(void* p) { return destroy<Product>(p); }
EXPORTED cublasLtMatmulDescSetAttribute(void* p, int attribute, const void* value, size_t bytes) {
  if (bytes != 4 || (attribute != 3 && attribute != 4)) return kBadValue;
  std::memcpy(attribute == 3 ? &static_cast<Product*>(p)->transposeA : &static_cast<Product*>(p)->transposeB, value, 4);
  return kSuccess;
}
EXPORTED cublasLtMatrixLayoutCreate(void** out, int type, uint64_t rows, uint64_t columns, int64_t ld) {
  if (rows == 0 || columns == 0 || ld < (int64_t)rows || (type != kFloat32 && type != kBf16)) return kBadValue;
  return create(out, Layout{type, (long)rows, (long)columns, (long)ld});
}
EXPORTED cublasLtMatrixLayoutDestroy(void* p) { return destroy<Layout>(p); }
EXPORTED cublasLtMatmulPreferenceCreate(void** out) { return create(out, Preference{}); }
EXPORTED cublasLtMatmulPreferenceDestroy(void* p) { return destroy<Preference>(p); }
EXPORTED cublasLtMatmulPreferenceSetAttribute(void* p, int attribute, const void* value, size_t bytes) {
  auto* preference = static_cast<Preference*>(p);
  if (attribute == 1 && bytes == 8) std::memcpy(&preference->workspace, value, 8);
  else if (attribute >= 5 && attribute <= 8 && bytes == 4) std::memcpy(&preference->alignments[attribute - 5], value, 4);
  else return kBadValue;
  return kSuccess;
}

EXPORTED cublasLtMatmulAlgoGetHeuristic(void*, void* product, void* a, void* b, void* c, void* d, void* preference, int wanted,
                                        Candidate* best, int* found) {
  const auto& p = *static_cast<Product*>(product);
  const auto &la = *static_cast<Layout*>(a), &lb = *static_cast<Layout*>(b), &lc = *static_cast<Layout*>(c);
  const auto& ld = *static_cast<Layout*>(d);
  *found = 0;
  long k = p.transposeA ? la.rows : la.columns, m = p.transposeA ? la.columns : la.rows;
  bool fits = (p.transposeB ? lb.columns : lb.rows) == k && (p.transposeB ? lb.rows : lb.columns) == lc.columns && lc.rows == m;
  if (!fits || wanted < 1 || ld.rows != lc.rows || ld.columns != lc.columns) return kBadValue;
  if (p.compute != kCompute32 || p.scale != kFloat32 || la.type != lb.type || lc.type != ld.type) return kNotSupported;
  if (la.type == kFloat32 && lc.type != kFloat32) return kNotSupported;
  // Places that are no whole number of elements are taken by no kernel; and here, as an example of sizes that none takes,
  // bf16 with an odd leading dimension.
  for (uint32_t alignment : static_cast<Preference*>(preference)->alignments)
    if (alignment < 2) return kNotSupported;
  if (la.type == kBf16 && (la.ld % 2 != 0 || lb.ld % 2 != 0)) return kNotSupported;
  *best = {};
  best->algorithm[0] = 1;
  *found = 1;
  return kSuccess;
}

EXPORTED cublasLtMatmul(void*, void* product, const void* alpha, const void* a, void* layoutA, const void* b, void* layoutB,
                        const void* beta, const void* c, void* layoutC, void* d, void* layoutD, const void* algorithm, void* workspace,
                        size_t workspaceBytes, void*) {
  const auto& p = *static_cast<Product*>(product);
  const auto &la = *static_cast<Layout*>(layoutA), &lb = *static_cast<Layout*>(layoutB), &lc = *static_cast<Layout*>(layoutC);
  if (*static_cast<const uint64_t*>(algorithm) != 1 || workspace == nullptr || workspaceBytes == 0) return kBadValue;
  float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  long k = p.transposeA ? la.rows : la.columns;
  for (long j = 0; j < lc.columns; j++)
    for (long i = 0; i < lc.rows; i++) {
      // From the last k to the first: another order than the engine's own products, as the library's would be.
      float sum = 0;
      for (long l = k; l-- > 0;)
        sum += at(a, la, p.transposeA ? l : i, p.transposeA ? i : l) * at(b, lb, p.transposeB ? j : l, p.transposeB ? l : j);
      // With keep 0 what c holds is not read: it may be NaN.
      put(d, *static_cast<Layout*>(layoutD), i, j, keep == 0 ? scale * sum : scale * sum + keep * at(c, lc, i, j));
    }
  return kSuccess;
}

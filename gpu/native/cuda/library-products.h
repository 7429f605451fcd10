// Products of the fast mode's gradients by NVIDIA's cuBLASLt, opened at run time: nothing of it is needed to build. Its
// sums run in the order that is fastest for sizes and chip, so the forward pass never uses it. Source of prototypes and
// numbers: the cuBLAS documentation, "Using the cuBLASLt API", the same for versions 12 and 13.
#pragma once
#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>

#include "host.h"

namespace troupe::cuda {

/// The library's functions that are used, by their names there without "cublasLt".
struct BlasLt {
  struct Algorithm {
    uint64_t data[8];
  };
  struct Candidate {
    Algorithm algorithm;
    size_t workspace;
    int status;
    float waves;
    int reserved[4];
  };
  static constexpr int kSuccess = 0, kNotSupported = 15;
  static constexpr int kFloat32 = 0, kBf16 = 14, kComputeFloat32 = 68;
  static constexpr int kTransposeB = 4, kTransposed = 1;
  static constexpr int kMostWorkspace = 1, kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;

  int (*Create)(void**);
  int (*Destroy)(void*);
  int (*MatmulDescCreate)(void**, int compute, int scale);
  int (*MatmulDescDestroy)(void*);
  int (*MatmulDescSetAttribute)(void*, int attribute, const void*, size_t);
  int (*MatrixLayoutCreate)(void**, int type, uint64_t rows, uint64_t columns, int64_t ld);
  int (*MatrixLayoutDestroy)(void*);
  int (*MatmulPreferenceCreate)(void**);
  int (*MatmulPreferenceDestroy)(void*);
  int (*MatmulPreferenceSetAttribute)(void*, int attribute, const void*, size_t);
  int (*MatmulAlgoGetHeuristic)(void*, void* product, void* a, void* b, void* c, void* d, void* preference, int wanted, Candidate*,
                                int* found);
  int (*Matmul)(void*, void* product, const void* alpha, const void* a, void* layoutA, const void* b, void* layoutB, const void* beta,
                const void* c, void* layoutC, void* d, void* layoutD, const Algorithm*, void* workspace, size_t, void* stream);

  /// One for the process, never closed. Throws BadInput saying what was looked for when there is none.
  static const BlasLt& open() {
    static const BlasLt library;
    return library;
  }

 private:
  BlasLt() {
    const char* named = std::getenv("TROUPE_CUBLASLT");
    void* library = nullptr;
    std::string looked, problem;
    auto tryFile = [&](const char* file) {
      if (library != nullptr) return;
      looked += (looked.empty() ? "" : " and ") + std::string(file);
      library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) problem = dlerror();
    };
    if (named != nullptr) tryFile(named);
    else tryFile("libcublasLt.so.13"), tryFile("libcublasLt.so.12");
    if (library == nullptr)
      throw Failure(TR_BAD_INPUT, "invariant is false, which needs cuBLASLt; looked for " + looked + " (" + problem +
                                      "). TROUPE_CUBLASLT names its file; without it leave invariant true");
    auto find = [&](auto& function, const char* name) {
      std::string symbol = std::string("cublasLt") + name;
      void* found = dlsym(library, symbol.c_str());
      if (found == nullptr) throw Failure(TR_BAD_INPUT, "invariant is false, and " + looked + " lacks " + symbol);
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    find(Create, "Create"), find(Destroy, "Destroy");
    find(MatmulDescCreate, "MatmulDescCreate"), find(MatmulDescDestroy, "MatmulDescDestroy");
    find(MatmulDescSetAttribute, "MatmulDescSetAttribute");
    find(MatrixLayoutCreate, "MatrixLayoutCreate"), find(MatrixLayoutDestroy, "MatrixLayoutDestroy");
    find(MatmulPreferenceCreate, "MatmulPreferenceCreate"), find(MatmulPreferenceDestroy, "MatmulPreferenceDestroy");
    find(MatmulPreferenceSetAttribute, "MatmulPreferenceSetAttribute");
    find(MatmulAlgoGetHeuristic, "MatmulAlgoGetHeuristic"), find(Matmul, "Matmul");
  }
};

/// The products of one stream.
class LibraryProducts {
 public:
  explicit LibraryProducts(Stream s) : lt_(BlasLt::open()), stream_(s), handle_(make(lt_.Create, lt_.Destroy)), workspace_(kWorkspace) {}

  /// dx [rows, inputs] = keep · dx + dy [rows, outputs] · w [outputs, inputs]; false, with nothing done, when the library
  /// has no way for the sizes. A row-major matrix is the library's transposed, so this is dxᵀ = wᵀ · dyᵀ.
  template <class T, class Out>
  bool inputGrad(const T* dy, const T* w, Out* dx, long rows, long outputs, long inputs, float keep) {
    return multiply(w, inputs, outputs, dy, outputs, rows, false, dx, keep);
  }
  /// grad [outputs, inputs] += dyᵀ [outputs, rows] · x [rows, inputs], as gradᵀ = xᵀ · dy; false as above.
  template <class T>
  bool weightGrad(const T* dy, const T* x, float* grad, long rows, long outputs, long inputs) {
    return multiply(x, inputs, rows, dy, outputs, rows, true, grad, 1.f);
  }

 private:
  using Owned = std::unique_ptr<void, int (*)(void*)>;
  // What NVIDIA recommends for sm_90.
  static constexpr size_t kWorkspace = size_t{32} << 20;

  static void demand(int status) {
    if (status != BlasLt::kSuccess) throw Failure(TR_INTERNAL, "cuBLASLt stopped with status " + std::to_string(status));
  }
  template <class... P, class... A>
  static Owned make(int (*create)(void**, P...), int (*destroy)(void*), A... args) {
    void* made = nullptr;
    demand(create(&made, static_cast<P>(args)...));
    return Owned(made, destroy);
  }
  template <class V>
  Owned layout(long rows, long columns) const {
    return make(lt_.MatrixLayoutCreate, lt_.MatrixLayoutDestroy, std::is_same_v<V, float> ? BlasLt::kFloat32 : BlasLt::kBf16, rows, columns,
                rows);
  }
  /// The library takes more for granted than places in flat arrays give.
  static uint32_t alignmentOf(const void* p) {
    uintptr_t address = reinterpret_cast<uintptr_t>(p), lowest = address & (~address + 1);
    return lowest == 0 || lowest > 256 ? 256 : (uint32_t)lowest;
  }

  /// c = a · b + keep · c, or a · bᵀ, all column-major without gaps; a is [m, k], b [rowsB, columnsB].
  template <class T, class Out>
  bool multiply(const T* a, long m, long k, const T* b, long rowsB, long columnsB, bool isTransposed, Out* c, float keep) {
    long n = isTransposed ? rowsB : columnsB;
    if (m == 0 || n == 0 || k == 0) return false;
    Owned product = make(lt_.MatmulDescCreate, lt_.MatmulDescDestroy, BlasLt::kComputeFloat32, BlasLt::kFloat32);
    int32_t transposed = BlasLt::kTransposed;
    if (isTransposed) demand(lt_.MatmulDescSetAttribute(product.get(), BlasLt::kTransposeB, &transposed, sizeof transposed));
    Owned layoutA = layout<T>(m, k), layoutB = layout<T>(rowsB, columnsB), layoutC = layout<Out>(m, n);
    Owned preference = make(lt_.MatmulPreferenceCreate, lt_.MatmulPreferenceDestroy);
    auto prefer = [&](int attribute, auto value) {
      demand(lt_.MatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value));
    };
    prefer(BlasLt::kMostWorkspace, (uint64_t)kWorkspace);
    prefer(BlasLt::kAlignmentA, alignmentOf(a)), prefer(BlasLt::kAlignmentB, alignmentOf(b));
    prefer(BlasLt::kAlignmentC, alignmentOf(c)), prefer(BlasLt::kAlignmentD, alignmentOf(c));
    BlasLt::Candidate best{};
    int found = 0;
    // The library remembers its answers.
    int status = lt_.MatmulAlgoGetHeuristic(handle_.get(), product.get(), layoutA.get(), layoutB.get(), layoutC.get(), layoutC.get(),
                                            preference.get(), 1, &best, &found);
    if (status == BlasLt::kNotSupported || (status == BlasLt::kSuccess && found == 0)) return false;
    demand(status);
    float one = 1;
    demand(lt_.Matmul(handle_.get(), product.get(), &one, a, layoutA.get(), b, layoutB.get(), &keep, c, layoutC.get(), c, layoutC.get(),
                      &best.algorithm, workspace_, kWorkspace, handleOf(stream_)));
    return true;
  }

  const BlasLt& lt_;
  Stream stream_;
  Owned handle_;
  Memory<char> workspace_;
};

}  // namespace troupe::cuda

#include "select-kernels.h"

#include <cstdlib>
#include <vector>

#include "failure.h"

namespace troupe {
namespace {

std::vector<const Kernels*> runnable() {
  std::vector<const Kernels*> sets;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    sets.push_back(kernelsAvx512());
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(kernelsAvx2());
#endif
  sets.push_back(kernelsBaseline());
  return sets;
}

}  // namespace

const Kernels& selectedKernels() {
  static const Kernels* chosen = [] {
    std::vector<const Kernels*> sets = runnable();
    const char* wanted = std::getenv("TROUPE_KERNELS");
    if (wanted == nullptr || *wanted == '\0') return sets.front();
    for (const Kernels* set : sets)
      if (std::string(wanted) == set->name) return set;
    throw Failure(TR_NO_KERNELS, "TROUPE_KERNELS is \"" + std::string(wanted) + "\", this CPU has: " + kernelSets());
  }();
  return *chosen;
}

const std::string& kernelSets() {
  static const std::string names = [] {
    std::string text;
    for (const Kernels* set : runnable()) text += (text.empty() ? "" : " ") + std::string(set->name);
    return text;
  }();
  return names;
}

}  // namespace troupe

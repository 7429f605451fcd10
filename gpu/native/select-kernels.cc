#include "select-kernels.h"

#include <cstdlib>
#include <mutex>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "failure.h"

namespace troupe {
namespace {

struct Set {
  const char* name;
  const Kernels* (*kernels)(Format);
};

#if defined(__x86_64__)
// By CPUID, as not every supported compiler knows these by name.
[[maybe_unused]] bool hasAvx512Bf16() {
  unsigned a = 0, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1) != 0;
}

/// Tiles and their bf16 product; Linux lends the tiles' registers to a process that asks for them.
[[maybe_unused]] bool hasAmx() {
#if defined(__linux__)
  unsigned a, b, c, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d >> 22 & 1) == 0 || (d >> 24 & 1) == 0) return false;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

/// What this CPU can run, best first.
std::vector<Set> runnable(Format format) {
  std::vector<Set> sets;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    // In fp32 these have nothing of their own.
#if defined(TROUPE_HAS_AMX)
    if (format == Format::Bf16 && hasAvx512Bf16() && hasAmx()) sets.push_back({"amx", kernelsAmx});
#endif
#if defined(TROUPE_HAS_AVX512BF16)
    if (format == Format::Bf16 && hasAvx512Bf16()) sets.push_back({"avx512bf16", kernelsAvx512bf16});
#endif
    sets.push_back({"avx512", kernelsAvx512});
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back({"avx2", kernelsAvx2});
#else
  (void)format;
#endif
  sets.push_back({"baseline", kernelsBaseline});
  return sets;
}

std::string namesOf(const std::vector<Set>& sets) {
  std::string text;
  for (const Set& set : sets) text += (text.empty() ? "" : " ") + std::string(set.name);
  return text;
}

const Kernels* choose(Format format) {
  std::vector<Set> sets = runnable(format);
  const char* wanted = std::getenv("TROUPE_KERNELS");
  if (wanted == nullptr || *wanted == '\0') return sets.front().kernels(format);
  for (const Set& set : sets)
    if (std::string(wanted) == set.name) return set.kernels(format);
  throw Failure(TR_NO_KERNELS, "TROUPE_KERNELS is \"" + std::string(wanted) + "\", this CPU has: " + namesOf(sets));
}

}  // namespace

const Kernels& selectedKernels(Format format) {
  static const Kernels *fp32 = nullptr, *bf16 = nullptr;
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  const Kernels*& chosen = format == Format::Bf16 ? bf16 : fp32;
  if (chosen == nullptr) chosen = choose(format);
  return *chosen;
}

std::vector<const Kernels*> runnableKernels(Format format) {
  std::vector<const Kernels*> kernels;
  for (const Set& set : runnable(format)) kernels.push_back(set.kernels(format));
  return kernels;
}

const std::string& kernelSets(Format format) {
  static const std::string fp32 = namesOf(runnable(Format::Fp32)), bf16 = namesOf(runnable(Format::Bf16));
  return format == Format::Bf16 ? bf16 : fp32;
}

}  // namespace troupe

// Tests of the native code without JavaScript: every operation with every kernel set of this CPU, then files and the engine.
#include "cases.h"
#include "select-kernels.h"

int main() {
  using troupe::Format;
  for (Format format : {Format::Fp32, Format::Bf16})
    for (const troupe::Kernels* kernels : troupe::runnableKernels(format)) {
      check::place = kernels->name;
      testProductsOf(*kernels, format);
      if (format == Format::Bf16) continue;
      testRowsOf(*kernels);
      testAttentionOf(*kernels);
    }
  check::place = "files";
  testFiles();
  check::place = "engine";
  testEngine();
  std::printf(check::failures == 0 ? "all native tests passed\n" : "%ld native tests failed\n", check::failures);
  return check::failures == 0 ? 0 : 1;
}

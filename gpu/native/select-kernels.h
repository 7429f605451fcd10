// Which kernel set runs on this CPU.
#pragma once
#include <string>

#include "kernels.h"

namespace troupe {

/// Chosen once: the best that CPU and build have, or the one that TROUPE_KERNELS names. Throws NoKernels.
const Kernels& selectedKernels();
/// Names of all that could be chosen, best first, separated by spaces.
const std::string& kernelSets();

}  // namespace troupe

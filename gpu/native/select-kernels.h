// Which kernel set runs on this CPU.
#pragma once
#include <string>
#include <vector>

#include "kernels.h"

namespace troupe {

/// Chosen once: the best that CPU and build have for the format, or the one that TROUPE_KERNELS names. Throws NoKernels.
const Kernels& selectedKernels(Format);
/// All sets that could be chosen for the format, best first.
std::vector<const Kernels*> runnableKernels(Format);
/// Names of all sets that could be chosen for the format, best first, separated by spaces.
const std::string& kernelSets(Format);

}  // namespace troupe

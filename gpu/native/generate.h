// Sampling with a paged key/value cache and continuous batching: requests join as others finish.
#pragma once
#include <vector>

#include "run-requests.h"
#include "store.h"

namespace troupe {

/// Completions in the order of the requests. Throws BadInput for the first request that cannot be served; see
/// tr_pin_generate.
std::vector<Completion> generate(Store&, const PackedWeights&, const TrRequests&, const GenerateOptions&);

}  // namespace troupe

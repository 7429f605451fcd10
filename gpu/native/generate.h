// Sampling with a key/value cache and continuous batching: requests join as others finish.
#pragma once
#include <atomic>
#include <vector>

#include "store.h"

namespace troupe {

/// What a generate call gives, in the order of the requests.
struct Completion {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs, entropies;
  TrStopReason reason = TR_ABORTED;
};

/// Throws BadInput for the first request that cannot be served; see tr_store_generate.
std::vector<Completion> generate(Store&, const TrRequests&, int maxInFlight, const std::atomic<bool>* abort, int64_t* version);

}  // namespace troupe

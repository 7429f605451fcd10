// Sampling with a paged key/value cache and continuous batching: requests join as others finish.
#pragma once
#include <atomic>
#include <functional>
#include <vector>

#include "sequence.h"
#include "store.h"

namespace troupe {

struct GenerateOptions {
  long maxInFlight;
  const std::atomic<bool>* abort = nullptr;
  /// Gets the tokens that an iteration recorded: request numbers and tokens, side by side, in order for each request.
  std::function<void(const std::vector<int32_t>& requests, const std::vector<int32_t>& tokens)> onTokens;
};

/// Completions in the order of the requests. Throws BadInput for the first request that cannot be served; see
/// tr_store_generate.
std::vector<Completion> generate(Store&, const TrRequests&, const GenerateOptions&, int64_t* version);

}  // namespace troupe

// The sampling loop that every backend shares: which rows come next, what becomes of the tokens, when a request is done.
// A backend computes the rows.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "sequence.h"

namespace troupe {

struct GenerateOptions {
  long maxInFlight;
  const std::atomic<bool>* abort = nullptr;
  /// Gets the tokens that an iteration recorded: request numbers and tokens, side by side, in order for each request.
  std::function<void(const std::vector<int32_t>& requests, const std::vector<int32_t>& tokens)> onTokens;
};

/// Completions in the order of the requests, which were checked. `advance` computes the `rows` next rows of every chosen
/// sequence and, with Sequence::settle and record, what follows those that predict a response token. `places`: sequences
/// in flight at most. Throws BadInput for a request that the pool can never hold.
std::vector<Completion> runRequests(PagePool&, std::shared_ptr<const Vocabulary>, const TrRequests&, long places,
                                    const GenerateOptions&, const std::function<void(const std::vector<Sequence*>&)>& advance);

}  // namespace troupe

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
  /// Gets the tokens that an iteration recorded: request numbers and tokens, side by side, in order for each request; one
  /// call at a time.
  std::function<void(const std::vector<int32_t>& requests, const std::vector<int32_t>& tokens)> onTokens;
};

/// How many threads decode beside each other, each with sequences of its own and no step in common, and how many
/// sequences each has in flight at most.
struct Lanes {
  long count, places;
};

/// Completions in the order of the requests, which were checked. `advance` computes the `rows` next rows of every chosen
/// sequence and, with Sequence::settle and record, what follows those that predict a response token; lanes call it at
/// the same time. Throws BadInput for a request that the pool can never hold.
std::vector<Completion> runRequests(PagePool&, std::shared_ptr<const Vocabulary>, const TrRequests&, Lanes, const GenerateOptions&,
                                    const std::function<void(const std::vector<Sequence*>&)>& advance);

}  // namespace troupe

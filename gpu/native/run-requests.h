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

/// Threads that decode beside each other, each with sequences of its own and no step in common: whose pages each of them
/// takes, and how many sequences each has in flight at most.
struct Lanes {
  std::vector<PagePool*> pools;
  long places;
  long count() const { return (long)pools.size(); }
};

/// Completions in the order of the requests, which were checked. `advance` computes the `rows` next rows of every chosen
/// sequence and, with Sequence::settle and record, what follows those that predict a response token; lanes call it at
/// the same time, each with its number. Throws BadInput for a request that a pool can never hold.
std::vector<Completion> runRequests(const Lanes&, std::shared_ptr<const Vocabulary>, const TrRequests&, const GenerateOptions&,
                                    const std::function<void(long lane, const std::vector<Sequence*>&)>& advance);

}  // namespace troupe

// One request on its way: what it is made of, what was recorded, and what of it stands in the cache.
#pragma once
#include <memory>
#include <vector>

#include "budget-rules.h"
#include "choose.h"
#include "page-pool.h"
#include "stop-strings.h"

namespace troupe {

/// What a generate call gives for one request.
struct Completion {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs, entropies;
  std::vector<uint8_t> origins;  // TrOrigin
  TrStopReason reason = TR_ABORTED;
};

struct Sequence {
  Sequence(const TrRequests&, long request, const Vocabulary*);

  long request;
  /// Prompt and response. Beyond what is recorded stand tokens that are given: forced or injected.
  std::vector<int32_t> tokens;
  long prompt;
  long forced;  // response tokens that the request gives
  /// Tokens whose keys and values are in `pages`, and how many more this iteration adds.
  long cached = 0, rows = 0;
  std::vector<Page*> pages;
  bool hasBegun = false;  // counted by its shared prompt
  BudgetRules rules;
  StopStrings stops;
  Completion result;
  long streamed = 0;
  bool done = false;

  /// Whether the token at `position`, the next that is not settled, is given; budget rules may give it here. Positions
  /// come in order; several may be settled before the first is recorded.
  bool settle(const TrRequests&, long position);
  /// Records the token at a settled position: the given one, or the one that was drawn. Nothing once it is done.
  void record(const TrRequests&, long position, const Choice&, bool isGiven);

  long recorded() const { return (long)result.tokens.size(); }
  long missing() const { return (long)tokens.size() - cached; }
};

}  // namespace troupe

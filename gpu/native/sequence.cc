#include "sequence.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "failure.h"

namespace troupe {

Sequence::Sequence(const TrRequests& r, long i, const Vocabulary* vocabulary)
    : request(i),
      tokens(r.promptTokens + r.promptOffsets[i], r.promptTokens + r.promptOffsets[i + 1]),
      prompt((long)tokens.size()),
      forced(std::min<long>(r.forcedOffsets[i + 1] - r.forcedOffsets[i], r.maxTokens[i])),
      rules(r, i),
      stops(r, i, vocabulary) {
  const int32_t* given = r.forcedTokens + r.forcedOffsets[i];
  tokens.insert(tokens.end(), given, given + forced);
}

bool Sequence::settle(const TrRequests& r, long position) {
  if (position == (long)tokens.size()) {
    long left = std::max(0l, r.maxTokens[request] - (position - prompt));
    BudgetRules::Tokens injected = rules.due();
    tokens.insert(tokens.end(), injected.begin, injected.begin + std::min<long>(left, injected.end - injected.begin));
  }
  bool isGiven = position < (long)tokens.size();
  if (isGiven) rules.see(tokens[position]);
  return isGiven;
}

void Sequence::record(const TrRequests& r, long position, const Choice& c, bool isGiven) {
  if (done) return;
  long at = position - prompt;
  if (!isGiven) {
    tokens.push_back(c.token);
    rules.see(c.token);
  }
  if (!std::isfinite(c.logprob))
    throw Failure(TR_NOT_FINITE, "the logprob of response token " + std::to_string(at) + " of request " + std::to_string(request) +
                                     " is not a finite number");
  result.tokens.push_back(c.token);
  result.logprobs.push_back(c.logprob);
  result.entropies.push_back(c.entropy);
  result.origins.push_back(!isGiven ? TR_SAMPLED : at < forced ? TR_FORCED : TR_INJECTED);
  bool endsString = stops.see(c.token);
  const int32_t *stop = r.stopTokens + r.stopOffsets[request], *end = r.stopTokens + r.stopOffsets[request + 1];
  auto finish = [&](TrStopReason reason) { result.reason = reason, done = true; };
  if (!isGiven && (endsString || std::find(stop, end, c.token) != end)) finish(TR_STOP);
  else if (at + 1 >= r.maxTokens[request]) finish(TR_LENGTH);
}

}  // namespace troupe

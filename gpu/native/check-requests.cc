#include "check-requests.h"

#include <cmath>
#include <string>

#include "failure.h"

namespace troupe {

void checkRequests(const TrRequests& r, const Shape& s, bool hasVocabulary) {
  for (long i = 0; i < r.count; i++) {
    std::string who = "request " + std::to_string(i);
    auto demand = [&](bool holds, const char* text) {
      if (!holds) throw Failure(TR_BAD_INPUT, who + " " + text);
    };
    auto within = [&](const int32_t* tokens, long first, long last) {
      for (long t = first; t < last; t++)
        if (tokens[t] < 0 || tokens[t] >= s.vocabSize)
          throw Failure(TR_BAD_INPUT, who + " has token " + std::to_string(tokens[t]) + ", outside the vocabulary of " + std::to_string(s.vocabSize));
    };
    long prompt = r.promptOffsets[i + 1] - r.promptOffsets[i];
    demand(prompt > 0, "has an empty prompt");
    demand(r.maxTokens[i] > 0, "must be allowed at least one token");
    if (prompt + r.maxTokens[i] > s.maxPositions)
      throw Failure(TR_BAD_INPUT, who + " may reach " + std::to_string(prompt + r.maxTokens[i]) + " tokens, more than maxPositions " +
                                      std::to_string(s.maxPositions));
    demand(r.temperature[i] >= 0 && std::isfinite(r.temperature[i]), "needs a temperature of 0 or more");
    demand(r.topP[i] > 0 && r.topP[i] <= 1, "needs topP in (0, 1]");
    demand(r.minP[i] >= 0 && r.minP[i] <= 1, "needs minP in [0, 1]");
    demand(r.topK[i] >= 0, "needs topK of 0 or more");
    within(r.promptTokens, r.promptOffsets[i], r.promptOffsets[i + 1]);
    within(r.forcedTokens, r.forcedOffsets[i], r.forcedOffsets[i + 1]);
    within(r.stopTokens, r.stopOffsets[i], r.stopOffsets[i + 1]);
    within(r.biasTokens, r.biasOffsets[i], r.biasOffsets[i + 1]);
    for (long b = r.biasOffsets[i]; b < r.biasOffsets[i + 1]; b++) demand(std::isfinite(r.biasValues[b]), "has a logit bias that is not finite");
    for (long t = r.stopStringOffsets[i]; t < r.stopStringOffsets[i + 1]; t++)
      demand(r.stopByteOffsets[t + 1] > r.stopByteOffsets[t], "has an empty stop string");
    demand(hasVocabulary || r.stopStringOffsets[i] == r.stopStringOffsets[i + 1],
           "has stop strings, and the engine was not given the vocabulary's bytes");
    for (long b = r.ruleOffsets[i]; b < r.ruleOffsets[i + 1]; b++) {
      demand(r.ruleLimits[b] >= 0, "has a budget rule with a limit below 0");
      demand(r.untilOffsets[b] < r.untilOffsets[b + 1], "has a budget rule without a token that ends its span");
      demand(r.injectOffsets[b] < r.injectOffsets[b + 1], "has a budget rule without tokens to inject");
      within(r.fromTokens, r.fromOffsets[b], r.fromOffsets[b + 1]);
      within(r.untilTokens, r.untilOffsets[b], r.untilOffsets[b + 1]);
      within(r.injectTokens, r.injectOffsets[b], r.injectOffsets[b + 1]);
    }
  }
}

}  // namespace troupe

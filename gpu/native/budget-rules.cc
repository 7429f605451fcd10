#include "budget-rules.h"

#include <algorithm>

namespace troupe {
namespace {

bool holds(const int32_t* tokens, const int32_t* offsets, long index, int32_t token) {
  const int32_t* end = tokens + offsets[index + 1];
  return std::find(tokens + offsets[index], end, token) != end;
}

}  // namespace

BudgetRules::BudgetRules(const TrRequests& r, long request) : requests_(&r) {
  for (long i = r.ruleOffsets[request]; i < r.ruleOffsets[request + 1]; i++)
    rules_.push_back({i, r.fromOffsets[i] == r.fromOffsets[i + 1], false, 0});
}

void BudgetRules::see(int32_t token) {
  const TrRequests& r = *requests_;
  for (Rule& rule : rules_) {
    if (rule.isDone) continue;
    if (!rule.isOpen) rule.isOpen = holds(r.fromTokens, r.fromOffsets, rule.index, token);
    else if (holds(r.untilTokens, r.untilOffsets, rule.index, token)) rule.isDone = true;
    else rule.spent++;
  }
}

BudgetRules::Tokens BudgetRules::due() {
  const TrRequests& r = *requests_;
  for (Rule& rule : rules_) {
    if (rule.isDone || !rule.isOpen || rule.spent < r.ruleLimits[rule.index]) continue;
    rule.isDone = true;
    return {r.injectTokens + r.injectOffsets[rule.index], r.injectTokens + r.injectOffsets[rule.index + 1]};
  }
  return {};
}

}  // namespace troupe

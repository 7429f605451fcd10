// Budget rules: when a span of the response has lasted long enough and is still open, given tokens end it.
#pragma once
#include <vector>

#include "troupe.h"

namespace troupe {

/// The budget rules of one sequence and how far each has come. It sees every response token once, in order.
class BudgetRules {
 public:
  BudgetRules(const TrRequests&, long request);

  void see(int32_t token);
  /// The tokens that the first rule whose span is used up wants next, once; empty when none is due.
  struct Tokens {
    const int32_t *begin = nullptr, *end = nullptr;
  };
  Tokens due();

 private:
  struct Rule {
    long index;  // in the requests' flat lists
    bool isOpen, isDone;
    long spent;
  };
  const TrRequests* requests_;
  std::vector<Rule> rules_;
};

}  // namespace troupe

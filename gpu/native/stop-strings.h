// Stop strings over the bytes of tokens: a string may begin in one token and end in another.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "troupe.h"

namespace troupe {

/// The bytes that each token stands for; tokens beyond the list stand for none.
struct Vocabulary {
  std::string bytes;
  std::vector<int32_t> offsets;
  std::string_view of(int32_t token) const {
    if (token + 1 >= (int64_t)offsets.size()) return {};
    return std::string_view(bytes).substr(offsets[token], offsets[token + 1] - offsets[token]);
  }
};

/// Watches one response. It sees every token once, in order.
class StopStrings {
 public:
  StopStrings(const TrRequests&, long request, const Vocabulary*);
  /// Whether a stop string ends within this token.
  bool see(int32_t token);

 private:
  const Vocabulary* vocabulary_;
  std::vector<std::string_view> strings_;
  size_t longest_ = 0;
  std::string text_;  // what could still be the beginning of a match
};

}  // namespace troupe

#include "stop-strings.h"

#include <algorithm>

namespace troupe {

StopStrings::StopStrings(const TrRequests& r, long request, const Vocabulary* vocabulary) : vocabulary_(vocabulary) {
  for (long i = r.stopStringOffsets[request]; i < r.stopStringOffsets[request + 1]; i++) {
    strings_.emplace_back(reinterpret_cast<const char*>(r.stopBytes) + r.stopByteOffsets[i],
                          r.stopByteOffsets[i + 1] - r.stopByteOffsets[i]);
    longest_ = std::max(longest_, strings_.back().size());
  }
}

bool StopStrings::see(int32_t token) {
  if (strings_.empty()) return false;
  size_t before = text_.size();
  text_ += vocabulary_->of(token);
  bool found = false;
  for (std::string_view s : strings_) {
    // Earlier starts would have been found at an earlier token.
    size_t from = before + 1 > s.size() ? before + 1 - s.size() : 0;
    found = found || text_.find(s, from) != std::string::npos;
  }
  if (text_.size() >= longest_) text_.erase(0, text_.size() - longest_ + 1);
  return found;
}

}  // namespace troupe

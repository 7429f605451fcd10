// The versions of a store that can still be sampled from: the newest is live, and a fixed number of older ones stay.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "failure.h"

namespace troupe {

/// Callers take turns.
template <class Weights>
class KeptVersions {
 public:
  struct Version {
    std::shared_ptr<const Weights> weights;
    int64_t version = 0;
  };

  /// @param older versions that stay beside the live one
  explicit KeptVersions(int older) : most_((size_t)older + 1) {}

  /// Makes a version the live one; an older one of the same number goes.
  void add(std::shared_ptr<const Weights> weights, int64_t version) {
    for (auto it = kept_.begin(); it != kept_.end();) it = it->version == version ? kept_.erase(it) : std::next(it);
    kept_.push_front({std::move(weights), version});
    if (kept_.size() > most_) kept_.pop_back();
  }

  /// The live version, or the one that is wanted; throws BadInput when it is not kept.
  const Version& find(int64_t wanted = -1) const {
    for (const Version& one : kept_)
      if (wanted < 0 || one.version == wanted) return one;
    throw notKept(wanted, kept_.empty() ? 0 : kept_.front().version);
  }

  static Failure notKept(int64_t wanted, int64_t live) {
    return Failure(TR_BAD_INPUT, "version " + std::to_string(wanted) + " is not kept, and version " + std::to_string(live) + " is live");
  }

 private:
  size_t most_;
  std::deque<Version> kept_;
};

}  // namespace troupe

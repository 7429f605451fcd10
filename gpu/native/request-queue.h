// Deals one call's requests out to its lanes: the threads that decode beside each other, each at its own pace. Pieces
// shrink towards the end, so that lanes end together; where it costs little, a piece ends where the prompt changes, for
// a lane computes a prompt that it shares only once.
#pragma once
#include <mutex>
#include <vector>

#include "troupe.h"

namespace troupe {

class RequestQueue {
 public:
  RequestQueue(const TrRequests&, long lanes);

  struct Piece {
    long first, end;
  };
  /// The next requests for one lane; none when all are taken.
  Piece take();
  /// Nobody gets any more.
  void close();
  /// The same number for requests with the same prompt, from 0 on.
  long promptOf(long request) const { return promptOf_[request]; }
  long prompts() const { return prompts_; }

 private:
  const long count_, lanes_;
  std::vector<long> promptOf_;
  long prompts_ = 0;
  std::mutex mutex_;
  long next_ = 0;
};

}  // namespace troupe

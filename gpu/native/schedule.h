// Which rows one lane of a generate call computes next. Decoding sequences take one row each; prompts are taken in chunks beside
// them, oldest first; a full cache makes the newest sequences give up their pages and begin again later. None of this
// changes a sample: a token depends on its request and the weights alone.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "sequence.h"
#include "shared-prompts.h"

namespace troupe {

class Schedule {
 public:
  /// `places`: sequences in flight at most.
  Schedule(const PagePool&, std::shared_ptr<const Vocabulary>, const TrRequests&, RequestQueue&, PageAccount&, long places);
  Schedule(const Schedule&) = delete;
  ~Schedule();

  /// The sequences of the next iteration, each with `rows` and the pages for them; empty when there is nothing left to do.
  const std::vector<Sequence*>& next();
  /// After their rows were computed. Calls `finished` for every sequence that is done, and lets go of it.
  template <class Finished>
  void advanced(Finished finished) {
    for (Sequence* z : chosen_) {
      z->cached += z->rows;
      prompts_.progressed(*z);
      if (z->done) finished(*z);
    }
    retire();
  }
  /// Everything that this lane took and is not done yet.
  template <class Each>
  void unfinished(Each each) {
    for (auto& z : flying_) each(*z);
    for (auto& z : waiting_) each(*z);
  }
  int64_t preemptions() const { return preemptions_; }
  int64_t sharedTokens() const { return prompts_.sharedTokens(); }

 private:
  void choose();
  void admit();
  void retire();
  /// Gives z pages for its next rows that it alone holds; false when it had to give up its own.
  bool provide(Sequence& z, long rows);
  /// A page, at the cost of kept prompts and of sequences newer than z, or `shared` when that becomes z's alone; null
  /// when z itself was the newest and gave up.
  Page* take(Sequence& z, Page* shared);
  void giveUpNewest();
  static long pagesFor(long tokens) { return (tokens + kPageKeys - 1) / kPageKeys; }

  const PagePool& pool_;
  const TrRequests& requests_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  PageAccount& account_;
  SharedPrompts prompts_;
  const long places_;
  RequestQueue& queue_;
  RequestQueue::Piece piece_{0, 0};  // taken, and yet to begin
  std::vector<std::unique_ptr<Sequence>> flying_;   // in the order of their admission
  std::deque<std::unique_ptr<Sequence>> waiting_;  // gave up their pages; before requests that never began
  std::vector<Sequence*> chosen_;
  bool isFull_ = false;  // somebody gave up, and nobody has finished since
  int64_t preemptions_ = 0;
};

}  // namespace troupe

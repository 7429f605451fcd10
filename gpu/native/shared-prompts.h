// Prefix sharing: requests with the same prompt, the samples of a group, compute its keys and values once. The first of
// them to be scheduled leads; when its prompt is in the cache the others take over the pages. All but the prompt's last
// token is shared: that one's row gives each its own first logits.
#pragma once
#include <vector>

#include "request-queue.h"
#include "sequence.h"

namespace troupe {

class SharedPrompts {
 public:
  SharedPrompts(const TrRequests&, const RequestQueue&, PageAccount&);
  SharedPrompts(const SharedPrompts&) = delete;
  ~SharedPrompts();

  /// A request that will begin here.
  void expect(long request) { prompts_[queue_.promptOf(request)].wanted++; }
  /// Gives a sequence that holds no pages its prompt's, or lets it lead. False: it waits for the one that leads.
  bool begin(Sequence&);
  /// After an iteration: keeps the pages of a leader whose prompt is complete, as long as somebody will want them.
  void progressed(Sequence&);
  /// The sequence lost its pages and will begin again.
  void gaveUp(Sequence&);
  /// Gives back the pages of one prompt that is kept; false when none is. Who wants it computes it again.
  bool dropOne();

  /// Prompt tokens that did not have to be computed.
  int64_t sharedTokens() const { return sharedTokens_; }

 private:
  struct Prompt {
    long length = 0, wanted = 0;  // sequences that have yet to begin
    const Sequence* leader = nullptr;
    bool isReady = false;
    std::vector<Page*> pages;
  };
  void drop(Prompt&);
  Prompt& of(const Sequence& z) { return prompts_[queue_.promptOf(z.request)]; }

  const RequestQueue& queue_;
  PageAccount& account_;
  std::vector<Prompt> prompts_;
  int64_t sharedTokens_ = 0;
};

}  // namespace troupe

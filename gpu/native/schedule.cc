#include "schedule.h"

#include <algorithm>

namespace troupe {
namespace {

// Prompt rows of one sequence, and of all, that one iteration takes beside the decoding rows: enough to use the
// kernels well, few enough that nobody who decodes waits long.
constexpr long kChunkRows = 256, kPromptRows = 1024;

}  // namespace

Schedule::Schedule(const PagePool& pool, std::shared_ptr<const Vocabulary> vocabulary, const TrRequests& requests, RequestQueue& queue,
                   PageAccount& account, long places)
    : pool_(pool),
      requests_(requests),
      vocabulary_(std::move(vocabulary)),
      account_(account),
      prompts_(requests, queue, account),
      places_(places),
      queue_(queue) {}

Schedule::~Schedule() {
  for (auto& z : flying_)
    for (Page* page : z->pages) account_.release(page);
}

const std::vector<Sequence*>& Schedule::next() {
  // Empty-handed only when a leader gave up its pages: then somebody else leads in the next round.
  do choose();
  while (chosen_.empty() && !flying_.empty());
  return chosen_;
}

void Schedule::choose() {
  chosen_.clear();
  admit();
  long left = kPromptRows;
  // Whoever gives up pages leaves the list, and is never older than the one in hand.
  for (size_t i = 0; i < flying_.size(); i++) {
    Sequence& z = *flying_[i];
    z.rows = 0;
    if (!z.hasBegun && !(z.hasBegun = prompts_.begin(z))) continue;
    long wanted = z.missing();
    long rows = wanted == 1 ? 1 : std::min({wanted, kChunkRows, left});
    if (rows == 0) continue;
    if (!provide(z, rows)) return;
    z.rows = rows;
    if (wanted > 1) left -= rows;
    chosen_.push_back(&z);
  }
}

void Schedule::admit() {
  long free = account_.available();
  for (auto& z : flying_) free -= pagesFor((long)z->tokens.size()) - (long)z->pages.size();
  while ((long)flying_.size() < places_ && (!isFull_ || flying_.empty())) {
    if (waiting_.empty()) {
      if (piece_.first == piece_.end) {
        piece_ = queue_.take();
        for (long i = piece_.first; i < piece_.end; i++) prompts_.expect(i);
      }
      if (piece_.first == piece_.end) return;
      waiting_.push_back(std::make_unique<Sequence>(requests_, piece_.first++, vocabulary_.get()));
    }
    free -= pagesFor((long)waiting_.front()->tokens.size() + 1);
    if (free < 0 && !flying_.empty()) return;
    flying_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Schedule::retire() {
  auto rest = std::remove_if(flying_.begin(), flying_.end(), [&](auto& z) {
    if (!z->done) return false;
    for (Page* page : z->pages) account_.release(page);
    return true;
  });
  if (rest != flying_.end()) isFull_ = false;
  flying_.erase(rest, flying_.end());
}

bool Schedule::provide(Sequence& z, long rows) {
  // The page that the next row goes to may be another's as well: then it is copied on this write.
  long first = z.cached / kPageKeys;
  if (first < (long)z.pages.size() && z.pages[first]->holders > 1) {
    Page* shared = z.pages[first];
    Page* own = take(z, shared);
    if (own == nullptr) return false;
    if (own != shared) {
      pool_.copy(*own, *shared);
      account_.release(shared);
      z.pages[first] = own;
    }
  }
  while ((long)z.pages.size() < pagesFor(z.cached + rows)) {
    Page* page = take(z, nullptr);
    if (page == nullptr) return false;
    z.pages.push_back(page);
  }
  return true;
}

Page* Schedule::take(Sequence& z, Page* shared) {
  for (;;) {
    if (shared != nullptr && shared->holders == 1) return shared;
    if (Page* page = account_.tryTake()) return page;
    if (prompts_.dropOne()) continue;
    bool isItself = flying_.back().get() == &z;
    giveUpNewest();
    if (isItself) return nullptr;
  }
}

void Schedule::giveUpNewest() {
  Sequence& z = *flying_.back();
  for (Page* page : z.pages) account_.release(page);
  z.pages.clear();
  z.cached = 0;
  if (z.hasBegun) {
    z.hasBegun = false;
    prompts_.gaveUp(z);
    preemptions_++;
  }
  isFull_ = true;
  waiting_.push_front(std::move(flying_.back()));
  flying_.pop_back();
}

}  // namespace troupe

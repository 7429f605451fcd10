#include "shared-prompts.h"

#include "kernels.h"

namespace troupe {

SharedPrompts::SharedPrompts(const TrRequests& r, const RequestQueue& queue, PageAccount& account)
    : queue_(queue), account_(account), prompts_(queue.prompts()) {
  for (long i = 0; i < r.count; i++) prompts_[queue.promptOf(i)].length = r.promptOffsets[i + 1] - r.promptOffsets[i];
}

SharedPrompts::~SharedPrompts() {
  for (Prompt& p : prompts_) drop(p);
}

void SharedPrompts::drop(Prompt& p) {
  for (Page* page : p.pages) account_.release(page);
  p.pages.clear();
  p.isReady = false;
}

bool SharedPrompts::begin(Sequence& z) {
  Prompt& p = of(z);
  if (p.leader != nullptr) return false;
  p.wanted--;
  if (p.isReady) {
    z.pages = p.pages;
    for (Page* page : z.pages) page->holders++;
    z.cached = p.length - 1;
    sharedTokens_ += z.cached;
    if (p.wanted == 0) drop(p);
  } else if (p.wanted > 0 && p.length > 1) {
    p.leader = &z;
  }
  return true;
}

void SharedPrompts::progressed(Sequence& z) {
  Prompt& p = of(z);
  if (p.leader != &z || z.cached < p.length - 1) return;
  p.leader = nullptr;
  p.isReady = true;
  p.pages.assign(z.pages.begin(), z.pages.begin() + (p.length - 1 + kPageKeys - 1) / kPageKeys);
  for (Page* page : p.pages) page->holders++;
}

void SharedPrompts::gaveUp(Sequence& z) {
  Prompt& p = of(z);
  if (p.leader == &z) p.leader = nullptr;
  p.wanted++;
}

bool SharedPrompts::dropOne() {
  for (auto p = prompts_.rbegin(); p != prompts_.rend(); ++p)
    if (!p->pages.empty()) {
      drop(*p);
      return true;
    }
  return false;
}

}  // namespace troupe

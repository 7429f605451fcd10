#include "shared-prompts.h"

#include <string_view>
#include <unordered_map>

#include "kernels.h"

namespace troupe {

SharedPrompts::SharedPrompts(const TrRequests& r, PageAccount& account) : account_(account) {
  std::unordered_map<std::string_view, long> byContent;
  for (long i = 0; i < r.count; i++) {
    long length = r.promptOffsets[i + 1] - r.promptOffsets[i];
    std::string_view content(reinterpret_cast<const char*>(r.promptTokens + r.promptOffsets[i]), length * sizeof(int32_t));
    auto [place, isNew] = byContent.try_emplace(content, (long)prompts_.size());
    if (isNew) {
      prompts_.emplace_back();
      prompts_.back().length = length;
    }
    prompts_[place->second].wanted++;
    promptOf_.push_back(place->second);
  }
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

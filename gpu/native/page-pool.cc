#include "page-pool.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "buffer.h"

namespace troupe {
namespace {

// Pages are cut from pieces of this size, 16 MiB.
constexpr long kPieceBytes = 1l << 24;
// How often a call that waits for its reserve looks whether it was aborted: nothing else wakes it then.
constexpr auto kAbortCheck = std::chrono::milliseconds(2);

class HostPages : public PageMemory {
 public:
  void* make(long bytes) override {
    pieces_.emplace_back((bytes + (long)sizeof(float) - 1) / (long)sizeof(float));
    return pieces_.back();
  }
  void copy(void* to, const void* from, long bytes) override { std::memcpy(to, from, bytes); }

 private:
  std::vector<Buffer> pieces_;
};

}  // namespace

std::unique_ptr<PageMemory> hostPages() { return std::make_unique<HostPages>(); }

void PagePool::setCapacity(long pages) {
  std::lock_guard<std::mutex> lock(mutex_);
  spare_ += pages - capacity_;
  capacity_ = pages;
  changed_.notify_all();
}

long PagePool::capacity() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return capacity_;
}

PageCounts PagePool::counts() const {
  std::lock_guard<std::mutex> lock(mutex_);
  PageCounts counts = counts_;
  counts.capacity = capacity_, counts.lent = lent_;
  return counts;
}

void PagePool::record(int64_t preemptions, int64_t sharedTokens) {
  std::lock_guard<std::mutex> lock(mutex_);
  counts_.preemptions += preemptions;
  counts_.sharedTokens += sharedTokens;
}

Page* PagePool::makeOrReuse() {
  if (free_.empty()) {
    long made = (long)pages_.size();
    long count = std::clamp<long>(std::min(kPieceBytes / pageBytes_, capacity_ - made), 1, kPieceBytes);
    char* piece = static_cast<char*>(memory_->make(count * pageBytes_));
    for (long i = 0; i < count; i++) {
      pages_.push_back(std::make_unique<Page>(Page{piece + i * pageBytes_, 0}));
      free_.push_back(pages_.back().get());
    }
  }
  Page* page = free_.back();
  free_.pop_back();
  counts_.mostLent = std::max(counts_.mostLent, ++lent_);
  return page;
}

PageAccount::PageAccount(PagePool& pool, long reserve, const std::atomic<bool>* abort, Opening opening)
    : pool_(pool), reserve_(reserve) {
  std::unique_lock<std::mutex> lock(pool_.mutex_);
  pool_.waiting_.push_back(this);
  auto isMyTurn = [&] { return pool_.waiting_.front() == this && pool_.spare_ >= reserve_; };
  while (!(isOpen_ = isMyTurn())) {
    if (opening == Opening::Tries || (abort != nullptr && abort->load(std::memory_order_relaxed))) break;
    pool_.changed_.wait_for(lock, kAbortCheck);
  }
  pool_.waiting_.remove(this);
  if (isOpen_) pool_.spare_ -= reserve_;
  pool_.changed_.notify_all();
}

PageAccount::~PageAccount() {
  if (!isOpen_) return;
  std::lock_guard<std::mutex> lock(pool_.mutex_);
  pool_.spare_ += reserve_;
  pool_.changed_.notify_all();
}

Page* PageAccount::tryTake() {
  std::lock_guard<std::mutex> lock(pool_.mutex_);
  if (used_ >= reserve_) {
    if (pool_.spare_ <= 0 || !pool_.waiting_.empty()) return nullptr;
    pool_.spare_--;
  }
  used_++;
  Page* page = pool_.makeOrReuse();
  page->holders = 1;
  return page;
}

long PageAccount::available() const {
  std::lock_guard<std::mutex> lock(pool_.mutex_);
  return std::max(0l, reserve_ - used_) + (pool_.waiting_.empty() ? std::max(0l, pool_.spare_) : 0);
}

void PageAccount::release(Page* page) {
  if (--page->holders > 0) return;
  std::lock_guard<std::mutex> lock(pool_.mutex_);
  pool_.free_.push_back(page);
  pool_.lent_--;
  if (used_-- <= reserve_) return;
  pool_.spare_++;
  pool_.changed_.notify_all();
}

}  // namespace troupe

// Blocks of the key/value cache: made in large pieces, lent to calls, counted, never more than a bound. A call opens an
// account, which reserves what its longest sequence needs; what is left is lent to whoever asks first. So every call
// can always finish one sequence, whatever the others hold, and none waits for another inside its work.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

namespace troupe {

/// Keys and values of kPageKeys consecutive tokens in all layers. Whoever holds a page alone may write to it.
struct Page {
  void* data = nullptr;
  long holders = 0;  // sequences and shared prompts of the one call that borrowed it
};

/// Where pages live: in this process's memory, or in a device's.
class PageMemory {
 public:
  virtual ~PageMemory() = default;
  /// Kept as long as this is.
  virtual void* make(long bytes) = 0;
  /// Between pages; done when it returns.
  virtual void copy(void* to, const void* from, long bytes) = 0;
};
std::unique_ptr<PageMemory> hostPages();

struct PageCounts {
  long capacity;  // pages that may be lent at once
  long lent, mostLent;
  int64_t preemptions, sharedTokens;
};

class PagePool {
 public:
  PagePool(long pageBytes, std::unique_ptr<PageMemory> memory) : pageBytes_(pageBytes), memory_(std::move(memory)) {}

  /// Pages that may be lent at once; calls that run keep what they have.
  void setCapacity(long pages);
  long capacity() const;
  long pageBytes() const { return pageBytes_; }
  void copy(Page& to, const Page& from) const { memory_->copy(to.data, from.data, pageBytes_); }
  PageCounts counts() const;
  /// What calls report when they end.
  void record(int64_t preemptions, int64_t sharedTokens);

 private:
  friend class PageAccount;
  Page* makeOrReuse();

  const long pageBytes_;
  const std::unique_ptr<PageMemory> memory_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  long capacity_ = 1l << 40;
  long spare_ = capacity_;  // neither reserved nor lent beyond a reserve; below 0 after the capacity was lowered
  long lent_ = 0;
  PageCounts counts_{};
  std::list<const void*> waiting_;  // calls that want their reserve, first come first served
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<Page*> free_;
};

/// One call's dealings with the pool; used by one thread at a time.
class PageAccount {
 public:
  /// What to do when `reserve` pages cannot be promised at once.
  enum class Opening { Waits, Tries };
  /// isOpen() is false after a wait that an abort ended, and when a try found no room.
  PageAccount(PagePool&, long reserve, const std::atomic<bool>* abort, Opening = Opening::Waits);
  PageAccount(const PageAccount&) = delete;
  /// Every page was given back before.
  ~PageAccount();

  bool isOpen() const { return isOpen_; }
  /// A page with one holder; null when the reserve is used up and the pool has nothing spare, or others wait for theirs.
  Page* tryTake();
  /// Pages that tryTake() would give now, one after the other.
  long available() const;
  void release(Page*);

 private:
  PagePool& pool_;
  const long reserve_;
  long used_ = 0;
  bool isOpen_ = false;
};

}  // namespace troupe

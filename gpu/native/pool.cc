#include "pool.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#if defined(__linux__)
#include <sched.h>
#endif

namespace troupe {
namespace {

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Between two phases of a step a helper waits some microseconds; an idle process must not burn a core.
constexpr int kSpins = 2000, kYields = 100;

#if defined(__linux__)
/// Processors granted by a control group, version 2 or 1; 0 when there is no limit.
int controlGroupQuota() {
  long quota = -1, period = 100000;
  if (FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    if (std::fscanf(f, "%ld %ld", &quota, &period) < 1) quota = -1;
    std::fclose(f);
  } else if (FILE* g = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r")) {
    if (std::fscanf(g, "%ld", &quota) != 1) quota = -1;
    std::fclose(g);
  }
  return quota <= 0 || period <= 0 ? 0 : static_cast<int>((quota + period - 1) / period);
}
#endif

}  // namespace

int availableProcessors() {
  int n = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
  if (int quota = controlGroupQuota()) n = std::min(n, quota);
#endif
  return std::max(n, 1);
}

struct Pool::Job {
  const std::function<void(long)>* part;
  long parts;
  int places;                 // helpers that may still join; guarded by the pool's mutex
  std::atomic<int> helpers{0};  // joined and not yet gone; the job must outlive them
  std::atomic<long> next{0};
  std::mutex failureMutex;
  std::exception_ptr failure;
};

Pool& Pool::shared() {
  // Never destroyed: at process exit its threads may still sleep on the condition variable.
  static Pool* pool = new Pool(availableProcessors());
  return *pool;
}

Pool::Pool(int threads) {
  for (int t = 1; t < threads; t++) workers_.emplace_back([this] { work(); });
}

void Pool::takeParts(Job& job) {
  for (long i; (i = job.next.fetch_add(1, std::memory_order_relaxed)) < job.parts;) {
    try {
      (*job.part)(i);
    } catch (...) {
      std::lock_guard<std::mutex> lock(job.failureMutex);
      if (!job.failure) job.failure = std::current_exception();
    }
  }
}

void Pool::work() {
  unsigned seen = generation_.load(std::memory_order_acquire);
  for (;;) {
    Job* mine = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      seen = generation_.load(std::memory_order_relaxed);
      for (Job* job : jobs_)
        if (job->places > 0 && job->next.load(std::memory_order_relaxed) < job->parts) {
          job->places--;
          job->helpers.fetch_add(1, std::memory_order_relaxed);
          mine = job;
          break;
        }
    }
    if (mine != nullptr) {
      takeParts(*mine);
      mine->helpers.fetch_sub(1, std::memory_order_release);
      continue;
    }
    bool news = false;
    for (int i = 0; i < kSpins + kYields && !news; i++) {
      if (i < kSpins) pause();
      else std::this_thread::yield();
      news = generation_.load(std::memory_order_acquire) != seen;
    }
    if (news) continue;
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_++;
    wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
    sleepers_--;
  }
}

void Pool::run(long parts, int threads, const std::function<void(long)>& part) {
  int helpers = static_cast<int>(std::min<long>({parts, threads, this->threads()})) - 1;
  if (helpers <= 0) {
    for (long i = 0; i < parts; i++) part(i);
    return;
  }
  Job job;
  job.part = &part;
  job.parts = parts;
  job.places = helpers;
  bool wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(&job);
    generation_.fetch_add(1, std::memory_order_release);
    wake = sleepers_ > 0;
  }
  if (wake) wake_.notify_all();
  takeParts(job);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
  }
  for (int i = 0; job.helpers.load(std::memory_order_acquire) > 0; i++) {
    if (i < kSpins) pause();
    else if (i < kSpins + kYields) std::this_thread::yield();
    else std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  if (job.failure) std::rethrow_exception(job.failure);
}

}  // namespace troupe

// The one thread pool of the process. A job is a list of parts taken from a shared counter; the caller takes parts
// too, so a helper that the system has not scheduled holds nothing up, and jobs of several callers run side by side.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace troupe {

class Pool {
 public:
  /// The pool that all engines share: one thread per processor that this process may use, the caller counted.
  static Pool& shared();

  /// Most threads that work at one job, the caller included.
  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// part(0) … part(parts − 1) in any order on at most `threads` threads; returns when all are done. The first
  /// exception of a part is thrown here after the others have ended.
  void run(long parts, int threads, const std::function<void(long)>& part);

 private:
  struct Job;
  explicit Pool(int threads);
  void work();
  static void takeParts(Job& job);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job*> jobs_;
  std::atomic<unsigned> generation_{0};
  int sleepers_ = 0;
};

/// Processors that this process may use: affinity mask and control group quota, at least 1.
int availableProcessors();

}  // namespace troupe

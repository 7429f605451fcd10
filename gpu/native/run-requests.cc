#include "run-requests.h"

#include <algorithm>
#include <mutex>
#include <string>

#include "failure.h"
#include "pool.h"
#include "schedule.h"

namespace troupe {

std::vector<Completion> runRequests(const Lanes& lanes, std::shared_ptr<const Vocabulary> vocabulary, const TrRequests& requests,
                                    const GenerateOptions& options,
                                    const std::function<void(long lane, const std::vector<Sequence*>&)>& advance) {
  long longest = 0, capacity = lanes.pools.front()->capacity();
  for (PagePool* pool : lanes.pools) capacity = std::min(capacity, pool->capacity());
  for (long i = 0; i < requests.count; i++) {
    long tokens = requests.promptOffsets[i + 1] - requests.promptOffsets[i] + requests.maxTokens[i];
    long pages = (tokens + kPageKeys - 1) / kPageKeys;
    if (pages > capacity)
      throw Failure(TR_BAD_INPUT, "request " + std::to_string(i) + " may need " + std::to_string(pages) + " blocks of the key/value cache, which has " +
                                      std::to_string(capacity));
    longest = std::max(longest, pages);
  }
  std::vector<Completion> results(requests.count);
  RequestQueue queue(requests, lanes.count());
  std::mutex streaming;
  Pool::shared().run(lanes.count(), (int)lanes.count(), [&](long lane) {
    PagePool& pool = *lanes.pools[lane];
    // One lane is enough to do everything, so only the first waits for room.
    PageAccount account(pool, longest, options.abort, lane == 0 ? PageAccount::Opening::Waits : PageAccount::Opening::Tries);
    if (!account.isOpen()) return;
    Schedule schedule(pool, vocabulary, requests, queue, account, lanes.places);
    auto keep = [&](Sequence& z) { results[z.request] = std::move(z.result); };
    std::vector<int32_t> newRequests, newTokens;
    try {
      while (!(options.abort != nullptr && options.abort->load(std::memory_order_relaxed))) {
        const std::vector<Sequence*>& chosen = schedule.next();
        if (chosen.empty()) break;
        advance(lane, chosen);
        if (options.onTokens) {
          newRequests.clear(), newTokens.clear();
          for (Sequence* z : chosen)
            for (; z->streamed < z->recorded(); z->streamed++) {
              newRequests.push_back((int32_t)z->request);
              newTokens.push_back(z->result.tokens[z->streamed]);
            }
          std::lock_guard<std::mutex> lock(streaming);
          if (!newTokens.empty()) options.onTokens(newRequests, newTokens);
        }
        schedule.advanced(keep);
      }
    } catch (...) {
      queue.close();
      throw;
    }
    schedule.unfinished(keep);
    pool.record(schedule.preemptions(), schedule.sharedTokens());
  });
  return results;
}

}  // namespace troupe

// Published versions in memory that processes share. The learner's process writes versions into slots and says which is
// live; a call in another process leases the live slot, and the slot and its weights stay until the lease is returned,
// or its process ends. Nobody waits for anybody, and nothing is copied.
#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "model.h"
#include "shared-memory.h"

namespace troupe {

/// What both sides see. Plain data, for both map it; the atomics are lock-free, hence good between processes.
struct SharedIndex {
  static constexpr long kLeases = 128;
  static constexpr long kOlder = 16;
  // One for each lease, one that is live, older ones that are kept, one to write: there is always a free one.
  static constexpr long kSlots = kLeases + kOlder + 2;
  struct Slot {
    std::atomic<uint32_t> isKept;  // it is live, or an older one that stays
    int64_t version;
    SharedPlace base, adapter;  // adapter.bytes is 0 without one
    uint64_t adapterFloats;
  };
  struct Lease {
    std::atomic<uint64_t> owner;  // processIdentity(), 0 when it is free
    std::atomic<uint32_t> slot;   // + 1, 0 for none
  };

  uint64_t magic;
  TrShape shape;
  int32_t format, threads, adapterRank;
  double adapterAlpha;
  char kernels[32];
  char adapterTargets[512];
  std::atomic<uint32_t> live;
  Lease leases[kLeases];
  Slot slots[kSlots];
};

/// The learner's side. Callers take turns.
class SharedVersions {
 public:
  /// Throws BadInput where processes cannot share memory, or when the adapter's targets are too long a list.
  SharedVersions(const Model&, const TrLearnerOptions&);

  const SharedPlace& place() const { return memory_.place(); }
  /// Makes the weights, whose buffers are shared, the live version; an older one of the same number goes.
  void publish(const std::shared_ptr<const PackedWeights>&, int64_t version);
  /// Lets go of versions that are neither kept nor leased, and takes back the leases of processes that ended.
  void sweep();
  long held() const;

 private:
  SharedIndex& index() const { return *static_cast<SharedIndex*>(memory_.data()); }

  SharedMemory memory_;
  std::vector<std::shared_ptr<const PackedWeights>> held_;  // by slot
  std::deque<long> kept_;                                   // slots, the live one first
  size_t mostKept_;
};

/// The side of another process.
class AttachedVersions : public std::enable_shared_from_this<AttachedVersions> {
 public:
  /// Throws NoStore when the learner's process is gone.
  explicit AttachedVersions(const SharedPlace&);

  const SharedIndex& index() const { return *static_cast<const SharedIndex*>(memory_.data()); }
  int64_t version() const;
  /// Leases a version, -1: the live one, until the last holder lets go of it. Throws BadInput when it is not kept.
  std::shared_ptr<const PackedWeights> lease(int64_t wanted, int64_t* version);

 private:
  /// The slot of a version, -1: the live one; -1 when it is not kept.
  long slotOf(int64_t wanted) const;
  SharedIndex& shared() { return *static_cast<SharedIndex*>(memory_.data()); }
  std::shared_ptr<SharedMemory> map(const SharedPlace&);

  SharedMemory memory_;
  const uint64_t owner_;
  std::mutex mutex_;
  /// Pieces that a lease still uses, by inode.
  std::unordered_map<uint64_t, std::weak_ptr<SharedMemory>> mapped_;
  /// The pieces of the newest lease stay mapped, for the next call most often wants them.
  std::vector<std::shared_ptr<SharedMemory>> latest_;
};

}  // namespace troupe

#include "shared-versions.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "failure.h"
#include "kept-versions.h"

namespace troupe {
namespace {

constexpr uint64_t kMagic = 0x7472'6f75'7065'0001;  // "troupe", and the form of the index
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);

template <size_t N>
void copyText(const std::string& text, char (&to)[N], const char* what) {
  if (text.size() >= N) throw Failure(TR_BAD_INPUT, std::string(what) + " are too long to share: " + std::to_string(text.size()) + " bytes");
  std::memcpy(to, text.c_str(), text.size() + 1);
}

}  // namespace

SharedVersions::SharedVersions(const Model& model, const TrLearnerOptions& options) : memory_(sizeof(SharedIndex)), held_(SharedIndex::kSlots), mostKept_((size_t)options.olderVersions + 1) {
  if (options.olderVersions < 0 || options.olderVersions > SharedIndex::kOlder)
    throw Failure(TR_BAD_INPUT, "processes share at most " + std::to_string(SharedIndex::kOlder) + " older versions, not " +
                                    std::to_string(options.olderVersions));
  SharedIndex& i = index();
  i.shape = model.shape;
  i.format = options.format, i.threads = options.threads;
  i.adapterRank = options.adapterRank, i.adapterAlpha = options.adapterAlpha;
  copyText(model.kernels.name, i.kernels, "the kernel set's name");
  copyText(options.adapterTargets == nullptr ? "" : options.adapterTargets, i.adapterTargets, "the adapter's targets");
  i.magic = kMagic;
}

void SharedVersions::publish(const std::shared_ptr<const PackedWeights>& weights, int64_t version) {
  sweep();
  SharedIndex& i = index();
  long slot = std::find(held_.begin(), held_.end(), nullptr) - held_.begin();
  held_[slot] = weights;
  SharedIndex::Slot& s = i.slots[slot];
  s.version = version;
  s.base = *weights->base->shared();
  s.adapter = weights->adapter.size() > 0 ? *weights->adapter.shared() : SharedPlace{};
  s.adapterFloats = (uint64_t)weights->adapter.size();
  s.isKept.store(1);
  i.live.store((uint32_t)slot);
  auto isSame = [&](long other) { return i.slots[other].version == version; };
  for (long other : kept_)
    if (isSame(other)) i.slots[other].isKept.store(0);
  kept_.erase(std::remove_if(kept_.begin(), kept_.end(), isSame), kept_.end());
  kept_.push_front(slot);
  if (kept_.size() <= mostKept_) return;
  i.slots[kept_.back()].isKept.store(0);
  kept_.pop_back();
}

void SharedVersions::sweep() {
  SharedIndex& i = index();
  std::vector<bool> isUsed(SharedIndex::kSlots, false);
  for (long slot : kept_) isUsed[slot] = true;
  for (SharedIndex::Lease& lease : i.leases) {
    uint64_t owner = lease.owner.load();
    if (owner == 0) continue;
    if (hasEnded(owner)) {
      lease.slot.store(0);
      lease.owner.store(0);
    } else if (uint32_t slot = lease.slot.load()) {
      isUsed[slot - 1] = true;
    }
  }
  for (long slot = 0; slot < SharedIndex::kSlots; slot++)
    if (!isUsed[slot]) held_[slot] = nullptr;
}

long SharedVersions::held() const {
  return (long)held_.size() - std::count(held_.begin(), held_.end(), nullptr);
}

AttachedVersions::AttachedVersions(const SharedPlace& place) : memory_(place, true), owner_(processIdentity()) {
  if (place.bytes != sizeof(SharedIndex) || index().magic != kMagic)
    throw Failure(TR_NO_STORE, "the engine was made by another version of this package");
}

int64_t AttachedVersions::version() const {
  // A slot is written again only when it is not live; a number that was torn from the live one is read again.
  for (;;) {
    uint32_t slot = index().live.load();
    int64_t version = index().slots[slot].version;
    if (index().live.load() == slot) return version;
  }
}

std::shared_ptr<SharedMemory> AttachedVersions::map(const SharedPlace& place) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::weak_ptr<SharedMemory>& known = mapped_[place.inode];
  if (auto memory = known.lock()) return memory;
  auto memory = std::make_shared<SharedMemory>(place, false);
  known = memory;
  for (auto it = mapped_.begin(); it != mapped_.end();) it = it->second.expired() ? mapped_.erase(it) : std::next(it);
  return memory;
}

long AttachedVersions::slotOf(int64_t wanted) const {
  if (wanted < 0) return index().live.load();
  for (long slot = 0; slot < SharedIndex::kSlots; slot++)
    if (index().slots[slot].isKept.load() == 1 && index().slots[slot].version == wanted) return slot;
  return -1;
}

std::shared_ptr<const PackedWeights> AttachedVersions::lease(int64_t wanted, int64_t* version) {
  SharedIndex& i = shared();
  SharedIndex::Lease* lease = nullptr;
  for (SharedIndex::Lease& candidate : i.leases) {
    uint64_t free = 0;
    if (candidate.owner.load() != 0 || !candidate.owner.compare_exchange_strong(free, owner_)) continue;
    lease = &candidate;
    break;
  }
  if (lease == nullptr)
    throw Failure(TR_OUT_OF_MEMORY, "other processes have " + std::to_string(SharedIndex::kLeases) + " calls under way, as many as there may be");
  struct Held {
    std::shared_ptr<AttachedVersions> versions;  // keeps the index mapped
    SharedIndex::Lease* lease;
    std::vector<std::shared_ptr<SharedMemory>> pieces;
    PackedWeights weights;
    ~Held() {
      lease->slot.store(0);
      lease->owner.store(0);
    }
  };
  auto held = std::make_shared<Held>();
  held->versions = shared_from_this();
  held->lease = lease;
  // The learner frees a slot that is not kept after it looked for leases: whoever leased before it looked is seen,
  // whoever leased after sees that the slot is not kept any more.
  long slot;
  do {
    slot = slotOf(wanted);
    if (slot < 0) throw KeptVersions<PackedWeights>::notKept(wanted, this->version());
    lease->slot.store((uint32_t)slot + 1);
  } while (slotOf(wanted) != slot);
  const SharedIndex::Slot& s = i.slots[slot];
  *version = s.version;
  held->pieces.push_back(map(s.base));
  held->weights.data = static_cast<const float*>(held->pieces[0]->data());
  if (s.adapter.bytes > 0) {
    held->pieces.push_back(map(s.adapter));
    held->weights.adapter = Buffer::of(static_cast<float*>(held->pieces[1]->data()), (long)s.adapterFloats);
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    latest_ = held->pieces;
  }
  return std::shared_ptr<const PackedWeights>(held, &held->weights);
}

}  // namespace troupe

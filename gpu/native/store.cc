#include "store.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "failure.h"
#include "pool.h"
#include "select-kernels.h"

namespace troupe {
namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<int64_t, std::weak_ptr<Store>> stores;
  int64_t next = 1;
  static Registry& instance() {
    // Never destroyed, for worker threads may outlive static destructors.
    static Registry* registry = new Registry;
    return *registry;
  }
};

}  // namespace

Store::Store(std::shared_ptr<const Model> m, int t, int olderVersions)
    : model(std::move(m)), threads(t), pages(pageFloats(*model) * (long)sizeof(float), hostPages()), kept_(olderVersions) {}

Store::Version Store::find(int64_t wanted) const {
  if (attached_ != nullptr) {
    Version found;
    found.weights = attached_->lease(wanted, &found.version);
    return found;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  return kept_.find(wanted);
}

int64_t Store::version() const {
  if (attached_ != nullptr) return attached_->version();
  std::lock_guard<std::mutex> lock(mutex_);
  return kept_.find().version;
}

void Store::publish(std::shared_ptr<const PackedWeights> weights, int64_t version) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (shared_ != nullptr) shared_->publish(weights, version);
  kept_.add(std::move(weights), version);
}

void Store::share(const TrLearnerOptions& options) {
  shared_ = std::make_unique<SharedVersions>(*model, options);
  const SharedPlace& p = shared_->place();
  handle_ = std::string(p.path) + " " + std::to_string(p.device) + " " + std::to_string(p.inode) + " " + std::to_string(p.bytes);
}

void Store::sweep() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (shared_ != nullptr) shared_->sweep();
}

long Store::heldVersions() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return shared_ == nullptr ? 0 : shared_->held();
}

std::shared_ptr<Store> Store::attach(const std::string& handle) {
  static std::mutex mutex;
  static auto* attached = new std::unordered_map<std::string, std::weak_ptr<Store>>;  // as Registry
  std::lock_guard<std::mutex> lock(mutex);
  if (auto known = (*attached)[handle].lock()) return known;
  SharedPlace place{};
  unsigned long long device, inode, bytes;
  if (std::sscanf(handle.c_str(), "%47s %llu %llu %llu", place.path, &device, &inode, &bytes) != 4)
    throw Failure(TR_BAD_INPUT, "\"" + handle + "\" names no store");
  place.device = device, place.inode = inode, place.bytes = bytes;
  auto versions = std::make_shared<AttachedVersions>(place);
  const SharedIndex& index = versions->index();
  const Kernels& kernels = selectedKernels((Format)index.format);
  if (std::string(kernels.name) != index.kernels)
    throw Failure(TR_NO_KERNELS, std::string("the engine computes with the ") + index.kernels + " kernels, this process with " + kernels.name);
  auto store = std::make_shared<Store>(makeModel(checkShape(index.shape), kernels, index.adapterRank, index.adapterAlpha, index.adapterTargets),
                                       std::min(index.threads, (int32_t)Pool::shared().threads()));
  store->attached_ = std::move(versions);
  (*attached)[handle] = store;
  return store;
}

std::shared_ptr<const Vocabulary> Store::vocabulary() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return vocabulary_;
}

void Store::setVocabulary(std::shared_ptr<const Vocabulary> vocabulary) {
  std::lock_guard<std::mutex> lock(mutex_);
  vocabulary_ = std::move(vocabulary);
}

int64_t Store::registerStore(const std::shared_ptr<Store>& store) {
  Registry& r = Registry::instance();
  std::lock_guard<std::mutex> lock(r.mutex);
  for (auto it = r.stores.begin(); it != r.stores.end();) it = it->second.expired() ? r.stores.erase(it) : std::next(it);
  r.stores[r.next] = store;
  return r.next++;
}

std::shared_ptr<Store> Store::registered(int64_t id) {
  Registry& r = Registry::instance();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto it = r.stores.find(id);
  return it == r.stores.end() ? nullptr : it->second.lock();
}

}  // namespace troupe

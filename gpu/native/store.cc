#include "store.h"

#include <unordered_map>

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

Store::Store(std::shared_ptr<const Model> m, int t)
    : model(std::move(m)), threads(t), pages((long)model->shape.layers * model->shape.kvHeads * itemFloats() * (long)sizeof(float), hostPages()) {}

Store::Live Store::live() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return live_;
}

void Store::publish(std::shared_ptr<const PackedWeights> weights, int64_t version) {
  std::lock_guard<std::mutex> lock(mutex_);
  live_ = {std::move(weights), version};
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

std::shared_ptr<Store> Store::find(int64_t id) {
  Registry& r = Registry::instance();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto it = r.stores.find(id);
  return it == r.stores.end() ? nullptr : it->second.lock();
}

}  // namespace troupe

// The process-wide home of one model's published weights: samplers on any thread, and of other processes where it is
// shared, read the live version while the learner prepares the next; nobody copies.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kept-versions.h"
#include "model.h"
#include "page-pool.h"
#include "shared-versions.h"
#include "stop-strings.h"

namespace troupe {

class Store {
 public:
  /// @param olderVersions that can be sampled from beside the live one
  Store(std::shared_ptr<const Model>, int threads, int olderVersions = 0);

  using Version = KeptVersions<PackedWeights>::Version;
  /// The live version, or the one that is wanted; throws BadInput when it is not kept.
  Version find(int64_t wanted = -1) const;
  int64_t version() const;
  void publish(std::shared_ptr<const PackedWeights>, int64_t version);

  /// From now on other processes can attach; weights that are published have buffers of kind Shared.
  void share(const TrLearnerOptions&);
  Buffer::Kind kind() const { return shared_ == nullptr ? Buffer::Kind::Private : Buffer::Kind::Shared; }
  /// How other processes find the store; empty when it is not shared.
  const std::string& handle() const { return handle_; }
  /// Lets go of versions that no other process uses any more.
  void sweep();
  long heldVersions() const;
  /// The store of another process, one for all who attach in this one. Throws NoStore when it is gone.
  static std::shared_ptr<Store> attach(const std::string& handle);

  /// Bytes of every token, for stop strings; null before it is set.
  std::shared_ptr<const Vocabulary> vocabulary() const;
  void setVocabulary(std::shared_ptr<const Vocabulary>);

  /// Floats of one layer's and kv head's part of a page: keys, then values.
  long keyFloats() const { return kPageKeys * model->shape.headSize; }
  long itemFloats() const { return itemFloats(*model); }
  static long itemFloats(const Model& m) {
    return kPageKeys * m.shape.headSize + kPageKeys * ((m.shape.headSize + m.kernels.panel - 1) / m.kernels.panel * m.kernels.panel);
  }
  /// Floats of a page: all layers and kv heads.
  static long pageFloats(const Model& m) { return (long)m.shape.layers * m.shape.kvHeads * itemFloats(m); }

  const std::shared_ptr<const Model> model;
  const int threads;
  PagePool pages;

  /// Enters the registry, and finds in it; an entry lasts as long as somebody holds the store.
  static int64_t registerStore(const std::shared_ptr<Store>&);
  static std::shared_ptr<Store> registered(int64_t id);

 private:
  mutable std::mutex mutex_;
  KeptVersions<PackedWeights> kept_;
  std::string handle_;
  std::unique_ptr<SharedVersions> shared_;      // of the learner's process
  std::shared_ptr<AttachedVersions> attached_;  // of another
  std::shared_ptr<const Vocabulary> vocabulary_;
};

}  // namespace troupe

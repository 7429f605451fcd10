// The process-wide home of one model's published weights: samplers on any thread read the live version while the
// learner prepares the next; nobody copies.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "model.h"
#include "page-pool.h"
#include "stop-strings.h"

namespace troupe {

class Store {
 public:
  Store(std::shared_ptr<const Model>, int threads);

  struct Live {
    std::shared_ptr<const PackedWeights> weights;
    int64_t version;
  };
  Live live() const;
  void publish(std::shared_ptr<const PackedWeights>, int64_t version);

  /// Bytes of every token, for stop strings; null before it is set.
  std::shared_ptr<const Vocabulary> vocabulary() const;
  void setVocabulary(std::shared_ptr<const Vocabulary>);

  /// Floats of one layer's and kv head's part of a page: keys, then values.
  long keyFloats() const { return kPageKeys * model->shape.headSize; }
  long itemFloats() const { return keyFloats() + kPageKeys * ((model->shape.headSize + model->kernels.panel - 1) / model->kernels.panel * model->kernels.panel); }

  const std::shared_ptr<const Model> model;
  const int threads;
  PagePool pages;

  /// Enters the registry, and finds in it; an entry lasts as long as somebody holds the store.
  static int64_t registerStore(const std::shared_ptr<Store>&);
  static std::shared_ptr<Store> find(int64_t id);

 private:
  mutable std::mutex mutex_;
  Live live_{nullptr, 0};
  std::shared_ptr<const Vocabulary> vocabulary_;
};

}  // namespace troupe

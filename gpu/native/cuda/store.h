// The process-wide home of one model's published weights on the GPUs and of the pages of its key/value caches; scores and
// samples with them. A call's work is dealt to the GPUs, and none of it depends on which of them computes it.
#pragma once
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "../check-requests.h"
#include "../kept-versions.h"
#include "../pool.h"
#include "backend.h"
#include "sampler.h"

namespace troupe::cuda {

/// The same weights on each GPU.
template <class T>
using Copies = std::vector<std::shared_ptr<const Weights<T>>>;

template <class T>
class Store : public StoreBase, public std::enable_shared_from_this<Store<T>> {
 public:
  using Version = typename KeptVersions<Copies<T>>::Version;

  /// @param models of each GPU
  /// @param olderVersions that can be sampled from beside the live one
  Store(const std::vector<std::shared_ptr<const Model<T>>>& models, int olderVersions) : kept_(olderVersions) {
    for (size_t i = 0; i < models.size(); i++) {
      OnGpu on((int)i);
      gpus_.push_back(std::make_unique<Gpu>((int)i, models[i]));
    }
  }

  const Shape& shape() const override { return gpus_.front()->model->shape; }
  int64_t version() const override { return find(-1).version; }
  Version find(int64_t wanted) const {
    std::lock_guard<std::mutex> lock(mutex_);
    return kept_.find(wanted);
  }
  /// The caller has seen to it that the device finished writing them.
  void publish(std::shared_ptr<const Copies<T>> weights, int64_t version) {
    std::lock_guard<std::mutex> lock(mutex_);
    kept_.add(std::move(weights), version);
  }

  std::unique_ptr<PinBase> pin(int64_t version) override {
    return std::make_unique<Pin>(this->shared_from_this(), find(version));
  }

  void scoreWith(const Copies<T>& weights, const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature,
                 float* logprobs, float* entropies, TopTokens top = {}) {
    // Tokens that one pass takes at most, longer single sequences apart.
    constexpr int32_t kMost = 1 << 14;
    checkOffsets(offsets, sequences, n);
    std::vector<long> bounds{0};
    for (long last = 1; last <= sequences; last++)
      if (last == sequences || offsets[last + 1] - offsets[bounds.back()] > kMost) bounds.push_back(last);
    long passes = (long)bounds.size() - 1, workers = std::min<long>(passes, (long)gpus_.size());
    unsigned turn = turn_++;
    std::atomic<long> taken{0};
    Pool::shared().run(workers, (int)workers, [&](long worker) {
      size_t place = (turn + worker) % gpus_.size();
      Gpu& gpu = *gpus_[place];
      OnGpu on(gpu.number);
      Borrowed<PackedPass<T>> pass(*this, gpu.passes, [&] { return std::make_unique<PackedPass<T>>(*gpu.model, false); });
      std::vector<int32_t> local;
      for (long i; (i = taken++) < passes;) {
        long first = bounds[i], last = bounds[i + 1];
        int32_t start = offsets[first];
        local.assign(offsets + first, offsets + last + 1);
        for (int32_t& offset : local) offset -= start;
        TopTokens here{top.k, top.ids + (long)start * top.k, top.logprobs + (long)start * top.k};
        pass->forward(*weights[place], tokens + start, local.back(), local.data(), last - first, temperature, logprobs + start,
                      entropies + start, here);
      }
    });
  }

  std::vector<Completion> generate(const Copies<T>& weights, const TrRequests& r, const GenerateOptions& options) {
    auto words = vocabulary();
    checkRequests(r, shape(), words != nullptr);
    // Calls of few requests begin at different GPUs.
    unsigned turn = turn_++;
    auto placeOf = [&](long lane) { return (turn + lane) % gpus_.size(); };
    Lanes lanes{{}, 1};
    for (long lane = 0; lane < std::clamp<long>(r.count, 1, (long)gpus_.size()); lane++) lanes.pools.push_back(&gpus_[placeOf(lane)]->pages);
    // A GPU that began first leaves the others their share.
    lanes.places = std::clamp<long>((r.count + lanes.count() - 1) / lanes.count(), 1, std::min<long>(options.maxInFlight, kMostInFlight));
    std::vector<std::optional<Call>> calls(lanes.count());
    return runRequests(lanes, words, r, options, [&](long lane, const std::vector<Sequence*>& chosen) {
      size_t place = placeOf(lane);
      OnGpu on(gpus_[place]->number);
      if (!calls[lane]) calls[lane].emplace(*this, *gpus_[place], r, *weights[place]);
      calls[lane]->advance(chosen);
    });
  }

  std::shared_ptr<const Vocabulary> vocabulary() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return vocabulary_;
  }
  void setVocabulary(std::shared_ptr<const Vocabulary> vocabulary) override {
    std::lock_guard<std::mutex> lock(mutex_);
    vocabulary_ = std::move(vocabulary);
  }
  void limitCache(int64_t bytes) override {
    for (auto& gpu : gpus_) gpu->pages.setCapacity(std::max<int64_t>(1, bytes / (int64_t)gpus_.size() / gpu->pages.pageBytes()));
  }
  TrCache cache() const override {
    TrCache all{0, gpus_.front()->pages.pageBytes(), kPageKeys, 0, 0, 0, 0};
    for (const auto& gpu : gpus_) {
      PageCounts c = gpu->pages.counts();
      all.blocks += c.capacity, all.lent += c.lent, all.mostLent += c.mostLent;
      all.preemptions += c.preemptions, all.sharedTokens += c.sharedTokens;
    }
    return all;
  }
  /// Bounds the cache by half of what each GPU has left.
  void takeHalfOfMemory() {
    for (auto& gpu : gpus_) {
      OnGpu on(gpu->number);
      gpu->pages.setCapacity(std::max<long>(1, (long)(freeMemory() / 2) / gpu->pages.pageBytes()));
    }
  }

 private:
  class Pin : public PinBase {
   public:
    Pin(std::shared_ptr<Store> store, Version held) : store_(std::move(store)), held_(std::move(held)) {}
    int64_t version() const override { return held_.version; }
    void score(const int32_t* tokens, long n, const int32_t* offsets, long sequences, float temperature, float* logprobs,
               float* entropies, TopTokens top) const override {
      store_->scoreWith(*held_.weights, tokens, n, offsets, sequences, temperature, logprobs, entropies, top);
    }
    std::vector<Completion> generate(const TrRequests& r, const GenerateOptions& options) const override {
      return store_->generate(*held_.weights, r, options);
    }

   private:
    std::shared_ptr<Store> store_;
    Version held_;
  };

  class DevicePages : public PageMemory {
   public:
    void* make(long bytes) override {
      OnGpu on(stream_.gpu);
      pieces_.emplace_back(bytes);
      return pieces_.back();
    }
    void copy(void* to, const void* from, long bytes) override {
      // A step has ended on the device before the next one is planned, so no stream writes what is copied.
      cuda::copy(to, from, (size_t)bytes, stream_);
      finish(stream_);
    }
    ~DevicePages() override { endStream(stream_); }

   private:
    Stream stream_ = newStream();
    std::vector<Memory<char>> pieces_;
  };

  /// What the store has on one GPU.
  struct Gpu {
    /// On that GPU.
    Gpu(int n, std::shared_ptr<const Model<T>> m)
        : number(n), model(std::move(m)), pages(model->pageSize() * (long)sizeof(T), std::make_unique<DevicePages>()) {}
    const int number;
    const std::shared_ptr<const Model<T>> model;
    PagePool pages;
    std::vector<std::unique_ptr<Sampler<T>>> samplers;
    std::vector<std::unique_ptr<PackedPass<T>>> passes;
  };

  /// Device workspaces are large: a call takes one that no other call uses, or makes one.
  template <class W>
  class Borrowed {
   public:
    template <class Make>
    Borrowed(Store& store, std::vector<std::unique_ptr<W>>& idle, Make make) : store_(store), idle_(idle) {
      {
        std::lock_guard<std::mutex> lock(store.mutex_);
        if (!idle.empty()) {
          mine_ = std::move(idle.back());
          idle.pop_back();
        }
      }
      if (mine_ == nullptr) mine_ = make();
    }
    ~Borrowed() {
      std::lock_guard<std::mutex> lock(store_.mutex_);
      idle_.push_back(std::move(mine_));
    }
    W* operator->() { return mine_.get(); }
    W& operator*() { return *mine_; }

   private:
    Store& store_;
    std::vector<std::unique_ptr<W>>& idle_;
    std::unique_ptr<W> mine_;
  };

  /// One generate call on one GPU: what is to be computed next there, and what comes of it.
  class Call {
   public:
    Call(Store& store, Gpu& gpu, const TrRequests& r, const Weights<T>& w)
        : r_(r), w_(w), sampler_(store, gpu.samplers, [&] { return std::make_unique<Sampler<T>>(*gpu.model); }) {
      sampler_->setBiases(r.biasTokens, r.biasValues, r.biasOffsets[r.count]);
      for (int i = kMostInFlight; i-- > 0;) free_.push_back(i);
    }

    void advance(const std::vector<Sequence*>& chosen) {
      struct Due {
        Sequence* sequence;
        long position;  // of the token that is predicted
        bool isGiven;
      };
      std::vector<Due> due;
      step_.clear();
      for (Sequence* z : chosen) {
        int32_t slot = place(*z);
        for (long t = z->cached; t < z->cached + z->rows; t++) {
          if (t + 1 >= z->prompt + z->recorded()) {
            bool isGiven = z->settle(r_, t + 1);
            due.push_back({z, t + 1, isGiven});
            step_.due.push_back((int32_t)step_.tokens.size());
            step_.rules.push_back(rulesOf(*z, t + 1, isGiven));
          }
          step_.tokens.push_back(z->tokens[t]);
          step_.positions.push_back((int32_t)t);
          step_.slots.push_back(slot);
        }
      }
      const std::vector<RowChoice>& choices = sampler_->run(w_, step_);
      for (size_t i = 0; i < due.size(); i++)
        due[i].sequence->record(r_, due[i].position, {choices[i].token, choices[i].logprob, choices[i].entropy}, due[i].isGiven);
      // A sequence that is done leaves its slot, for its pages go to others.
      for (Sequence* z : chosen)
        if (z->done) leave(z->request);
    }

   private:
    struct Place {
      int32_t slot;
      std::vector<Page*> pages;  // as the device knows them
    };

    /// The sequence's slot in the device's page table, which is brought up to date.
    int32_t place(const Sequence& z) {
      auto it = places_.find(z.request);
      if (it == places_.end()) {
        if (free_.empty()) evict();
        it = places_.emplace(z.request, Place{free_.back(), {}}).first;
        free_.pop_back();
      }
      Place& p = it->second;
      p.pages.resize(z.pages.size());
      for (size_t i = 0; i < z.pages.size(); i++)
        if (p.pages[i] != z.pages[i]) sampler_->setPage(p.slot, (long)i, static_cast<T*>((p.pages[i] = z.pages[i])->data));
      used_[z.request] = ++steps_;
      return p.slot;
    }
    void leave(long request) {
      auto it = places_.find(request);
      free_.push_back(it->second.slot);
      places_.erase(it);
      used_.erase(request);
    }
    /// Somebody who gave up its pages and waits keeps a slot that nobody misses.
    void evict() {
      auto oldest = std::min_element(used_.begin(), used_.end(), [](auto& a, auto& b) { return a.second < b.second; });
      leave(oldest->first);
    }

    RowRules rulesOf(const Sequence& z, long position, bool isGiven) const {
      long i = z.request;
      return {r_.temperature[i], r_.topP[i],           r_.minP[i],
              r_.topK[i],        isGiven ? z.tokens[position] : -1,
              r_.seeds[2 * i],   r_.seeds[2 * i + 1],  (uint32_t)(position - z.prompt),
              r_.biasOffsets[i], r_.biasOffsets[i + 1]};
    }

    const TrRequests& r_;
    const Weights<T>& w_;
    Borrowed<Sampler<T>> sampler_;
    typename Sampler<T>::Step step_;
    std::map<long, Place> places_;  // by request
    std::map<long, long> used_;     // number of the step that last computed a row of the request
    long steps_ = 0;
    std::vector<int32_t> free_;
  };

  std::vector<std::unique_ptr<Gpu>> gpus_;
  mutable std::mutex mutex_;
  KeptVersions<Copies<T>> kept_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::atomic<unsigned> turn_{0};
};

}  // namespace troupe::cuda

// The GPUs of the emulated machine. Their memory is the host's, and each block of it belongs to one of them: what one GPU
// reads of another's is found, though a real machine would often let it pass slowly.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace emulate {

constexpr int kGpus = 4;

class Gpus {
 public:
  static Gpus& instance() {
    // Never destroyed, for worker threads may outlive static destructors.
    static Gpus* gpus = new Gpus;
    return *gpus;
  }
  /// Of this thread.
  static int& current() {
    static thread_local int gpu = 0;
    return gpu;
  }

  /// On the current one; null when there is no memory.
  void* allocate(size_t bytes) {
    size_t whole = (bytes + 255) / 256 * 256;
    void* p = std::aligned_alloc(256, whole);
    if (p == nullptr) return nullptr;
    // What a kernel reads before anybody wrote it must not look like a sensible number.
    std::memset(p, 0xff, bytes);
    std::lock_guard<std::mutex> lock(mutex_);
    blocks_[reinterpret_cast<uintptr_t>(p)] = {whole, current()};
    return p;
  }
  void release(void* p) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      blocks_.erase(reinterpret_cast<uintptr_t>(p));
    }
    std::free(p);
  }
  /// Whose memory an address lies in, -1: the host's.
  int ownerOf(uintptr_t address) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto after = blocks_.upper_bound(address);
    if (after == blocks_.begin()) return -1;
    auto [start, block] = *std::prev(after);
    return address < start + block.bytes ? block.gpu : -1;
  }

 private:
  struct Block {
    size_t bytes;
    int gpu;
  };
  std::mutex mutex_;
  std::map<uintptr_t, Block> blocks_;
};

}  // namespace emulate

// Runs device code on the host, for tests: the threads of a block are fibers, so barriers, shared memory, warp shuffles
// and tensor-core products do what the programming model says, one block after another. What it cannot show: speed,
// races between blocks, and rounding inside a tensor core (here: k in order, by fused multiply-add).
//
// A thread runs until it waits, then the next one runs. The variable TROUPE_EMULATED_ORDER=reversed turns the order of
// warps and lanes round: code that lacks a barrier gives other results then. Shared memory starts as NaN in every block.
#pragma once
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>
#include <ucontext.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

namespace emulate {

constexpr int kWarp = 32;
constexpr size_t kStack = 1 << 17;
constexpr int kSlotBytes = 32;

enum class State { Ready, AtWarp, AtBlock, Done };

class Machine {
 public:
  static Machine& instance() {
    static thread_local Machine* machine = new Machine;
    return *machine;
  }

  void launch(dim3 grid, dim3 block, size_t sharedBytes, const std::function<void()>& body) {
    grid_ = grid, block_ = block, body_ = &body;
    const char* order = std::getenv("TROUPE_EMULATED_ORDER");
    reversed_ = order != nullptr && std::strcmp(order, "reversed") == 0;
    count_ = (int)(block.x * block.y * block.z);
    while ((int)fibers_.size() < count_) fibers_.push_back(std::make_unique<Fiber>());
    warps_.resize((count_ + kWarp - 1) / kWarp);
    shared_.resize(sharedBytes / 8 + 2);
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
      for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) runBlock();
  }

  void wait(State at) {
    fibers_[current_]->state = at;
    leave();
  }
  /// Meets the other lanes; what each put into its slot stays readable until the warp has met once more.
  void meet(const void* value, size_t bytes) {
    Fiber& f = *fibers_[current_];
    std::memcpy(warps_[current_ / kWarp].slots[f.turn][current_ % kWarp], value, bytes);
    wait(State::AtWarp);
    fibers_[current_]->turn ^= 1;
  }
  const unsigned char* slot(int lane) const {
    return warps_[current_ / kWarp].slots[fibers_[current_]->turn ^ 1][lane];
  }

  dim3 threadIndex() const {
    unsigned i = (unsigned)current_;
    return {i % block_.x, i / block_.x % block_.y, i / (block_.x * block_.y)};
  }
  dim3 blockIdx, grid_, block_;
  char* shared() { return reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(shared_.data()) + 15) & ~uintptr_t(15)); }
  int current() const { return current_; }

 private:
  struct Fiber {
    std::unique_ptr<char[]> stack{new char[kStack]};
    ucontext_t context;
    jmp_buf place;
    bool started = false;
    State state = State::Done;
    int turn = 0;
  };
  struct Warp {
    unsigned char slots[2][kWarp][kSlotBytes];
  };

  static void fail(const char* text) {
    std::fprintf(stderr, "emulated device: %s\n", text);
    std::abort();
  }

  void runBlock() {
    std::memset(shared_.data(), 0xff, shared_.size() * 8);
    for (int i = 0; i < count_; i++) fibers_[i]->state = State::Ready, fibers_[i]->turn = 0;
    for (;;) {
      for (size_t w = 0; w < warps_.size(); w++) runWarp((int)(reversed_ ? warps_.size() - 1 - w : w));
      bool allDone = true;
      for (int i = 0; i < count_; i++) allDone &= fibers_[i]->state == State::Done;
      if (allDone) return;
      for (int i = 0; i < count_; i++)
        if (fibers_[i]->state == State::AtBlock) fibers_[i]->state = State::Ready;
    }
  }

  /// Until every lane waits for the block or is done.
  void runWarp(int w) {
    int first = w * kWarp, last = std::min(first + kWarp, count_);
    for (;;) {
      int atWarp = 0, ended = 0;
      for (int i = first; i < last; i++) {
        int lane = reversed_ ? last - 1 - (i - first) : i;
        if (fibers_[lane]->state == State::Ready) enter(lane);
      }
      for (int i = first; i < last; i++) {
        State s = fibers_[i]->state;
        atWarp += s == State::AtWarp, ended += s == State::Done;
      }
      if (atWarp == 0) return;
      if (atWarp != kWarp) fail(ended > 0 ? "a warp operation lacks lanes that have ended" : "lanes of a warp wait at different places");
      for (int i = first; i < last; i++) fibers_[i]->state = State::Ready;
    }
  }

  static void main() {
    Machine* m = &instance();
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &m->hostStack_, &m->hostStackSize_);
#endif
    for (;;) {
      (*m->body_)();
      m->wait(State::Done);
    }
  }

  void enter(int index) {
    current_ = index;
    Fiber& f = *fibers_[index];
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    if (!f.started) begin(f);
    __sanitizer_start_switch_fiber(&fake, f.stack.get(), kStack);
    swapcontext(&host_, &f.context);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    // Signal masks are not saved, which would be a system call per switch.
    if (_setjmp(hostPlace_) != 0) return;
    if (f.started) _longjmp(f.place, 1);
    begin(f);
    setcontext(&f.context);
#endif
  }

  void begin(Fiber& f) {
    f.started = true;
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.get();
    f.context.uc_stack.ss_size = kStack;
    f.context.uc_link = nullptr;
    makecontext(&f.context, main, 0);
  }

  void leave() {
    Fiber& f = *fibers_[current_];
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, hostStack_, hostStackSize_);
    swapcontext(&f.context, &host_);
    __sanitizer_finish_switch_fiber(fake, &hostStack_, &hostStackSize_);
#else
    if (_setjmp(f.place) == 0) _longjmp(hostPlace_, 1);
#endif
  }

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Warp> warps_;
  std::vector<double> shared_;
  const std::function<void()>* body_ = nullptr;
  int count_ = 0, current_ = 0;
  bool reversed_ = false;
  jmp_buf hostPlace_;
#if defined(__SANITIZE_ADDRESS__)
  ucontext_t host_;
  const void* hostStack_ = nullptr;
  size_t hostStackSize_ = 0;
#endif
};

}  // namespace emulate

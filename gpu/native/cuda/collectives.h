// What joins the GPUs of one process: NVIDIA's NCCL, opened at run time, so nothing of it is needed to build. One thread
// speaks for all ranks, so calls that belong together are made as one group. Source of prototypes and numbers: the NCCL
// documentation, the same for all versions 2.x from 2.7 on.
#pragma once
#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "host.h"

namespace troupe::cuda {

/// The library's functions that are used, by their names there without "nccl".
struct Nccl {
  static constexpr int kSuccess = 0, kInProgress = 7;
  static constexpr int kBytes = 0, kFloat32 = 7, kSum = 0;

  int (*CommInitAll)(void** communicators, int count, const int* gpus);
  int (*CommDestroy)(void*);
  int (*CommAbort)(void*);
  int (*CommGetAsyncError)(void*, int* error);
  const char* (*GetErrorString)(int);
  int (*GroupStart)();
  int (*GroupEnd)();
  int (*Send)(const void*, size_t count, int type, int to, void*, void* stream);
  int (*Recv)(void*, size_t count, int type, int from, void*, void* stream);
  int (*ReduceScatter)(const void* all, void* own, size_t ownCount, int type, int operation, void*, void* stream);
  int (*AllGather)(const void* own, void* all, size_t ownCount, int type, void*, void* stream);
  int (*Broadcast)(const void* from, void* to, size_t count, int type, int root, void*, void* stream);

  /// One for the process, never closed. Throws BadInput saying what was looked for when there is none.
  static const Nccl& open(size_t gpus) {
    static const Nccl library(gpus);
    return library;
  }

 private:
  explicit Nccl(size_t gpus) {
    const char* named = std::getenv("TROUPE_NCCL");
    const char* file = named != nullptr ? named : "libnccl.so.2";
    std::string wanted = "gpus is " + std::to_string(gpus) + ", which needs NCCL";
    void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
      throw Failure(TR_BAD_INPUT, wanted + "; looked for " + file + " (" + dlerror() +
                                      "). TROUPE_NCCL names its file; without it leave gpus 1");
    auto find = [&](auto& function, const char* name) {
      std::string symbol = std::string("nccl") + name;
      void* found = dlsym(library, symbol.c_str());
      if (found == nullptr) throw Failure(TR_BAD_INPUT, wanted + ", and " + file + " lacks " + symbol);
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    find(CommInitAll, "CommInitAll"), find(CommDestroy, "CommDestroy"), find(CommAbort, "CommAbort");
    find(CommGetAsyncError, "CommGetAsyncError"), find(GetErrorString, "GetErrorString");
    find(GroupStart, "GroupStart"), find(GroupEnd, "GroupEnd");
    find(Send, "Send"), find(Recv, "Recv"), find(ReduceScatter, "ReduceScatter");
    find(AllGather, "AllGather"), find(Broadcast, "Broadcast");
  }
};

/// One communicator for each GPU. After a failure it is aborted: work that waits for a lost rank ends, and every later call
/// fails too.
class Collectives {
 public:
  /// Rank i is GPU i.
  explicit Collectives(int gpus) : nccl_(Nccl::open((size_t)gpus)), communicators_(gpus) {
    std::vector<int> list(gpus);
    for (int i = 0; i < gpus; i++) list[i] = i;
    demand(nccl_.CommInitAll(communicators_.data(), gpus, list.data()), "ncclCommInitAll");
  }
  Collectives(const Collectives&) = delete;
  ~Collectives() {
    for (void* one : communicators_) (void)nccl_.CommDestroy(one);
  }

  /// Runs `body`, whose calls to several GPUs belong together; throws DeviceLost when it or an earlier one failed, unless
  /// what failed are the numbers.
  template <class Body>
  void run(Body body) {
    if (!lost_.empty()) throw Failure(TR_DEVICE_LOST, lost_);
    try {
      body();
    } catch (const Failure& failure) {
      if (failure.status == TR_NOT_FINITE) throw;
      abort(failure.text);
      throw Failure(TR_DEVICE_LOST, lost_);
    }
  }
  /// Makes the calls of `body` one: none waits for another of them.
  template <class Body>
  void group(Body body) {
    std::unique_lock<std::shared_mutex> lock(quietDriver());
    demand(nccl_.GroupStart(), "ncclGroupStart");
    try {
      body();
    } catch (...) {
      // The thread's next group must not begin inside this one.
      (void)nccl_.GroupEnd();
      throw;
    }
    demand(nccl_.GroupEnd(), "ncclGroupEnd");
  }
  void send(int rank, const float* from, long n, int to, Stream s) {
    demand(nccl_.Send(from, (size_t)n, Nccl::kFloat32, to, communicators_[rank], handleOf(s)), "ncclSend");
  }
  void receive(int rank, float* to, long n, int from, Stream s) {
    demand(nccl_.Recv(to, (size_t)n, Nccl::kFloat32, from, communicators_[rank], handleOf(s)), "ncclRecv");
  }
  /// own [n] = the sum over ranks of all [rank · n … (rank + 1) · n), in the library's order.
  void reduceScatter(int rank, const float* all, float* own, long n, Stream s) {
    demand(nccl_.ReduceScatter(all, own, (size_t)n, Nccl::kFloat32, Nccl::kSum, communicators_[rank], handleOf(s)), "ncclReduceScatter");
  }
  /// all [ranks, bytes] of each rank's `own`.
  void allGather(int rank, const void* own, void* all, size_t bytes, Stream s) {
    demand(nccl_.AllGather(own, all, bytes, Nccl::kBytes, communicators_[rank], handleOf(s)), "ncclAllGather");
  }
  void broadcast(int rank, const float* from, float* to, long n, int root, Stream s) {
    demand(nccl_.Broadcast(from, to, (size_t)n, Nccl::kFloat32, root, communicators_[rank], handleOf(s)), "ncclBroadcast");
  }
  /// Waits for the streams of all ranks, and looks meanwhile whether one is lost, which the others would wait for without
  /// end.
  void finish(const std::vector<Stream>& streams) {
    for (bool isDone = false; !isDone;) {
      isDone = true;
      for (size_t rank = 0; rank < streams.size(); rank++) {
        isDone = cuda::isDone(streams[rank]) && isDone;
        int error = Nccl::kSuccess;
        demand(nccl_.CommGetAsyncError(communicators_[rank], &error), "ncclCommGetAsyncError");
        if (error != Nccl::kInProgress) demand(error, "ncclCommGetAsyncError");
      }
      if (!isDone) std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

 private:
  void demand(int result, const char* call) const {
    if (result == Nccl::kSuccess || result == Nccl::kInProgress) return;
    throw Failure(TR_DEVICE_LOST, std::string(call) + " of " + std::to_string(communicators_.size()) + " GPUs failed: " +
                                      nccl_.GetErrorString(result));
  }
  void abort(const std::string& cause) {
    lost_ = cause;
    for (void* one : communicators_) (void)nccl_.CommAbort(one);
    communicators_.clear();
  }

  const Nccl& nccl_;
  std::vector<void*> communicators_;
  std::string lost_;
};

}  // namespace troupe::cuda

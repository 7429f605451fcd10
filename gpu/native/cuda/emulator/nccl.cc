// What stands for NVIDIA's NCCL beside the emulator: the functions of it that ../collectives.h calls, as copies in host
// memory. A group is done when it ends; what would wait without end there is refused here. TROUPE_EMULATED_NCCL=refused
// makes the next group fail at once, =lost leaves it undone and reports a lost rank behind it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int kSuccess = 0, kSystemError = 2, kBadArgument = 4, kBadUse = 5, kRemoteError = 6;
constexpr int kBytes = 0, kFloat32 = 7, kSum = 0;
constexpr int kMostGpus = 4;

/// What the ranks of one initialisation share.
struct World {
  size_t size;
  int error = kSuccess;
};
struct Communicator {
  std::shared_ptr<World> world;
  size_t rank;
};
enum class Kind { Send, Receive, ReduceScatter, AllGather, Broadcast };
struct Call {
  Kind kind;
  Communicator* of;
  const char* from;
  char* to;
  size_t bytes;
  size_t peer;
};
/// Calls of this thread's group that wait for its end.
thread_local int depth = 0;
thread_local std::vector<Call> waiting;

/// One collective, the calls in the order of ranks. Everything is read before anything is written, for arrays may be the
/// same.
int together(const std::vector<Call>& calls) {
  const Call& first = calls.front();
  size_t n = calls.size(), bytes = first.bytes;
  for (const Call& c : calls)
    if (c.kind != first.kind || c.bytes != bytes || c.peer != first.peer) return kBadUse;
  std::vector<char> all(bytes * (first.kind == Kind::Broadcast ? 1 : n));
  if (first.kind == Kind::Broadcast) std::memcpy(all.data(), calls[first.peer].from, bytes);
  if (first.kind == Kind::AllGather)
    for (size_t r = 0; r < n; r++) std::memcpy(all.data() + r * bytes, calls[r].from, bytes);
  if (first.kind == Kind::ReduceScatter)
    for (size_t r = 0; r < n; r++) {
      float* sums = reinterpret_cast<float*>(all.data() + r * bytes);
      // As a ring would: from the next rank round to the own.
      for (size_t i = 0; i < bytes / 4; i++)
        for (size_t step = 1; step <= n; step++) {
          float x = reinterpret_cast<const float*>(calls[(r + step) % n].from + r * bytes)[i];
          sums[i] = step == 1 ? x : sums[i] + x;
        }
    }
  for (size_t r = 0; r < n; r++) {
    if (first.kind == Kind::ReduceScatter) std::memcpy(calls[r].to, all.data() + r * bytes, bytes);
    else std::memcpy(calls[r].to, all.data(), all.size());
  }
  return kSuccess;
}

int runWorld(World& world, const std::vector<Call>& calls) {
  // What comes behind a lost rank waits, and says nothing.
  if (world.error != kSuccess) return kSuccess;
  const char* wanted = std::getenv("TROUPE_EMULATED_NCCL");
  if (wanted != nullptr && std::string(wanted) == "refused") return kSystemError;
  if (wanted != nullptr && std::string(wanted) == "lost") {
    world.error = kRemoteError;
    return kSuccess;
  }
  std::vector<std::vector<Call>> collectives(world.size);
  std::map<std::pair<size_t, size_t>, std::vector<Call>> sent, received;
  for (const Call& c : calls) {
    size_t rank = c.of->rank;
    if (c.peer >= world.size) return kBadArgument;
    if (c.kind == Kind::Send) sent[{rank, c.peer}].push_back(c);
    else if (c.kind == Kind::Receive) received[{c.peer, rank}].push_back(c);
    else collectives[rank].push_back(c);
  }
  if (sent.size() != received.size()) return kBadUse;
  for (auto& [link, messages] : sent) {
    auto& arrivals = received[link];
    if (arrivals.size() != messages.size()) return kBadUse;
    for (size_t i = 0; i < messages.size(); i++) {
      if (arrivals[i].bytes != messages[i].bytes) return kBadUse;
      std::memcpy(arrivals[i].to, messages[i].from, messages[i].bytes);
    }
  }
  for (size_t i = 0; i < collectives.front().size(); i++) {
    std::vector<Call> calls;
    for (auto& of : collectives) {
      if (of.size() != collectives.front().size()) return kBadUse;
      calls.push_back(of[i]);
    }
    if (int error = together(calls)) return error;
  }
  for (auto& of : collectives)
    if (of.size() != collectives.front().size()) return kBadUse;
  return kSuccess;
}

int enqueue(Kind kind, void* communicator, const void* from, void* to, size_t count, int type, int peer) {
  auto* of = static_cast<Communicator*>(communicator);
  if (of == nullptr || (type != kBytes && type != kFloat32) || peer < 0) return kBadArgument;
  // Outside a group the one thread that speaks for all ranks would wait for itself.
  if (depth == 0) return kBadUse;
  waiting.push_back({kind, of, static_cast<const char*>(from), static_cast<char*>(to), count * (type == kBytes ? 1 : 4), (size_t)peer});
  return kSuccess;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int ncclCommInitAll(void** out, int count, const int* gpus) {
  if (count < 1 || count > kMostGpus) return kBadArgument;
  auto world = std::make_shared<World>(World{(size_t)count});
  for (int i = 0; i < count; i++) {
    if (gpus[i] < 0 || gpus[i] >= kMostGpus) return kBadArgument;
    out[i] = new Communicator{world, (size_t)i};
  }
  return kSuccess;
}
EXPORTED int ncclCommDestroy(void* p) {
  delete static_cast<Communicator*>(p);
  return kSuccess;
}
EXPORTED int ncclCommAbort(void* p) { return ncclCommDestroy(p); }
EXPORTED int ncclCommGetAsyncError(void* p, int* error) {
  *error = static_cast<Communicator*>(p)->world->error;
  return kSuccess;
}
EXPORTED const char* ncclGetErrorString(int result) {
  switch (result) {
    case kSuccess: return "no error";
    case kSystemError: return "unhandled system error (stand-in)";
    case kBadArgument: return "invalid argument (stand-in)";
    case kRemoteError: return "remote process exited or there was a network error (stand-in)";
    default: return "invalid usage (stand-in)";
  }
}
EXPORTED int ncclGroupStart() {
  depth++;
  return kSuccess;
}
EXPORTED int ncclGroupEnd() {
  if (depth == 0) return kBadUse;
  if (--depth > 0) return kSuccess;
  std::vector<Call> calls;
  calls.swap(waiting);
  std::map<World*, std::vector<Call>> worlds;
  for (const Call& c : calls) worlds[c.of->world.get()].push_back(c);
  for (auto& [world, ofWorld] : worlds)
    if (int error = runWorld(*world, ofWorld)) return error;
  return kSuccess;
}
EXPORTED int ncclSend(const void* from, size_t n, int type, int peer, void* of, void*) {
  return enqueue(Kind::Send, of, from, nullptr, n, type, peer);
}
EXPORTED int ncclRecv(void* to, size_t n, int type, int peer, void* of, void*) {
  return enqueue(Kind::Receive, of, nullptr, to, n, type, peer);
}
EXPORTED int ncclReduceScatter(const void* all, void* own, size_t n, int type, int operation, void* of, void*) {
  if (type != kFloat32 || operation != kSum) return kBadArgument;
  return enqueue(Kind::ReduceScatter, of, all, own, n, type, 0);
}
EXPORTED int ncclAllGather(const void* own, void* all, size_t n, int type, void* of, void*) {
  return enqueue(Kind::AllGather, of, own, all, n, type, 0);
}
EXPORTED int ncclBroadcast(const void* from, void* to, size_t n, int type, int root, void* of, void*) {
  return enqueue(Kind::Broadcast, of, from, to, n, type, root);
}

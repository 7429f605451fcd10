#include "shared-memory.h"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <new>

#include "failure.h"

#if defined(__linux__) || defined(__APPLE__)
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace troupe {

#if defined(__linux__) || defined(__APPLE__)

namespace {

void* map(int descriptor, size_t bytes, bool isWritable) {
  return mmap(nullptr, bytes, PROT_READ | (isWritable ? PROT_WRITE : 0), MAP_SHARED, descriptor, 0);
}

}  // namespace

SharedMemory::SharedMemory(size_t bytes) : isOwner_(true) {
#if defined(__linux__)
  // By number, as older C libraries lack the function.
  descriptor_ = (int)syscall(SYS_memfd_create, "troupe", 1u /* closed in programs that this process starts */);
  std::snprintf(place_.path, sizeof place_.path, "/proc/%d/fd/%d", (int)getpid(), descriptor_);
#else
  static std::atomic<int> next{0};
  std::snprintf(place_.path, sizeof place_.path, "/troupe-%d-%d", (int)getpid(), next++);
  shm_unlink(place_.path);  // of a process of the same number that was killed
  descriptor_ = shm_open(place_.path, O_CREAT | O_EXCL | O_RDWR, 0600);
#endif
  if (descriptor_ < 0) throw Failure(TR_BAD_INPUT, std::string("this system gives no memory that processes share: ") + std::strerror(errno));
  struct stat s;
  if (ftruncate(descriptor_, (off_t)bytes) == 0 && fstat(descriptor_, &s) == 0) data_ = map(descriptor_, bytes, true);
  if (data_ == nullptr || data_ == MAP_FAILED) {
    data_ = nullptr;
    this->~SharedMemory();
    throw std::bad_alloc();
  }
  place_.device = (uint64_t)s.st_dev, place_.inode = (uint64_t)s.st_ino, place_.bytes = bytes;
}

SharedMemory::SharedMemory(const SharedPlace& place, bool isWritable) : place_(place), isOwner_(false) {
  int flags = (isWritable ? O_RDWR : O_RDONLY) | O_CLOEXEC;
#if defined(__linux__)
  descriptor_ = open(place.path, flags);
#else
  descriptor_ = shm_open(place.path, flags & ~O_CLOEXEC, 0);
#endif
  struct stat s;
  // A process number, and with it the path, may have passed to another process.
  bool isSame = descriptor_ >= 0 && fstat(descriptor_, &s) == 0 && (uint64_t)s.st_dev == place.device && (uint64_t)s.st_ino == place.inode;
  if (isSame) data_ = map(descriptor_, place.bytes, isWritable);
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
  if (data_ == nullptr || data_ == MAP_FAILED) {
    data_ = nullptr;
    throw Failure(TR_NO_STORE, "the process that holds the weights has ended, or is not this user's");
  }
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, place_.bytes);
  if (descriptor_ >= 0) close(descriptor_);
#if defined(__APPLE__)
  if (isOwner_) shm_unlink(place_.path);
#endif
  data_ = nullptr, descriptor_ = -1;
}

namespace {

/// When a process began, in the system's ticks; 0 when it has ended or the system does not tell.
uint64_t startOf(int process) {
#if defined(__linux__)
  char path[32], text[512];
  std::snprintf(path, sizeof path, "/proc/%d/stat", process);
  FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 0;
  size_t n = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  text[n] = 0;
  // The second field, a name in parentheses, may hold anything; state is the third, the start the 22nd.
  const char* at = std::strrchr(text, ')');
  if (at == nullptr || at[1] == 0 || at[2] == 'Z' || at[2] == 'X') return 0;
  at += 2;
  for (int field = 3; field < 22 && at != nullptr; field++) at = std::strchr(at + 1, ' ');
  unsigned long long start = 0;
  if (at == nullptr || std::sscanf(at, "%llu", &start) != 1) return 0;
  return start & 0xffffffffu;
#else
  return kill(process, 0) == 0 || errno != ESRCH ? 1 : 0;
#endif
}

}  // namespace

uint64_t processIdentity() { return startOf((int)getpid()) << 32 | (uint32_t)getpid(); }
bool hasEnded(uint64_t identity) { return startOf((int)(uint32_t)identity) != identity >> 32; }

#else

SharedMemory::SharedMemory(size_t) : isOwner_(true) { throw Failure(TR_BAD_INPUT, "this system has no memory that processes share"); }
SharedMemory::SharedMemory(const SharedPlace&, bool) : isOwner_(false) { throw Failure(TR_BAD_INPUT, "this system has no memory that processes share"); }
SharedMemory::~SharedMemory() {}
uint64_t processIdentity() { return 0; }
bool hasEnded(uint64_t) { return false; }

#endif

}  // namespace troupe

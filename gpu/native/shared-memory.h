// Memory that other processes can map while this one keeps it. On Linux it has no name in any file system: others open
// it through this process's descriptor, and it is gone with the last process that maps it, however that one ends.
// macOS has no such thing: there it is a named object, unlinked when it is let go of.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace troupe {

/// How another process finds a piece, and knows it again.
struct SharedPlace {
  char path[48];
  uint64_t device, inode, bytes;
};

class SharedMemory {
 public:
  /// Zeros. Throws BadInput where the system has no shared memory, bad_alloc when it has none left.
  explicit SharedMemory(size_t bytes);
  /// A piece of another process. Throws NoStore when it is not there any more.
  SharedMemory(const SharedPlace&, bool isWritable);
  SharedMemory(const SharedMemory&) = delete;
  ~SharedMemory();

  void* data() const { return data_; }
  const SharedPlace& place() const { return place_; }

 private:
  SharedPlace place_{};
  int descriptor_ = -1;
  void* data_ = nullptr;
  [[maybe_unused]] bool isOwner_;  // where there is a name to take away
};

/// Names a process for as long as it lives: its id and the moment of its start.
uint64_t processIdentity();
/// Whether the process of that identity has ended, be it a zombie.
bool hasEnded(uint64_t identity);

}  // namespace troupe

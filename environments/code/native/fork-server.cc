// Guests as forks of one warm interpreter. A library that trusted Python code loads and calls: troupe_serve() does not
// return in the process that calls it, and returns in every guest that is forked from it, behind the boundary.
//
//   troupe_serve(launcher's options, --socket PATH, --root DIR)
//
// stdin has orders, a line each: "start <id> <memory MiB> <total MiB>" and "kill <id>". A guest connects to the socket, says
// "hello <id>", and has the connection as descriptors 3 and 4. stdout has the ends:
// "end <id> exit=<code> signal=<number> oom=<count> forks-refused=<count> watchdog=<0|1>". When stdin closes all guests end.
//
// A guest has mounts, processes, a user and cgroups of its own, and no more rights or ways out than one of the launcher's.
// The namespaces of network, IPC and host name are this server's, empty, and out of reach: no call to them is let through.
#include <sys/un.h>

#include <map>
#include <memory>
#include <sstream>

#include "boundary.h"

namespace {

struct Running {
  pid_t pid;
  int pidfd;
  long limit_pages;
  std::unique_ptr<Cgroups> cgroups;
  bool ended_for_memory = false;
};

void enter_namespaces(bool is_root) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  must(unshare(flags | (is_root ? 0 : CLONE_NEWUSER)) == 0, "make namespaces");
  if (is_root) return;
  write_text("/proc/self/setgroups", "deny");
  must(write_text("/proc/self/uid_map", "1000 " + std::to_string(uid) + " 1"), "map its user");
  must(write_text("/proc/self/gid_map", "1000 " + std::to_string(gid) + " 1"), "map its group");
}

int call_harness(const std::string& path, long id) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) errno = ENAMETOOLONG, fail("call the harness");
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  must(fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "call the harness");
  const std::string hello = "hello " + std::to_string(id) + "\n";
  must(write(fd, hello.data(), hello.size()) == static_cast<ssize_t>(hello.size()), "greet the harness");
  return fd;
}

/// Goes behind the boundary, with a connection to the harness as descriptors 3 and 4 and nothing else of the server's.
void become_guest(const Options& options, bool is_root, long id, int proceed, const struct sigaction* before) {
  pid_t number;
  // The server has put this process into its cgroups by then; end of file means that it could not.
  if (read(proceed, &number, sizeof number) != sizeof number) _exit(125);
  const int connection = call_harness(options.socket, id);
  enter_root(options, options.root);
  if (is_root) become_own_user(number);
  give_up(options);
  setsid();
  for (size_t i = 0; i < std::size(kPassing); i++) sigaction(kPassing[i], &before[i], nullptr);
  const int null = open("/dev/null", O_RDWR);
  // Out of the way of the numbers that are given out.
  const int high = fcntl(connection, F_DUPFD, 10);
  must(null >= 0 && high >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1, "close stdin and stdout");
  must(dup2(high, 3) == 3 && dup2(high, 4) == 4, "hand over the descriptors");
  const int most = static_cast<int>(sysconf(_SC_OPEN_MAX));
  if (syscall(SYS_close_range, 5, ~0u, 0) != 0)
    for (int fd = 5; fd < most; fd++) close(fd);
}

class Server {
 public:
  explicit Server(const Options& options) : options_(options), is_root_(is_privileged()) {}

  /// Returns in a guest.
  void serve() {
    for (size_t i = 0; i < std::size(kPassing); i++) {
      struct sigaction ignore{};
      ignore.sa_handler = SIG_IGN;
      sigaction(kPassing[i], &ignore, &before_[i]);
    }
    enter_namespaces(is_root_);
    keep_mounts_private();
    build_root(options_, options_.root, "");
    tell("serving\n");
    std::string orders;
    for (;;) {
      std::vector<pollfd> wanted{{0, POLLIN, 0}};
      bool is_bounded = true;
      for (const auto& [id, one] : running_) {
        if (one.pidfd >= 0) wanted.push_back({one.pidfd, POLLIN, 0});
        is_bounded = is_bounded && one.pidfd >= 0 && one.cgroups->bounds_memory();
      }
      poll(wanted.data(), wanted.size(), is_bounded ? -1 : 25);
      reap();
      if (wanted[0].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = read(0, buffer, sizeof buffer);
      if (count <= 0) leave();
      orders.append(buffer, count);
      for (size_t end; (end = orders.find('\n')) != std::string::npos; orders.erase(0, end + 1))
        if (obey(orders.substr(0, end))) return;
    }
  }

 private:
  /// Whether this is the guest that an order was for.
  bool obey(const std::string& line) {
    std::istringstream words(line);
    std::string what;
    long id = 0;
    words >> what >> id;
    if (what == "kill") {
      const auto found = running_.find(id);
      if (found != running_.end()) kill(found->second.pid, SIGKILL);
      return false;
    }
    Options own = options_;
    words >> own.memory_mb >> own.total_mb;
    auto cgroups = std::make_unique<Cgroups>(own, std::to_string(getpid()) + "-" + std::to_string(id));
    int proceed[2];
    must(pipe(proceed) == 0, "make a pipe");
    const pid_t pid = syscall(SYS_clone, CLONE_NEWNS | CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, 0);
    must(pid >= 0, "make namespaces");
    if (pid == 0) {
      close(proceed[1]);
      become_guest(own, is_root_, id, proceed[0], before_);
      return true;
    }
    cgroups->add(pid);
    must(write(proceed[1], &pid, sizeof pid) == sizeof pid, "let the guest start");
    close(proceed[0]), close(proceed[1]);
    const int pidfd = syscall(SYS_pidfd_open, pid, 0);
    running_.emplace(id, Running{pid, pidfd, (own.total_mb << 20) / sysconf(_SC_PAGESIZE), std::move(cgroups)});
    return false;
  }

  void reap() {
    for (auto at = running_.begin(); at != running_.end();) {
      auto& [id, one] = *at;
      int status;
      if (waitpid(one.pid, &status, WNOHANG) != one.pid) {
        if (!one.cgroups->bounds_memory() && pages_of(one.pid) > one.limit_pages) {
          one.ended_for_memory = true;
          kill(one.pid, SIGKILL);
        }
        at++;
        continue;
      }
      const std::string end = end_of(status, *one.cgroups, one.ended_for_memory);
      if (one.pidfd >= 0) close(one.pidfd);
      one.cgroups->remove();
      // Last, as for the harness nothing of a guest is left from then on.
      tell("end " + std::to_string(id) + " " + end + "\n");
      at = running_.erase(at);
    }
  }

  static void tell(const std::string& text) {
    if (write(1, text.data(), text.size()) < 0) {
      // The harness has gone; stdin says so too.
    }
  }

  [[noreturn]] void leave() {
    for (const auto& [id, one] : running_) kill(one.pid, SIGKILL);
    for (const auto& [id, one] : running_) waitpid(one.pid, nullptr, 0), one.cgroups->remove();
    umount2(options_.root.c_str(), MNT_DETACH);
    rmdir(options_.root.c_str());
    unlink(options_.socket.c_str());
    rmdir(options_.socket.substr(0, options_.socket.rfind('/')).c_str());
    _exit(0);
  }

  const Options options_;
  const bool is_root_;
  std::map<long, Running> running_;
  struct sigaction before_[std::size(kPassing)];
};

}  // namespace

/// Returns 0, and only in guests; the caller's process is the server from then on, and ends when its stdin does.
extern "C" int troupe_serve(int argc, char** argv) {
  Server server(parse(argc, argv));
  server.serve();
  return 0;
}

// Starts one untrusted interpreter inside Linux namespaces and watches over it from outside; boundary.h has what it is kept
// in by.
//
//   launcher --memory-mb N --total-mb N --processes N --disk-mb N --file-mb N --stack-mb N
//            [--cgroup DIR]... [--bind FROM TO]... [--symlink TARGET PATH]... -- PROGRAM ARGUMENT...
//
// stdin and stdout belong to the guest: it finds them as descriptors 3 and 4. stderr carries what the launcher has to
// say: "cannot ..." when the boundary does not stand, and at the end
// "end exit=<code> signal=<number> oom=<count> forks-refused=<count> watchdog=<0|1>".
// Three processes: the launcher itself; process 1 of the new PID namespace, which only reaps; the guest, process 2.
// Whichever of them dies takes the others along, and so does closing the launcher's stdin.
#include "boundary.h"

namespace {

struct Child {
  /// The harness's user, or for root a number that tells sandboxes that run together apart.
  uid_t uid;
  gid_t gid;
  bool own_user_namespace;
  int proceed;
};

[[noreturn]] void run_guest(const Options& options) {
  setsid();
  for (const int one : kPassing) signal(one, SIG_DFL);
  must(dup3(0, 3, 0) == 3 && dup3(1, 4, 0) == 4, "hand over the descriptors");
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  must(null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1, "close stdin and stdout");
  for (int fd = 5; fd < 256; fd++) close(fd);
  const char* environment[] = {"PATH=/usr/bin:/bin", "HOME=/box", "LANG=C.UTF-8", "PYTHONHASHSEED=0",
                               "PYTHONDONTWRITEBYTECODE=1", "OPENBLAS_NUM_THREADS=1", nullptr};
  execve(options.command[0], options.command.data(), const_cast<char**>(environment));
  fail(std::string("start ") + options.command[0]);
}

[[noreturn]] void be_process_one(const Options& options, const Child& child) {
  if (child.own_user_namespace) {
    write_text("/proc/self/setgroups", "deny");
    must(write_text("/proc/self/uid_map", "1000 " + std::to_string(child.uid) + " 1"), "map its user");
    must(write_text("/proc/self/gid_map", "1000 " + std::to_string(child.gid) + " 1"), "map its group");
  }
  char byte;
  // The launcher has put this process into its cgroups by then; end of file means that it could not.
  if (read(child.proceed, &byte, 1) != 1) _exit(125);
  keep_mounts_private();
  must(mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0755") == 0, "mount a tmpfs");
  must(mkdir("/tmp/new", 0755) == 0 && mkdir("/tmp/old", 0755) == 0, "make the new root");
  must(syscall(SYS_pivot_root, "/tmp", "/tmp/old") == 0 && chdir("/") == 0, "change the root");
  build_root(options, "/new", "/old");
  must(umount2("/old", MNT_DETACH) == 0, "leave the old root");
  enter_root(options, "/new");
  if (!child.own_user_namespace) become_own_user(child.uid);
  give_up(options);
  const pid_t guest = fork();
  must(guest >= 0, "start the guest");
  if (guest == 0) run_guest(options);
  close(0), close(1);
  for (int status;;) {
    const pid_t done = waitpid(-1, &status, 0);
    if (done == guest) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

/// Waits for the sandbox to end; ends it when the harness has gone, or has more memory than it may have.
int watch(pid_t pid, const Options& options, bool is_bounded, bool* ended_for_memory) {
  const long limit_pages = (options.total_mb << 20) / sysconf(_SC_PAGESIZE);
  const int fd = syscall(SYS_pidfd_open, pid, 0);
  pollfd wanted[2] = {{0, 0, 0}, {fd, POLLIN, 0}};
  for (bool has_harness = true;;) {
    const int timeout = fd < 0 ? 5 : is_bounded ? -1 : 25;
    poll(wanted, fd < 0 ? 1 : 2, has_harness ? timeout : 5);
    int status;
    if (waitpid(pid, &status, WNOHANG) == pid) return status;
    if (has_harness && (wanted[0].revents & (POLLHUP | POLLERR))) {
      kill(pid, SIGKILL);
      has_harness = false;
      wanted[0].fd = -1;
    }
    if (!is_bounded && pages_of(pid) > limit_pages) {
      *ended_for_memory = true;
      kill(pid, SIGKILL);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options = parse(argc, argv);
  if (options.command.empty()) errno = EINVAL, fail("find the program to run");
  options.command.push_back(nullptr);
  // It leaves when its stdin closes, which the harness's death does too, and clears up before. Signals meant for all of
  // a terminal's processes must not keep it from that.
  for (const int one : kPassing) signal(one, SIG_IGN);
  const bool is_root = is_privileged();
  const Cgroups cgroups(options, std::to_string(getpid()));
  int proceed[2];
  must(pipe2(proceed, O_CLOEXEC) == 0, "make a pipe");
  const Child child{is_root ? static_cast<uid_t>(getpid()) : geteuid(), getegid(), !is_root, proceed[0]};
  const unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                              (is_root ? 0 : CLONE_NEWUSER) | SIGCHLD;
  const pid_t pid = syscall(SYS_clone, flags, nullptr, nullptr, nullptr, 0);
  must(pid >= 0, "make namespaces");
  if (pid == 0) {
    close(proceed[1]);
    be_process_one(options, child);
  }
  cgroups.add(pid);
  must(write(proceed[1], "x", 1) == 1, "let the sandbox start");
  close(1);
  bool ended_for_memory = false;
  const int status = watch(pid, options, cgroups.bounds_memory(), &ended_for_memory);
  dprintf(2, "end %s\n", end_of(status, cgroups, ended_for_memory).c_str());
  cgroups.remove();
  return 0;
}

// The parts of the boundary that both ways to start a guest share: arguments, cgroups, file system, limits, rights, system
// calls. It is one file so that they can be read from top to bottom.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Options {
  // Per process, and of all processes together.
  long memory_mb = 512, total_mb = 576;
  long processes = 64, disk_mb = 64, file_mb = 16, stack_mb = 8;
  std::vector<std::string> cgroups;
  // Of the fork server alone: where its guests call back, and an empty folder for their root.
  std::string socket, root;
  std::vector<std::pair<std::string, std::string>> binds, symlinks;
  std::vector<char*> command;
};

[[noreturn]] void fail(const std::string& what) {
  dprintf(2, "cannot %s: %s\n", what.c_str(), strerror(errno));
  _exit(125);
}

void must(bool ok, const std::string& what) {
  if (!ok) fail(what);
}

bool write_text(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return ok;
}

std::string read_text(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, n);
  close(fd);
  return text;
}

long number_after(const std::string& text, const std::string& word) {
  const size_t at = text.find(word);
  return at == std::string::npos ? 0 : atol(text.c_str() + at + word.size());
}

Options parse(int argc, char** argv) {
  Options options;
  int i = 1;
  const auto next = [&]() -> std::string {
    if (i + 1 >= argc) errno = EINVAL, fail("read the arguments");
    return argv[++i];
  };
  for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const std::string word = argv[i];
    if (word == "--memory-mb") options.memory_mb = std::stol(next());
    else if (word == "--total-mb") options.total_mb = std::stol(next());
    else if (word == "--processes") options.processes = std::stol(next());
    else if (word == "--disk-mb") options.disk_mb = std::stol(next());
    else if (word == "--file-mb") options.file_mb = std::stol(next());
    else if (word == "--stack-mb") options.stack_mb = std::stol(next());
    else if (word == "--socket") options.socket = next();
    else if (word == "--root") options.root = next();
    else if (word == "--cgroup") options.cgroups.push_back(next());
    else if (word == "--bind" || word == "--symlink") {
      std::string from = next();
      (word == "--bind" ? options.binds : options.symlinks).emplace_back(std::move(from), next());
    } else errno = EINVAL, fail("understand " + word);
  }
  for (i++; i < argc; i++) options.command.push_back(argv[i]);
  return options;
}

// --- cgroups: the only bound on the sum of what all processes take -----------------------------------------------------

/// A group of our own below each folder given: one of version 2, or one for each controller of version 1.
class Cgroups {
 public:
  Cgroups(const Options& options, const std::string& name) {
    for (const std::string& parent : options.cgroups) {
      const std::string path = parent + "/troupe-" + name;
      must(mkdir(path.c_str(), 0755) == 0 || errno == EEXIST, "make the cgroup " + path);
      paths_.push_back(path);
      const std::string bytes = std::to_string(options.total_mb << 20);
      bool limited = write_text(path + "/memory.max", bytes) || write_text(path + "/memory.limit_in_bytes", bytes);
      write_text(path + "/memory.swap.max", "0") || write_text(path + "/memory.memsw.limit_in_bytes", bytes);
      // One more than the guests' own: process 1 is counted as well.
      limited |= write_text(path + "/pids.max", std::to_string(options.processes + 1));
      must(limited, "limit the cgroup " + path);
    }
  }

  void add(pid_t pid) const {
    for (const std::string& path : paths_)
      must(write_text(path + "/cgroup.procs", std::to_string(pid)), "enter the cgroup " + path);
  }

  long count(const char* what_v2, const char* file_v2, const char* what_v1, const char* file_v1) const {
    long found = 0;
    for (const std::string& path : paths_) {
      found += number_after(read_text(path + "/" + file_v2), what_v2);
      if (file_v1) found += number_after(read_text(path + "/" + file_v1), what_v1);
    }
    return found;
  }

  /// A group goes once its last process is reaped, which may be a moment after its death.
  void remove() const {
    for (const std::string& path : paths_)
      for (int tries = 0; rmdir(path.c_str()) != 0 && errno == EBUSY && tries < 500; tries++) usleep(2000);
  }

  bool bounds_memory() const {
    for (const std::string& path : paths_)
      if (access((path + "/memory.max").c_str(), F_OK) == 0 ||
          access((path + "/memory.limit_in_bytes").c_str(), F_OK) == 0)
        return true;
    return false;
  }

 private:
  std::vector<std::string> paths_;
};

// --- file system: an empty one, with what the interpreter needs to read ------------------------------------------------

void make_folders(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    mkdir(path.substr(0, at).c_str(), 0755);
}

void bind(const std::string& from, const std::string& to, unsigned long flags) {
  struct stat info;
  must(stat(from.c_str(), &info) == 0, "find " + from);
  make_folders(to);
  if (S_ISDIR(info.st_mode)) must(mkdir(to.c_str(), 0755) == 0 || errno == EEXIST, "make " + to);
  else close(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  must(mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind " + from);
  if (mount(nullptr, to.c_str(), nullptr, MS_BIND | MS_REMOUNT | flags, nullptr) == 0) return;
  // Inside a user namespace flags that the mount came with may not be dropped.
  must(mount(nullptr, to.c_str(), nullptr, MS_BIND | MS_REMOUNT | flags | MS_NODEV | MS_NOATIME, nullptr) == 0 ||
           mount(nullptr, to.c_str(), nullptr, MS_BIND | MS_REMOUNT | flags | MS_NODEV | MS_RELATIME, nullptr) == 0,
       "make " + to + " read-only");
}

/// Builds the file system of guests on a tmpfs at `root`, read-only but for the two folders that a guest mounts over.
/// `from` is where the machine's own files are found meanwhile.
void build_root(const Options& options, const std::string& root, const std::string& from) {
  must(mount("tmpfs", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0755") == 0, "mount the new root");
  for (const auto& [path, to] : options.binds) bind(from + path, root + to, MS_RDONLY | MS_NOSUID | MS_NODEV);
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"})
    bind(from + device, root + device, MS_NOSUID | MS_NOEXEC);
  for (const char* folder : {"/box", "/io"}) must(mkdir((root + folder).c_str(), 0777) == 0, "make a folder");
  // There is no /proc: it would show the guest to its own programs. What programs want of it is found under these names.
  const std::pair<const char*, const char*> links[] = {
      {"/box", "/tmp"}, {"/io/stdin", "/dev/stdin"}, {"/io/stdout", "/dev/stdout"}, {"/io/stderr", "/dev/stderr"}};
  for (const auto& [target, path] : links) must(symlink(target, (root + path).c_str()) == 0, "link a name");
  for (const auto& [target, path] : options.symlinks) {
    make_folders(root + path);
    must(symlink(target.c_str(), (root + path).c_str()) == 0, "link " + path);
  }
  must(mount(nullptr, root.c_str(), nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4m,mode=0755") == 0,
       "make the root read-only");
}

/// Gives this process folders of its own in a root that was built, and leaves everything else behind.
void enter_root(const Options& options, const std::string& root) {
  const std::string box = "size=" + std::to_string(options.disk_mb) + "m,nr_inodes=4096,mode=0777";
  for (const char* folder : {"/box", "/io"})
    must(mount("tmpfs", (root + folder).c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, box.c_str()) == 0,
         "mount a folder");
  must(chdir(root.c_str()) == 0 && syscall(SYS_pivot_root, ".", ".") == 0, "enter the new root");
  must(umount2(".", MNT_DETACH) == 0 && chdir("/box") == 0, "enter the box");
}

void keep_mounts_private() { must(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "keep mounts to itself"); }

// --- limits and rights --------------------------------------------------------------------------------------------------

void limit(int resource, rlim_t soft, rlim_t hard) {
  const rlimit both{soft, hard};
  must(setrlimit(static_cast<__rlimit_resource>(resource), &both) == 0, "set a limit");
}

void set_limits(const Options& options) {
  const rlim_t mb = 1 << 20;
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_NOFILE, 256, 256);
  limit(RLIMIT_MEMLOCK, 0, 0);
  limit(RLIMIT_MSGQUEUE, 0, 0);
  limit(RLIMIT_FSIZE, options.file_mb * mb, options.file_mb * mb);
  // The soft limit is what threads get for a stack; a guest raises its own for deep recursion.
  limit(RLIMIT_STACK, options.stack_mb * mb, 120 * mb);
  if (options.memory_mb > 0) limit(RLIMIT_AS, options.memory_mb * mb, options.memory_mb * mb);
  limit(RLIMIT_NPROC, options.processes, options.processes);
}

/// Whether this process may make namespaces and users itself; otherwise it needs a user namespace to be somebody in.
bool is_privileged() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct held[2] = {};
  const uint32_t wanted = 1u << CAP_SYS_ADMIN | 1u << CAP_SETUID | 1u << CAP_SETGID;
  return geteuid() == 0 && syscall(SYS_capget, &header, held) == 0 && (held[0].effective & wanted) == wanted;
}

/// Nothing that a process could still be granted afterwards.
void drop_rights() {
  for (int capability = 0; capability < 64; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  must(syscall(SYS_capset, &header, none) == 0, "drop the capabilities");
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "refuse new rights");
}

// --- system calls ----------------------------------------------------------------------------------------------------------

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox knows the system calls of x86-64 and of 64-bit ARM alone"
#endif

/// Calls that no program of a contest needs, and that reach other processes, devices, the network, or rarely used parts
/// of the kernel.
const long kDenied[] = {
    // Other processes.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_perf_event_open, SYS_move_pages,
    SYS_migrate_pages, SYS_mbind, SYS_set_mempolicy,
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_process_madvise
    SYS_process_madvise,
#endif
    // The network, and what is not bounded by a network namespace.
    SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
    // Objects that outlive their process.
    SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_semop, SYS_semctl, SYS_semtimedop, SYS_msgget, SYS_msgsnd,
    SYS_msgrcv, SYS_msgctl, SYS_mq_open, SYS_mq_unlink, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_memfd_create,
#ifdef SYS_memfd_secret
    SYS_memfd_secret,
#endif
    // Namespaces and mounts.
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_mknodat,
    SYS_name_to_handle_at, SYS_open_by_handle_at,
#ifdef SYS_mknod
    SYS_mknod,
#endif
#ifdef SYS_open_tree
    SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    // The kernel itself.
    SYS_bpf, SYS_userfaultfd, SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot,
    SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_personality, SYS_vhangup, SYS_vmsplice,
    SYS_fanotify_init, SYS_fanotify_mark, SYS_lookup_dcookie, SYS_sethostname, SYS_setdomainname,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
#endif
    SYS_io_setup, SYS_io_submit,
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
    // The clock.
    SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
};

void filter_calls() {
  std::vector<sock_filter> program;
  const auto load = [&](uint32_t at) { program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)); };
  const auto answer = [&](uint32_t what) { program.push_back(BPF_STMT(BPF_RET | BPF_K, what)); };
  // Skips the next instruction unless the loaded word equals the value.
  const auto if_equal = [&](uint32_t value) { program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)); };
  const uint32_t denied = SECCOMP_RET_ERRNO | EPERM;

  load(offsetof(seccomp_data, arch));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0));
  answer(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  // The x32 calls are the same ones under other numbers.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
  answer(denied);
#endif
  for (const long call : kDenied) if_equal(call), answer(denied);
#ifdef SYS_clone3
  // Its flags lie in memory, out of a filter's sight; libraries fall back to clone.
  if_equal(SYS_clone3), answer(SECCOMP_RET_ERRNO | ENOSYS);
#endif
  const uint32_t spaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                          CLONE_NEWCGROUP | 0x00000080 /* CLONE_NEWTIME */;
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
  load(offsetof(seccomp_data, args[0]));
  // The low byte of clone's flags is a signal number, so that a time namespace cannot be asked for there.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, spaces & ~0xffu, 0, 1));
  answer(denied);
  answer(SECCOMP_RET_ALLOW);
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5));
  load(offsetof(seccomp_data, args[1]));
  // Both would type into the terminal that the harness may have.
  if_equal(TIOCSTI), answer(denied);
  if_equal(TIOCLINUX), answer(denied);
  answer(SECCOMP_RET_ALLOW);
  sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole, 0, 0) == 0, "filter the system calls");
}

// --- processes ----------------------------------------------------------------------------------------------------------

/// Memory of a process and all its descendants, pages, as the kernel counts them: swapped and shared ones too often
/// rather than not at all.
long pages_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  long size = 0, resident = 0;
  sscanf(read_text(folder + "/statm").c_str(), "%ld %ld", &size, &resident);
  long total = resident;
  DIR* tasks = opendir((folder + "/task").c_str());
  if (tasks == nullptr) return total;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    const std::string children = read_text(folder + "/task/" + task->d_name + "/children");
    const char* at = children.c_str();
    char* end;
    for (long child = strtol(at, &end, 10); end != at; at = end, child = strtol(at, &end, 10)) total += pages_of(child);
  }
  closedir(tasks);
  return total;
}

/// How a sandbox ended, as the harness reads it.
std::string end_of(int status, const Cgroups& cgroups, bool ended_for_memory) {
  const long oom = cgroups.count("oom_kill ", "memory.events", "oom_kill ", "memory.oom_control");
  const long refused = cgroups.count("max ", "pids.events", nullptr, nullptr);
  return "exit=" + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -1) +
         " signal=" + std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0) + " oom=" + std::to_string(oom) +
         " forks-refused=" + std::to_string(refused) + " watchdog=" + (ended_for_memory ? "1" : "0");
}

/// Signals that are meant for all of a terminal's processes, or for writers without a reader.
const int kPassing[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// A user of its own for each sandbox, as the limit on processes counts by user. Where only some exist: nobody.
void become_own_user(uid_t number) {
  const uid_t own = 0x70000000u + number;
  must(setgroups(0, nullptr) == 0, "leave its groups");
  must(setresgid(own, own, own) == 0 || setresgid(65534, 65534, 65534) == 0, "drop its group");
  must(setresuid(own, own, own) == 0 || setresuid(65534, 65534, 65534) == 0, "drop its user");
}

/// All that a process gives up before it runs a guest. It has to be in its root, and be the user that it stays.
void give_up(const Options& options) {
  must(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, "die with its parent");
  set_limits(options);
  drop_rights();
  filter_calls();
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "hide its memory");
}

}  // namespace

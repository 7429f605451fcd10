"""Runs one untrusted program on one test after another: in a sandbox of its own, and never anywhere else.

The interpreter starts ahead of time; a program is compiled once; each test runs in a fork of its own, so that no test
sees what another one left in memory. Frames on descriptor 3 come from the harness, frames on descriptor 4 go to it: a
line of words, the last of which is the number of bytes that follow.

    program <mode> <function name, or -> <length>     source          -> loaded ok 0 | loaded compile-error <length>
    test <nonce> <cpu seconds> <output cap> <length>  input           -> see report()

The input of mode "stdin" is what the program reads, of mode "function" the arguments as JSON, and of mode "calls" an
object {fn, args, kwargs}. In mode "asserts" the input is the source of a test, and the program what it builds on: it calls
functions of another sandbox, each call a frame "call <length>" that is answered by "return <length>".

Nothing that is worth stealing is ever in here: expected outputs stay with the harness, and so does the clock.
"""

import _signal
import posix
import sys

import judged_program
import resource

CONTROL, ANSWER = 3, 4
GUEST = sys.path[0]
FILES = ("stdin", "stdout", "stderr", "result")


def main():
    # Started by the launcher, or forked by the server: it is alone there, and settle() kills all that it may.
    if (posix.getpid(), posix.getppid()) not in ((2, 1), (1, 0)):
        sys.exit("Cannot run outside of a sandbox")
    # Process 1 hears only what it has handlers for: its programs cannot end it.
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    sys.path.remove(GUEST)
    sys.setrecursionlimit(200_000)
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
    files = [posix.open("/io/" + name, posix.O_RDWR | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
             for name in FILES]
    for number, file in enumerate(files[:3]):
        posix.dup2(file, number)
    judged_program.open_streams()
    import _sitebuiltins
    import builtins

    # What the site module would have set up, which costs more than all the rest here.
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    answer("ready 0")
    loaded = None
    while True:
        words = read_line().split()
        if not words:
            posix._exit(0)
        payload = read_bytes(int(words[-1]))
        if words[0] == "program":
            loaded = load(words[1], words[2], payload.decode("utf-8", "surrogatepass"))
        else:
            run_test(loaded, int(words[1]), int(words[2]), int(words[3]), payload, files)


def read_line():
    line = b""
    while not line.endswith(b"\n"):
        byte = posix.read(CONTROL, 1)
        if not byte:
            posix._exit(0)
        line += byte
    return line.decode()


def read_bytes(length):
    parts = []
    while length > 0:
        part = posix.read(CONTROL, min(length, 1 << 20))
        if not part:
            posix._exit(0)
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def answer(line, *payloads):
    data = b"".join([line.encode(), b"\n", *payloads])
    while data:
        data = data[posix.write(ANSWER, data):]


def load(mode, name, source):
    """Compiles a program, and readies the interpreter for forks that share its memory."""
    try:
        read = judged_program.read_program(mode, name, source)
    except judged_program.Broken as error:
        text = str(error).encode("utf-8", "backslashreplace")
        answer("loaded compile-error %d" % len(text), text)
        return None
    answer("loaded ok 0")
    return read


def run_test(loaded, nonce, cpu_seconds, cap, payload, files):
    # Arguments travel in memory: a function's stdin is empty.
    is_read = loaded is not None and loaded[0] == "stdin"
    for file, content in zip(files, (payload if is_read else b"", b"", b"", b"")):
        posix.ftruncate(file, 0)
        posix.lseek(file, 0, 0)
        while content:
            content = content[posix.write(file, content):]
    posix.lseek(files[0], 0, 0)
    child = posix.fork()
    if child == 0:
        run_child(loaded, cpu_seconds, payload, files)
    _, status, usage = posix.wait4(child, 0)
    settle()
    report(nonce, status, usage, cap, files)


def settle():
    """Ends whatever a test left running, and empties its folders."""
    try:
        while True:
            posix.kill(-1, 9)
            try:
                while posix.waitpid(-1, posix.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
            posix.sched_yield()
    except ProcessLookupError:
        pass
    for folder in ("/box", "/io"):
        for name in posix.listdir(folder):
            if folder == "/io" and name in FILES:
                continue
            remove(folder + "/" + name, 0)


def remove(path, depth):
    try:
        posix.unlink(path)
    except OSError:
        try:
            posix.chmod(path, 0o700)
            if depth < 100:
                for name in posix.listdir(path):
                    remove(path + "/" + name, depth + 1)
            posix.rmdir(path)
        except OSError:
            # Too deep for this: the harness takes another sandbox for the next test.
            posix._exit(3)


def report(nonce, status, usage, cap, files):
    """done <nonce> <exit code, or minus the signal> <cpu us> <peak KiB> <bytes written to stdout, stderr, result> <bytes
    sent of each> <all bytes sent>"""
    written = [posix.fstat(file).st_size for file in files[1:]]
    sent = [posix.pread(files[1], min(written[0], cap), 0),
            posix.pread(files[2], 4096, max(0, written[1] - 4096)),
            posix.pread(files[3], min(written[2], cap), 0)]
    code = posix.WEXITSTATUS(status) if posix.WIFEXITED(status) else -posix.WTERMSIG(status)
    cpu = int((usage.ru_utime + usage.ru_stime) * 1e6)
    lengths = [len(part) for part in sent]
    numbers = (nonce, code, cpu, usage.ru_maxrss, *written, *lengths, sum(lengths))
    answer("done " + " ".join(map(str, numbers)), *sent)


def run_child(loaded, cpu_seconds, payload, files):
    """One test, from a fresh copy of the interpreter to its exit code. Never returns."""
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    if loaded[0] != "asserts":
        posix.close(CONTROL)
        posix.close(ANSWER)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))

    def keep(data):
        while data:
            data = data[posix.write(files[3], data):]

    posix._exit(judged_program.execute(loaded, payload, keep, ask))


def ask(data):
    """Carries a call to the sandbox where the function lies."""
    answer("call %d" % len(data), data)
    return read_bytes(int(read_line().split()[-1]))


if __name__ == "__main__":
    main()

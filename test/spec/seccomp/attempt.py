"""Attempts forbidden calls, each in a child of its own, and prints what each met as JSON.

attempt.py FILTER SET DIR: FILTER is a file of struct sock_filter[], or "-" for none; SET is "forbidden" or "set-id".
An outcome is "ok", an errno's name, or the name of the signal that killed the child.
"""
import ctypes
import errno
import json
import os
import platform
import pty
import resource
import signal
import socket
import sys

import filter

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
HIGH = 0xFEED0000_00000000
COMMON = dict(io_uring_setup=425, open_tree=428, move_mount=429, fsopen=430, fsconfig=431, fsmount=432, fspick=433)
COMMON.update(clone3=435, openat2=437, pidfd_getfd=438, mount_setattr=442, fchmodat2=452, statmount=457, listmount=458)
NUMBERS = dict(
    COMMON,
    **(
        dict(ioctl=16, socket=41, clone=56, ptrace=101, personality=135, pivot_root=155, mount=165, umount2=166)
        | dict(add_key=248, keyctl=250, unshare=272, perf_event_open=298, setns=308, process_vm_readv=310, kcmp=312)
        | dict(bpf=321, userfaultfd=323, mknodat=259, openat=257, mkdirat=258, fchmodat=268, fchmod=91)
        | dict(chmod=90, creat=85, mkdir=83, mknod=133, open=2)
        if X86
        else dict(ioctl=29, umount2=39, mount=40, pivot_root=41, personality=92, unshare=97, ptrace=117, socket=198)
        | dict(add_key=217, keyctl=219, clone=220, perf_event_open=241, setns=268, process_vm_readv=270, kcmp=272)
        | dict(bpf=280, userfaultfd=282, mknodat=33, openat=56, mkdirat=34, fchmodat=53, fchmod=52)
    ),
)
AT_FDCWD, SIGCHLD = -100, 17
NAMESPACES = dict(NEWNS=0x20000, NEWCGROUP=0x2000000, NEWUTS=0x4000000, NEWIPC=0x8000000, NEWUSER=0x10000000)
NAMESPACES.update(NEWPID=0x20000000, NEWNET=0x40000000)


def call(number, *args):
    """The raw syscall, with all six registers set; raises OSError."""
    number = NUMBERS.get(number, number)
    registers = [arg if isinstance(arg, bytes) else ctypes.c_ulong(arg) for arg in args]
    registers += [ctypes.c_ulong(0)] * (6 - len(args))
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_ulong(number), *registers)
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def clone(flags):
    if call("clone", flags | SIGCHLD) == 0:
        os._exit(0)


def terminal(request, argument):
    _, slave = pty.openpty()
    call("ioctl", slave, request, argument)


def machine_code(code):
    import mmap

    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


def forbidden():
    calls = {
        "unshare user": lambda: call("unshare", NAMESPACES["NEWUSER"]),
        "unshare time": lambda: call("unshare", 0x80),
        "clone3": lambda: call("clone3", 0, 0),
        "setns": lambda: call("setns", -1, 0),
        "mount": lambda: call("mount", 0, 0, 0, 0, 0),
        "umount2": lambda: call("umount2", 0, 0),
        "pivot_root": lambda: call("pivot_root", 0, 0),
        "move_mount": lambda: call("move_mount", -1, 0, -1, 0, 0),
        "open_tree": lambda: call("open_tree", -1, 0, 0),
        "fsopen": lambda: call("fsopen", 0, 0),
        "fsconfig": lambda: call("fsconfig", -1, 0, 0, 0, 0),
        "fsmount": lambda: call("fsmount", -1, 0, 0),
        "fspick": lambda: call("fspick", -1, 0, 0),
        "mount_setattr": lambda: call("mount_setattr", -1, 0, 0, 0, 0),
        "statmount": lambda: call("statmount", 0, 0, 0, 0),
        "listmount": lambda: call("listmount", 0, 0, 0, 0),
        "bpf": lambda: call("bpf", 999, 0, 0),
        "perf_event_open": lambda: call("perf_event_open", 0, 0, 0, 0, 0),
        "add_key": lambda: call("add_key", 0, 0, 0, 0, 0),
        "keyctl": lambda: call("keyctl", 0, -3, 0),
        "userfaultfd": lambda: call("userfaultfd", 0xFFFFFFFF),
        "io_uring_setup": lambda: call("io_uring_setup", 1, 0),
        "ptrace": lambda: call("ptrace", 0, 0, 0, 0),
        "process_vm_readv": lambda: call("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0),
        "kcmp": lambda: call("kcmp", os.getpid(), os.getpid(), 1, 0, 0),
        "pidfd_getfd": lambda: call("pidfd_getfd", -1, 0, 0),
        "personality no-randomize": lambda: call("personality", 0x40000),
        "personality dirty": lambda: call("personality", HIGH | 0x40000),
        "TIOCSTI": lambda: terminal(0x5412, b"x"),
        "TIOCSTI dirty": lambda: terminal(HIGH | 0x5412, b"x"),
        "TIOCLINUX": lambda: terminal(0x541C, b"\x06"),
        "TIOCSETD": lambda: terminal(0x5423, b"\0\0\0\0"),
        "AF_PACKET": lambda: call("socket", 17, 3, 0),
        "AF_VSOCK": lambda: call("socket", 40, 1, 0),
        "AF_VSOCK dirty": lambda: call("socket", HIGH | 40, 1, 0),
        "AF_ALG": lambda: call("socket", 38, 5, 0),
        "AF_INET raw": lambda: call("socket", 2, 3, 1),
        "AF_INET raw dirty": lambda: call("socket", 2, HIGH | 3, 1),
        "AF_INET ping": lambda: call("socket", 2, 2, 1),
        "AF_INET sctp": lambda: call("socket", 2, 1, 132),
        "AF_INET6 mptcp": lambda: call("socket", 10, 1, 262),
        "AF_NETLINK audit": lambda: call("socket", 16, 3, 9),
    }
    for name, flag in NAMESPACES.items():
        calls[f"clone {name}"] = lambda flag=flag: clone(flag)
        calls[f"clone {name} dirty"] = lambda flag=flag: clone(HIGH | flag)
    if X86:
        # mov eax, 20 (i386's getpid); int 0x80; ret
        calls["32-bit getpid"] = lambda: machine_code(b"\xb8\x14\0\0\0\xcd\x80\xc3")
        calls["x32 getpid"] = lambda: call(0x40000000 | 39)
    return calls


def set_id(folder):
    def fresh(name):
        path = os.path.join(folder, name).encode()
        with open(path, "w", encoding="ascii"):
            return path

    def new(name):
        return os.path.join(folder, name).encode()

    how = (ctypes.c_uint64 * 3)(0o101, 0o4755, 0)
    calls = {
        "fchmod": lambda: call("fchmod", os.open(fresh("a"), os.O_RDWR), 0o4755),
        "fchmodat": lambda: call("fchmodat", AT_FDCWD, fresh("b"), 0o2755),
        "fchmodat dirty": lambda: call("fchmodat", AT_FDCWD, fresh("c"), HIGH | 0o4755),
        "fchmodat2": lambda: call("fchmodat2", AT_FDCWD, fresh("d"), 0o4755, 0),
        "openat": lambda: call("openat", AT_FDCWD, new("e"), 0o101, 0o4755),
        "openat tmpfile": lambda: call("openat", AT_FDCWD, folder.encode(), os.O_TMPFILE | os.O_RDWR, 0o4755),
        "openat2": lambda: call("openat2", AT_FDCWD, new("f"), ctypes.addressof(how), 24),
        "mkdirat": lambda: call("mkdirat", AT_FDCWD, new("g"), 0o2755),
        "mknodat": lambda: call("mknodat", AT_FDCWD, new("h"), 0o104755, 0),
    }
    allowed = {
        "chmod 1755": lambda: call("fchmodat", AT_FDCWD, fresh("i"), 0o1755),
        "create 0644": lambda: call("openat", AT_FDCWD, new("j"), 0o101, 0o644),
        "open with a stray mode": lambda: call("openat", AT_FDCWD, fresh("k"), 0, 0o6755),
    }
    if X86:
        calls["chmod"] = lambda: call("chmod", fresh("l"), 0o4755)
        calls["creat"] = lambda: call("creat", new("m"), 0o4755)
        calls["open"] = lambda: call("open", new("n"), 0o101, 0o2755)
        calls["mkdir"] = lambda: call("mkdir", new("o"), 0o2755)
        calls["mknod"] = lambda: call("mknod", new("p"), 0o104755, 0)
    return calls | allowed


def outcome(attempt, program):
    """Runs the attempt in a child, behind the filter; the child answers through its exit status."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if program is not None:
                filter.install(program)
            attempt()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
        finally:
            os._exit(255)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    code = os.WEXITSTATUS(status)
    return "ok" if code == 0 else errno.errorcode.get(code, f"status {code}")


program = None if sys.argv[1] == "-" else filter.load(sys.argv[1])
attempts = forbidden() if sys.argv[2] == "forbidden" else set_id(sys.argv[3])
print(json.dumps({name: outcome(attempt, program) for name, attempt in attempts.items()}))

"""Installs a filter of struct sock_filter[]; as a program, `filter.py FILTER COMMAND…` runs a command behind it."""
import ctypes
import os
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def load(path):
    with open(path, "rb") as file:
        return file.read()


def install(program):
    libc = ctypes.CDLL(None, use_errno=True)
    block = Program(len(program) // 8, program)
    for args in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(block), 0, 0)):
        if libc.prctl(*args) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    install(load(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])

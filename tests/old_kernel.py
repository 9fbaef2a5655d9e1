"""A system as it was before Linux 5.1: a program that starts another one, for which no later system call exists.

System calls have the same numbers on all machines from 424 (`pidfd_send_signal`, Linux 5.1) on. What is not there
answers ENOSYS, for the program and whatever it starts.
"""

import ctypes
import errno
import os
import struct
import sys
from pathlib import Path

FIRST_OF_5_1 = 424
PREFIX = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD_NUMBER, _JUMP_IF_GREATER_OR_EQUAL, _RETURN = 0x20, 0x35, 0x06
_ALLOW, _ANSWER_ERROR = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def hide_later_calls() -> None:
    """Hide the system calls from this process and its children, for good. Raise OSError."""
    instructions = [
        (_LOAD_NUMBER, 0, 0, 0),
        (_JUMP_IF_GREATER_OR_EQUAL, 0, 1, FIRST_OF_5_1),
        (_RETURN, 0, 0, _ANSWER_ERROR | errno.ENOSYS),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    content = ctypes.create_string_buffer(code)
    program = _Program(len(instructions), ctypes.cast(content, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:  # root may without, and is then as free as ever
        libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no filter of system calls")


if __name__ == "__main__":
    hide_later_calls()
    os.execv(sys.argv[1], sys.argv[1:])

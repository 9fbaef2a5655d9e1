"""File systems that lack something, for one program: a seccomp filter answers its system calls as they would.

FUSE with direct_io and mergerfs with cache.files=off map no shared memory (ENODEV); exFAT and many network shares have
no links (EPERM). Started as `python file_systems.py WHAT,WHAT PROGRAM ARGUMENT...`.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

ALLOW, REFUSE = 0x7FFF0000, 0x00050000
LOAD, EQUAL, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
NUMBER, ARGUMENTS = 0, 16  # offsets in what a filter looks at
SET_SECCOMP, MODE_FILTER, SET_NO_NEW_PRIVS = 22, 2, 38
# link, linkat, symlink, symlinkat, mmap
CALLS = {
    "x86_64": ((86, 265), (88, 266), 9),
    "aarch64": ((37,), (36,), 222),
}
SHARED_OF_FILE, SHARED_MASK, WRITE = 0x01, 0x2F, 0x02

Instruction = tuple[int, int, int, int]


def without(*missing: str) -> list[str]:
    """The beginning of a command line whose program lacks `hard links`, `symbolic links` or `shared memory`."""
    return [sys.executable, str(Path(__file__)), ",".join(missing)]


def refused_calls(numbers: tuple[int, ...]) -> list[Instruction]:
    """Answer EPERM to these calls."""
    found: list[Instruction] = []
    for number in numbers:
        found += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    return found


def refused_shared_maps(number: int) -> list[Instruction]:
    """Answer ENODEV to a map of a file that is shared and may be written to."""
    return [
        (EQUAL, 0, 6, number),
        (LOAD, 0, 0, ARGUMENTS + 3 * 8),
        (AND, 0, 0, SHARED_MASK),
        (EQUAL, 0, 3, SHARED_OF_FILE),
        (LOAD, 0, 0, ARGUMENTS + 2 * 8),
        (ANY_BIT, 0, 1, WRITE),
        (RETURN, 0, 0, REFUSE | errno.ENODEV),
    ]


def install(instructions: list[Instruction]) -> None:
    """Set the filter for this process and all that it starts."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(SET_SECCOMP, MODE_FILTER, program) == 0, os.strerror(ctypes.get_errno())


def main() -> None:
    """Become the program, without what is named."""
    missing = sys.argv[1].split(",")
    hard, symbolic, mmap = CALLS[platform.machine()]
    instructions: list[Instruction] = [(LOAD, 0, 0, NUMBER)]
    if "hard links" in missing:
        instructions += refused_calls(hard)
    if "symbolic links" in missing:
        instructions += refused_calls(symbolic)
    if "shared memory" in missing:
        instructions += refused_shared_maps(mmap)
    install([*instructions, (RETURN, 0, 0, ALLOW)])
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()

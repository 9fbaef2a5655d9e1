"""Start a program of Tempo's own that reads what others wrote: `confined.py READ WRITE CLOSED PROGRAM ARGUMENT...`.

The first three are lists of paths in JSON. Where the kernel has Landlock the program reaches nothing else; it never
gains a privilege, and has none of root's.
"""

import json
import os
import sys
from os.path import abspath, dirname

# At the end: nothing in the project's root may shadow the standard library.
sys.path.append(dirname(dirname(dirname(dirname(abspath(__file__))))))

from runs_app.launcher.identity import landlock, prctl


def main(read: str, write: str, closed: str, *argv: str) -> None:
    """Become the program. Raise OSError."""
    prctl.forbid_new_privileges()
    prctl.drop_capabilities()
    if has_landlock():
        rules_fd = landlock.make(
            read=json.loads(read), write=json.loads(write), closed=json.loads(closed)
        )
        landlock.enter(rules_fd)
    os.execv(argv[0], argv)


def has_landlock() -> bool:
    try:
        return landlock.abi() > 0
    except OSError:  # the kernel has it but does not give it
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])

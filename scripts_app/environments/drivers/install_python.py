"""Installs one Python with uv and sees that it starts. A program of its own.

`python -I -S install_python.py UV VERSION PYTHONS RESULT` - standard library only, a run like any other: what it prints
is what people watch. UV comes from the operator's machine, its source is the internet or what UV_PYTHON_INSTALL_MIRROR
names. RESULT is written when it failed: the last lines of what uv said.
"""

import os
import subprocess
import sys
from collections import deque
from pathlib import Path

MESSAGE_LINES = 10
OTHERS_MAY_READ = 0o022  # the umask: users of scripts start it


def main(uv: str, version: str, place: str, result: str) -> int:
    """Install; returns the exit status."""
    os.umask(OTHERS_MAY_READ)
    sys.stdout.write(f"Installing Python {version}\n")
    sys.stdout.flush()
    said: deque[str] = deque(maxlen=MESSAGE_LINES)
    status = run([uv, "python", "install", "--no-bin", "--install-dir", place, version], said)
    if status == 0:
        found = sorted(Path(place).glob(f"cpython-{version}[.-]*/bin/python"))
        if not found:
            said.append(f"uv has installed no Python {version} in {place}")
            status = 1
        for python in found[:1]:
            open_up(python.resolve().parent.parent)
            status = run(
                [str(python), "-I", "-c", "import sys; sys.stderr.write(sys.version + chr(10))"],
                said,
            )
    if status:
        Path(result).write_text("\n".join(said) or f"uv ended with status {status}")
    return 1 if status else 0


def run(argv: list[str], said: "deque[str]") -> int:
    """Run a program and pass on what it says; returns its exit status."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            sys.stdout.write(f"{said[-1]}\n")
            sys.stdout.flush()
    return process.returncode


def open_up(folder: Path) -> None:
    """Let everybody read what is in it, and start what its owner may start."""
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))

"""The program that installs one Python with uv: `install_python UV VERSION PYTHONS RESULT`."""

import os
import subprocess
import sys
from collections import deque
from pathlib import Path

MESSAGE_LINES = 10
UMASK = 0o022  # other users read the files: the users of scripts start this Python


def main(
    uv: str,
    version: str,
    place: str,
    result: str,
) -> int:
    os.umask(UMASK)
    sys.stdout.write(f"Installing Python {version}\n")
    sys.stdout.flush()
    last_lines: deque[str] = deque(maxlen=MESSAGE_LINES)
    argv = [uv, "python", "install", "--no-bin", "--install-dir", place, version]
    status = run(argv, last_lines) or start_installed(version, place, last_lines)
    if status == 0:
        return 0
    # People watch the output, and pages show the last lines of a failure.
    Path(result).write_text(
        "\n".join(last_lines) or str(subprocess.CalledProcessError(status, "uv"))
    )
    return 1


def start_installed(version: str, place: str, last_lines: "deque[str]") -> int:
    pythons = sorted(Path(place).glob(f"cpython-{version}[.-]*/bin/python"))
    if not pythons:
        last_lines.append(f"uv has installed no Python {version} in {place}")
        return 1
    python = pythons[0]
    open_for_all(python.resolve().parent.parent)
    print_version = "import sys; sys.stderr.write(sys.version + chr(10))"
    return run([str(python), "-I", "-S", "-c", print_version], last_lines)


def run(argv: list[str], last_lines: "deque[str]") -> int:
    """Run a program, print its output and add its lines to `last_lines`; return its exit status."""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last_lines.append(line.rstrip())
            sys.stdout.write(f"{last_lines[-1]}\n")
            sys.stdout.flush()
    return process.returncode


def open_for_all(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            if path.is_symlink():
                continue
            is_executable = path.stat().st_mode & 0o100
            path.chmod(0o755 if is_executable else 0o644)

"""What the steps of a build are given, and what they leave behind: files of JSON, and names."""

import json
import os
from pathlib import Path
from typing import TypedDict

# Below the work folder of a build.
ENVIRONMENT = "environment"  # becomes the environment
SOURCE = "source"  # all that a build from source may write
LOCK, REQUIREMENTS = "lock.txt", "requirements.txt"
OWN_FILES = "own.json"
CONFIG = "build.json"
READY = "READY"  # the last file of an environment, with its BuildResult
STACK_FILE, START_FILE = "_tempo_stack.pth", "_tempo_main.py"  # in site-packages
START_PROGRAM = Path(__file__).with_name("script_main.py")
# Every Python of the environment prints its stack at SIGRTMAX and goes on, so that people see where a run hangs.
# Importing `signal` would load `enum` and cost each start 2 to 5 ms; `_signal` costs 0.3. Without stderr: no stack.
STACK_LINE = (
    "import sys, faulthandler, _signal; "
    "sys.stderr is None or faulthandler.register(_signal.SIGRTMAX, chain=False)\n"
)


class BuildConfig(TypedDict):
    # Paths are absolute. Secrets are not in here: the package index comes in environment variables (UV_*).
    uv: str
    interpreter: str
    requirements: str
    lock: str  # the packages to install; "" to resolve the requirements
    refresh: bool  # ask the index again, whatever uv has cached of its answers
    work: str  # the folder of this build alone
    existing: list[str]  # digests of environments that need not be built
    result: str
    progress: str
    link_mode: str
    allows_source: bool  # build packages that have no wheel; such an environment is not shared
    renew: bool  # build a new folder even if there is one with the same packages


class BuildResult(TypedDict, total=False):
    # `error` alone, `digest` alone for an environment that exists, or all other fields. READY holds the last.
    digest: str
    lock: str
    python: str
    packages: list[str]
    size: int
    built_at: str
    unrecorded: list[str]  # files that no RECORD of a package names, relative to the environment
    error: str


class BuildError(Exception):
    """A step failed; str() is its message, as uv printed it, `status` that of uv."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def read_config(path: str) -> BuildConfig:
    config: BuildConfig = json.loads(Path(path).read_text())
    return config


def write_result(path: Path, result: BuildResult) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        json.dump(result, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)

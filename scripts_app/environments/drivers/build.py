"""Builds one environment: resolves, installs, compiles, checks, puts it into place. A program of its own.

`python -I -S build_environment.py CONFIG` - standard library only, since it runs like any other run does: what it
prints is what people watch, cancelling it is killing it. `environment_builds` writes CONFIG and reads the result.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote

TEMPORARY = ".tmp-"  # begins the name of every folder below envs/ that is no environment (yet)
DIGEST_LENGTH = 32
MESSAGE_LINES = 20
LOOK_EVERY_S = 0.3
EXIT_FAILED = 1
EXIT_TERMINATED = 128 + signal.SIGTERM

_IDENTITY = """
import json, platform, sys, sysconfig
print(json.dumps([platform.python_version(), sys.implementation.name, sysconfig.get_platform(),
                  sysconfig.get_config_var("SOABI") or ""]))
"""

STACK_FILE = "_tempo_stack.pth"
# Every Python of the environment prints its stack at SIGRTMAX and goes on: so a run that hangs can be asked where.
# `signal` itself would load `enum` and cost a start 2 to 5 ms, where this costs 0.3. Without stderr: no stack.
STACK_LINE = (
    "import sys, faulthandler, _signal; "
    "sys.stderr is None or faulthandler.register(_signal.SIGRTMAX, chain=False)\n"
)


class BuildConfig(TypedDict):
    """What is to be built; all paths are absolute. No secrets: the package index comes in the environment (UV_*)."""

    uv: str
    interpreter: str
    requirements: str
    lock: str  # the packages to install; "" to find them
    refresh: bool  # ask the index anew, whatever uv still remembers of it
    environments: str
    result: str
    progress: str
    link_mode: str
    allows_source: bool  # build packages that have no wheel; what is built is shared with nobody
    renew: bool  # build a new folder even where one with the same packages is there


class BuildResult(TypedDict, total=False):
    """What came of it: `error` alone, or all the others. The file READY of an environment holds the same."""

    digest: str
    lock: str
    python: str
    packages: list[str]
    size: int
    built_at: str
    error: str


class BuildStep(TypedDict):
    """How far a build is: the step, and how many packages (while compiling: files) of how many it is done with."""

    step: str  # resolving | downloading | installing | compiling | checking
    done: int
    total: int


class BuildError(Exception):
    """A step failed; str() is its message, as uv printed it."""


class Progress:
    """Says in a small file, replaced whole, how far a build is; when the disk is full, it does not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: BuildStep | None = None
        self._telling = threading.Lock()

    def tell(self, step: str, done: int = 0, total: int = 0) -> None:
        """Write it down, unless it was written already."""
        told = BuildStep(step=step, done=done, total=total)
        with self._telling, contextlib.suppress(OSError):
            if told != self._told:
                beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
                beside.write_text(json.dumps(told))
                beside.rename(self._path)
                self._told = told


class Installation:
    """What can be seen of an installation from outside: uv itself only says when a step is over."""

    def __init__(
        self, progress: Progress, folder: Path, packages: Sequence[str], cache: Path
    ) -> None:
        self._progress, self._folder, self._cache = progress, folder, cache
        self._packages, self._missing = packages, set(packages)
        self._step, self._count, self._total = "downloading", self._downloaded, len(packages)

    def hear(self, line: str) -> None:
        """Take note of what uv said."""
        if line.startswith("Prepared "):
            self._step, self._count = (
                "installing",
                functools.partial(self._found, "*/*/*/*.dist-info"),
            )
        elif line.startswith("Installed "):
            self._step, self._count = "compiling", functools.partial(self._found, "**/*.pyc")
            self._total = self._found("**/*.py")
        self.look()

    def look(self) -> None:
        """Tell how far it is."""
        self._progress.tell(self._step, min(self._count(), self._total), self._total)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look again and again while something else goes on."""
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(LOOK_EVERY_S):
            self.look()

    def _downloaded(self) -> int:
        """The wheels of the lock that are in uv's cache: of an index of one's own a level deeper than PyPI's."""
        for package in list(self._missing):
            wheel = "{}/{}-*".format(*package.split("==")) if "==" in package else "?"
            if any(
                next(self._cache.glob(f"wheels-*/{index}/{wheel}"), None) for index in ("*", "*/*")
            ):
                self._missing.discard(package)
        return len(self._packages) - len(self._missing)

    def _found(self, pattern: str) -> int:
        return sum(1 for _ in self._folder.glob(pattern))


def main(config_path: str) -> int:
    """Build what a config file asks for, write the result file, return the exit status."""
    config: BuildConfig = json.loads(Path(config_path).read_text())
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _terminate)
    progress = Progress(Path(config["progress"]))
    try:
        with work_folder(Path(config["environments"])) as work:
            result = build(config, work, progress)
    except (BuildError, OSError) as error:
        _write(Path(config["result"]), {"error": str(error)})
        _say("Not built: " + str(error).partition("\n")[0])
        return EXIT_FAILED
    _write(Path(config["result"]), result)
    count, size_mb, seconds = (
        len(result["packages"]),
        result["size"] / 1e6,
        time.monotonic() - started,
    )
    _say(f"Ready: {_packages(count)}, {size_mb:.0f} MB, {seconds:.1f} s")
    return 0


def build(config: BuildConfig, work: Path, progress: Progress) -> BuildResult:
    """Go through the steps in a work folder beside the environments. Raises BuildError."""
    if config[
        "allows_source"
    ]:  # what was built here must not be found by those who want wheels only
        os.environ["UV_CACHE_DIR"] = str(work / "cache")
    identity = identify(config["interpreter"])
    progress.tell("resolving")
    lock = resolve(config, work, version=identity[0])
    # A renewal gets a folder of its own: runs that are under way go on with the old one.
    alone = [
        *(["source"] if config["allows_source"] else []),
        *([work.name] if config["renew"] else []),
    ]
    place = Path(config["environments"]) / digest_of([*identity, *alone], lock)
    if is_usable(place):
        _say("These very packages were installed before: shared")
        os.utime(place / "READY")  # the garbage collector spares what was touched within the day
        return _read_ready(place)
    folder = work / "environment"
    packages = re.findall(r"^[^\s#;]+(?:==| @ )[^\s;\\]+", lock, re.MULTILINE)
    install(config, folder, packages, progress)
    result: BuildResult = {
        "digest": place.name,
        "lock": lock,
        "python": identity[0],
        "packages": packages,
        "size": make_read_only(folder),
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    finish(folder, place, result, aside=work / "broken")
    return _read_ready(place)


def identify(interpreter: str) -> list[str]:
    """Ask a Python who it is: full version, implementation, platform, ABI. Raises BuildError when it does not start."""
    argv = [interpreter, "-I", "-S", "-c", _IDENTITY]
    try:
        answer = subprocess.run(
            argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"Python `{interpreter}` does not start: {error}") from error
    identity: list[str] = json.loads(answer)
    return identity


def resolve(config: BuildConfig, work: Path, *, version: str) -> str:
    """Return the lock, every package with version and hashes, and leave it as `lock.txt`; "" without requirements."""
    lock = work / "lock.txt"
    if config["lock"]:
        _say(f"Taking the packages of the lock for Python {version}")
        lock.write_text(config["lock"])
        return config["lock"]
    if not config["requirements"]:
        return ""
    count = len(config["requirements"].splitlines())
    _say(f"Resolving {count} requirement{'' if count == 1 else 's'} for Python {version}")
    (work / "requirements.txt").write_text(config["requirements"] + "\n")
    # Without header and annotations the lock says nothing of who asked, so that equal sets of packages are shared.
    options = [
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
        *_kinds(config),
        "-o",
        lock.name,
    ]
    options += ["--refresh"] if config["refresh"] else []
    _uv(
        config,
        "pip",
        "compile",
        "--python",
        config["interpreter"],
        *options,
        "requirements.txt",
        cwd=work,
    )
    return lock.read_text()


def digest_of(identity: Sequence[str], lock: str) -> str:
    """Return the name of the environment with this lock for a Python of this identity."""
    return hashlib.sha256("\n".join([*identity, lock]).encode()).hexdigest()[:DIGEST_LENGTH]


def install(config: BuildConfig, folder: Path, packages: Sequence[str], progress: Progress) -> None:
    """Create an environment with exactly the locked packages, compiled and checked. Raises BuildError."""
    work, base = folder.parent, config["interpreter"]
    _uv(
        config,
        "venv",
        "--quiet",
        "--relocatable",
        "--no-project",
        "--python",
        base,
        str(folder),
        cwd=work,
    )
    python = str(folder / "bin" / "python")
    if packages:
        _say(f"Installing {_packages(len(packages))} and compiling byte code")
        options = [
            "--require-hashes",
            *_kinds(config),
            "--compile-bytecode",
            "--link-mode",
            config["link_mode"],
        ]
        seen = Installation(progress, folder, packages, Path(os.environ.get("UV_CACHE_DIR", work)))
        with seen.watched():
            _uv(
                config,
                "pip",
                "sync",
                "--python",
                python,
                *options,
                "lock.txt",
                cwd=work,
                hear=seen.hear,
            )
        _say("Checking")
        progress.tell("checking", len(packages), len(packages))
        _uv(config, "pip", "check", "--python", python, cwd=work)
    for site in folder.glob("lib/python*/site-packages"):
        (site / STACK_FILE).write_text(STACK_LINE)
    _run([python, "-I", "-c", "import sys"], cwd=work)


def make_read_only(folder: Path) -> int:
    """Take the right to write from every file and return their size in bytes.

    Folders keep it (0755): whoever owns them could give it back to himself anyway, and a data folder which its owner
    cannot delete with `rm -r` would be a nuisance. What keeps scripts out is a user of their own or Landlock.
    """
    size = 0
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                status = path.stat()
                size += status.st_size
                mode = 0o555 if status.st_mode & 0o111 else 0o444
                if stat.S_IMODE(status.st_mode) != mode:
                    path.chmod(mode)
    return size


def finish(folder: Path, place: Path, result: BuildResult, *, aside: Path) -> None:
    """Rename a built environment to its place; READY is the last file written, after all others are on disk."""
    os.sync()  # one call for all: 0.1 s for pandas, where an fsync for each of its 5,000 files takes 1.1 s
    _write(folder / "READY", result)
    if place.exists() and not is_usable(place):
        place.rename(aside)
    try:
        folder.rename(place)
    except OSError:
        if not is_usable(place):
            raise
    _sync_folder(place.parent)


def is_usable(place: Path) -> bool:
    """Whether an environment is complete and its Python starts (it does not when its interpreter was removed)."""
    python = place / "bin" / "python"
    if not (place / "READY").is_file() or not python.exists():
        return False
    return (
        subprocess.run(
            [python, "-I", "-S", "-c", ""], stdin=subprocess.DEVNULL, capture_output=True
        ).returncode
        == 0
    )


@contextlib.contextmanager
def work_folder(environments: Path) -> Iterator[Path]:
    """A folder of this build alone, locked while it is in use and removed in the end, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=environments))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _kinds(config: BuildConfig) -> list[str]:
    return [] if config["allows_source"] else ["--only-binary", ":all:"]


def _uv(
    config: BuildConfig, *arguments: str, cwd: Path, hear: Callable[[str], None] | None = None
) -> None:
    _run([config["uv"], *arguments], cwd=cwd, hear=hear)


def _run(argv: list[str], *, cwd: Path, hear: Callable[[str], None] | None = None) -> None:
    """Run one step and pass on what it has to say (uv says it on stderr). Raises BuildError with its last lines."""
    said: deque[str] = deque(maxlen=MESSAGE_LINES)
    with subprocess.Popen(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                said.append(masked(line.rstrip()))
                _say(said[-1])
                if hear:
                    hear(said[-1])
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise BuildError(
            "\n".join(said) or f"`{' '.join(argv[:3])}` ended with status {process.returncode}"
        )


def masked(line: str) -> str:
    """Return a line without what the variables of uv and the proxies hold between `://` and `@`."""
    for secret in credentials():
        line = line.replace(secret, "****")
    return line


@functools.lru_cache(maxsize=1)
def credentials() -> list[str]:
    """What logs in, in all addresses of the variables, as it is written there and decoded; the longest first."""
    found = set()
    for value in os.environ.values():
        for login in re.findall(r"://([^\s/@]+)@", value):
            user, _, password = login.partition(":")
            found |= {login, password or user, unquote(login), unquote(password or user)}
    return sorted(found - {""}, key=len, reverse=True)


def _terminate(*_: object) -> None:
    raise SystemExit(EXIT_TERMINATED)


def _read_ready(place: Path) -> BuildResult:
    result: BuildResult = json.loads((place / "READY").read_text())
    return result


def _write(path: Path, result: BuildResult) -> None:
    """Write a result whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as file:
        json.dump(result, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


def _packages(count: int) -> str:
    return f"{count} package{'' if count == 1 else 's'}"


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

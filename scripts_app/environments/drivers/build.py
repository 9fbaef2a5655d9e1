"""The program that builds one environment, started as `python -I -S build.py CONFIG`: standard library only.

The program is run like a script: people watch its output and cancel it. `builds` writes CONFIG and reads the result.
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
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote

TEMPORARY = ".tmp-"  # prefix of the folders below envs/ that are not (yet) an environment
DIGEST_LENGTH = 32
MESSAGE_LINES = 20
PROGRESS_EVERY_S = 0.3
INSTALLED_FILES = {"installing": "*/*/*/*.dist-info", "compiling": "**/*.pyc"}
_IDENTITY = """
import json, platform, sys, sysconfig
print(json.dumps([platform.python_version(), sys.implementation.name, sysconfig.get_platform(),
                  sysconfig.get_config_var("SOABI") or ""]))
"""
STACK_FILE = "_tempo_stack.pth"
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
    environments: str
    result: str
    progress: str
    link_mode: str
    allows_source: bool  # build packages that have no wheel; such an environment is not shared
    renew: bool  # build a new folder even if there is one with the same packages


class BuildResult(TypedDict, total=False):
    # Either `error` alone or all other fields. The file READY of an environment holds the same.
    digest: str
    lock: str
    python: str
    packages: list[str]
    size: int
    built_at: str
    error: str


class BuildStep(TypedDict):
    step: str  # resolving | downloading | installing | compiling | checking
    done: int  # packages, or files while compiling
    total: int


class BuildError(Exception):
    """A step failed; str() is its message, as uv printed it."""


class ProgressFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: BuildStep | None = None
        self._lock = threading.Lock()

    def write(self, step: str, done: int = 0, total: int = 0) -> None:
        build_step = BuildStep(step=step, done=done, total=total)
        with self._lock, contextlib.suppress(OSError):  # a full disk must not end the build
            if build_step == self._last:
                return
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            temporary.write_text(json.dumps(build_step))
            temporary.rename(self._path)
            self._last = build_step


class InstallationMonitor:
    """Counts the files that uv has written so far, because uv itself only says when a step is over."""

    def __init__(self, progress: ProgressFile, folder: Path, packages: list[str]) -> None:
        self._progress = progress
        self._folder = folder
        self._cache = Path(os.environ.get("UV_CACHE_DIR", folder.parent))
        self._missing = set(packages)
        self._step = "downloading"
        self._total = len(packages)

    def on_output(self, line: str) -> None:
        if line.startswith("Prepared "):
            self._step = "installing"
        elif line.startswith("Installed "):
            self._step = "compiling"
            self._total = self._count_files("**/*.py")
        self.write_progress()

    def write_progress(self) -> None:
        if self._step == "downloading":
            count = self._count_downloaded()
        else:
            count = self._count_files(INSTALLED_FILES[self._step])
        self._progress.write(self._step, min(count, self._total), self._total)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(PROGRESS_EVERY_S):
                self.write_progress()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    def _count_downloaded(self) -> int:
        for package in list(self._missing):
            name, _, version = package.partition("==")
            wheel = f"{name}/{version}-*" if version else "?"  # direct URLs are not looked for
            # The wheels of a private index lie one level deeper in uv's cache than those of PyPI.
            for pattern in (f"wheels-*/*/{wheel}", f"wheels-*/*/*/{wheel}"):
                if any(self._cache.glob(pattern)):
                    self._missing.discard(package)
        return self._total - len(self._missing)

    def _count_files(self, pattern: str) -> int:
        return sum(1 for _ in self._folder.glob(pattern))


def main(config_path: str) -> int:
    config: BuildConfig = json.loads(Path(config_path).read_text())
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _terminate)
    progress = ProgressFile(Path(config["progress"]))
    try:
        with work_folder(Path(config["environments"])) as work:
            place = build(config, work, progress)
        result: BuildResult = json.loads((place / "READY").read_text())
    except (BuildError, OSError) as error:
        _write_result(Path(config["result"]), {"error": str(error)})
        _print("Not built: " + str(error).partition("\n")[0])
        return 1
    _write_result(Path(config["result"]), result)
    packages = _count_of(len(result["packages"]), "package")
    size_mb = result["size"] / 1e6
    duration_s = time.monotonic() - started
    _print(f"Ready: {packages}, {size_mb:.0f} MB, {duration_s:.1f} s")
    return 0


def build(config: BuildConfig, work: Path, progress: ProgressFile) -> Path:
    """Return the folder of the environment, new or shared. Raises BuildError and OSError."""
    if config["allows_source"]:
        # Builds that allow wheels only must not find in uv's cache what is built from source here.
        os.environ["UV_CACHE_DIR"] = str(work / "cache")
    identity = identify(config["interpreter"])
    progress.write("resolving")
    lock = resolve(config, work, version=identity[0])
    place = Path(config["environments"]) / _digest(config, identity, lock, work)
    if is_usable(place):
        _print("These very packages were installed before: shared")
        os.utime(place / "READY")  # the clean-up spares what was touched within the last day
        return place
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
    move_into_place(folder, place, result, broken=work / "broken")
    return place


def _digest(config: BuildConfig, identity: list[str], lock: str, work: Path) -> str:
    parts = list(identity)
    if config["allows_source"]:
        parts.append("source")
    if config["renew"]:
        parts.append(work.name)  # a folder of its own: current runs go on with the old folder
    text = "\n".join([*parts, lock])
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def identify(interpreter: str) -> list[str]:
    """Return full version, implementation, platform and ABI of a Python. Raises BuildError when it does not start."""
    argv = [interpreter, "-I", "-S", "-c", _IDENTITY]
    try:
        answer = subprocess.check_output(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"Python `{interpreter}` does not start: {error}") from error
    identity: list[str] = json.loads(answer)
    return identity


def resolve(config: BuildConfig, work: Path, *, version: str) -> str:
    """Return the lock (all packages with versions and hashes) and store it as `lock.txt`; "" without requirements."""
    lock = work / "lock.txt"
    if config["lock"]:
        _print(f"Taking the packages of the lock for Python {version}")
        lock.write_text(config["lock"])
        return config["lock"]
    if not config["requirements"]:
        return ""
    count = len(config["requirements"].splitlines())
    _print(f"Resolving {_count_of(count, 'requirement')} for Python {version}")
    (work / "requirements.txt").write_text(config["requirements"] + "\n")
    # Without header and annotations the lock does not depend on the requirements, so equal sets of packages are shared.
    argv = [config["uv"], "pip", "compile", "--python", config["interpreter"]]
    argv += ["--generate-hashes", "--no-header", "--no-annotate", "-o", lock.name]
    argv += _wheel_options(config)
    if config["refresh"]:
        argv.append("--refresh")
    _run([*argv, "requirements.txt"], cwd=work)
    return lock.read_text()


def install(config: BuildConfig, folder: Path, packages: list[str], progress: ProgressFile) -> None:
    work = folder.parent
    venv = [config["uv"], "venv", "--quiet", "--relocatable", "--no-project"]
    _run([*venv, "--python", config["interpreter"], str(folder)], cwd=work)
    python = str(folder / "bin" / "python")
    if packages:
        _print(f"Installing {_count_of(len(packages), 'package')} and compiling byte code")
        argv = [config["uv"], "pip", "sync", "--python", python, "--require-hashes"]
        argv += [*_wheel_options(config), "--compile-bytecode"]
        argv += ["--link-mode", config["link_mode"], "lock.txt"]
        monitor = InstallationMonitor(progress, folder, packages)
        with monitor.watching():
            _run(argv, cwd=work, on_output=monitor.on_output)
        _print("Checking")
        progress.write("checking", len(packages), len(packages))
        _run([config["uv"], "pip", "check", "--python", python], cwd=work)
    for site in folder.glob("lib/python*/site-packages"):
        (site / STACK_FILE).write_text(STACK_LINE)
    _run([python, "-I", "-c", "import sys"], cwd=work)


def make_read_only(folder: Path) -> int:
    """Take the right to write from every file and return the size of all files in bytes."""
    # Folders stay writable (0755) for `rm -r`. Scripts are kept out by a user of their own or by Landlock.
    size = 0
    for parent, _, names in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in names:
            path = Path(parent, name)
            if path.is_symlink():
                continue
            status = path.stat()
            size += status.st_size
            mode = 0o555 if status.st_mode & 0o111 else 0o444
            if stat.S_IMODE(status.st_mode) != mode:
                path.chmod(mode)
    return size


def move_into_place(folder: Path, place: Path, result: BuildResult, *, broken: Path) -> None:
    # READY has to be the last file on the disk. One sync of all takes 0.1 s for pandas, 5,000 single ones take 1.1 s.
    os.sync()
    _write_result(folder / "READY", result)
    if place.exists() and not is_usable(place):
        place.rename(broken)
    try:
        folder.rename(place)
    except OSError:
        if not is_usable(place):
            raise
    _sync_folder(place.parent)


def is_usable(place: Path) -> bool:
    python = place / "bin" / "python"
    if not (place / "READY").is_file() or not python.exists():
        return False
    argv = [str(python), "-I", "-S", "-c", ""]
    answer = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True)
    return answer.returncode == 0


@contextlib.contextmanager
def work_folder(environments: Path) -> Iterator[Path]:
    # The clean-up leaves a locked folder alone.
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=environments))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _wheel_options(config: BuildConfig) -> list[str]:
    return [] if config["allows_source"] else ["--only-binary", ":all:"]


def _run(argv: list[str], *, cwd: Path, on_output: Callable[[str], None] | None = None) -> None:
    # uv reports on stderr. The last lines are the message of the BuildError when the step fails.
    last_lines: deque[str] = deque(maxlen=MESSAGE_LINES)
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
            for raw_line in process.stderr:
                line = raw_line.rstrip()
                for secret in _credentials():
                    line = line.replace(secret, "****")
                last_lines.append(line)
                _print(line)
                if on_output:
                    on_output(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        program = " ".join(argv[:3])
        message = "\n".join(last_lines)
        raise BuildError(message or str(subprocess.CalledProcessError(process.returncode, program)))


@functools.lru_cache(maxsize=1)
def _credentials() -> list[str]:
    # The logins between `://` and `@` in all variables, as written and decoded; the longest are replaced first.
    found = set()
    for value in os.environ.values():
        for login in re.findall(r"://([^\s/@]+)@", value):
            user, _, password = login.partition(":")
            secret = password or user
            found |= {login, secret, unquote(login), unquote(secret)}
    return sorted(found - {""}, key=len, reverse=True)


def _terminate(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _write_result(path: Path, result: BuildResult) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        json.dump(result, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


def _count_of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _print(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

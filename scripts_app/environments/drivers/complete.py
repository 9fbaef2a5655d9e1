"""The second step of a build: what was unpacked is compiled, looked at and closed. No code of a package runs.

For Tempo's own user, without the log-in of an index. What was built from source is copied first: no file of it stays
one that its authors' code could still have open.
"""

import json
import os
import re
import shutil
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from scripts_app.environments.drivers import build_config, build_progress, install, packages
from scripts_app.environments.drivers.build_config import BuildConfig, BuildError, BuildResult
from scripts_app.environments.drivers.build_progress import InstallationMonitor, ProgressFile

MAX_LOCK_BYTES = 4 * 1024**2
# Of a lock that the code of packages may have written: later builds read it with the log-in of the index.
_LOCK_LINE = re.compile(
    r"(?:[A-Za-z0-9][\w.-]*(?:\[[\w.,-]+\])?(?:==| @ https?://)\S+(?: ; [^\\]+)?"
    r"| +--hash=sha256:[0-9a-f]{64})?(?: \\)?",
    re.ASCII,
)


def main(config_path: str) -> int:
    config = build_config.read_config(config_path)
    if Path(config["result"]).exists():
        return 0  # nothing had to be built
    return build_progress.run_step(Path(config["result"]), lambda: _complete(config))


def _complete(config: BuildConfig) -> None:
    progress = ProgressFile(Path(config["progress"]))
    work = Path(config["work"])
    folder = work / build_config.ENVIRONMENT
    if config["allows_source"]:
        _take_from_source(config, work, folder)
    lock = _read_lock(work)
    names = install.packages_of(lock)
    _check_own_files(folder, json.loads((work / build_config.OWN_FILES).read_text()))
    _compile(config, folder, progress, names)
    if names:
        build_progress.say("Checking")
        progress.write("checking", len(names), len(names))
        conflict = packages.conflict(config["uv"], config["interpreter"], folder, work)
        if conflict:
            raise BuildError(conflict)
    result = _describe(config, folder, lock)
    # READY has to be the last file on the disk. One sync of all takes 0.1 s for pandas, 5,000 single ones take 1.1 s.
    os.sync()
    build_config.write_result(folder / build_config.READY, result)
    build_config.write_result(Path(config["result"]), result)
    count = build_progress.count_of(len(names), "package")
    build_progress.say(f"Ready: {count}, {result['size'] / 1e6:.0f} MB")


def _describe(config: BuildConfig, folder: Path, lock: str) -> BuildResult:
    identity = install.identify(config["interpreter"])
    by_package = packages.recorded(folder).values()
    known = {name for rows in by_package for name, _ in rows}
    return {
        "digest": install.digest_of(config, identity, lock),
        "lock": lock,
        "python": identity[0],
        "packages": install.packages_of(lock),
        "size": make_read_only(folder),
        "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "unrecorded": packages.unrecorded(folder, known),
    }


def _take_from_source(config: BuildConfig, work: Path, folder: Path) -> None:
    source = work / build_config.SOURCE
    lock = _read_regular(source / build_config.LOCK).decode(errors="replace")
    if not all(_LOCK_LINE.fullmatch(line) for line in lock.splitlines()):
        raise BuildError("The lock that the build has left is none")
    (work / build_config.LOCK).write_text(lock)
    install.make_bare(config, folder)
    own = json.loads((work / build_config.OWN_FILES).read_text())
    built = source / build_config.ENVIRONMENT
    for name in packages.files(built):
        if name in own:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(built, name, target)


def _copy(built: Path, name: str, target: Path) -> None:
    # Whoever made these files may exchange them, and lay links; none is followed, on no part of the way.
    folder = os.open(built, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    *parents, last = name.split("/")
    try:
        for parent in parents:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            inner = os.open(parent, flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(last, flags, dir_fd=folder), "rb") as source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BuildError(f"{name} is not a regular file")
            with target.open("xb") as copy:
                shutil.copyfileobj(source, copy)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        target.chmod(0o755 if status.st_mode & 0o111 else 0o644)
    finally:
        os.close(folder)


def _read_regular(path: Path) -> bytes:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BuildError(f"{path.name} is not a regular file")
        return file.read(MAX_LOCK_BYTES)


def _read_lock(work: Path) -> str:
    return (work / build_config.LOCK).read_text(errors="replace")


def _check_own_files(folder: Path, own: dict[str, str]) -> None:
    if (folder / build_config.READY).exists():
        raise BuildError(f"A package brings {build_config.READY}, which is the environment's own")
    for name, expected in own.items():
        if install.fingerprint(folder / name) != expected:
            raise BuildError(f"A package replaces {name}, which is the environment's own")


def _compile(config: BuildConfig, folder: Path, progress: ProgressFile, names: list[str]) -> None:
    # By the Python that the environment is made of: without packages, it runs nothing of theirs. An environment without
    # any has the program that starts scripts.
    if names:
        build_progress.say("Compiling byte code")
    total = sum(1 for _ in folder.glob("**/*.py"))
    monitor = InstallationMonitor(progress, folder, step="compiling", packages=[], total=total)
    workers = os.cpu_count() or 1 if names else 1
    argv = [config["interpreter"], "-I", "-S", "-m", "compileall", "-q", "-q", "-r", "100"]
    argv += ["-j", str(workers), str(folder / "lib")]
    with monitor.watching():
        # A file of a package that is no Python of this version is none to compile.
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


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

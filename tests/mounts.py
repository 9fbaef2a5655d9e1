"""Disks for tests: small ones, read-only ones, broken ones. They need root, which the tests of CI have."""

import contextlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LIMIT_S = 30.0


def call(*command: str | Path) -> None:
    """Run a command of the system; AssertionError with what it said when it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{command}: {done.stderr.strip()}"


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own in memory, at `path`."""
    path.mkdir()
    call("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tempo-test", path)
    try:
        yield path
    finally:
        unmount(path)


@contextmanager
def small_folder(path: Path, options: str) -> Iterator[Path]:
    """A file system of its own in memory, mounted at `path` with such options: `nr_inodes=100`, `noexec`."""
    path.mkdir(exist_ok=True)
    call("mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "tempo-test", path)
    try:
        yield path
    finally:
        unmount(path)


@contextmanager
def ntfs_disk(path: Path, options: str = "") -> Iterator[Path]:
    """An NTFS disk: it takes each chmod and chown and keeps none. Without options every file is open to everybody."""
    if shutil.which("mkntfs") is None:
        pytest.skip("needs the Debian package ntfs-3g")
    image = path.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    call("mkntfs", "--force", "--fast", "--quiet", image)
    path.mkdir()
    call("ntfs-3g", image, path, "-o", f"big_writes,{options}".rstrip(","))
    try:
        yield path
    finally:
        unmount(path)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Everything that is opened below `path` from now on is read-only, for processes that are running, too.

    A mount over the folder: a disk cannot be made read-only as a whole while a file on it is open for writing.
    """
    call("mount", "--bind", path, path)
    try:
        call("mount", "-o", "remount,bind,ro", path)
        yield
    finally:
        unmount(path)


class LoopDisk:
    """A disk in a file, which can fail as a worn SD card does: the kernel makes it read-only under open files."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.image, self.path = folder / "disk.img", folder / "disk"
        with self.image.open("wb") as file:
            file.truncate(megabytes * 2**20)
        call("mkfs.ext4", "-q", "-O", "^has_journal", self.image)
        self.path.mkdir()
        self.mount()

    def mount(self) -> None:
        """Make it available, writable."""
        call("mount", "-o", "loop,errors=remount-ro", self.image, self.path)

    def fail(self) -> None:
        """Have the kernel find an error on it: from now on nothing can be written."""
        device = self.path.stat().st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("1\n")

    def repair(self) -> None:
        """Unmount, check, mount: nothing may be open on it."""
        unmount(self.path)
        subprocess.run(
            ["fsck.ext4", "-p", self.image], capture_output=True, timeout=LIMIT_S, check=False
        )
        self.mount()

    def close(self) -> None:
        """Give it back."""
        unmount(self.path)


def unmount(path: Path) -> None:
    """Unmount, and when somebody will not let go, at least take it out of the tree."""
    give_up = time.monotonic() + 2.0
    while time.monotonic() < give_up:
        if (
            subprocess.run(
                ["umount", str(path)], capture_output=True, timeout=LIMIT_S, check=False
            ).returncode
            == 0
        ):
            return
        time.sleep(0.05)
    call("umount", "--lazy", path)


def use_up_inodes(path: Path) -> Path:
    """Make files until the disk of a folder takes no more; returns the folder that holds them."""
    folder = path / "fillers"
    folder.mkdir()
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (folder / str(number)).touch()
    return folder


def fill(path: Path, name: str = "filler") -> Path:
    """Leave not a byte on the disk of a folder; returns the file that takes it all."""
    filler = path / name
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0")
    return filler

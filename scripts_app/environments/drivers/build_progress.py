"""The progress of a build, as a file that pages read, and as sentences on the output that people watch."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypedDict

from scripts_app.environments.drivers import build_config
from scripts_app.environments.drivers.build_config import BuildError

PROGRESS_EVERY_S = 0.3
INSTALLED_FILES = {"installing": "*/*/*/*.dist-info", "compiling": "**/*.pyc"}


class BuildStep(TypedDict):
    step: str  # one of builds.STEPS
    done: int  # packages, or files while compiling
    total: int


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
    """Counts the files that have been written so far, because uv itself only says when a step is over."""

    def __init__(
        self, progress: ProgressFile, folder: Path, *, step: str, packages: list[str], total: int
    ) -> None:
        self._progress = progress
        self._folder = folder
        self._cache = Path(os.environ.get("UV_CACHE_DIR", folder.parent))
        self._missing = set(packages)
        self._step = step
        self._total = total

    def on_output(self, line: str) -> None:
        if line.startswith("Prepared "):
            self._step = "installing"
        self.write_progress()

    def write_progress(self) -> None:
        if self._step == "downloading":
            count = self._count_downloaded()
        else:
            count = sum(1 for _ in self._folder.glob(INSTALLED_FILES[self._step]))
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


def run_step(result: Path, act: Callable[[], None]) -> int:
    """Do a step of a build; return its exit status, and write an error into `result` for Tempo to tell."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        act()
    except (BuildError, OSError) as error:
        build_config.write_result(result, {"error": str(error)})
        say("Not built: " + str(error).partition("\n")[0])
        return 1
    return 0


def count_of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()

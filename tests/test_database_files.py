"""The database on the disk: one file after a clean stop; reads beside a lock; file systems that lack something."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests import file_systems
from tests.benchmarks.clients import Browser
from tests.service import ROOT, Service, environment

pytestmark = pytest.mark.slow


def files_of(service: Service) -> list[str]:
    """The files of its database."""
    return sorted(path.name for path in service.data.glob("tempo.sqlite3*"))


def count_of_runs(database: Path) -> int:
    """How many runs a copy of the file alone has."""
    with closing(sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)) as opened:
        return int(opened.execute("SELECT count(*) FROM runs_app_run").fetchone()[0])


def pull_the_plug(service: Service) -> None:
    """End it without a last word of any of its processes."""
    assert service.process
    web = service.web_pid()
    service.process.send_signal(signal.SIGSTOP)  # or it would start another web
    os.kill(web, signal.SIGKILL)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(30)


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Another process holds the write lock of its database."""
    with closing(sqlite3.connect(service.data / "tempo.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_after_a_clean_stop_the_file_alone_is_complete(service: Service, tmp_path: Path) -> None:
    slug = service.make_script("Plain", "print('plain')\n")
    service.run(slug)
    with locked(service):
        status, _ = service.call("POST", f"/scripts/{slug}/runs", {})
        assert status == 503  # its exception must not keep a connection
    runs = len(service.get("/runs?kind=all")["items"])
    assert service.stop() == 0
    assert files_of(service) == ["tempo.sqlite3"]
    alone = tmp_path / "alone.sqlite3"
    shutil.copy(service.data / "tempo.sqlite3", alone)
    assert count_of_runs(alone) == runs


def test_reads_go_on_while_somebody_holds_the_write_lock(service: Service) -> None:
    slug = service.make_script("Plain", "print('plain')\n")
    service.get("/runs")  # the key's use is noted, for a minute
    answers: list[int] = []

    def write() -> None:
        answers.append(service.call("POST", f"/scripts/{slug}/runs", {})[0])

    with locked(service):
        for _ in range(2):  # the first failures are collected while the second ones wait
            writers = [threading.Thread(target=write) for _ in range(3)]
            for writer in writers:
                writer.start()
            reads = 0
            while any(writer.is_alive() for writer in writers):
                assert service.call("GET", "/runs")[0] == 200
                reads += 1
                time.sleep(0.02)  # as a few people would; the writers wait for seconds
            # One that waited for the writers would be the only one.
            assert reads > 10, "a read waits for nobody"
    assert set(answers) == {503}


# --- file systems --------------------------------------------------------------------------------------------------
class Lacking(Service):
    """A Tempo on a file system that lacks something."""

    missing: tuple[str, ...] = ()

    def command_line(self) -> list[str]:
        return [*file_systems.without(*self.missing), *super().command_line()]


def test_it_runs_without_shared_memory_and_hard_links(prepared: Path, tmp_path: Path) -> None:
    tempo = Lacking.copy_of(prepared, tmp_path / "service")
    (tempo.data / "secret_key").unlink()
    tempo.missing = ("shared memory", "hard links")
    with tempo:
        slug = tempo.make_script("Plain", "print('plain')\n")
        assert tempo.run(slug)["status"] == "succeeded"
        assert "without a write-ahead log" in Browser(tempo).open("/system/")
        assert tempo.stop() == 0
    said = tempo.log.read_text()
    assert "maps no shared memory" in said and "has no hard links" in said
    assert "Traceback" not in said
    assert files_of(tempo) == ["tempo.sqlite3"]


def test_a_log_of_another_file_system_is_taken_over(service: Service) -> None:
    service.run(service.make_script("Plain", "print('plain')\n"))
    before = service.get("/runs?kind=all")["items"]
    pull_the_plug(service)
    assert (service.data / "tempo.sqlite3-wal").stat().st_size
    moved = Lacking(service.data)
    moved.missing = ("shared memory",)
    with moved:
        assert moved.get("/runs?kind=all")["items"] == before


def test_without_symbolic_links_it_says_what_needs_them(prepared: Path, tmp_path: Path) -> None:
    data = tmp_path / "own"
    shutil.copytree(prepared, data, symlinks=True)
    command = [
        *file_systems.without("symbolic links"),
        sys.executable,
        str(ROOT / "manage.py"),
        "prepare",
    ]
    done = subprocess.run(
        command, env=environment(data), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "has no symbolic links, which environments need" in done.stdout
    assert f"`{data}/envs`" in done.stdout

"""The service's look at itself for /healthz: can it serve, and could a run begin; and how busy the machine is."""

import contextlib
import resource
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection

from runs_app import disk_space, launcher_client
from runs_app.engine import data_folders
from runs_app.engine.queue_check import QueueCheck
from tempo_site.lib import machine, paths, storage_trouble
from tempo_site.lib.console import service_report

OK = "ok"
PARTS = ("database", "disk", "folders", "files", "queue", "launcher")
MIN_FREE_FILES = 50  # a request and a hand-over need a few each


class SelfCheck:
    def __init__(self) -> None:
        self.findings: dict[str, Any] = {}
        # Of the machine, all cores together; None before the second look.
        self.cpu_percent: float | None = None
        self.engine_lock: int | None = None
        self._processors = machine.ProcessorMeter()
        self._queue = QueueCheck()
        self._folders = OK

    def look(self, *, now: datetime) -> bool:
        with contextlib.suppress(OSError):
            self.cpu_percent = self._processors.percent()
        self.findings = {
            "database": check_database(),
            "disk": check_disk(),
            "folders": self._folders,
            "files": check_files(),
            "queue": _finding(lambda: self._queue.why_stuck(now=now)),
            **check_launcher(),
        }
        if self.isolation:
            service_report.tell("isolation", self.isolation)
        return all(self.findings[name] == OK for name in PARTS)

    def heal_folders(self) -> None:
        """Make folders anew that are gone; what cannot be made is told at once, and not after the next look."""
        self._folders = _finding(self._heal)
        if self.findings:
            self.findings["folders"] = self._folders

    def _heal(self) -> str:
        why_not = data_folders.heal()
        if why_not or self.engine_lock is None:
            return why_not
        return data_folders.hold_again(self.engine_lock, paths.engine_lock())

    @property
    def isolation(self) -> dict[str, Any]:
        found = self.findings.get("isolation")
        if not isinstance(found, dict):
            return {}
        return found


def check_database() -> str:
    return _finding(_read_database)


def _read_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA schema_version")  # from the file
    return ""


def check_disk() -> str:
    return _finding(disk_space.why_nothing_starts)


def check_files() -> str:
    return _finding(_why_few_files)


def _why_few_files() -> str:
    limit, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = limit - machine.open_files()
    if free >= MIN_FREE_FILES:
        return ""
    return f"Tempo may open only {free} more files (its limit is {limit})"


def check_launcher() -> dict[str, Any]:
    try:
        answer = launcher_client.launcher.ping()
    except launcher_client.LauncherError as error:
        return {"launcher": str(error)}
    return {"launcher": answer.get("problem") or OK, "isolation": answer.get("isolation")}


def _finding(check: Callable[[], str]) -> str:
    # What keeps a check from its work is a finding, too: without descriptors none of them could look.
    try:
        return check() or OK
    except (OSError, DatabaseError) as error:
        trouble = storage_trouble.trouble_of(error)
        if trouble is None:
            return f"it could not be looked at: {error}"
        return trouble.sentence.rstrip(".")

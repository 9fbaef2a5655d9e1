"""The service's look at itself for /healthz: database, disk, launcher, and how busy the machine is."""

from typing import Any

import psutil
from django.db import connection

from runs_app import disk_space, launcher_client

OK = "ok"
PARTS = ("database", "disk", "launcher")


class SelfCheck:
    def __init__(self) -> None:
        self.findings: dict[str, Any] = {}
        # Of the machine, all cores together; None before the second look.
        self.cpu_percent: float | None = None

    def look(self) -> bool:
        busy = psutil.cpu_percent(interval=None)  # since this thread's last look
        if self.findings:  # the first look says 0
            self.cpu_percent = busy
        self.findings = {
            "database": check_database(),
            "disk": check_disk(),
            **check_launcher(),
        }
        return all(self.findings[name] == OK for name in PARTS)

    @property
    def isolation(self) -> dict[str, Any]:
        found = self.findings.get("isolation")
        if not isinstance(found, dict):
            return {}
        return found


def check_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        return f"the database does not answer: {error}"
    return OK


def check_launcher() -> dict[str, Any]:
    try:
        answer = launcher_client.launcher.ping()
    except launcher_client.LauncherError as error:
        return {"launcher": str(error)}
    return {"launcher": OK, "isolation": answer.get("isolation")}


def check_disk() -> str:
    return disk_space.why_nothing_starts() or OK

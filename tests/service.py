"""A real Tempo for tests and benchmarks: `manage.py serve` on a data folder and a port of its own."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "tempo_" + "t0ken-for-tests-" * 3
PASSWORD = "correct horse"
LIMIT_S = 60.0
FIRST_PORT = 10_000
CLIENT_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")

T = TypeVar("T")

MIGRATE = """
from tempo_site.bootstrap import database
database.migrate(print)
"""
PREPARE = f"""
from django.core.management import call_command
call_command("prepare")
from tempo_site.models import ApiKey
from django.contrib.auth import get_user_model
from django.test import Client
ApiKey.issue(name="tests", token={TOKEN!r})
Client().force_login(get_user_model().objects.create_superuser("ann", "", {PASSWORD!r}))
"""
# As `serve` leaves it: all in one file.
CLOSE = """
from tempo_site.lib import checkpoints
checkpoints.close_database()
"""
# Looked at tomorrow, as if each service had built it after its start: no test waits for another look.
BUILD = """
import tempfile
from datetime import timedelta
from pathlib import Path
from django.utils import timezone
from scripts_app.environments import environments
from scripts_app.models import Environment
from tests import building
spec = environments.spec_of_text(code="", requirements="", python_version="")
empty = Environment.objects.create(interpreter=str(spec.interpreter.path), python=spec.interpreter.version)
with tempfile.TemporaryDirectory() as folder:
    building.run_drivers(building.begin(empty, Path(folder)))
    assert building.finish(empty, Path(folder), succeeded=True)
Environment.objects.update(checked_at=timezone.now() + timedelta(days=1))
"""


def wait_for(condition: Callable[[], T | None], *, what: str, limit_s: float = LIMIT_S) -> T:
    """Return the first true result of `condition`; AssertionError naming `what` when there is none in time.

    Asking costs the service as much as the tests: the longer it takes, the longer the pauses, to a tenth of the whole.
    """
    begin = time.monotonic()
    while True:
        result = condition()
        if result:
            return result
        waited_s = time.monotonic() - begin
        assert waited_s < limit_s, f"waited {limit_s:.0f} s for {what}"
        time.sleep(min(max(0.01, waited_s / 10), 0.25))


def environment(data: Path, **extra: str) -> dict[str, str]:
    """The environment of a service: this one's, without Tempo's variables, pointed at `data`."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYSCHED_", "TEMPO_", "DJANGO_"))
    }
    no_floor = {
        "PYSCHED_MIN_FREE_MB": "0",
        "PYSCHED_MIN_FREE_PERCENT": "0",
    }  # tests run on nearly full disks, too
    return {**plain, "PYSCHED_DATA_PATH": str(data), **no_floor, **extra}


def manage(data: Path, *argv: str, **extra: str) -> str:
    """Run a management command to its end and return what it printed."""
    command = [sys.executable, str(ROOT / "manage.py"), *argv]
    done = subprocess.run(
        command, env=environment(data, **extra), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def migrated_data(data: Path) -> Path:
    """Fill a folder with a database that is up to date and empty."""
    manage(data, "shell", "-c", MIGRATE + CLOSE)
    return data


def prepared_data(data: Path, *, has_environment: bool = False) -> Path:
    """Fill a folder with a migrated database, the superuser `ann` and an API key with a known token.

    And with a built environment without packages, where that is what is not tested.
    """
    steps = [PREPARE, BUILD, CLOSE] if has_environment else [PREPARE, CLOSE]
    manage(data, "shell", "-c", "".join(steps))
    return data


def free_port() -> int:
    """A port that is free and stays so: below those that the kernel gives to clients, which come and go meanwhile."""
    first_of_clients = int(CLIENT_PORTS.read_text().split()[0])
    while True:
        port = FIRST_PORT + secrets.randbelow(first_of_clients - FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_web(command: str) -> bool:
    """Whether a command line is the web process's; a runner bears its launcher's, which ends in the same words."""
    return "manage.py web" in command and "launcher" not in command


class Service:
    """One running Tempo; a context manager that leaves nothing behind."""

    def __init__(self, data: Path, **extra: str) -> None:
        self.data = data
        self.port = free_port()
        self.extra = extra
        self.prefix: list[str] = []  # a command that starts the service's own
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data / "service.log"
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def copy_of(cls, prepared: Path, data: Path, **extra: str) -> Self:
        """A service on a copy of a prepared data folder, not started yet."""
        shutil.copytree(
            prepared, data, symlinks=True, ignore=shutil.ignore_patterns("*.bell", "*.log")
        )
        return cls(data, **extra)

    # --- life ------------------------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if error is not None and self.log.exists():
            print(self.log.read_text(errors="replace")[-8000:], file=sys.stderr)  # noqa: T201

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        command = self.command_line()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(self.data, **self.extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_until_healthy()

    def started(self) -> Self:
        """This one, started unless it runs: the test before may have ended it."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        return self

    def command_line(self) -> list[str]:
        """How it is started."""
        serve = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(self.port)]
        return [*self.prefix, *serve]

    def wait_until_healthy(self, limit_s: float = 2 * LIMIT_S) -> None:
        """Wait for /healthz to say 200."""
        try:
            wait_for(self.is_healthy, what="health", limit_s=limit_s)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; its log ends with:\n{self.log.read_text()[-3000:]}"
            ) from None

    def is_healthy(self) -> bool:
        """Whether /healthz says 200 now."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def parts(self) -> dict[str, str]:
        """What /healthz says of each part."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        return dict(found["parts"])

    def wait_for_part(self, name: str, text: str, limit_s: float = LIMIT_S) -> None:
        """Wait until /healthz, which looks every 10 s, says this of a part."""
        wait_for(
            lambda: text in self.parts().get(name, ""), what=f"{name}: {text}", limit_s=limit_s
        )

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Ask it to end, wait, and return its exit status; killed when it does not."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    # --- processes -------------------------------------------------------------------------------------------------
    @property
    def launcher_pid(self) -> int:
        """The root of the tree."""
        assert self.process
        return self.process.pid

    def children(self, parent: int | None = None) -> list[tuple[int, str]]:
        """(pid, command line) of the direct children of a process, the launcher's by default."""
        parent = parent or self.launcher_pid
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent_of(entry) == parent:
                command = (
                    _read(entry / "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
                )
                found.append((int(entry.name), command))
        return found

    def web_pid(self) -> int:
        """The web process; waits for one that is being restarted."""

        def find() -> int | None:
            return next((pid for pid, command in self.children() if is_web(command)), None)

        return wait_for(find, what="the web process")

    # --- API -------------------------------------------------------------------------------------------------------
    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """(HTTP status, decoded JSON or text) of an API call with the tests' key; `If_Match="..."` is a header."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, method=method)
        request.add_header("Authorization", f"Bearer {TOKEN}")
        request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, _decode(answer.read(), answer.headers.get("Content-Type", ""))
        except urllib.error.HTTPError as error:
            return error.code, _decode(error.read(), error.headers.get("Content-Type", ""))

    def get(self, path: str) -> Any:
        """The decoded answer of a GET that must succeed."""
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def all_of(self, path: str) -> list[dict[str, Any]]:
        """The entries of all pages of a list; the path has its parameters already."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(f"{path}&cursor={cursor}")
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    def post(self, path: str, body: object = None) -> Any:
        """The decoded answer of a POST that must succeed."""
        status, answer = self.call("POST", path, {} if body is None else body)
        assert status in (200, 201, 202), answer
        return answer

    def make_script(self, name: str, code: str, **fields: object) -> str:
        """Create a script and wait for its environment; returns its slug."""
        slug = str(self.post("/scripts", {"name": name, "code": code, **fields})["slug"])
        wait_for(
            lambda: self.get(f"/scripts/{slug}")["environment"]["state"] == "ready",
            what=f"environment of {slug}",
        )
        return slug

    def run(self, slug: str, *, limit_s: float = LIMIT_S, confirm: bool = False) -> dict[str, Any]:
        """Run a script and return the run as it ended; `confirm` also what problems were found in."""
        body = {"confirm": True} if confirm else None
        started = self.post(f"/scripts/{slug}/runs", body)
        return self.finished(int(started["id"]), limit_s=limit_s)

    def finished(self, run_id: int, *, limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The run, once it is final."""

        def find() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/runs/{run_id}")
            return None if run["status"] in ("queued", "starting", "running") else run

        return wait_for(find, what=f"the end of run {run_id}", limit_s=limit_s)


def _decode(content: bytes, kind: str) -> Any:
    return (
        json.loads(content)
        if content and "json" in kind
        else content.decode(errors="surrogateescape")
    )


def _parent_of(process: Path) -> int | None:
    stat = _read(process / "stat")
    return int(stat[stat.rindex(b")") + 2 :].split()[1]) if stat else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

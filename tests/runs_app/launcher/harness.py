"""A real launcher on a folder of its own, with a tiny `web` that hands its descriptors to the test."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import runs_app.launcher
from runs_app.launcher import wire
from runs_app.launcher.watch import procfs, tree

MAIN = Path(runs_app.launcher.__file__).parent / "__main__.py"
LIMIT_S = 15.0  # for conditions: reached only when something is broken

# Sends descriptors 3 and 4 to the test and then waits to be killed.
_WEB = """
import os, signal, socket, sys
test = socket.socket(socket.AF_UNIX)
test.connect(sys.argv[1])
names = [os.environ[name] for name in ("TEMPO_LISTEN_FD", "TEMPO_CONTROL_FD")]
socket.send_fds(test, [b"%d" % os.getpid()], [int(name) for name in names])
test.close()
signal.pause()
"""
_numbers = itertools.count(1)
T = TypeVar("T")


def wait_for(condition: Callable[[], T], *, limit_s: float = LIMIT_S) -> T:
    """The first true value of `condition`."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
    return value


def is_gone(pid: int) -> bool:
    """Whether `pid` runs no more; a zombie counts as gone."""
    process = procfs.read(pid)
    return process is None or process.state in procfs.ENDED


class Record(NamedTuple):
    """One record of `output.log`."""

    at_ms: int
    stream: str
    kind: str
    text: bytes


def parse_log(content: bytes) -> list[Record]:
    """All records of a log's content."""
    parts = [line.split(b" ", 3) for line in content.split(b"\n")[:-1]]
    return [
        Record(int(at), stream.decode(), kind.decode(), text) for at, stream, kind, text in parts
    ]


def joined(records: list[Record], streams: str = "OE") -> bytes:
    """The bytes the script wrote, put together again."""
    wanted = [record for record in records if record.stream in streams]
    return b"".join(record.text + (b"\n" if record.kind == "F" else b"") for record in wanted)


class WebSide:
    """What a `web` has: the listening socket and the control channel."""

    def __init__(self, connection: socket.socket) -> None:
        content, descriptors, _, _ = socket.recv_fds(connection, 64, 2)
        self.pid = int(content)
        self.listener, self.control = (socket.socket(fileno=fd) for fd in descriptors)
        self.control.settimeout(LIMIT_S)
        self._decoder = wire.Decoder()
        self._replies: list[wire.Message] = []

    def ask(self, op: str, **fields: object) -> dict[str, Any]:
        """Send a request and wait for its reply."""
        number = next(_numbers)
        self.control.sendall(wire.encode({"op": op, "id": number, **fields}))
        reply = self.receive()
        assert reply["id"] == number
        return reply

    def receive(self) -> dict[str, Any]:
        """The next reply."""
        while not self._replies:
            data = self.control.recv(65536)
            assert data, "the launcher closed the control channel"
            self._replies += self._decoder.feed(data)
        return self._replies.pop(0)

    def is_dropped(self) -> bool:
        """Whether the launcher has closed the channel; waits for it."""
        with contextlib.suppress(ConnectionError):
            while self.control.recv(65536):
                pass
        return True

    def close(self) -> None:
        """Give the descriptors back."""
        self.listener.close()
        self.control.close()


class LauncherHarness:
    """Use as a context manager; nothing that it started outlives it."""

    def __init__(
        self,
        data: Path,
        *,
        grace_s: float = 1.0,
        web_argv: list[str] | None = None,
        ready: bool = True,
        python: str = sys.executable,
        main: Path = MAIN,
        user: int | None = None,
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """`python` runs launcher and web, `main` is the launcher's, `user` whom it is, `env` comes on top of ours.

        `prefix` is a command that starts the launcher's own.
        """
        self.data = data.resolve()
        self.grace_s = grace_s
        self.options: list[str] = []  # more of them for the next start
        self.pass_fds: tuple[int, ...] = ()
        self._ready = ready
        # Socket paths have to be short.
        self._home = tempfile.TemporaryDirectory(prefix="launcher-")
        self._door = self._open_door()
        self._become: list[str] = list(prefix)
        if user is not None:
            self._become += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        self._launcher_argv = [python, "-I", "-S", str(main)]
        self._env = env or {}
        self._web_argv = web_argv or [python, "-I", "-S", "-c", _WEB, f"{self._home.name}/door"]
        self._has_own_web = web_argv is None
        self._webs: list[WebSide] = []
        self._log = Path(self._home.name) / "log"

    def _open_door(self) -> socket.socket:
        """Where web delivers its descriptors; it may be another user."""
        Path(self._home.name).chmod(0o711)
        door = socket.socket(socket.AF_UNIX)
        door.bind(f"{self._home.name}/door")
        Path(self._home.name, "door").chmod(0o666)
        door.listen()
        door.settimeout(LIMIT_S)
        return door

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start the launcher, and unless web is the test's own, wait for it and say that it is ready."""
        options = ["--data", str(self.data), "--host", "127.0.0.1", "--port", "0"]
        options += ["--grace", str(self.grace_s), *self.options]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._become, *self._launcher_argv, *options, "--", *self._web_argv],
                stderr=log,
                env={**os.environ, **self._env},
                pass_fds=self.pass_fds,
                start_new_session=True,
            )
        if self._has_own_web:
            self.next_web()
        return self

    @property
    def web(self) -> WebSide:
        """The web that came last."""
        return self._webs[-1]

    def next_web(self) -> WebSide:
        """Wait for the launcher to start a web."""
        connection, _ = self._door.accept()
        with connection:
            self._webs.append(WebSide(connection))
        if self._ready:
            self.web.ask("ready")
        return self.web

    def log(self) -> str:
        """What the launchers of this harness have written to standard error."""
        return self._log.read_text()

    def new_folder(
        self, argv: list[str], *, name: str = "", env: dict[str, str] | None = None, **spec: object
    ) -> str:
        """Make a run folder with a spec for `argv`; its name."""
        folder = name or f"2026-11/{next(_numbers)}-abcdef12"
        path = self.path(folder)
        path.mkdir(parents=True)
        content = {
            "v": 1,
            "run_id": 1,
            "kind": "script",
            "argv": argv,
            "cwd": str(path),
            "env": env or {},
        }
        (path / "spec.json").write_text(
            json.dumps({**content, "timeout_s": None, "grace_s": 1, **spec})
        )
        return folder

    def run(self, code: str, **spec: Any) -> str:
        """Start a run of this Python code; its folder's name."""
        return self.run_argv([sys.executable, "-I", "-S", "-c", code], **spec)

    def run_argv(self, argv: list[str], **spec: Any) -> str:
        """Start a run of `argv`; its folder's name."""
        folder = self.new_folder(argv, **spec)
        reply = self.web.ask("start", folder=folder)
        assert reply["ok"], reply
        return folder

    def path(self, folder: str) -> Path:
        """Where the folder lies."""
        return self.data / "runs" / folder

    def state_of(self, folder: str) -> dict[str, Any]:
        """Its state.json, waited for."""
        return self._json(folder, "state.json")

    def exit_of(self, folder: str) -> dict[str, Any]:
        """Its exit.json, waited for."""
        return self._json(folder, "exit.json")

    def records_of(self, folder: str) -> list[Record]:
        """Its log as it is now; a record that is not whole yet is left out."""
        return parse_log((self.path(folder) / "output.log").read_bytes())

    def wait_for_output(self, folder: str, text: bytes) -> None:
        """Wait until the script has written a record with `text`."""
        log = self.path(folder) / "output.log"
        wait_for(
            lambda: log.exists() and any(record.text == text for record in self.records_of(folder))
        )

    def terminate(self, *, limit_s: float = LIMIT_S) -> int:
        """TERM the launcher; its exit code."""
        self.process.terminate()
        return self.process.wait(limit_s)

    def kill(self) -> None:
        """KILL the launcher."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the launcher and whatever it has left."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(LIMIT_S)
        if self.process.poll() is None:
            self.kill()
        self._kill_survivors()
        for web in self._webs:
            web.close()
        self._door.close()
        self._home.cleanup()

    def survivors(self) -> set[int]:
        """Living runners of this data folder, and processes of its scripts."""
        runs = f"{self.data}/runs/"
        folders = {
            pid: procfs.environment_value(pid, "TEMPO_RUN_FOLDER") or "" for pid in procfs.table()
        }
        scripts = {pid for pid, folder in folders.items() if folder.startswith(runs)}
        files = (self.data / "runs").glob("*/*/state.json")
        states = [json.loads(file.read_bytes()) for file in files if file.is_file()]
        runners = {
            s["runner_pid"]
            for s in states
            if procfs.start_time(s["runner_pid"]) == s["runner_start"]
        }
        return (scripts | runners) - {os.getpid()}

    def _kill_survivors(self) -> None:
        tree.send(self.survivors(), signal.SIGKILL)
        wait_for(lambda: all(map(is_gone, self.survivors())))

    def _json(self, folder: str, name: str) -> dict[str, Any]:
        path = self.path(folder) / name
        wait_for(path.exists)
        content = json.loads(path.read_bytes())
        assert isinstance(content, dict)
        return content

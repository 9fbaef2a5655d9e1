"""A Docker engine for tests of the image: the one that DOCKER_HOST names, else a private one that is ended again."""

import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.generator import files
from tests.service import ROOT, free_port, wait_for

BASE, TAG = "python:3.12-slim", "pyscheduler:latest"
CLOSED = ("--read-only", "--tmpfs=/tmp", "--security-opt=no-new-privileges", "--cap-drop=ALL")
CAPABILITIES = tuple(f"--cap-add={name}" for name in files.facts()["capabilities"])
STAND_IN = Path(__file__).with_name("stand_in.sh")
USER = 1000  # of the web process, unless told another one
PROGRAMS = "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin"
BUILD_S = 1800


class Engine:
    """Calls `docker`; everything that a test starts is removed by it."""

    def __init__(self, host: str) -> None:
        self.variables = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "1"}
        self.variables["PATH"] = f"{PROGRAMS}:{os.environ['PATH']}"

    def call(self, *words: str, timeout_s: float = 120) -> str:
        """Return what a command of docker printed on both streams."""
        done = subprocess.run(
            ["docker", *words],
            env=self.variables,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def has(self, image: str) -> bool:
        return bool(self.call("images", "--quiet", image).strip())

    def size(self, image: str) -> int:
        """The bytes of an image with all its layers."""
        return int(self.call("image", "inspect", "--format", "{{.Size}}", image))

    def build(self, tag: str, scratch: Path) -> None:
        """Build the image of this checkout; on a stand-in where no registry has its base."""
        if not self.has(BASE) and not self._is_pulled():
            subprocess.run([str(STAND_IN), str(scratch)], env=self.variables, check=True)
        self.call("build", "--tag", tag, ".", timeout_s=BUILD_S)

    def _is_pulled(self) -> bool:
        command = ["docker", "pull", "--quiet", BASE]
        done = subprocess.run(command, env=self.variables, check=False, capture_output=True)
        return done.returncode == 0


class Container:
    """A started image that is healthy; a context manager."""

    def __init__(self, engine: Engine, image: str, *options: str) -> None:
        self.engine = engine
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = ["--publish", f"127.0.0.1:{self.port}:8000", *options]
        self.image = image

    def __enter__(self) -> "Container":
        self.name = self.engine.call("run", "--detach", *self.options, self.image).split()[-1]
        self._wait_until_healthy()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.call("rm", "--force", "--volumes", self.name)

    def start(self) -> None:
        """Start it again after it has ended."""
        self.engine.call("start", self.name)
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        try:
            wait_for(self.is_healthy, what="health", limit_s=60)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.said()}") from None

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def said(self) -> str:
        return self.engine.call("logs", self.name)

    def call(self, *command: str) -> str:
        """Return what a command in the container printed."""
        return self.engine.call("exec", self.name, *command)

    def call_as_web(self, *command: str) -> str:
        """The same as the user of the web process: root without its usual rights may not look at what is its."""
        return self.engine.call("exec", f"--user={USER}:{USER}", self.name, *command)

    def tempo(self, *words: str) -> str:
        return self.call("tempo", *words)

    def cpu_s(self) -> float:
        """The CPU that all its processes have taken."""
        folder = "/sys/fs/cgroup"
        text = f"cat {folder}/cpuacct/cpuacct.usage || sed -n 's/^usage_usec //p' {folder}/cpu.stat"
        taken = self.call("sh", "-c", f"{{ {text}; }} 2>/dev/null")
        digits = taken.strip()
        return int(digits) / (1e9 if "cpuacct" in self._controllers() else 1e6)

    def _controllers(self) -> str:
        return self.call("ls", "/sys/fs/cgroup")

    def memory_mb(self) -> float:
        """Its memory as the engine counts it."""
        used = self.engine.call("stats", "--no-stream", "--format", "{{.MemUsage}}", self.name)
        number, unit = used.split("/")[0].strip()[:-3], used.split("/")[0].strip()[-3:]
        return float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]


@contextmanager
def started(folder: Path) -> Iterator[Engine]:
    """An engine that answers."""
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        yield Engine(host)
        return
    with _private(folder) as host:
        yield Engine(host)


@contextmanager
def _private(folder: Path) -> Iterator[str]:
    program = shutil.which("dockerd", path=PROGRAMS)
    assert program, "there is no dockerd; hint: install `docker.io` and `mmdebstrap`"
    socket = folder / "docker.sock"
    command = [program, "--host", f"unix://{socket}", "--data-root", str(folder / "data")]
    command += ["--exec-root", str(folder / "exec"), "--pidfile", str(folder / "docker.pid")]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(socket.exists, what="the engine", limit_s=60)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(60)


def settled(container: Container, *, below_mb: float, limit_s: float = 60) -> float:
    """The memory of a container once it has come to rest, or when the time is up."""
    until = time.monotonic() + limit_s
    while (used := container.memory_mb()) > below_mb and time.monotonic() < until:
        time.sleep(1)
    return used

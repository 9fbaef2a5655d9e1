"""What a script tries that must not work: each attempt is denied in every mode of grade Good and above.

In Basic, without any layer, the same attempts work. That shows that they are sound, and what Basic does not stop.
"""

import os
import pty
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rows import each_row
from tests.runs_app.launcher.confined import BASIC, MODES, PREFIX, Mode, Place, found_out, opened
from tests.runs_app.launcher.harness import is_gone

WALLED = [mode for mode in MODES if mode.grade in ("strong", "good")]
TARGETS = {
    "web": "WEB",
    "the launcher": "LAUNCHER",
    "its runner": "RUNNER",
    "another script": "OTHER",
}

READING = {
    "read the secret key": "open(DATA + '/secret_key').read()",
    "read the database": "open(DATA + '/tempo.sqlite3').read()",
    "read a backup": "open(DATA + '/backups/old.sqlite3').read()",
    "list the data folder": "os.listdir(DATA)",
    "list all scripts": "os.listdir(DATA + '/scripts')",
    "list the months of runs": "os.listdir(DATA + '/runs')",
    "list a month of runs": "os.listdir(os.path.dirname(RUN))",
    "list another script's files": "os.listdir(OTHER_FILES)",
    "read another script's file": "open(OTHER_FILES + '/diary').read()",
    "read another script's code": "open(OTHER_RUN + '/main.py').read()",
    "read another script's spec": "open(OTHER_RUN + '/spec.json').read()",
    "read another script's log": "open(OTHER_RUN + '/output.log').read()",
    "list another run's tmp": "os.listdir(OTHER_RUN + '/tmp')",
    "enter through web's working folder": "os.listdir(f'/proc/{WEB}/cwd')",
    "enter through web's root": "os.listdir(f'/proc/{WEB}/root' + DATA)",
    "see what web has open": "os.readlink(f'/proc/{WEB}/fd/4')",
    "take web's control channel": "pidfd_getfd(os.pidfd_open(WEB), 4)",
    "take a descriptor of the launcher": "pidfd_getfd(os.pidfd_open(LAUNCHER), 0)",
    **{
        f"read the environment of {who}": f"open(f'/proc/{{{pid}}}/environ').read()"
        for who, pid in TARGETS.items()
    },
    **{
        f"open the memory of {who}": f"open(f'/proc/{{{pid}}}/mem', 'r+b').close()"
        for who, pid in TARGETS.items()
    },
}
WRITING = {
    "add a file to its environment": "make(ENVIRONMENT + '/lib/sitecustomize.py')",
    "write into a file of its environment": "write(ENVIRONMENT + '/lib/package.py')",
    "write through a hard link of its environment": "write_through_link(ENVIRONMENT + '/lib/package.py')",
    "replace a file of its environment": "replace(ENVIRONMENT + '/lib/package.py')",
    "add a module to Tempo's code": "make(CODE + '/runs_app/launcher/queue.py')",
    "write into Tempo's code": "write(CODE + '/runs_app/launcher/server.py')",
    "write into the code of its run": "write(RUN + '/main.py')",
    "write into its own log": "write(RUN + '/output.log')",
    "write into its spec": "write(RUN + '/spec.json')",
    "write its own state": "write(RUN + '/state.json')",
    "write its own verdict": "write(RUN + '/exit.json.tmp')",
    "take its claim away": "move(RUN + '/claim')",
    "take the lock of its run": "write(RUN + '/lock')",
    "add a file to its run folder": "make(RUN + '/run.json')",
    "add a run folder": "os.mkdir(os.path.dirname(RUN) + '/99-abcdef12')",
    "replace its tmp by a link": "os.rename(RUN + '/tmp', RUN + '/moved'); os.rename(RUN + '/moved', RUN + '/tmp')",
    "write into another script's file": "write(OTHER_FILES + '/diary')",
    "add a file to another script's files": "make(OTHER_FILES + '/planted')",
    "write into another run's code": "write(OTHER_RUN + '/main.py')",
    "write into the secret key": "write(DATA + '/secret_key')",
    "cut the database": "os.truncate(DATA + '/tempo.sqlite3', 23)",
    "write into the copy of its code": "write(DATA + '/scripts/mine/main.py')",
    "hang up a bell": "make(DATA + '/run/state.bell')",
}
REACHING = {
    **{f"signal {who}": f"os.kill({pid}, 0)" for who, pid in TARGETS.items()},
    **{
        f"signal {who} by descriptor": f"signal_by_descriptor({pid})"
        for who, pid in TARGETS.items()
    },
    **{f"trace {who}": f"trace({pid})" for who, pid in TARGETS.items()},
    **{f"copy the memory of {who}": f"copy_memory({pid})" for who, pid in TARGETS.items()},
}
# What the control experiment in Basic leaves out: the first would end it, the others no ordinary user may do anyway.
ENDING = {f"end {who}": f"os.kill({pid}, 15)" for who, pid in TARGETS.items()}
OF_ROOT = {
    "write into the interpreter": f"make({str(PREFIX / 'lib/tempo-planted.py')!r})",
    "change the kernel's settings": "write('/proc/sys/kernel/core_pattern')",
    "become root": "os.setuid(0) if os.getuid() else os.setgroups([1])",
    "mount": "mount(os.getcwd())",
    "make a device": "os.mknod('device', 0o020666, os.makedev(1, 1))",
    "look into init": "os.readlink('/proc/1/exe')",
    "be nicer to itself than it was told": "os.nice(-1)",
    "have core dumps": "resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))",
}
ATTEMPTS = READING | WRITING | REACHING
ALL = ATTEMPTS | ENDING | OF_ROOT
# A user of its own stops these, Landlock does not: docs/security.md says so.
OF_OWN_USER = {
    "learn how large the database is": "os.stat(DATA + '/backups/old.sqlite3')",
    "change the mode of the secret key": "os.chmod(DATA + '/secret_key', 0o600)",
    "limit web": "resource.prlimit(WEB, resource.RLIMIT_CORE)",
    "slow web down": "os.setpriority(os.PRIO_PROCESS, WEB, 0)",
    "ring a bell": "ring(DATA + '/run/test.bell')",
    "speak to a named socket of Tempo's user": "connect(SOCKET)",
    "read the shared memory of another script": "open('/dev/shm/' + SHARED).read()",
    "open a terminal of Tempo's user": "os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))",
}
OF_LANDLOCK = {
    "be spared when memory runs out": "be_spared()",
    "speak to an abstract socket": "connect(ABSTRACT)",
    "write to a folder of everybody": "make('/tmp/tempo-test-planted')",
    "read Tempo's code": "open(CODE + '/runs_app/launcher/server.py').read()",
}

# The script that has something to lose.
OTHER = """
import os, time
with open("/dev/shm/" + os.path.abspath(__file__).split("/")[2], "w") as file:
    file.write("shared among its own processes")
print("on", flush=True)
time.sleep(600)
"""
PRELUDE = """
import ctypes, json, os, resource, signal, socket, time
libc = ctypes.CDLL(None, use_errno=True)
RUN, RUNNER = os.path.dirname(os.path.abspath(__file__)), os.getppid()

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def make(path): os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)); os.unlink(path)
def write(path): os.close(os.open(path, os.O_WRONLY))
def write_through_link(path): os.link(path, "alias"); write("alias"); os.unlink("alias")
def move(path): os.rename(path, path + "2"); os.rename(path + "2", path)
def replace(path): move(path)
def pidfd_getfd(pidfd, fd): return checked(libc.syscall(438, pidfd, fd, 0))
def signal_by_descriptor(pid): signal.pidfd_send_signal(os.pidfd_open(pid), 0)
def mount(path): checked(libc.mount(b"none", path.encode(), b"tmpfs", 0, None))
def be_spared(): open("/proc/self/oom_score_adj", "w").write("0")
def ring(path): socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"look", path)
def connect(name): socket.socket(socket.AF_UNIX).connect(name)

def trace(pid):
    checked(libc.ptrace(16, pid, None, None))  # PTRACE_ATTACH
    os.waitpid(pid, 0x40000000)  # __WALL
    libc.ptrace(17, pid, None, None)

def copy_memory(pid):
    class Part(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    here = ctypes.create_string_buffer(8)
    local, remote = Part(ctypes.addressof(here), 8), Part(8, 8)
    try:
        checked(libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0))
    except OSError as error:
        if error.errno != 14:  # a wrong address: whoever is told that was let in
            raise

limit = time.monotonic() + 20  # its state is written down after a moment
while not os.path.exists(RUN + "/state.json") and time.monotonic() < limit: time.sleep(0.01)
results = {}
for name, code in ATTEMPTS.items():
    try:
        exec(code)
    except (OSError, ValueError) as error:
        results[name] = str(error)
    else:
        results[name] = ""
print(json.dumps(results))
"""


def is_possible(attempt: str) -> bool:
    """Whether an ordinary user may do it at all: some systems let nobody trace who is not a child (Yama)."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    is_tracing = attempt.startswith(
        ("trace", "copy the memory", "open the memory", "take a descriptor", "take web's")
    )
    return not is_tracing or not scope.exists() or scope.read_text().strip() == "0"


class Burglary:
    """All attempts of one script, in a place with another script at work."""

    def __init__(self, place: Place) -> None:
        self.place, self.web = place, place.launcher.web
        self.other_run = place.start(OTHER, slug="other")
        place.launcher.wait_for_output(self.other_run, b"on")
        state = place.launcher.state_of(self.other_run)
        self.others = [
            self.web.pid,
            place.launcher.process.pid,
            state["script_pid"],
            state["runner_pid"],
        ]
        self.sockets = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for listener, name in zip(
            self.sockets, (f"{place.base}/socket", f"\0{place.base}"), strict=True
        ):
            listener.bind(name)
            listener.listen()
        place.own(place.base / "socket", 0o600)
        self.bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.bell.bind(f"{place.data}/run/test.bell")
        place.own(place.data / "run/test.bell", 0o600)
        self.near_end, self.far_end = pty.openpty()
        place.own(Path(os.ttyname(self.far_end)), 0o600)

    def try_all(self, attempts: dict[str, str]) -> dict[str, str]:
        """What the kernel said to each attempt, "" where it let it through."""
        found: dict[str, str] = found_out(self.place.output(self.words(attempts) + PRELUDE))
        return found

    def words(self, attempts: dict[str, str]) -> str:
        """What an attacker may know, as the head of a script."""
        place, (web, launcher, other, _) = self.place, self.others
        known = {
            "ATTEMPTS": attempts,
            "DATA": str(place.data),
            "CODE": str(place.code),
            "ENVIRONMENT": str(place.environment),
            "OTHER_FILES": str(place.files("other")),
            "OTHER_RUN": str(place.launcher.path(self.other_run)),
            "WEB": web,
            "LAUNCHER": launcher,
            "OTHER": other,
            "SOCKET": f"{place.base}/socket",
            "ABSTRACT": f"\0{place.base}",
            "SHARED": place.base.name,
            "TERMINAL": os.ttyname(self.far_end),
        }
        return "".join(f"{name} = {value!r}\n" for name, value in known.items())

    def kept(self) -> dict[str, Any]:
        """All that nobody may have changed: files with their contents, and who lives."""
        roots = (
            self.place.data / "envs",
            self.place.data / "backups",
            self.place.files("other"),
            self.place.code,
        )
        single = [self.place.data / name for name in ("secret_key", "tempo.sqlite3")]
        paths = [
            path
            for root in roots
            for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
        return {str(path): path.read_bytes() for path in (*paths, *single)} | {
            f"process {pid}": not is_gone(pid) for pid in self.others
        }


def burgled(mode: Mode) -> Iterator[Burglary]:
    for place in opened(mode):
        yield Burglary(place)
        Path("/dev/shm", place.base.name).unlink()


@pytest.fixture(scope="module", params=WALLED, ids=lambda mode: mode.name)
def burglary(request: pytest.FixtureRequest) -> Iterator[Burglary]:
    yield from burgled(request.param)


@pytest.fixture(scope="module")
def answers(burglary: Burglary) -> dict[str, str]:
    before = burglary.kept()
    found = burglary.try_all(ALL | OF_OWN_USER | OF_LANDLOCK)
    assert burglary.kept() == before
    return found


@pytest.fixture(scope="module")
def basic_answers() -> Iterator[dict[str, str]]:
    for burglary in burgled(BASIC):
        yield burglary.try_all(ATTEMPTS | OF_OWN_USER | OF_LANDLOCK)


@each_row("attempt", ALL)
def test_it_is_denied(answers: dict[str, str], attempt: str) -> None:
    assert answers[attempt] != ""


def test_each_layer_denies_more(burglary: Burglary, answers: dict[str, str]) -> None:
    mode = burglary.place.mode
    layers = [OF_OWN_USER] if mode.uid is not None else []
    layers += [OF_LANDLOCK] if mode.has_landlock else []
    assert layers
    assert [attempt for layer in layers for attempt in layer if not answers[attempt]] == []


@each_row("attempt", [name for name in ATTEMPTS | OF_OWN_USER | OF_LANDLOCK if is_possible(name)])
def test_without_any_layer_the_same_attempt_works(
    basic_answers: dict[str, str], attempt: str
) -> None:
    assert basic_answers[attempt] == ""


def test_killing_everybody_kills_nobody_else(burglary: Burglary) -> None:
    before = burglary.kept()
    # As root, were it not stopped, it would end all there is on this machine: there the question alone has to do.
    code = "import contextlib, os\nwith contextlib.suppress(OSError): os.kill(-1, 9 if os.getuid() else 0)"
    burglary.place.output(code)

    assert burglary.kept() == before
    assert burglary.web.ask("ping")["runs"] >= 1


def test_false_bells_cost_a_look_and_no_more(burglary: Burglary) -> None:
    code = f"""
import contextlib, socket
bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
bell.setblocking(False)
for content in [b"look", b"", b"start", b"x" * 1000] * 100:
    with contextlib.suppress(OSError): bell.sendto(content, {burglary.bell.getsockname()!r})
"""
    before = burglary.kept()
    burglary.place.output(code)

    assert burglary.kept() == before
    assert burglary.web.ask("ping")["ok"]


def test_nothing_that_has_a_name_takes_orders(burglary: Burglary) -> None:
    named = {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text().splitlines()[1:]
        if len(line.split()) > 7
    }
    launcher, runner = burglary.others[1], burglary.others[3]
    links = [
        link.readlink() for pid in (launcher, runner) for link in Path(f"/proc/{pid}/fd").iterdir()
    ]
    inodes = {str(link)[8:-1] for link in links if str(link).startswith("socket:[")}

    assert inodes and not inodes & named


def test_a_crash_leaves_no_core(burglary: Burglary) -> None:
    told = burglary.place.told("import os; os.abort()")

    assert told["signal"] == "SIGABRT"
    assert list(burglary.place.files().glob("*core*")) == []


def test_a_setuid_program_that_it_leaves_behind_lends_nobody_its_user(burglary: Burglary) -> None:
    left = f"/dev/shm/{burglary.place.base.name}-id"
    copy = f"import os, shutil; shutil.copy('/usr/bin/id', {left!r}); os.chmod({left!r}, 0o6755)"
    use = f"import os, subprocess; print(os.getuid()); subprocess.run([{left!r}, '-u'], check=True)"
    try:
        burglary.place.output(copy)
        own, effective = burglary.place.output(use, slug="other").split()
    finally:
        Path(left).unlink()
    assert own == effective


def test_it_cannot_lend_out_the_group_of_web(burglary: Burglary) -> None:
    code = "import os; open('tool', 'w').close(); os.chmod('tool', 0o2777)"
    burglary.place.output(code)
    status = (burglary.place.files() / "tool").stat()

    has_lent = bool(status.st_mode & stat.S_ISGID) and status.st_gid == burglary.place.mode.web
    assert has_lent == (
        burglary.place.mode.uid is None
    )  # who has that group anyway lends out what is its own

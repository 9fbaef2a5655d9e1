"""A data folder as Tempo lays it out, with two scripts, and a real launcher on it: one place for each mode there is."""

import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import runs_app.launcher
from runs_app.launcher import removal
from runs_app.launcher.identity import landlock, users
from runs_app.launcher.identity.users import User
from tests import few_rights
from tests.runs_app.launcher.harness import LauncherHarness, joined

SERVICE_USER = 64321  # whom web is where it is not root
# Two users for each process of the tests: what one script does to all processes of its user must not reach others.
SCRIPT_USER, OTHER_USER = (50_000 + 2 * os.getpid() % 9_000 + number for number in range(2))
LANDLOCK_ABI = landlock.abi()
IS_ROOT = os.geteuid() == 0
SIGNALS_ARE_COVERED = LANDLOCK_ABI >= landlock.SIGNALS_ABI
LIMITS = {"memory_mb": 512, "processes": 64, "file_mb": 2048, "open_files": 1024}
_MONTH = "2026-11"
_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Mode:
    """Who is who, and which layers there are."""

    name: str
    launcher: int
    web: int
    uid: int | None = None  # of its own, for the script
    without: str = ""  # layers that are switched off

    @property
    def script(self) -> int:
        """Whom the script really is."""
        return self.web if self.uid is None else self.uid

    @property
    def has_landlock(self) -> bool:
        """Whether the script is shut in."""
        return bool(LANDLOCK_ABI) and "landlock" not in self.without

    @property
    def grade(self) -> str:
        """What the launcher has to say about it."""
        if self.uid is not None:
            return "strong" if self.has_landlock else "good"
        has_way_out = users.socket_that_starts_programs(User(self.script, self.script))
        return "good" if self.has_landlock and SIGNALS_ARE_COVERED and not has_way_out else "basic"


_SERVICE = SERVICE_USER if IS_ROOT else os.geteuid()
ORDINARY = Mode(name="ordinary user", launcher=_SERVICE, web=_SERVICE)
BASIC = Mode(
    name="ordinary user without Landlock", launcher=_SERVICE, web=_SERVICE, without="landlock"
)
STRONG = Mode(name="own user and Landlock", launcher=0, web=SERVICE_USER, uid=SCRIPT_USER)
OWN_USER = Mode(name="own user", launcher=0, web=SERVICE_USER, uid=SCRIPT_USER, without="landlock")
AS_SERVICE_USER = Mode(name="as service user", launcher=0, web=SERVICE_USER)
AS_ROOT = Mode(name="as root", launcher=0, web=0)
# Only root has the modes of root; everybody has the others.
MODES = (
    [STRONG, OWN_USER, AS_SERVICE_USER, AS_ROOT, ORDINARY, BASIC] if IS_ROOT else [ORDINARY, BASIC]
)


def everybodys_python() -> str:
    """An interpreter that any user may start: the project's own may lie in a closed home."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        if users.obstacle(python, User(SCRIPT_USER, SCRIPT_USER)) is None:
            return os.path.realpath(python)
    raise AssertionError("no Python that other users may start; hint: install `python3`")


PYTHON = everybodys_python()
PREFIX = Path(PYTHON).parent.parent


class Place:
    """Use as a context manager. `mine` and `other` are its scripts."""

    def __init__(self, mode: Mode, *, parent: Path | None = None) -> None:
        self.mode = mode
        self.base = Path(tempfile.mkdtemp(prefix="tempo-place-", dir=parent))
        self.data, self.code, self.environment = (
            self.base / "data",
            self.base / "code",
            self.base / "data/envs/e1",
        )
        self._lay_out()
        # The code lies there too: on a disk of one user's, root with few rights could not read it.
        has_few_rights = mode.launcher == 0 and mode.web and parent is None
        self.launcher = LauncherHarness(
            self.data,
            python=PYTHON,
            main=self.code / "runs_app/launcher/__main__.py",
            user=mode.launcher if mode.launcher != os.geteuid() else None,
            env={"TEMPO_WITHOUT": mode.without},
            prefix=few_rights.PREFIX if has_few_rights else (),
        )
        if mode.web != mode.launcher:
            self.launcher.options = ["--web-user", f"{mode.web}:{mode.web}"]

    def __enter__(self) -> Self:
        self.launcher.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.launcher.__exit__(kind, error, trace)
        parent_fd = os.open(self.base.parent, os.O_RDONLY)
        removal.remove_tree(self.base.name, dir_fd=parent_fd)  # of any depth
        os.close(parent_fd)

    def files(self, slug: str = "mine") -> Path:
        """The working folder of a script."""
        return self.data / "scripts" / slug / "files"

    def start(
        self,
        code: str,
        *,
        slug: str = "mine",
        flags: str = "-I -S",
        is_confined: bool = True,
        **isolation: Any,
    ) -> str:
        """Start a run of this code, laid out as web does it; its folder's name. Unconfined: as a build is."""
        folder = f"{_MONTH}/{next(_numbers)}-abcdef12"
        path = self.launcher.path(folder)
        python = str(isolation.pop("python", self.environment / "bin/python"))
        # Links that a hostile web has put into the run folder.
        planted = isolation.pop("planted", {})
        limits = isolation.pop("limits", LIMITS)
        env = self._variables(path, slug) | isolation.pop("env", {})
        also_read = isolation.pop("also_read", [])
        self.launcher.new_folder(
            [python, *flags.split(), str(path / "main.py")],
            name=folder,
            cwd=str(isolation.pop("cwd", self.files(slug))),
            env=env,
            limits=limits if is_confined else {},
            isolation={**self._isolation(path, slug, *also_read), **isolation}
            if is_confined
            else None,
        )
        self._fill_run_folder(path, code)
        if "tmp" in planted:
            (path / "tmp").rmdir()
        for name, target in planted.items():
            (path / name).symlink_to(target)
        reply = self.launcher.web.ask("start", folder=folder)
        assert reply["ok"], reply
        return folder

    def _fill_run_folder(self, path: Path, code: str) -> None:
        (path / "main.py").write_text(code)
        (path / "params.json").write_text('{"days": 7}')
        (path / "payload").write_text("hello")
        (path / "tmp").mkdir()
        self.own(path, 0o711)
        self.own(path / "tmp", 0o700)
        for name in ("main.py", "params.json", "payload", "spec.json"):
            self.own(path / name, 0o600)

    def reads(self) -> list[str]:
        """What a script may read beside the files of its run."""
        return [str(PREFIX), str(self.environment)]

    def told(self, code: str, **more: Any) -> dict[str, Any]:
        """Run this code to its end; its exit.json."""
        return self.launcher.exit_of(self.start(code, **more))

    def output(self, code: str, **more: Any) -> str:
        """Run this code to its end, which has to be a good one; what it wrote to stdout."""
        folder = self.start(code, **more)
        told = self.launcher.exit_of(folder)
        records = self.launcher.records_of(folder)
        assert told["status"] == "succeeded", (told["message"], joined(records).decode())
        return joined(records, "O").decode()

    def _lay_out(self) -> None:
        """Every folder with the owner and the mode of docs/security.md."""
        self.own(self.base, 0o711)
        self._copy_launcher()
        passable = 0o711 if self.mode.launcher == 0 else 0o700
        for path in (".", "scripts", "scripts/mine", "scripts/other"):
            self._folder(path, passable)
        for path in ("runs", f"runs/{_MONTH}", "envs"):
            self._folder(path, passable)
        for path in ("scripts/mine/files", "scripts/other/files", "backups", "cache", "run"):
            self._folder(path, 0o700)
        for path in ("secret_key", "tempo.sqlite3", "backups/old.sqlite3"):
            self._file(path, 0o600)
        for path in ("scripts/other/files/diary", "scripts/mine/main.py"):
            self._file(path, 0o600)
        for path in ("envs/e1", "envs/e1/bin", "envs/e1/lib"):
            self._folder(path, 0o755)
        self._file("envs/e1/lib/package.py", 0o644)
        (self.environment / "bin/python").symlink_to(PYTHON)
        (self.environment / "pyvenv.cfg").write_text(f"home = {Path(PYTHON).parent}\n")
        if IS_ROOT:  # a checkout belongs to whom it runs as
            for found in (self.code, *self.code.rglob("*")):
                os.chown(found, self.mode.launcher, self.mode.launcher)

    def _copy_launcher(self) -> None:
        package = self.code / "runs_app"
        launcher = Path(runs_app.launcher.__file__).parent
        shutil.copytree(launcher, package / "launcher", ignore=_BYTE_CODE)
        (package / "__init__.py").touch()

    def _folder(self, path: str, mode: int) -> None:
        (self.data / path).mkdir()
        self.own(self.data / path, mode)

    def _file(self, path: str, mode: int) -> None:
        (self.data / path).write_text(f"what is in {path}")
        self.own(self.data / path, mode)

    def own(self, path: Path, mode: int) -> None:
        """Make a path web's, with this mode."""
        if IS_ROOT:
            os.chown(path, self.mode.web, self.mode.web)
        path.chmod(mode)

    def _variables(self, path: Path, slug: str) -> dict[str, str]:
        files = str(self.files(slug))
        return {
            "PATH": f"{self.environment}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": files,
            "PYTHONPATH": files,
            "TMPDIR": str(path / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }

    def _isolation(self, path: Path, slug: str, *also_read: str) -> dict[str, Any]:
        has_own = self.mode.uid is not None
        given = [str(path / "params.json"), str(path / "payload")]
        return {
            "uid": None if not has_own else SCRIPT_USER if slug == "mine" else OTHER_USER,
            "uid_why": "" if has_own else "it is set to run as Tempo's own user",
            "read": [str(PREFIX), str(self.environment), *given, *also_read],
            "write": [str(self.files(slug)), str(path / "tmp")],
            "closed": [str(self.data), str(self.code)],
            "require": "",
        }


_BYTE_CODE = shutil.ignore_patterns("__pycache__")


def opened(mode: Mode) -> Iterator[Place]:
    """For a fixture: the place of a mode."""
    with Place(mode) as place:
        yield place


def found_out(output: str) -> Any:
    """What a script printed as its last line, in JSON."""
    return json.loads(output.splitlines()[-1])

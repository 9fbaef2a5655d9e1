"""The whole service as containers start it: as root for PUID:PGID, as an ordinary user, without any capability."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher.identity import names, users
from runs_app.launcher.identity.users import User
from tempo_site.bootstrap import console_script
from tests import few_rights, local_index, package_spy
from tests.service import ROOT, Service, environment, manage, wait_for
from tests.test_script_files import upload

pytestmark = pytest.mark.slow

PUID, PGID = 1234, 2345
ANYBODY = User(PUID, PGID)
OWN_USER = 50001  # of the script `walk`; the one that was backed up has the first
# The tests' own Python may lie in somebody's home, closed to other users; the system's never does.
PYTHON = "/usr/bin/python3" if users.obstacle(sys.executable, ANYBODY) else sys.executable
AS_ROOT = few_rights.PREFIX
AS_USER = [*AS_ROOT, f"--reuid={PUID}", f"--regid={PGID}", "--clear-groups"]
WITHOUT_CAPABILITIES = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]

# A backup of a Tempo that ran as root, with what a script of its had stored.
MAKE_BACKUP = """
from pathlib import Path
from django.utils import timezone
from scripts_app import scripts
from tempo_site.backups import making
from tempo_site.lib import paths
now = timezone.now()
code = "import os; print(open('kept').read(), os.getuid()); open('kept', 'a').write('!')"
script = scripts.create(name="Moved", code=code, by=None, now=now)
files = paths.script_files(script.slug)
files.mkdir(parents=True, exist_ok=True)
(files / "kept").write_text("of root")
making.make(Path("{out}"), logs=False, now=now)
"""
WRITES = """
import os, pathlib
import tempo_greeting
pathlib.Path("kept").write_text("kept")
pathlib.Path(os.environ["TMPDIR"], "folder").mkdir()
pathlib.Path(os.environ["TMPDIR"], "folder", "file").write_text("gone")
os.chmod(pathlib.Path(os.environ["TMPDIR"], "folder"), 0o500)
print(tempo_greeting.hello(), os.getuid())
"""


class Container(Service):
    """A service with what a container gives it: a user, capabilities, variables."""

    def __init__(self, data: Path, code: Path, prefix: list[str], **extra: str) -> None:
        super().__init__(data, **extra)
        self.code = code
        self.prefix = prefix
        self.log = data.with_name("service.log")

    @property
    def environment(self) -> dict[str, str]:
        """That of a container: nothing of this one's but the packages."""
        plain = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(packages_below(self.code)),
        }
        own = {
            name: value
            for name, value in environment(self.data, **self.extra).items()
            if name.startswith("PYSCHED_")
        }
        return plain | own

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        command = [
            *self.prefix,
            PYTHON,
            str(self.code / "manage.py"),
            "serve",
            "--port",
            str(self.port),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                umask=0o022,
            )
        self.wait_until_healthy()

    def said(self) -> str:
        """What it wrote on its console so far."""
        return self.log.read_text(errors="replace")

    def become(self, user: User) -> None:
        """Start again for another user, who has a secret in a file of its own."""
        self.stop()
        secret = self.data.with_name("secret")
        secret.write_text("correct horse")
        secret.chmod(0o400)
        os.chown(secret, *user)
        self.extra |= {"PYSCHED_PUID": str(user.uid), "PYSCHED_PGID": str(user.gid)}
        self.extra["SMTP_PASSWORD_FILE"] = str(secret)
        self.start()

    def run_retention(self) -> None:
        """Have it run now: it is looked for at the start."""
        self.order_retention()
        os.kill(self.launcher_pid, signal.SIGHUP)  # a new web

    def order_retention(self) -> None:
        """Have it run at the next start."""
        with sqlite3.connect(self.data / "tempo.sqlite3") as database:
            database.execute(
                "UPDATE django_q_schedule SET next_run = '2001-01-01 00:00:00' WHERE name = 'retention'"
            )
        database.close()


def packages_below(code: Path) -> Path:
    """Where Tempo's packages lie: this Python's, or their copy beside a copy of the code."""
    copied = code.parent / "packages" / "lib" / "python3" / "site-packages"
    return copied if copied.is_dir() else Path(sysconfig.get_path("purelib"))


def without_needless(top: Path, folder: str, names: list[str]) -> set[str]:
    """What of the top folder is not copied: it is large, and the service does without."""
    needless = {"data", "screenshots", "tests", "playwright", "mypy", "mypyc"}
    return (
        {name for name in names if name in needless or name.startswith(".")}
        if Path(folder) == top
        else set()
    )


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="tempo-container-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def code(place: Path) -> Path:
    """Tempo's code and its packages where every user can read them: in place, or copied out of a closed folder."""
    packages = Path(sysconfig.get_path("purelib"))
    if not any(users.obstacle(str(path), ANYBODY) for path in (ROOT, packages)):
        return ROOT
    copies = (
        (ROOT, place / "code"),
        (packages, place / "packages" / "lib" / "python3" / "site-packages"),
    )
    for source, target in copies:
        shutil.copytree(source, target, ignore=partial(without_needless, source))
    shutil.copytree(Path(sys.prefix) / "bin", place / "packages" / "bin", symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
    return place / "code"


@pytest.fixture(scope="module")
def index(place: Path) -> Iterator[str]:
    """A package index of our own."""
    with local_index.served(place / "index") as url:
        yield url


def facts_of(path: Path) -> tuple[int, int, int]:
    """Owner, group and rights of a file or folder."""
    status = path.lstat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def folder_of(service: Container, run: dict[str, Any]) -> Path:
    """A run's folder."""
    return next((service.data / "runs").glob(f"*/{run['id']}-*"))


def folders_of_scripts(service: Container) -> set[int]:
    """The numbers of the runs that have a folder."""
    return {int(path.name.partition("-")[0]) for path in (service.data / "runs").glob("*/*")}


def walked(service: Container) -> dict[str, Any]:
    """Create a script with a package, have its environment built, run it, read what it wrote; the run."""
    slug = service.make_script("Walk", WRITES, requirements="tempo-greeting")
    run = service.run(slug)
    assert (run["status"], run["message"]) == ("succeeded", ""), run
    return run


def output_of(service: Container, run: dict[str, Any]) -> str:
    """What a run wrote."""
    status, text = service.call("GET", f"/runs/{run['id']}/log")
    assert status == 200
    return str(text)


def retired(service: Container, first: dict[str, Any]) -> bool:
    """Run it once more, and have retention remove the first run's folder."""
    folder = folder_of(service, first)
    second = service.run("walk")
    wait_for((folder_of(service, second) / "run.json").exists, what="the fold of a run's folder")
    service.run_retention()
    wait_for(lambda: not folder.exists(), what="retention")
    service.wait_until_healthy()
    return folder_of(service, second).is_dir()


def data_of(place: Path, prepared: Path, name: str, owner: User) -> Path:
    """A copy of the prepared data folder that belongs to `owner`."""
    data = place / name
    shutil.copytree(prepared, data, symlinks=True)
    for folder in (data / "envs").iterdir():
        shutil.rmtree(folder)  # here one is built by whom it belongs to
    for path in (data, *data.rglob("*")):
        os.chown(path, *owner)
    return data


@pytest.fixture(scope="module")
def backup(place: Path, prepared: Path) -> Path:
    """A backup of root's Tempo, at a path that is gone, for whoever may read it."""
    data, out = place / "of-root", place / "tempo.tar.zst"
    shutil.copytree(prepared, data, symlinks=True)
    manage(data, "shell", "-c", MAKE_BACKUP.format(out=out))
    shutil.rmtree(data)
    out.chmod(0o644)
    return out


def restored_data(backup: Path, code: Path, name: str, owner: User, prefix: list[str]) -> Path:
    """A new data folder of `owner`, into which the command has put the backup."""
    data = backup.with_name(name)
    data.mkdir(mode=0o700)
    os.chown(data, *owner)
    command = [*prefix, PYTHON, str(code / "manage.py"), "restore", str(backup)]
    variables = Container(data, code, prefix).environment
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture(scope="module")
def for_puid(code: Path, backup: Path, index: str) -> Iterator[Container]:
    """As the image starts: root with few capabilities, PYSCHED_PUID and PYSCHED_PGID; what it was is root's."""
    data = restored_data(backup, code, "for-puid", User(0, 0), AS_ROOT)
    extra = {"PYSCHED_PUID": str(PUID), "PYSCHED_PGID": str(PGID)}
    with Container(
        data, code, AS_ROOT, PYSCHED_PACKAGE_INDEX=index, PYSCHED_KEEP_RUNS="1", **extra
    ) as service:
        yield service


@pytest.fixture(scope="module")
def as_user(code: Path, backup: Path, index: str) -> Iterator[Container]:
    """As with `--user`."""
    data = restored_data(backup, code, "as-user", ANYBODY, AS_USER)
    extra = {"PYSCHED_PUID": "1000", "PYSCHED_PGID": "1000"}  # the image's own
    with Container(
        data, code, AS_USER, PYSCHED_PACKAGE_INDEX=index, PYSCHED_KEEP_RUNS="1", **extra
    ) as service:
        yield service


@pytest.fixture(scope="module")
def powerless(place: Path, code: Path, prepared: Path, index: str) -> Iterator[Container]:
    """As with `--cap-drop ALL`."""
    data = data_of(place, prepared, "powerless", User(0, 0))
    extra = {"PYSCHED_PUID": str(PUID), "PYSCHED_PGID": str(PGID)}
    with Container(
        data,
        code,
        WITHOUT_CAPABILITIES,
        PYSCHED_PACKAGE_INDEX=index,
        PYSCHED_KEEP_RUNS="1",
        **extra,
    ) as it:
        yield it


def status_of(pid: int) -> dict[str, str]:
    """The lines of a process's status."""
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in lines}


# --- as root, for PUID:PGID ----------------------------------------------------------------------------------------
def test_the_launcher_alone_stays_root(for_puid: Container) -> None:
    launcher, web = status_of(for_puid.launcher_pid), status_of(for_puid.web_pid())
    assert launcher["Uid"].split() == ["0", "0", "0", str(PUID)]  # the last is for files
    assert (web["Uid"].split(), web["Gid"].split(), web["Groups"]) == (
        [str(PUID)] * 4,
        [str(PGID)] * 4,
        "",
    )
    assert (web["CapPrm"].strip("0"), web["NoNewPrivs"]) == ("", "1")


def test_a_script_gets_a_user_of_its_own_and_its_run_says_so(for_puid: Container) -> None:
    run = walked(for_puid)
    assert output_of(for_puid, run) == f"hello from tempo-greeting 1.1 {OWN_USER}\n"
    assert run["isolation"] in ("strong", "good"), run["isolation_why"]


def test_who_owns_what_is_as_documented(for_puid: Container) -> None:
    data = for_puid.data
    for name in (".", "scripts", "scripts/walk", "runs", "envs"):
        assert facts_of(data / name) == (PUID, PGID, 0o711), name
    for name in ("tempo.sqlite3", "secret_key"):
        assert facts_of(data / name) == (PUID, PGID, 0o600), name
    for name in ("cache", "run"):
        assert facts_of(data / name) == (PUID, PGID, 0o700), name
    assert facts_of(data / "scripts/walk/files") == (OWN_USER, PGID, 0o2770)
    assert facts_of(data / "scripts/walk/files/kept")[:2] == (OWN_USER, PGID)


def test_a_run_folder_is_passable_and_its_files_are_webs(for_puid: Container) -> None:
    (run,) = for_puid.get("/runs?script=walk&kind=script")["items"]
    folder = folder_of(for_puid, run)
    assert {facts_of(path) for path in (folder, folder.parent)} == {(PUID, PGID, 0o711)}
    assert facts_of(folder / "output.log") == (PUID, PGID, 0o600)


def test_an_environment_is_built_as_web_and_open_to_every_script(for_puid: Container) -> None:
    environments = [path for path in (for_puid.data / "envs").iterdir() if path.name[0] != "."]
    assert {facts_of(path) for path in environments} == {(PUID, PGID, 0o755)}
    below = {facts_of(path)[:2] for folder in environments for path in folder.rglob("*")}
    assert below == {(PUID, PGID)}


def test_nothing_is_left_to_root(for_puid: Container) -> None:
    assert [str(path) for path in for_puid.data.rglob("*") if path.lstat().st_uid == 0] == []


def test_a_script_that_is_set_to_runs_as_tempos_own_user(for_puid: Container) -> None:
    slug = for_puid.make_script(
        "Share", "import os; print(os.getuid(), os.getgid(), os.getgroups())"
    )
    status, answer = for_puid.call("PATCH", f"/scripts/{slug}", {"as_service_user": True})
    assert status == 200, answer
    run = for_puid.run(slug)
    assert output_of(for_puid, run) == f"{PUID} {PGID} []\n"


def test_what_root_had_backed_up_is_at_home_with_that_user(for_puid: Container) -> None:
    runs = [for_puid.run("moved") for _ in range(2)]
    said = [output_of(for_puid, run) for run in runs]
    assert [run["status"] for run in runs] == ["succeeded"] * 2, str(runs)
    uid = facts_of(for_puid.data / "scripts/moved/files/kept")[0]
    assert uid >= 50000 and said == [f"of root {uid}\n", f"of root! {uid}\n"]


def test_a_command_of_root_acts_as_that_user_too(for_puid: Container, tmp_path: Path) -> None:
    tempo = console_script.write(tmp_path, python=PYTHON, root=for_puid.code)
    command = [*AS_ROOT, str(tempo), "add", str(for_puid.code / "manage.py"), "--name", "By root"]
    done = subprocess.run(
        command, env=for_puid.environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    test_nothing_is_left_to_root(for_puid)


def test_web_lists_reads_adds_and_deletes_files_of_a_script(for_puid: Container) -> None:
    as_web = ["setpriv", f"--reuid={PUID}", f"--regid={PGID}", "--clear-groups"]
    act = "ls; cat kept; touch added; rm kept added; ls"
    folder = for_puid.data / "scripts/walk/files"
    # The shell goes there itself: this process could get there by being root.
    argv = [*as_web, "sh", "-ec", f"cd '{folder}'; {act}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("kept\nkept", "")


def test_for_puid_a_script_changes_what_was_uploaded_and_people_delete_what_it_made(
    for_puid: Container,
) -> None:
    made = "import pathlib; pathlib.Path('data/in').write_text('changed'); pathlib.Path('data/deep').mkdir()"
    slug = for_puid.make_script("Files", f"{made}; pathlib.Path('data/deep/out').touch()")
    assert upload(for_puid, slug, "in", b"as it was", folder="data") == 201
    for _ in range(2):  # before the folder is the script's own, and after
        assert for_puid.run(slug)["status"] == "succeeded"
        assert for_puid.call("GET", f"/scripts/{slug}/files/data/in") == (200, "changed")
        assert for_puid.call("DELETE", f"/scripts/{slug}/files/data?recursive=true")[0] == 204
        assert upload(for_puid, slug, "in", b"again", folder="data") == 201


def test_for_puid_what_was_uploaded_is_the_scripts_own_to_change_and_to_run(
    for_puid: Container,
) -> None:
    code = """
import os, subprocess
os.chmod("tool", 0o755)
subprocess.run(["./tool"], check=True)
print(oct(os.stat(".ssh/key").st_mode & 0o777), os.stat(".ssh/key").st_uid == os.getuid())
"""
    slug = for_puid.make_script("Tools", code)
    for word in ("first", "second"):  # before the folder is the script's own, and after
        assert for_puid.call("DELETE", f"/scripts/{slug}/files/tool")[0] in (204, 404)
        assert upload(for_puid, slug, "tool", f"#!/bin/sh\necho {word}\n".encode()) == 201
        assert upload(for_puid, slug, f"key-{word}", b"k", folder=".ssh") == 201
        if word == "first":
            assert upload(for_puid, slug, "key", b"k", folder=".ssh") == 201
        run = for_puid.run(slug)
        assert (run["status"], output_of(for_puid, run)) == ("succeeded", f"{word}\n0o600 True\n")


WHO = """
import getpass, os, pwd
me = pwd.getpwuid(os.getuid())
print(getpass.getuser(), me.pw_name, me.pw_dir == os.getcwd())
"""


@pytest.mark.skipif(not names.find_library(), reason="nss_wrapper is not installed")
@pytest.mark.parametrize("as_service_user", [False, True])
def test_for_puid_a_script_has_a_name_whoever_it_runs_as(
    for_puid: Container, as_service_user: bool
) -> None:
    slug = for_puid.make_script("Who", WHO, as_service_user=as_service_user)
    run = for_puid.run(slug)
    assert output_of(for_puid, run) == f"tempo-{slug} tempo-{slug} True\n"


# --- as an ordinary user, and without capabilities -----------------------------------------------------------------
def test_an_ordinary_user_runs_all_of_it(as_user: Container) -> None:
    run = walked(as_user)
    assert output_of(as_user, run) == f"hello from tempo-greeting 1.1 {PUID}\n"
    assert retired(as_user, run)
    assert {facts_of(path)[:2] for path in as_user.data.rglob("*")} == {(PUID, PGID)}
    assert {facts_of(as_user.data / name)[2] for name in (".", "scripts", "runs", "envs")} == {
        0o700
    }


def test_an_ordinary_user_restores_what_root_had_backed_up(as_user: Container) -> None:
    run = as_user.run("moved")
    assert (run["status"], output_of(as_user, run)) == ("succeeded", f"of root {PUID}\n"), run
    assert (as_user.data / "held").exists()


def test_an_ordinary_user_is_told_that_another_is_ignored(as_user: Container) -> None:
    assert (
        f"PYSCHED_PUID 1000 is ignored: Tempo was not started as root but as user {PUID}."
        in as_user.said()
    )


def test_root_without_capabilities_runs_all_of_it_and_says_so(powerless: Container) -> None:
    run = walked(powerless)
    assert output_of(powerless, run) == "hello from tempo-greeting 1.1 0\n"
    assert run["isolation"] in ("good", "basic")
    assert "Tempo was started without CAP_CHOWN" in powerless.said()
    assert retired(powerless, run)


# --- another user --------------------------------------------------------------------------------------------------
def test_at_a_restart_another_user_takes_over_and_removes_what_scripts_left(
    for_puid: Container,
) -> None:
    another = User(99, 100)
    first = folder_of(for_puid, for_puid.run("walk"))
    for_puid.run("walk")
    for_puid.order_retention()
    for_puid.become(another)
    wait_for(lambda: not first.exists(), what="retention")
    run = for_puid.run("walk")
    assert run["status"] == "succeeded" and run["isolation"] in ("strong", "good"), run
    assert output_of(for_puid, run).endswith(f" {OWN_USER}\n")
    owners = {facts_of(path)[0] for path in for_puid.data.rglob("*")}
    assert min(owners) == another.uid and PUID not in owners


# --- the code of packages ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["for_puid", "as_user", "powerless"])
def test_the_code_of_packages_reaches_nothing_of_tempo(
    mode: str, place: Path, request: pytest.FixtureRequest
) -> None:
    service: Container = request.getfixturevalue(mode)
    with package_spy.listening() as listener:
        version = f"1.{len(mode)}"
        package_spy.add(place / "index", service.data, listener, version=version)
        wheel = service.make_script(
            f"Wheel {version}", "print('ran')", requirements=f"tempo-spy=={version}"
        )
        assert listener.told == []  # its environment is there, and none of its code has run
        assert service.run(wheel)["status"] == "succeeded"
        in_run = [told["step"] for told in listener.told]
        assert "start" in in_run  # Debian's Python has a `sitecustomize` before that of the package
        service.make_script(
            f"Source {version}",
            "print('ran')",
            requirements=f"tempo-spy-source=={version}",
            allow_source=True,
        )
    built = listener.told[len(in_run) :]
    assert built and not [told for told in listener.told if told["reached"]]
    have_own_user = {told["uid"] not in (0, PUID) for told in listener.told}
    assert have_own_user == {mode == "for_puid"}

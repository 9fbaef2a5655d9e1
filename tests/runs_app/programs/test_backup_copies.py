"""A backup goes to a second folder and to a remote place, by programs that get nothing but names."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from runs_app.models import Run
from runs_app.programs import backup_copies, registry
from runs_app.programs.program import NothingToRun, StepSpec
from runs_app.states import Kind
from tempo_site.backups import backup_files
from tempo_site.lib import confined, paths
from tempo_site.stored_settings.backup import check_remote
from tests.factories import NOW, make_run
from tests.refusals import refusal
from tests.rows import each_row
from tests.service import free_port

pytestmark = pytest.mark.django_db

SSHD = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/of_host
AuthorizedKeysFile {folder}/of_tempo.pub
PidFile none
StrictModes no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""
SFTP = """
[nas]
type = sftp
host = 127.0.0.1
port = {port}
user = root
key_file = {folder}/of_tempo
known_hosts_file = {folder}/known
shell_type = none
"""

needs_restic = pytest.mark.skipif(
    not (shutil.which("restic") and shutil.which("rclone")), reason="no restic or rclone here"
)


@pytest.fixture
def run() -> Run:
    return make_run(kind=Kind.BACKUP, params={"act": "make"})


@pytest.fixture
def remote(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to which the name `nas` leads in a configuration of rclone."""
    folder, config = tmp_path / "remote", tmp_path / "rclone.conf"
    folder.mkdir()
    config.write_text(f"[nas]\ntype = alias\nremote = {folder}\n")
    settings.BACKUP_RCLONE_CONFIG = str(config)
    if not shutil.which("rclone"):
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return folder


def make_file(day: int, content: str = "content") -> Path:
    paths.make_closed(paths.backups())
    moment = NOW.replace(day=day)
    path = backup_files.new_path(paths.backups(), kind="zst", is_sealed=False, now=moment)
    path.write_text(content)
    return path


def steps_of(path: Path, tmp_path: Path) -> list[StepSpec]:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return backup_copies.steps(path, tmp_path / "backup.json")


def carry_out(step: StepSpec) -> None:
    argv = list(step["argv"])
    done = subprocess.run(argv, env=step["env"], cwd=step["cwd"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@each_row(
    "value",
    [
        "rclone::sftp,ssh=x:path",
        "rclone:nas,ssh=x:path",
        "rclone:-nas:path",
        "rclone:nas:-path",
        "rclone:nas:../../x",
        "rclone:nas:",
        "rclone:nas:a b",
        "rclone:nas:$(x)",
        "restic:sftp:u@h:path",
        "restic:nas",
        "git:nas:path",
        "nas:path",
        "-v:nas:path",
        "rclone:nas:path\n",
        "/mnt/nas",
    ],
)
def test_a_remote_place_is_a_name_and_a_path(value: str) -> None:
    with pytest.raises(ValueError, match="rclone:NAME:path"):
        check_remote(value)


@pytest.mark.parametrize("value", ["", "rclone:nas:tempo/backups", "restic:my-s3:bucket/tempo.d"])
def test_a_remote_place_that_is_one_is_taken(value: str) -> None:
    assert refusal(lambda: check_remote(value), ValueError) == ""


@pytest.mark.parametrize("name", ["rclone", "restic"])
def test_a_program_that_is_not_installed_is_said(
    run: Run,
    remote: Path,
    settings: Settings,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.BACKUP_REMOTE = f"{name}:nas:tempo"
    monkeypatch.setattr(shutil, "which", lambda asked: None if asked == name else "/usr/bin/x")
    settings.BACKUP_RESTIC_PASSWORD_PATH = settings.BACKUP_RCLONE_CONFIG
    with pytest.raises(NothingToRun, match=f"`{name}` is not installed"):
        registry.program_of(run).spec(run, tmp_path, {})


def test_a_configuration_that_is_not_there_is_said(
    run: Run, remote: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.BACKUP_REMOTE = "rclone:nas:tempo"
    settings.BACKUP_RCLONE_CONFIG = ""
    with pytest.raises(NothingToRun, match="PYSCHED_BACKUP_RCLONE_CONFIG"):
        registry.program_of(run).spec(run, tmp_path, {})


def test_a_second_place_around_tempos_own_folders_is_said(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    settings.BACKUP_PATH = str(paths.data().parent)
    with pytest.raises(NothingToRun, match="has Tempo's own folders in it"):
        registry.program_of(run).spec(run, tmp_path, {})


def test_a_look_at_a_backup_is_copied_nowhere(
    remote: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.BACKUP_REMOTE = "rclone:nas:tempo"
    run = make_run(kind=Kind.BACKUP, params={"act": "verify", "name": make_file(1).name})
    assert list(registry.program_of(run).spec(run, tmp_path, {})["then"]) == []


@pytest.mark.skipif(not shutil.which("rclone"), reason="no rclone here")
def test_rclone_copies_the_new_one_and_deletes_what_is_too_old_here(
    remote: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.BACKUP_REMOTE = "rclone:nas:tempo"
    settings.BACKUP_DAYS = settings.BACKUP_WEEKS = settings.BACKUP_MONTHS = 1
    old, other, new = make_file(1), remote / "tempo" / "mine", make_file(20, "new")
    other.parent.mkdir()
    other.touch()
    shutil.copy(old, remote / "tempo")
    for step in steps_of(new, tmp_path):
        carry_out(step)
    assert sorted(path.name for path in (remote / "tempo").iterdir()) == ["mine", new.name]
    assert (remote / "tempo" / new.name).read_text() == "new"


@needs_restic
def test_restic_keeps_it_in_a_repository_there(
    remote: Path, settings: Settings, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("of the repository")
    settings.BACKUP_RESTIC_PASSWORD_PATH = str(password)
    settings.BACKUP_REMOTE = "restic:nas:tempo"
    path = make_file(1)
    backup, forget = steps_of(path, tmp_path)
    for act in (["init"], ["dump", "latest", str(path)]):
        if act[0] == "dump":
            carry_out(backup)
            carry_out(forget)
            path.unlink()
        argv = [*backup["argv"][:4], *act]
        done = subprocess.run(argv, env=backup["env"], cwd=backup["cwd"], capture_output=True)
        assert done.returncode == 0, done.stderr
    assert done.stdout == b"content"


@pytest.fixture
def by_sftp(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder behind the name `nas` of a real SSH server, which lets a key in that lies in a file of its own."""
    place, port = tmp_path_factory.mktemp("sftp"), free_port()
    for name in ("of_host", "of_tempo"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
        subprocess.run(command, check=True)
    server_key = (place / "of_host.pub").read_text()
    (place / "known").write_text(f"[127.0.0.1]:{port} {server_key}")
    (place / "sshd.conf").write_text(SSHD.format(folder=place, port=port))
    (place / "rclone.conf").write_text(SFTP.format(folder=place, port=port))
    settings.BACKUP_RCLONE_CONFIG = str(place / "rclone.conf")
    Path("/run/sshd").mkdir(exist_ok=True)
    argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(place / "sshd.conf")]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr and "listening" in server.stderr.readline()
        yield place
        server.terminate()


@pytest.mark.skipif(
    not (shutil.which("rclone") and Path("/usr/sbin/sshd").exists()), reason="no rclone or sshd"
)
def test_by_sftp_it_is_copied_by_a_program_that_reads_the_keys_which_its_configuration_names(
    by_sftp: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.BACKUP_REMOTE = f"rclone:nas:{by_sftp}"
    path = make_file(1)
    for step in steps_of(path, tmp_path):
        reach = step["isolation"] or {}
        argv = confined.command(step["argv"], read=reach["read"], write=reach["write"])
        carry_out({**step, "argv": argv})
    assert (by_sftp / path.name).read_text() == "content"

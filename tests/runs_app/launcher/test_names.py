"""A user without a name: programs that ask for it get one, with real ssh, scp, rsync, git and psql."""

import os
import pwd
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runs_app.launcher.identity import names
from tests.rows import each_row
from tests.runs_app.launcher import servers
from tests.runs_app.launcher.confined import (
    AS_SERVICE_USER,
    IS_ROOT,
    STRONG,
    Mode,
    Place,
    found_out,
    opened,
)
from tests.runs_app.launcher.servers import Sshd

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root gives scripts users of their own")

NAME = "tempo-mine"
needs_wrapper = pytest.mark.skipif(not names.find_library(), reason="nss_wrapper is not installed")
ASK = """
import getpass, grp, json, os, pwd
me = pwd.getpwuid(os.getuid())
told = [me.pw_name, me.pw_dir, grp.getgrgid(os.getgid()).gr_name, getpass.getuser(), os.path.expanduser("~")]
others = [pwd.getpwnam("root").pw_uid, pwd.getpwuid(1).pw_name, grp.getgrnam("root").gr_gid]
print(json.dumps([told, others, len(pwd.getpwall())]))
"""


@pytest.fixture(scope="module", params=[STRONG, AS_SERVICE_USER], ids=lambda mode: mode.name)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from opened(request.param)


@pytest.fixture(scope="module")
def strong() -> Iterator[Place]:
    yield from opened(STRONG)


@needs_wrapper
def test_it_has_a_name_a_home_and_everybody_else_keeps_theirs(place: Place) -> None:
    told, others, count = found_out(place.output(ASK, flags="", name=NAME))

    assert told == [NAME, str(place.files()), NAME, NAME, str(place.files())]
    assert others == [0, pwd.getpwuid(1).pw_name, 0]
    assert count == len(Path("/etc/passwd").read_text().splitlines()) + 1


@needs_wrapper
def test_names_of_hosts_are_found_as_ever(place: Place) -> None:
    code = "import socket; print(sorted({found[4][0] for found in socket.getaddrinfo('localhost', 80)}))"
    expected = sorted({found[4][0] for found in socket.getaddrinfo("localhost", 80)})

    assert place.output(code, flags="", name=NAME) == f"{expected}\n"


@needs_wrapper
def test_it_learns_of_no_other_script(strong: Place) -> None:
    code = "print(open(__import__('os').environ['NSS_WRAPPER_PASSWD']).read())"
    users = strong.output(code, flags="", name=NAME)

    assert str(strong.files()) in users and str(strong.files("other")) not in users


def test_a_program_of_tempos_own_gets_no_name(strong: Place) -> None:
    assert (
        strong.output("import os; print('USER' in os.environ, 'LD_PRELOAD' in os.environ)")
        == "False False\n"
    )


def test_without_the_library_the_variables_tell_the_name() -> None:
    place = Place(
        Mode(name="no wrapper", launcher=0, web=STRONG.web, uid=STRONG.uid, without="names")
    )
    code = "import getpass, os; print(getpass.getuser(), os.environ['USER'], 'LD_PRELOAD' in os.environ)"
    with place:
        assert place.output(code, flags="", name=NAME) == f"{NAME} {NAME} False\n"
        message = place.told(
            "import subprocess, sys; sys.exit(subprocess.run('whoami').returncode)", name=NAME
        )["message"]

    assert message.startswith("A program asked for the name of the user that the script runs as")


def test_variables_of_its_own_win() -> None:
    told = names.with_name({b"USER": b"alice"}, names.Naming("tempo-x"), "/run")

    assert told == {b"USER": b"alice", b"LOGNAME": b"tempo-x"}


def test_a_user_whom_the_system_knows_keeps_its_name() -> None:
    assert names.choose("tempo-x", 0, home=b"/h", library="/l") == names.Naming("root")


@each_row(("wanted", "home"), [("a:b", b"/h"), ("a\nb", b"/h"), ("a", b"/h:1"), ("a", b"/h\n")])
def test_what_does_not_fit_into_a_line_of_passwd_is_not_written(wanted: str, home: bytes) -> None:
    assert names.choose(wanted, 4_000_000_000, home=home, library="/l").library == ""


# --- real programs --------------------------------------------------------------------------------------------------
needs_ssh = pytest.mark.skipif(
    not servers.SSHD_IS_HERE or not shutil.which("rsync"),
    reason="ssh, sshd, rsync or git is not installed",
)


@pytest.fixture(scope="module")
def sshd(strong: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    sshd = Sshd(tmp_path_factory.mktemp("sshd"), strong.files(), user=STRONG.script)
    yield sshd
    sshd.stop()


@needs_wrapper
@needs_ssh
@pytest.mark.parametrize(
    "command",
    [
        "ssh near cat {there}/greeting",
        "scp -q near:{there}/greeting copied && cat copied",
        "rsync near:{there}/greeting synced && cat synced",
        "git clone -q near:{there}/repository cloned && cat cloned/greeting",
    ],
    ids=["ssh", "scp", "rsync", "git"],
)
def test_programs_reach_another_machine(strong: Place, sshd: Sshd, command: str) -> None:
    command = command.format(there=sshd.folder)
    code = f"import subprocess; subprocess.run({command!r}, shell=True, check=True)"

    assert strong.output(code, flags="", name=NAME) == "hello\n"


@needs_wrapper
@needs_ssh
def test_the_steps_to_an_ssh_key_lead_there(strong: Place, sshd: Sshd, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs/troubleshooting.md").read_text()
    (make_key,) = re.findall(r"`(ssh-keygen [^`]+)`", text)
    (scan,) = re.findall(r"`(ssh-keyscan [^`]+)`", text)
    (try_it,) = re.findall(r"Try it: `([^`]+)`", text)
    for command in (make_key, scan.replace("nas", f"-p {sshd.port} 127.0.0.1")):
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, stderr=subprocess.DEVNULL)
    with (sshd.folder / "id.pub").open("a") as authorized_keys:
        authorized_keys.write((tmp_path / "id_ed25519.pub").read_text())
    for name in ("id_ed25519", "known_hosts"):
        uploaded = strong.files() / ".ssh" / name
        shutil.copy(tmp_path / name, uploaded)
        os.chown(uploaded, strong.mode.script, strong.mode.script)

    code = f"import subprocess; {try_it.replace('ann@nas', 'near')}"

    assert strong.told(code, flags="", name=NAME)["status"] == "succeeded"


needs_postgres = pytest.mark.skipif(
    not servers.POSTGRES_IS_HERE or not shutil.which("psql"), reason="PostgreSQL is not installed"
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    with servers.postgres(NAME) as port:
        yield port


@needs_wrapper
@needs_postgres
def test_psql_is_who_the_script_is(strong: Place, postgres: int) -> None:
    command = f"psql -h 127.0.0.1 -p {postgres} -d postgres -Atc 'select current_user'"
    code = f"import subprocess; subprocess.run({command!r}, shell=True, check=True)"

    assert strong.output(code, flags="", name=NAME) == f"{NAME}\n"

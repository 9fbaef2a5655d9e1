"""Pushing to real places over https and ssh: what arrives, what is said when it cannot, and what nobody sees."""

import base64
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts_app import scripts
from scripts_app.mirror import git, mirror
from tempo_site.lib import network_access, paths
from tempo_site.stored_settings import mirror as section
from tempo_site.stored_settings import store
from tests.factories import NOW, make_script
from tests.runs_app.launcher.servers import SSHD_IS_HERE
from tests.scripts_app.mirror.remotes import BACKEND, TOKEN, Https, Ssh, command_lines
from tests.scripts_app.mirror.test_mirror import log
from tests.service import wait_for

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not SSHD_IS_HERE or os.geteuid() != 0 or not Path(BACKEND).exists(),
        reason="git's program for https, ssh or sshd is not installed, or this is not root",
    ),
]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what this machine needs to reach others."""
    for name in network_access.NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Https]:
    with Https(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        store.save({section.ADDRESS: server.address, section.TOKEN: TOKEN}, by="root")
        make_script("A")
        yield server


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    server = Ssh(tmp_path)
    store.save({section.ADDRESS: server.address, section.KEY_FILE: str(server.key)}, by="root")
    make_script("A")
    yield server
    server.stop()


def test_it_is_pushed_by_https_with_a_token_that_nobody_sees(
    https: Https, caplog: pytest.LogCaptureFixture
) -> None:
    assert mirror.catch_up(now=NOW).message == ""
    assert log(https.repository, "%s") == log(paths.mirror() / "repository.git", "%s")
    packed = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    assert any("git-remote-https" in line for line in https.seen)
    kept = "".join(path.read_text() for path in paths.mirror().glob("*.json"))
    for told in (*https.seen, kept, caplog.text):
        assert TOKEN not in told and packed not in told


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        (section.TOKEN, "another", "the token is missing, or is not accepted there"),
        (section.TOKEN, "", "the token is missing, or is not accepted there"),
        (section.ADDRESS, "{address}x", "there is no such repository"),
    ],
)
def test_what_https_refuses_is_said_in_words(
    https: Https, caplog: pytest.LogCaptureFixture, setting: str, value: str, why: str
) -> None:
    store.save({setting: value.format(address=https.address)}, by="root")
    message = mirror.catch_up(now=NOW).message
    assert message.startswith(why), message
    assert "another" not in message and TOKEN not in caplog.text


def test_a_certificate_of_nobody_is_refused_in_words(
    https: Https, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "name the file of its authority in `SSL_CERT_FILE`" in mirror.catch_up(now=NOW).message
    assert log(paths.mirror() / "repository.git", "%s") == ["Save v1 of a", "Settings of a"]


def test_it_is_pushed_by_ssh_and_a_host_with_another_key_is_refused(ssh: Ssh) -> None:
    assert mirror.catch_up(now=NOW).message == ""
    assert log(ssh.repository, "%s") == ["Save v1 of a", "Settings of a"]
    store.save({section.KEY_FILE: str(ssh.folder / "other")}, by="root")
    make_script("B")
    assert mirror.catch_up(now=NOW).message.startswith("the key file is not accepted there")
    store.save({section.KEY_FILE: str(ssh.key)}, by="root")
    ssh.stop()
    ssh.start("host-2")
    assert mirror.catch_up(now=NOW).message.startswith("the host shows another key than before")
    assert log(ssh.repository, "%s") == ["Save v1 of a", "Settings of a"]


def test_a_place_that_hangs_holds_up_no_save_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The push waits for a server that never answers, while a script is saved."""
    asked, over = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        over.wait(timeout=30)

    with Https(tmp_path, before=hang) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        monkeypatch.setattr(git, "PUSH_TIMEOUT_S", 1.0)
        script = make_script("A")
        mirror.catch_up(now=NOW)
        ended: list[str] = []

        def push() -> None:
            try:
                mirror.push(server.address, token=TOKEN, key_file="")
            except git.GitFailed as error:
                ended.append(str(error))

        thread = threading.Thread(target=push)
        thread.start()
        assert asked.wait(timeout=20)
        scripts.update(script, by=None, now=NOW, code="print(2)\n")
        assert not ended and thread.is_alive(), "the push was over before the save"
        thread.join(timeout=20)
        assert ended == ["git took longer than 1 s"]
        wait_for(
            lambda: not any(server.address in line for line in command_lines()), what="its end"
        )
        over.set()

"""The git mirror: commits of a real git, pushed one way, and nothing of git's that would do more."""

import io
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from runs_app.states import Status
from scripts_app import scripts
from scripts_app.mirror import git, mirror
from scripts_app.mirror.git import GitFailed
from scripts_app.models import Schedule, Script, Version
from scripts_app.schedules import schedules
from tempo_site.lib import paths
from tempo_site.models import AuditEntry
from tempo_site.stored_settings import mirror as section
from tempo_site.stored_settings import store
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.scripts_app.exchange.test_round_trip import contents, exported

pytestmark = pytest.mark.django_db


def log(repository: Path, what: str) -> list[str]:
    done = subprocess.run(
        ["git", f"--git-dir={repository}", "log", "--reverse", f"--format={what}", "main"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def shown(name: str) -> str:
    return git.run(repository(), "show", f"main:{name}")


def repository() -> Path:
    return paths.mirror() / "repository.git"


@pytest.fixture
def script(user: User) -> Script:
    """A script with three versions: of nobody, of ann with a note, and one without packages."""
    script = make_script("A", code="print(1)\n", requirements="rich\n")
    scripts.update(script, by=user, now=NOW, note="Say two", code="print('é')\n")
    scripts.update(script, by=user, now=NOW, requirements="")
    return script


def test_each_version_is_a_commit_with_its_author_and_note(script: Script) -> None:
    assert mirror.catch_up(now=NOW).message == ""
    assert log(repository(), "%an %s") == [
        "Tempo Save v1 of a",
        "ann Say two",
        "ann Save v3 of a",
        "Tempo Settings of a",
    ]
    assert shown("scripts/a/main.py") == "print('é')\n"
    with pytest.raises(GitFailed):
        shown("scripts/a/requirements.txt")
    git.run(repository(), "fsck", "--strict")
    moment = Version.objects.earliest("pk").created_at
    assert log(repository(), "%at")[0] == str(int(moment.timestamp()))


def test_what_is_new_comes_on_top_and_nothing_twice(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "AT_ONCE", 2)
    first = mirror.catch_up(now=NOW)
    (paths.mirror() / "state.json").unlink()  # as if it had ended before it was kept
    scripts.update(script, by=None, now=NOW, code="print(3)\n")
    second = mirror.catch_up(now=NOW)
    assert len(log(repository(), "%s")) == 5 and second.version > first.version
    assert not mirror._is_due(mirror.state(), NOW)
    make_script("B")
    assert mirror._is_due(mirror.state(), NOW)


def test_an_export_may_be_such_a_repository(script: Script, tmp_path: Path) -> None:
    make_script("B")
    target = tmp_path / "a.git"
    said = io.StringIO()
    call_command("export", str(target), "--script", "a", "--git", stdout=said)
    assert said.getvalue() == f"Exported 3 commits to {target}.\n"
    assert log(target, "%s")[1:] == ["Say two", "Save v3 of a", "Settings of a"]
    with pytest.raises(CommandError, match="is there already"):
        call_command("export", str(target), "--git")


def test_settings_are_in_it_as_in_an_export_and_follow_each_change(
    program: Client, script: Script
) -> None:
    mirror.catch_up(now=NOW)
    schedule = make_schedule(script, kind=Schedule.Kind.CRON, cron="30 2 * * *")
    assert mirror._is_due(mirror.state(), NOW)
    scripts.update(script, by=None, now=NOW, timeout_s=77)
    make_script("B")
    state = mirror.catch_up(now=NOW)
    assert log(repository(), "%s")[-1] == "Settings of a, b"
    whole = contents(exported(program))
    assert shown("scripts/a/script.toml") == whole["scripts/a/script.toml"]
    assert "timeout_s = 77" in whole["scripts/a/script.toml"] and "30 2" in shown(
        "scripts/a/script.toml"
    )
    commits = log(repository(), "%H")
    make_run(script, status=Status.SUCCEEDED)
    mirror.catch_up(now=NOW)
    assert log(repository(), "%H") == commits, "what is the same is no commit"
    schedules.delete(schedule)
    assert mirror._is_due(mirror.state(), NOW) and not mirror._is_due(
        replace(mirror.state(), audit=AuditEntry.objects.latest("pk").pk), NOW
    )
    again = mirror.catch_up(now=NOW)
    assert "schedules" not in shown("scripts/a/script.toml")
    assert again.version == state.version


def test_names_and_notes_are_texts_to_git(user: User) -> None:
    user.username = 'x> <evil@x> 1 +0000\nM 100644 inline a\n"; touch /tmp/x'[:150]
    script = make_script("A")
    note = "Tempo-Version: 999 $(touch /tmp/x)"
    scripts.update(script, by=user, now=NOW, note=note, code="print(2)\n")
    assert mirror.catch_up(now=NOW).version == Version.objects.latest("pk").pk
    assert log(repository(), "%s")[1] == note
    assert git.run(repository(), "ls-tree", "--name-only", "main").split() == ["scripts"]


def test_it_is_pushed_one_way_and_never_by_force(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(there)], check=True)
    store.save({section.ADDRESS: "https://example.org/a.git"}, by="root")
    real = git._environment

    def with_files(*given: Any) -> dict[str, str]:
        shown = {**real(*given), "GIT_ALLOW_PROTOCOL": "file"}
        number = int(shown["GIT_CONFIG_COUNT"])
        instead = {f"GIT_CONFIG_KEY_{number}": f"url.file://{there}.insteadOf"}
        instead[f"GIT_CONFIG_VALUE_{number}"] = "https://example.org/a.git"
        return {**shown, **instead, "GIT_CONFIG_COUNT": str(number + 1)}

    monkeypatch.setattr(git, "_environment", with_files)
    assert mirror.catch_up(now=NOW).message == ""
    assert log(there, "%s") == log(repository(), "%s")
    subprocess.run(["git", f"--git-dir={there}", "update-ref", "-d", "refs/heads/main"], check=True)
    other = "commit refs/heads/main\ncommitter x <x> 1 +0000\ndata 1\nx\n\n"
    subprocess.run(
        ["git", f"--git-dir={there}", "fast-import", "--quiet"], input=other.encode(), check=True
    )
    make_script("B")
    state = mirror.catch_up(now=NOW)
    assert "rejected" in state.message and log(there, "%s") == ["x"]
    assert not mirror._is_due(state, NOW) and mirror._is_due(state, NOW + mirror.AGAIN_AFTER)


@pytest.mark.parametrize("address", ["ext::sh -c true", "file:///etc", "/etc", "git://127.0.0.1/a"])
def test_git_itself_takes_no_other_transport(script: Script, address: str) -> None:
    mirror.catch_up(now=NOW)
    with pytest.raises(GitFailed, match="not allowed"):
        git.run(repository(), "push", "--quiet", "--", address, "main:main")


GOOD = ["https://example.org/a.git", "ssh://git@host:22/a/b.git", "git@example.org:me/a.git"]
BAD = [
    "-oProxyCommand=x@host:a",
    "ext::sh",
    "https://me:password@host/a",
    "https://host/-x",
    "ssh://-oProxyCommand=x/a",
    "git@-host:a",
    "git@host:-a",
    "http://host/a",
    "file:///a",
    "/a",
    "git@host:a b",
    "https://host/a?x=$(id)",
]


def test_addresses_are_of_https_and_ssh_alone() -> None:
    for address in ["", *GOOD]:
        section.check_address(address)
    for address in BAD:
        with pytest.raises(ValueError, match="it has to be like"):
            section.check_address(address)
    with pytest.raises(ValueError, match="whole path"):
        section.check_key_file("/a b; id")


def test_an_address_of_the_environment_is_checked_as_well(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {section.ADDRESS: "ext::sh -c true", section.KEY_FILE: "", section.TOKEN: ""}
    monkeypatch.setattr(store, "value", values.get)
    assert "it has to be like" in mirror.catch_up(now=NOW).message


def test_a_token_is_shown_to_its_address_and_stands_in_no_argument() -> None:
    ((name, value),) = git.authorization("https://example.org/a.git", "secret")
    assert name == "http.https://example.org/a.git.extraHeader" and "secret" not in value
    assert git.authorization("git@example.org:a.git", "secret") == []


def test_no_hook_of_the_repository_is_run(script: Script, tmp_path: Path) -> None:
    mirror.catch_up(now=NOW)
    hooks = repository() / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-update", "pre-push"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    scripts.update(script, by=None, now=NOW, code="print(9)\n")
    assert mirror.catch_up(now=NOW).message == ""
    assert not (tmp_path / "ran").exists()


def test_it_is_off_until_staff_switches_it_on(
    client: Client, user: User, staff: User, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(mirror, "begin", lambda: begun.append("begun"))
    mirror.tend(now=NOW)
    client.force_login(user)
    assert client.get("/settings/mirror/").status_code == 403
    client.force_login(staff)
    page = client.get("/settings/mirror/").content.decode()
    assert "Nothing was mirrored yet" in page and begun == []
    store.save({section.SWITCH: True}, by="root")
    paths.held().touch()
    mirror.tend(now=NOW)
    assert begun == [], "a restored Tempo speaks to nobody before it is resumed"
    paths.held().unlink()
    mirror.tend(now=NOW)
    assert begun == ["begun"]
    mirror.catch_up(now=NOW)
    mirror.tend(now=NOW)
    assert begun == ["begun"]
    assert "up to date" in client.get("/settings/mirror/").content.decode()

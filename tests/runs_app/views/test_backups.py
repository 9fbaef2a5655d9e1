"""The page and the API of backups, and what they ask the program for."""

import asyncio
import errno
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs_app.admission import admission
from runs_app.models import Run
from runs_app.programs import backup, registry
from runs_app.programs.program import NothingToRun
from runs_app.programs.wait_conditions import Situation
from runs_app.states import Kind, Status, Trigger
from runs_app.triggers import backups
from scripts_app.models import Script
from tempo_site.backups import backup_files, holds, replacing, restoring
from tempo_site.backups.holds import Hold
from tempo_site.bootstrap import first_start
from tempo_site.lib import paths
from tempo_site.models import ApiKey
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

FACTS = {
    "counts": {"scripts_app_script": 12, "runs_app_run": 3400},
    "verified_at": "2026-11-23T05:00:00+00:00",
    "has_secret_key": True,
    "left_out_count": 2,
}


@pytest.fixture
def desk(staff: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(staff)
    return client


@pytest.fixture
def name() -> str:
    """A file in the place of a backup."""
    paths.make_closed(paths.backups())
    path = backup_files.new_path(paths.backups(), kind="zst", is_sealed=False, now=timezone.now())
    path.write_bytes(b"content")
    backup_files.facts_path(path).write_text(json.dumps({**FACTS, "file_bytes": 7}))
    return path.name


def downloaded(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return asyncio.run(read())


# --- the page ------------------------------------------------------------------------------------------------------
def test_the_page_lists_what_there_is(desk: Client, name: str) -> None:
    page = desk.get("/backups/").text
    assert name in page and "12 scripts, 3400 runs" in page and "2 files left out" in page


def test_without_a_passphrase_it_says_what_a_restore_would_lack(desk: Client) -> None:
    assert "No passphrase is set" in desk.get("/backups/").text


@pytest.mark.parametrize("path", ["", "x/restore/", "x/file"])
def test_it_is_for_staff(browser: Client, path: str) -> None:
    assert browser.get(f"/backups/{path}").status_code == 403


def test_a_backup_is_started_and_followed(desk: Client) -> None:
    answer = desk.post("/backups/make")
    run = Run.objects.get(kind=Kind.BACKUP)
    assert answer.headers["Location"] == f"/runs/{run.pk}/"
    assert "Makes a backup" in desk.get(f"/runs/{run.pk}/").text
    desk.post("/backups/make", {"again": "1"})
    assert Run.objects.filter(kind=Kind.BACKUP).count() == 1  # the one that waits


def test_it_is_verified(desk: Client, name: str) -> None:
    desk.post(f"/backups/{name}/verify")
    assert Run.objects.get(kind=Kind.BACKUP).params == {"act": "verify", "name": name, "full": True}


def test_a_download_is_the_file(desk: Client, name: str) -> None:
    answer = desk.get(f"/backups/{name}/file")
    assert downloaded(answer) == b"content"


@pytest.mark.parametrize("other", ["nothing.tar.zst", "..%2Fsecret_key", ".lock"])
def test_nothing_else_is_downloaded(desk: Client, name: str, other: str) -> None:
    assert desk.get(f"/backups/{other}/file").status_code == 404


def test_a_restore_is_asked_for_first(desk: Client, name: str) -> None:
    page = desk.get(f"/backups/{name}/restore/").text
    assert "12 scripts" in page and "is moved aside" in page
    desk.post(f"/backups/{name}/restore/", {"passphrase": ""})
    assert not Run.objects.exists()


def test_what_it_replaces_is_counted_as_a_backup_counts(desk: Client, name: str) -> None:
    make_script("Present")
    deleted = make_script("Deleted")
    Script.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now())
    make_run(deleted)
    make_run(kind=Kind.BUILD)
    page = " ".join(desk.get(f"/backups/{name}/restore/").text.split())
    assert "takes the place of this: 2 scripts and 2 runs." in page


def test_one_of_another_kind_of_machine_says_so_before_it_is_restored(
    desk: Client, name: str
) -> None:
    facts = backup_files.facts_path(paths.backups() / name)
    facts.write_text(json.dumps({**FACTS, "file_bytes": 7, "machine": "vax"}))
    assert "another kind of machine (vax; this one is" in desk.get(f"/backups/{name}/restore/").text


def test_a_restore_while_runs_are_under_way_is_refused(
    desk: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_site.backups.restoring.look", lambda *_, **__: {})
    make_run(make_script(), status=Status.RUNNING)
    page = desk.post(f"/backups/{name}/restore/", {"sure": "on"}, follow=True).text
    assert "Runs are under way" in page and not Run.objects.filter(kind=Kind.BACKUP).exists()


def test_a_restore_beside_a_run_that_began_meanwhile_fails_and_leaves_nothing(
    name: str, django_capture_on_commit_callbacks: object
) -> None:
    run = make_run(kind=Kind.BACKUP, params={"act": "restore", "name": name})
    other = make_run(make_script(), status=Status.RUNNING)
    with pytest.raises(NothingToRun, match=f"Runs are under way: #{other.pk}"):
        registry.program_of(run).spec(run, paths.runs(), {})
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        ended("restore", Status.FAILED, {}, name=name)
    assert not (paths.data() / "restore").exists()


@pytest.mark.parametrize("is_active", [True, False])
def test_what_a_restore_has_unpacked_stays_as_long_as_its_run(name: str, is_active: bool) -> None:
    replacing.new_folder(paths.data())
    status = Status.RUNNING if is_active else Status.LOST
    make_run(kind=Kind.BACKUP, status=status, params={"act": "restore", "name": name})
    backup.give_up_abandoned()
    assert (paths.data() / "restore").exists() == is_active


def test_a_restore_is_a_run_and_its_passphrase_is_stored_nowhere(
    desk: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_site.backups.restoring.look", lambda *_, **__: {})
    desk.post(f"/backups/{name}/restore/", {"sure": "on", "passphrase": "correct horse"})
    run = Run.objects.get(kind=Kind.BACKUP)
    assert run.params == {"act": "restore", "name": name}
    found = registry.program_of(run).variables(run)
    assert found.secrets == {"TEMPO_BACKUP_PASSPHRASE": "correct horse"} and found.plain == {}


def test_every_page_says_that_a_restored_tempo_is_held(desk: Client, browser: Client) -> None:
    made = (timezone.now() - timedelta(days=1)).isoformat()
    holds.store(Hold(backup="x", made_at=made, restored_at=made, aside="before-restore-x"))
    assert "This is a restored Tempo" in browser.get("/scripts/").text
    assert "backups/resume" not in browser.get("/scripts/").text
    assert "backups/resume" in desk.get("/scripts/").text
    assert browser.post("/backups/resume").status_code == 403
    desk.post("/backups/resume")
    assert not holds.is_held()


def test_the_set_up_page_starts_from_a_backup(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempo_site.backups.restoring.look", lambda *_, **__: {})
    address = f"/setup/{first_start.token()}/backup/"
    assert name in client.get(address).text
    assert "starts again with it" in client.post(address, {"backup": name}).text
    assert Run.objects.get(kind=Kind.BACKUP).params == {"act": "restore", "name": name}


def test_the_set_up_page_says_why_a_backup_cannot_be_used(client: Client, name: str) -> None:
    address = f"/setup/{first_start.token()}/backup/"
    assert "no backup of Tempo" in client.post(address, {"backup": name}).text
    assert not Run.objects.exists()


def test_without_the_token_of_the_set_up_there_is_no_way_in(client: Client, name: str) -> None:
    first_start.token()
    assert client.get("/setup/wrong/backup/").status_code == 404
    assert client.post("/setup/wrong/backup/", {"backup": name}).status_code == 404


# --- the API -------------------------------------------------------------------------------------------------------
def test_the_api_makes_lists_and_hands_out(program: Client, name: str) -> None:
    answer = program.post("/api/v1/backups", {}, content_type="application/json")
    assert answer.status_code == 202 and answer.json()["kind"] == "backup"
    (row,) = program.get("/api/v1/backups").json()["items"]
    assert (row["name"], row["scripts"], row["bytes"]) == (name, 12, 7)
    assert downloaded(program.get(f"/api/v1/backups/{name}/file")) == b"content"
    assert program.get("/api/v1/backups/x/file").status_code == 404


@pytest.mark.parametrize("scope", ["read", "run"])
def test_smaller_keys_see_no_backups(scope: str) -> None:
    token = ApiKey.issue(name="small", scope=scope)[1]
    program = Client(headers={"host": "localhost", "authorization": f"Bearer {token}"})
    assert program.get("/api/v1/backups").status_code == 403


def test_a_limited_key_sees_no_backups() -> None:
    token = ApiKey.issue(name="limited", is_limited=True)[1]
    program = Client(headers={"host": "localhost", "authorization": f"Bearer {token}"})
    assert program.get("/api/v1/backups").status_code == 404
    assert program.post("/api/v1/backups", {}, content_type="application/json").status_code == 404
    assert not Run.objects.exists()


# --- what becomes of the run -----------------------------------------------------------------------------------------
def ended(act: str, status: Status, result: dict[str, object], **params: object) -> Run:
    run = make_run(
        kind=Kind.BACKUP, status=status, params={"act": act, **params}, folder="2026-11/1-x"
    )
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    (folder / backup.RESULT).write_text(json.dumps(result))
    registry.program_of(run).finished(run, now=timezone.now())
    run.refresh_from_db()
    return run


def test_what_the_program_said_is_the_reason(name: str) -> None:
    run = ended("make", Status.FAILED, {"error": "No space left on device."})
    assert run.explain() == "No space left on device."


def test_the_name_of_what_was_made_is_kept(name: str) -> None:
    assert ended("make", Status.SUCCEEDED, {"name": name}).params["name"] == name


def test_a_restore_that_is_unpacked_ends_web(
    name: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    done: list[tuple[Path, str]] = []
    killed: list[int] = []
    monkeypatch.setattr(restoring, "begin", lambda data, name, _, **__: done.append((data, name)))
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        ended("restore", Status.SUCCEEDED, {}, name=name)
    assert done == [(paths.data(), name)] and len(killed) == 1


def test_a_restore_that_cannot_be_put_in_its_place_has_failed(
    name: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: object
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(restoring, "begin", full)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        run = ended("restore", Status.SUCCEEDED, {}, name=name)
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert run.explain().endswith("could not be put in its place: No space left on device.")
    assert not replacing.is_under_way(paths.data())


def test_backups_wait_for_one_another_and_for_no_build(name: str) -> None:
    first = backups.make(trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    second = backups.verify(name, trigger=Trigger.MANUAL, by="ann", now=timezone.now())
    build = make_run(kind=Kind.BUILD)
    situation = Situation(now=timezone.now())
    ready = {
        run.pk for kind in (Kind.BACKUP, Kind.BUILD) for run in admission.ready(kind, situation)
    }
    assert ready == {first.pk, build.pk} and second.pk not in ready

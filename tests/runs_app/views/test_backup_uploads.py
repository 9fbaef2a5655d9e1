"""A backup is sent in pieces: whole or absent, of a bounded size, by staff or by whoever sets Tempo up."""

import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tempo_site.backups import backup_files
from tempo_site.bootstrap import first_start
from tempo_site.lib import paths
from tempo_site.models import AuditEntry
from tempo_site.web import body_limits
from tests.service import ROOT

pytestmark = pytest.mark.django_db

NAME = "tempo-20261123T050000Z-0.1.0.tar.zst"
BACKUP = (ROOT / "tests" / "data" / "backups" / "0.1.0.tar.zst").read_bytes()
SEALED = (ROOT / "tests" / "data" / "backups" / "0.1.0.tar.zst.sealed").read_bytes()
STAFF = "/backups/upload"


@pytest.fixture
def desk(staff: User) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(staff)
    return client


def send(client: Client, content: bytes, address: str = STAFF, **query: Any) -> Any:
    """Send one piece, the whole of a backup unless the query says otherwise."""
    said = {"name": NAME, "size": len(content), "offset": 0, **query}
    kind = "application/octet-stream"
    return client.post(f"{address}?{urlencode(said)}", content, content_type=kind)


def in_folder() -> list[str]:
    return sorted(path.name for path in paths.backups().iterdir())


def test_pieces_become_the_backup_that_was_sent(desk: Client) -> None:
    size = len(BACKUP)
    first = send(desk, BACKUP[:5000], size=size)
    assert first.json() == {"received": 5000, "name": ""} and backup_files.listed() == []
    assert send(desk, BACKUP[5000:], size=size, offset=5000).json()["name"] == NAME
    assert in_folder() == [NAME] and (paths.backups() / NAME).read_bytes() == BACKUP
    assert [entry.verb for entry in AuditEntry.objects.all()] == ["uploaded"]


def test_after_a_broken_connection_it_goes_on_where_it_was(desk: Client) -> None:
    send(desk, BACKUP[:5000], size=len(BACKUP))
    again = send(desk, BACKUP[:5000], size=len(BACKUP), offset=2000)
    assert (again.status_code, again.json()) == (409, {"received": 5000})


@pytest.mark.parametrize(("content", "ending"), [(BACKUP, ".tar.zst"), (SEALED, ".tar.zst.sealed")])
def test_one_with_a_name_of_its_own_is_listed_all_the_same(
    desk: Client, content: bytes, ending: str
) -> None:
    send(desk, content, name="from the (old) machine.zst")
    (row,) = backup_files.listed()
    assert row.version == "uploaded" and row.name.endswith(ending)


@pytest.mark.parametrize(
    ("content", "query", "sentence"),
    [
        (b"#!/bin/sh\n", {}, "no backup of Tempo"),
        (BACKUP, {"size": 6 * 2**30}, "backups may take 5120 MB"),
        (BACKUP, {"size": 10}, "changed while it was sent"),
        (b"", {"size": 10}, "no backup of Tempo"),
        (BACKUP, {"offset": -1}, "not as the page sends it"),
    ],
)
def test_what_is_not_taken_leaves_nothing(
    desk: Client, content: bytes, query: dict[str, Any], sentence: str
) -> None:
    answer = send(desk, content, **query)
    assert answer.status_code == 400 and sentence in answer.json()["error"]
    assert not paths.backups().exists() or in_folder() == []


def test_one_that_is_here_already_is_never_written_over(desk: Client) -> None:
    send(desk, BACKUP)
    assert "is here already" in send(desk, BACKUP).json()["error"]


def test_the_disk_is_looked_at_before_every_piece(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = namedtuple("free", "free")
    size = len(BACKUP)
    send(desk, BACKUP[:5000], size=size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free(64 * 2**20))
    answer = send(desk, BACKUP[5000:], size=size, offset=5000)
    assert "are free on the disk" in answer.json()["error"] and in_folder() == []


def test_what_was_broken_off_goes_after_a_day(desk: Client) -> None:
    send(desk, BACKUP[:5000], size=len(BACKUP))
    (part,) = paths.backups().iterdir()
    os.utime(part, (0, 0))
    send(desk, SEALED, name="another")
    assert part.name not in in_folder() and len(backup_files.listed()) == 1


def test_only_staff_sends_one(browser: Client) -> None:
    assert send(browser, BACKUP).status_code == 403
    assert send(Client(headers={"host": "localhost"}), BACKUP).status_code == 302


def test_who_sets_tempo_up_sends_one_and_then_it_is_chosen(client: Client) -> None:
    page = f"/setup/{first_start.token()}/backup/"
    assert send(client, BACKUP, f"{page}upload").json()["name"] == NAME
    assert f'<option value="{NAME}" selected>' in client.get(f"{page}?backup={NAME}").text


def test_a_wrong_address_of_the_set_up_takes_nothing(client: Client, settings: Settings) -> None:
    settings.RATELIMIT_ENABLE = True
    first_start.token()
    statuses = [send(client, BACKUP, "/setup/wrong/backup/upload").status_code for _ in range(11)]
    assert statuses == [404] * 10 + [429]
    assert not paths.backups().exists()


@pytest.mark.django_db(transaction=True)
def test_more_than_a_strangers_body_is_read_for_the_right_address_alone() -> None:
    def status(token: str) -> int:
        target = f"/setup/{token}/backup/upload?name=x".encode()
        return int(async_to_sync(body_limits.status_of_caller)(target, {}, "192.0.2.1"))

    right = first_start.token()
    assert (status(right), status("wrong")) == (body_limits.OK, body_limits.UNAUTHENTICATED)
    User.objects.create_superuser("ann")
    assert status(right) == body_limits.UNAUTHENTICATED


def test_a_link_in_the_place_of_a_piece_is_not_followed(desk: Client, tmp_path: Path) -> None:
    send(desk, BACKUP[:5000], size=len(BACKUP))
    (part,) = paths.backups().iterdir()
    part.unlink()
    part.symlink_to(tmp_path / "elsewhere")
    assert send(desk, BACKUP, size=len(BACKUP)).status_code == 507
    assert not (tmp_path / "elsewhere").exists()

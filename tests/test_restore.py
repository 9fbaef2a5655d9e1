"""A Tempo is backed up while it works, and put back elsewhere: by pages and commands, with real services."""

import io
import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from django.core.management import CommandError, call_command

from tempo_site.backups.archive import unpacking
from tests.service import Service, free_port, manage, wait_for

pytestmark = pytest.mark.slow

PASSPHRASE = "correct horse battery"
BACKUPS, CROWD = 30, 20
EVERY_SECOND = {"kind": "interval", "every_s": 1, "overlap": "parallel", "max_parallel": 20}
PIECE_BYTES = 100_000  # more than a stranger may send
SLEEPS = "import time\nprint('began', flush=True)\ntime.sleep(600)\n"
SECRET = "import os\nprint('TOKEN' in os.environ and len(os.environ['TOKEN']))\nopen('kept', 'a').write('x')\n"


@contextmanager
def remote_place(folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a remote place that stores in a folder, over WebDAV; none without rclone."""
    if not shutil.which("rclone"):
        yield {}
        return
    port, config = free_port(), folder.with_suffix(".conf")
    config.write_text(f"[nas]\ntype = webdav\nurl = http://127.0.0.1:{port}\nvendor = other\n")
    folder.mkdir()
    argv = ["rclone", "serve", "webdav", "--addr", f"127.0.0.1:{port}", str(folder)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as server:
        try:
            yield {
                "PYSCHED_BACKUP_REMOTE": "rclone:nas:tempo",
                "PYSCHED_BACKUP_RCLONE_CONFIG": str(config),
            }
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def backup(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A backup of a Tempo that had a schedule, a secret, a run under way and one that waited to be told."""
    folder = tmp_path_factory.mktemp("old") / "data"
    remote = folder.with_name("remote")
    extra = {"PYSCHED_BACKUP_PASSPHRASE": PASSPHRASE}
    with (
        remote_place(remote) as place,
        Service.copy_of(prepared, folder, **extra, **place) as service,
    ):
        slug = service.make_script("Nightly", SECRET)
        service.call("PUT", f"/scripts/{slug}/variables/TOKEN", {"value": "12345", "secret": True})
        assert service.run(slug)["status"] == "succeeded"
        service.post(f"/scripts/{slug}/schedules", {"kind": "interval", "every_s": 1})
        sleeper = service.make_script("Sleeper", SLEEPS)
        under_way = service.post(f"/scripts/{sleeper}/runs")["id"]
        wait_for(lambda: service.get(f"/runs/{under_way}")["status"] == "running", what="a run")
        made = service.finished(service.post("/backups")["id"])
        assert made["status"] == "succeeded", made
        (listed,) = service.get("/backups")["items"]
        assert listed["encrypted"] and listed["has_secret_key"] and listed["scripts"] == 2
        path = folder / "backups" / listed["name"]
    if remote.exists():
        (copy,) = (remote / "tempo").iterdir()
        assert copy.read_bytes() == path.read_bytes()
    yield {"path": path, "slug": slug, "under_way": under_way}


class SetUp:
    """A browser on the set-up page of a Tempo, at *Start from a backup*."""

    def __init__(self, service: Service) -> None:
        token = (service.data / "setup_token").read_text().strip()
        self.address = f"{service.url}/setup/{token}/backup/"
        self.jar = CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.jar))
        self.page = self.opener.open(self.address, timeout=30).read().decode()

    def send(self, path: Path) -> str:
        """Upload a file in pieces, as the page does; return the name under which it is here now."""
        content, name, offset = path.read_bytes(), "", 0
        while not name:
            query = urlencode({"name": path.name, "size": len(content), "offset": offset})
            piece = content[offset : offset + PIECE_BYTES]
            answer = json.loads(self._post(f"{self.address}upload?{query}", piece))
            offset, name = answer["received"], answer["name"]
        return name

    def start_from(self, name: str, passphrase: str) -> str:
        form = {"backup": name, "passphrase": passphrase, "csrfmiddlewaretoken": self._token()}
        return self._post(self.address, urlencode(form).encode())

    def _post(self, address: str, body: bytes) -> str:
        headers = {"X-CSRFToken": self._token(), "Origin": address.partition("/setup/")[0]}
        if body.startswith(b"backup="):
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            headers["Content-Type"] = "application/octet-stream"
        request = Request(address, body, headers)
        return str(self.opener.open(request, timeout=60).read().decode())

    def _token(self) -> str:
        return next(cookie.value or "" for cookie in self.jar if cookie.name == "csrftoken")


@pytest.fixture(scope="module")
def restored(
    backup: dict[str, Any], untouched: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The same Tempo at another path: a new one was started from the backup, whose secret key comes out of it."""
    with Service.copy_of(untouched, tmp_path_factory.mktemp("new") / "data") as service:
        old_web = service.web_pid()
        browser = SetUp(service)
        name = browser.send(backup["path"])
        assert "starts again with it" in browser.start_from(name, PASSPHRASE)
        wait_for(lambda: service.web_pid() != old_web and service.is_healthy(), what="another web")
        yield service


def test_as_json_it_tells_what_is_in_a_backup_and_where_it_is_now(
    backup: dict[str, Any], tmp_path: Path
) -> None:
    (secret := tmp_path / "passphrase").write_text(PASSPHRASE)

    def told(*options: str) -> dict[str, Any]:
        said = io.StringIO()
        where = ("--to", str(tmp_path / "new"), "--passphrase-file", str(secret))
        call_command("restore", str(backup["path"]), *options, *where, "--json", stdout=said)
        answer: dict[str, Any] = json.loads(said.getvalue())
        return answer

    with pytest.raises(CommandError, match="There is no file"):
        call_command("restore", "elsewhere", "--to", str(tmp_path / "new"))
    seen = told("--look")
    assert (seen["scripts"], seen["has_secret_key"], seen.pop("would_replace")) == (2, True, None)
    assert told() == {**seen, "data": str(tmp_path / "new"), "aside": None}
    assert (tmp_path / "new" / "tempo.sqlite3").exists()


def test_what_was_there_is_there(backup: dict[str, Any], restored: Service) -> None:
    assert {row["slug"] for row in restored.get("/scripts")["items"]} == {"nightly", "sleeper"}
    assert restored.get("/scripts/nightly")["code"] == SECRET


def test_the_run_under_way_is_lost(backup: dict[str, Any], restored: Service) -> None:
    assert restored.get(f"/runs/{backup['under_way']}")["status"] == "lost"


def test_nothing_starts_by_itself_until_it_is_resumed(
    backup: dict[str, Any], restored: Service
) -> None:
    def of_schedule() -> list[Any]:
        return [
            run
            for run in restored.get("/runs?limit=200&script=nightly")["items"]
            if run["trigger"] == "schedule"
        ]

    before = len(of_schedule())
    run = restored.run(
        backup["slug"]
    )  # by hand; its environment was built anew, the secret can be read
    assert run["status"] == "succeeded", run
    status, log = restored.call("GET", f"/runs/{run['id']}/log")
    assert (status, log) == (200, "5\n")
    kept = restored.data / "scripts" / "nightly" / "files" / "kept"
    assert len(kept.read_text()) >= 2  # what it had stored before, and now
    assert len(of_schedule()) == before
    held = json.loads((restored.data / "held").read_text())
    assert held["backup"] == backup["path"].name
    assert json.loads(manage(restored.data, "restore", "--resume", "--json")) == {"was_held": True}
    wait_for(lambda: len(of_schedule()) > before, what="a run of the schedule")


def test_the_data_of_before_is_moved_aside(restored: Service) -> None:
    (aside,) = restored.data.glob("before-restore-*")
    assert (aside / "tempo.sqlite3").exists() and (aside / "secret_key").exists()
    assert not (restored.data / "restore").exists()


@pytest.mark.chaos
def test_thirty_backups_while_twenty_runs_a_second_end_are_each_of_one_moment(
    prepared: Path, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    with Service.copy_of(prepared, tmp_path / "crowd") as service:
        begun = time.monotonic()
        for number in range(CROWD):
            slug = service.make_script(f"Crowd {number}", "print(1)\n")
            service.post(f"/scripts/{slug}/schedules", EVERY_SECOND)
        for _ in range(BACKUPS):
            made = service.finished(service.post("/backups")["id"])
            assert made["status"] == "succeeded", made
        elapsed_s = time.monotonic() - begun
    backups = sorted((tmp_path / "crowd" / "backups").glob("tempo-*.zst"))
    assert len(backups) == BACKUPS
    counts = [runs_in(path, tmp_path / path.name) for path in backups]
    assert counts == sorted(set(counts)), "each has the runs of its moment"
    record_testsuite_property("runs a second", round((counts[-1] - counts[0]) / elapsed_s, 1))


def runs_in(backup: Path, folder: Path) -> int:
    """Unpack a backup, which compares hashes and counts and checks the database; return how many runs are in it."""
    folder.mkdir()
    counts = unpacking.unpack(backup, folder, passphrase="")["counts"]
    with closing(sqlite3.connect(folder / "tempo.sqlite3")) as database:
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        ended = (
            "SELECT count(*) FROM runs_app_run WHERE finished_at IS NULL AND status = 'succeeded'"
        )
        assert database.execute(ended).fetchone() == (0,)
    shutil.rmtree(folder)
    return int(counts["runs_app_run"])

"""A data folder of an earlier release opens after `migrate`, and people find in it what they had.

The service of revision a3dbc16 wrote `data/a3dbc16.sql.gz`: its scripts, schedules and runs came
about through the API of that revision; only paths of the machine were replaced. The next due
moments lie so far ahead that they do not depend on the day of the test.
"""

import gzip
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.service import PASSWORD, ROOT, Service, manage

pytestmark = pytest.mark.slow

DUMP = ROOT / "tests" / "data" / "a3dbc16.sql.gz"
SECRET_KEY = "not-a-secret-only-kept-for-a-test-of-upgrades"
TOKEN = "tempo_" + "not-a-secret-key-" * 3
READ_TOKEN, UNKNOWN_TOKEN = TOKEN[::-1], TOKEN + "x"

SCRIPTS = ("backup-check", "currency-rates", "quarterly-archive", "sales-report", "sweep-the-cache")
ASKED = (
    "/scripts",
    "/scripts?deleted=true",
    *(f"/scripts/{slug}/schedules" for slug in SCRIPTS),
    "/scripts/backup-check/versions",
    "/scripts/sales-report/versions",
    "/scripts/sales-report/draft",
    "/scripts/sales-report/variables",
    "/scripts/sales-report/environment/upgrade",
    "/folders",
    "/variables",
    "/environments",
    "/runs?limit=200",
    "/runs?limit=200&kind=build",
    "/runs?limit=200&kind=all",
    "/schedules/6/ledger",
)
ASK = f"""
import json
from django.test import Client
program = Client(headers={{"host": "localhost", "authorization": "Bearer {TOKEN}"}})
print(json.dumps({{path: program.get("/api/v1" + path).json() for path in {ASKED!r}}}))
"""

KEYS = f"""
import json
from django.test import Client
path, body = "/api/v1/folders", {{"path": "Reports/Daily"}}
found = {{}}
for name, token in {{"full": {TOKEN!r}, "read": {READ_TOKEN!r}, "unknown": {UNKNOWN_TOKEN!r}}}.items():
    program = Client(headers={{"host": "localhost", "authorization": "Bearer " + token}})
    posted = program.post(path, body, content_type="application/json")
    found[name] = [program.get(path).status_code, posted.status_code]
print(json.dumps(found))
"""

PAGES = (
    "/",
    "/scripts/",
    "/scripts/sales-report/",
    "/scripts/sales-report/edit/",
    "/scripts/sales-report/schedule/",
    "/scripts/sales-report/versions/",
    "/scripts/sweep-the-cache/runs/",
    "/deleted-scripts/",
    "/environments/",
    "/runs/",
    "/runs/3/",
    "/runs/15/",
    "/runs/17/",
    "/admin/runs_app/run/",
    "/admin/scripts_app/script/1/change/",
)
OPEN = f"""
import json
from django.test import Client
browser = Client(headers={{"host": "localhost"}})
browser.post("/login/", {{"username": "operator", "password": {PASSWORD!r}}})
answers = {{path: browser.get(path) for path in {PAGES!r}}}
print(json.dumps({{path: [answer.status_code, answer.text] for path, answer in answers.items()}}))
"""

VARIABLES = """
import json
from scripts_app.models import Script
from scripts_app.variables import variables
found = variables.for_run(Script.objects.get(slug="sales-report"))
print(json.dumps({**found.plain, **found.secrets}))
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as the earlier release left it."""
    return restored(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same folder after `migrate`."""
    data = restored(tmp_path_factory.mktemp("upgraded"))
    manage(data, "migrate")
    return data


@pytest.fixture(scope="module")
def told(upgraded: Path) -> list[dict[str, Any]]:
    """What three programs print that only look; one process runs them, as its start is most of what it costs."""
    return printed(upgraded, ASK + OPEN + VARIABLES)


@pytest.fixture(scope="module")
def answers(told: list[dict[str, Any]]) -> dict[str, Any]:
    """What the API answers to the key of the earlier release, by path."""
    return told[-3]


@pytest.fixture(scope="module")
def pages(told: list[dict[str, Any]]) -> dict[str, Any]:
    """Status and text of each page for the user of the earlier release."""
    return told[-2]


def restored(data: Path) -> Path:
    with closing(sqlite3.connect(data / "tempo.sqlite3")) as database:
        database.executescript(gzip.decompress(DUMP.read_bytes()).decode())
    (data / "secret_key").write_text(SECRET_KEY)
    return data


def printed(data: Path, program: str) -> list[dict[str, Any]]:
    """The lines of JSON that a program printed, which ran on a data folder."""
    text = manage(data, "shell", "-c", program, PYSCHED_DEBUG="true")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def row_counts(data: Path) -> Counter[str]:
    with closing(sqlite3.connect(data / "tempo.sqlite3")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return Counter(
            {
                name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                for (name,) in tables
            }
        )


def test_the_service_starts_on_it_keeps_a_backup_and_runs_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.service.TOKEN", TOKEN)
    data = tmp_path / "old"
    data.mkdir(mode=0o700)
    with Service(restored(data)) as service:
        said = service.log.read_text()
        assert "A backup was made before the database is brought up to date" in said
        (backup,) = (data / "backups").glob("tempo-*-early.tar.zst")
        assert str(backup) in said
        run = service.run(service.make_script("After", "print('after')"))
        assert run["status"] == "succeeded", run
        names = {row["slug"] for row in service.get("/scripts")["items"]}
        assert names == {*SCRIPTS, "after"}


def test_no_row_is_lost(old: Path, upgraded: Path) -> None:
    assert row_counts(old) - row_counts(upgraded) == Counter()


def test_the_database_is_whole(upgraded: Path) -> None:
    with closing(sqlite3.connect(upgraded / "tempo.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_api_keys_are_accepted_as_far_as_they_reach(upgraded: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(upgraded, tmp_path / "copy")
    assert printed(copy, KEYS) == [{"full": [200, 201], "read": [200, 403], "unknown": [401, 401]}]


# --- scripts ---------------------------------------------------------------------------------------------------------
def test_scripts_keep_folder_version_and_switch(answers: dict[str, Any]) -> None:
    assert [
        (script["slug"], script["folder"], script["version"], script["enabled"])
        for script in answers["/scripts"]["items"]
    ] == [
        ("backup-check", "Ops/Nightly", 2, True),
        ("currency-rates", "", 1, True),
        ("quarterly-archive", "", 1, False),
        ("sales-report", "Reports", 2, True),
        ("sweep-the-cache", "Ops/Nightly", 1, True),
    ]


def test_a_script_keeps_its_limits_tags_and_parameters(answers: dict[str, Any]) -> None:
    script = answers["/scripts"]["items"][3]
    assert script["code"].endswith("print(tempo_greeting.hello(), os.environ['TARGET'])\n")
    assert (script["timeout_s"], script["memory_mb"], script["cpu_s"]) == (300, 512, 30)
    assert script["tags"] == ["daily", "sales"]
    assert script["parameters"] == [
        {"name": "days", "type": "int", "default": 7, "min": 1, "max": 90}
    ]


def test_parameters_of_the_code_are_kept(answers: dict[str, Any]) -> None:
    (parameter,) = answers["/scripts"]["items"][0]["parameters"]
    assert parameter["choices"] == ["north", "south"]


def test_a_deleted_script_can_still_be_restored(answers: dict[str, Any]) -> None:
    (script,) = answers["/scripts?deleted=true"]["items"]
    assert (script["slug"], script["deleted_at"]) == ("old-import", "2026-11-28T16:24:34.133Z")


def test_folders_are_kept(answers: dict[str, Any]) -> None:
    assert [(folder["path"], folder["scripts"]) for folder in answers["/folders"]["items"]] == [
        ("Reports", 1),
        ("Ops", 2),
        ("Ops/Nightly", 2),
    ]


def test_versions_keep_author_and_note(answers: dict[str, Any]) -> None:
    found = [
        (version["number"], version["is_current"], version["author"], version["note"])
        for slug in ("sales-report", "backup-check")
        for version in answers[f"/scripts/{slug}/versions"]["items"]
    ]
    assert found == [
        (2, True, "", "Say where it goes"),
        (1, False, "", ""),
        (2, True, "operator", "Ask which archive"),
        (1, False, "", ""),
    ]


def test_an_unsaved_draft_is_kept(answers: dict[str, Any]) -> None:
    draft = answers["/scripts/sales-report/draft"]
    assert draft["is_draft"]
    assert (draft["code"], draft["revision"]) == ("print('not finished'\n", 2)


# --- variables -------------------------------------------------------------------------------------------------------
def test_variables_are_listed_without_the_secret(answers: dict[str, Any]) -> None:
    found = [
        (variable["name"], variable["value"], variable["readable"])
        for path in ("/variables", "/scripts/sales-report/variables")
        for variable in answers[path]["items"]
    ]
    assert found == [
        ("REGION", "north", True),
        ("REPORT_TOKEN", None, True),
        ("TARGET", "archive/today", True),
    ]


def test_a_run_gets_the_secret_decrypted(told: list[dict[str, Any]]) -> None:
    assert told[-1] == {
        "REGION": "north",
        "TARGET": "archive/today",
        "REPORT_TOKEN": "not-a-real-password",
    }


# --- environments ----------------------------------------------------------------------------------------------------
def test_environments_keep_state_packages_and_build(answers: dict[str, Any]) -> None:
    assert [
        (
            row["state"],
            row["fault"],
            row["build_run"],
            [item["version"] for item in row["packages"]],
        )
        for row in answers["/environments"]["items"]
    ] == [
        ("ready", "", 24, ["1.1"]),
        ("ready", "", 2, []),
        ("failed", "", 3, []),
        ("ready", "its file READY is gone", 16, ["1.2"]),
    ]


def test_a_failed_environment_still_says_why(answers: dict[str, Any]) -> None:
    environment = answers["/scripts"]["items"][1]["environment"]
    assert environment["state"] == "failed"
    assert "tempo-no-such-package was not found in the package registry" in environment["message"]


def test_newer_packages_are_still_offered(answers: dict[str, Any]) -> None:
    assert answers["/scripts/sales-report/environment/upgrade"]["changes"] == [
        {"name": "tempo-greeting", "kind": "changed", "before": "1.1", "after": "1.2"}
    ]


# --- schedules -------------------------------------------------------------------------------------------------------
def test_schedules_keep_their_next_moments(answers: dict[str, Any]) -> None:
    assert [
        (slug, schedule["id"], schedule["kind"], schedule["next_at"])
        for slug in SCRIPTS
        for schedule in answers[f"/scripts/{slug}/schedules"]["items"]
    ] == [
        ("backup-check", 5, "once", None),
        ("backup-check", 7, "once", None),
        ("currency-rates", 3, "cron", "2090-01-01T02:00:00Z"),
        ("quarterly-archive", 8, "cron", None),
        ("sales-report", 1, "cron", "2090-01-02T05:31:12Z"),
        ("sales-report", 2, "once", "2091-05-01T12:00:00Z"),
        ("sweep-the-cache", 4, "startup", None),
        ("sweep-the-cache", 6, "interval", "2090-01-01T00:00:00Z"),
    ]


def test_a_pause_is_kept(answers: dict[str, Any]) -> None:
    (schedule,) = answers["/scripts/currency-rates/schedules"]["items"]
    assert schedule["paused_at"] == "2026-11-28T16:24:35.008Z"
    assert schedule["paused_until"] == "2089-06-01T00:00:00Z"


def test_a_schedule_keeps_its_retries_jitter_and_inputs(answers: dict[str, Any]) -> None:
    schedule = answers["/scripts/sales-report/schedules"]["items"][0]
    assert (schedule["cron"], schedule["timezone"]) == ("30 6 * * 1-5", "Europe/Berlin")
    assert (schedule["retries"], schedule["retry_delay_s"], schedule["jitter_s"]) == (1, 1, 120)
    assert schedule["params"] == {"days": 14}


def test_the_ledger_still_tells_of_every_due_moment(answers: dict[str, Any]) -> None:
    assert [
        (row["due_at"], row["status"], row["reason"], row["missed_count"])
        for row in answers["/schedules/6/ledger"]["items"]
    ] == [
        ("2026-11-28T16:25:15.047Z", "succeeded", "", 0),
        ("2026-11-28T16:25:13.047Z", "succeeded", "", 0),
        ("2026-11-28T16:25:11.047Z", "missed", "service_down", 8),
        ("2026-11-28T16:24:53.047Z", "lost", "restart", 0),
        ("2026-11-28T16:24:41.047Z", "skipped", "paused", 0),
        ("2026-11-28T16:24:39.047Z", "skipped", "overlap", 0),
        ("2026-11-28T16:24:37.047Z", "succeeded", "", 0),
    ]


# --- runs ------------------------------------------------------------------------------------------------------------
def test_runs_of_scripts_keep_status_and_reason(answers: dict[str, Any]) -> None:
    runs = answers["/runs?limit=200"]["items"]
    assert Counter((run["status"], run["reason"]) for run in runs) == {
        ("succeeded", ""): 7,
        ("failed", "exit_code"): 4,
        ("skipped", "overlap"): 1,
        ("skipped", "paused"): 1,
        ("missed", "service_down"): 1,
        ("cancelled", "user"): 1,
        ("timed_out", "time"): 1,
        ("lost", "restart"): 1,
        ("queued", ""): 1,
    }


def test_builds_and_installations_are_still_found_together(answers: dict[str, Any]) -> None:
    builds = answers["/runs?limit=200&kind=build"]["items"]
    assert [(run["id"], run["status"], run["params"]) for run in builds] == [
        (24, "succeeded", {}),
        (16, "succeeded", {}),
        (15, "failed", {"python": "3.9"}),
        (3, "failed", {}),
        (2, "succeeded", {}),
        (1, "succeeded", {}),
    ]


def test_every_run_is_of_one_kind(answers: dict[str, Any]) -> None:
    kinds = Counter(run["kind"] for run in answers["/runs?limit=200&kind=all"]["items"])
    assert kinds["script"] == 18
    assert kinds["build"] + kinds["install"] == 6


def test_a_run_keeps_its_times_and_figures(answers: dict[str, Any]) -> None:
    run = next(run for run in answers["/runs?limit=200"]["items"] if run["id"] == 5)
    assert (run["script"], run["version"], run["params"]) == ("sales-report", 1, {"days": 3})
    assert run["started_at"] == "2026-11-28T16:24:34.315Z"
    assert run["finished_at"] == "2026-11-28T16:24:34.367Z"
    assert (run["exit_code"], run["duration_s"]) == (0, 0.051438)
    assert (run["output_bytes"], run["output_lines"]) == (30, 1)
    assert (run["isolation"], run["flags"]) == ("good", ["isolation_degraded"])


def test_tries_keep_the_first_one_as_parent(answers: dict[str, Any]) -> None:
    runs = answers["/runs?limit=200"]["items"]
    tries = [(run["id"], run["parent"], run["attempt"]) for run in runs if run["parent"]]
    assert tries == [(23, 22, 2), (10, 7, 3), (9, 7, 2)]


def test_a_retry_still_waits(answers: dict[str, Any]) -> None:
    run = answers["/runs?limit=200"]["items"][0]
    assert (run["status"], run["trigger"]) == ("queued", "retry")
    assert run["not_before"] == "2026-11-29T16:25:18.670Z"


# --- pages -----------------------------------------------------------------------------------------------------------
def test_pages_open_for_the_user(pages: dict[str, Any]) -> None:
    assert {path: status for path, (status, _) in pages.items()} == dict.fromkeys(PAGES, 200)


def test_an_installation_still_tells_what_it_was_for(pages: dict[str, Any]) -> None:
    assert "Python 3.9" in pages["/runs/15/"][1]

"""Schedules through the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_app.states import Reason
from runs_app.states import Status as RunStatus
from scripts_app.models import Schedule
from scripts_app.timing import rule
from tests.calling import send
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db

NIGHTLY = {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}


@pytest.fixture(autouse=True)
def _a_script_to_give_schedules_to() -> None:
    make_script("Hello")


def create(client: Client, **fields: object) -> Any:
    """Create a schedule that must be accepted."""
    status, answer = send(client, "POST", "/scripts/hello/schedules", fields)
    assert status == 201, answer
    return answer


def fields_refused(client: Client, method: str, path: str, body: object) -> list[str]:
    """The fields that a 422 names."""
    status, answer = send(client, method, path, body)
    assert status == 422, answer
    return list(answer["error"]["fields"])


@pytest.mark.parametrize("field", ["cron", "timezone", "overlap", "kind"])
def test_half_a_character_is_refused_at_its_field(program: Client, field: str) -> None:
    assert fields_refused(
        program, "POST", "/scripts/hello/schedules", {**NIGHTLY, field: "\ud800"}
    ) == [field]


DEFAULTS: dict[str, Any] = {
    "every_s": None,
    "at": None,
    "enabled": True,
    "overlap": "skip",
    "missed": "once",
    "jitter_s": 0,
    "start_at": None,
    "end_at": None,
    "delay_s": 0,
    "paused_at": None,
    "paused_until": None,
    "max_parallel": 3,
    "missed_cap": 10,
    "retries": 0,
    "retry_delay_s": 60,
    "retry_backoff": "fixed",
    "retry_max_delay_s": 3600,
    "last_success_at": None,
    "stale_since": None,
    "message": "",
    "params": {},
}
SAID = {
    "overlap": "parallel",
    "max_parallel": 5,
    "missed": "all",
    "missed_cap": 20,
    "retries": 3,
    "retry_delay_s": 30,
    "retry_backoff": "doubling",
    "retry_max_delay_s": 600,
}


def test_it_answers_with_the_whole_schedule(program: Client) -> None:
    answer = create(program, **NIGHTLY)
    next_at = answer.pop("next_at")
    assert answer == {**DEFAULTS, **NIGHTLY, "id": Schedule.objects.get().pk, "script": "hello"}
    assert next_at.endswith(":30:00Z")


def test_all_that_is_said_is_kept(program: Client) -> None:
    bounds = {"start_at": "2050-01-01T00:00:00Z", "end_at": "2051-01-01T00:00:00Z", "jitter_s": 600}
    answer = create(program, **NIGHTLY, **SAID, **bounds)
    assert {name: answer[name] for name in (*SAID, *bounds)} == SAID | bounds
    assert "2050-01-01T01:30:00Z" <= answer["next_at"] <= "2050-01-01T01:40:00Z"
    assert send(program, "GET", f"/schedules/{answer['id']}") == (200, answer)


def test_a_patch_takes_each_of_them(program: Client) -> None:
    before = create(program, kind="startup")
    changes = {**SAID, "delay_s": 45}
    assert send(program, "PATCH", f"/schedules/{before['id']}", changes) == (200, before | changes)


def test_a_schedule_is_paused_and_resumed_by_its_field(program: Client) -> None:
    schedule = create(program, **NIGHTLY)
    until = (
        (timezone.now() + timedelta(days=3))
        .replace(microsecond=0)
        .isoformat()
        .replace("+00:00", "Z")
    )
    paused = send(program, "PATCH", f"/schedules/{schedule['id']}", {"paused_until": until})[1]
    assert paused["paused_until"] == until and paused["paused_at"]
    resumed = send(program, "PATCH", f"/schedules/{schedule['id']}", {"paused_until": None})[1]
    assert resumed["paused_until"] is None or resumed["paused_until"] < until


@pytest.mark.parametrize("field", ["last_success_at", "stale_since", "paused_at", "next_at"])
def test_the_machines_facts_are_not_taken(program: Client, field: str) -> None:
    assert fields_refused(
        program, "POST", "/scripts/hello/schedules", {**NIGHTLY, field: None}
    ) == [field]


def test_what_was_created_can_be_read_and_listed(program: Client) -> None:
    answer = create(
        program, kind="interval", every_s=90, overlap="parallel", missed="all", jitter_s=0
    )
    assert send(program, "GET", f"/schedules/{answer['id']}") == (200, answer)
    assert send(program, "GET", "/scripts/hello/schedules") == (
        200,
        {"items": [answer], "next_cursor": None},
    )


def test_a_schedule_without_a_time_zone_has_the_servers(program: Client, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    assert create(program, kind="cron", cron="0 9 * * *")["timezone"] == "Asia/Tokyo"


@each_row(
    ("field", "value"),
    [
        ("kind", "daily"),
        ("cron", "0 24 * * *"),
        ("cron", "0 0 30 2 *"),
        ("cron", "x" * 160_000),
        ("cron", None),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("overlap", "queue"),
        ("max_parallel", 1),
        ("max_parallel", 21),
        ("missed_cap", 0),
        ("missed_cap", 101),
        ("retries", 11),
        ("retries", -1),
        ("retries", 1.5),
        ("retry_delay_s", 0),
        ("retry_backoff", "growing"),
        ("retry_max_delay_s", 86401),
        ("start_at", "2027-01-01T00:00:00"),
        ("end_at", "2001-01-01T00:00:00Z"),
        ("paused_until", "2001-01-01T00:00:00Z"),
        ("missed", "never"),
        ("enabled", "yes"),
        ("every_s", 0),
        ("every_s", 10**12),
        ("at", "2027-01-01T00:00:00"),
        ("at", "soon"),
        ("at", "9999-12-31T23:59:59Z"),
        ("jitter_s", 3601),
        ("jitter_s", None),
    ],
)
def test_it_refuses_what_cannot_be_saved_and_names_the_field(
    program: Client, field: str, value: object
) -> None:
    assert fields_refused(
        program, "POST", "/scripts/hello/schedules", {**NIGHTLY, field: value}
    ) == [field]
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("body", [{"kind": "interval"}, {"kind": "once"}, {"kind": "cron"}])
def test_it_refuses_a_kind_without_its_field(program: Client, body: dict[str, str]) -> None:
    missing = {"interval": "every_s", "once": "at", "cron": "cron"}[body["kind"]]
    assert fields_refused(program, "POST", "/scripts/hello/schedules", body) == [missing]


def test_a_patch_changes_what_it_names_and_moves_the_alarm(program: Client) -> None:
    before = create(program, **NIGHTLY)
    status, after = send(program, "PATCH", f"/schedules/{before['id']}", {"cron": "45 2 * * *"})
    assert status == 200
    assert after == before | {"cron": "45 2 * * *", "next_at": after["next_at"]}
    assert after["next_at"].endswith(":45:00Z")


def test_a_schedule_that_is_switched_off_has_no_next_moment(program: Client) -> None:
    schedule = create(program, **NIGHTLY)
    assert (
        send(program, "PATCH", f"/schedules/{schedule['id']}", {"enabled": False})[1]["next_at"]
        is None
    )


def test_a_refused_patch_leaves_all_as_it_was(program: Client) -> None:
    before = create(program, **NIGHTLY)
    assert fields_refused(program, "PATCH", f"/schedules/{before['id']}", {"cron": "no"}) == [
        "cron"
    ]
    assert send(program, "GET", f"/schedules/{before['id']}") == (200, before)


def test_a_deleted_schedule_is_gone(program: Client) -> None:
    schedule = create(program, **NIGHTLY)
    assert send(program, "DELETE", f"/schedules/{schedule['id']}") == (204, None)
    assert send(program, "GET", f"/schedules/{schedule['id']}")[0] == 404


def test_a_schedule_of_a_deleted_script_is_gone(program: Client) -> None:
    schedule = create(program, **NIGHTLY)
    send(program, "DELETE", "/scripts/hello")
    assert send(program, "GET", f"/schedules/{schedule['id']}")[0] == 404


def test_the_list_costs_the_same_for_1_and_for_many_schedules(program: Client) -> None:
    create(program, **NIGHTLY)
    with CaptureQueriesContext(connection) as one:
        send(program, "GET", "/scripts/hello/schedules")
    for _ in range(10):
        create(program, **NIGHTLY)
    with CaptureQueriesContext(connection) as many:
        send(program, "GET", "/scripts/hello/schedules")
    assert len(many) <= len(one)


def test_it_pages_through_all_schedules(program: Client) -> None:
    wanted = [create(program, **NIGHTLY)["id"] for _ in range(3)]
    first = send(program, "GET", "/scripts/hello/schedules?limit=2")[1]
    second = send(
        program, "GET", f"/scripts/hello/schedules?limit=2&cursor={first['next_cursor']}"
    )[1]
    assert [item["id"] for item in first["items"] + second["items"]] == wanted
    assert second["next_cursor"] is None


def test_a_preview_shows_moments_in_utc_on_the_wall_clock_and_from_its_start(
    program: Client,
) -> None:
    body = {**NIGHTLY, "start": "2026-10-24T00:00:00Z", "count": 3}
    status, answer = send(program, "POST", "/schedules/preview", body)
    assert status == 200
    assert answer["description"]
    assert answer["next"] == [
        {
            "utc": "2026-10-24T00:30:00Z",
            "local": "2026-10-24T02:30:00+02:00",
            "relative": "in 30 min",
        },
        {"utc": "2026-10-25T00:30:00Z", "local": "2026-10-25T02:30:00+02:00", "relative": "in 1 d"},
        {
            "utc": "2026-10-26T01:30:00Z",
            "local": "2026-10-26T02:30:00+01:00",
            "relative": "in 2 d 1 h",
        },
    ]
    assert "2026-10-25" in answer["warnings"][0]


def test_a_preview_stores_nothing(program: Client) -> None:
    send(program, "POST", "/schedules/preview", {"kind": "interval", "every_s": 60})
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("body", "seconds"),
    [({"kind": "interval", "every_s": 5}, ["in 5 s", "in 10 s"]), ({"kind": "startup"}, [])],
)
def test_a_preview_knows_every_kind(
    program: Client, body: dict[str, Any], seconds: list[str]
) -> None:
    answer = send(program, "POST", "/schedules/preview", {**body, "count": 2})[1]
    assert [moment["relative"] for moment in answer["next"]] == seconds


def test_a_preview_of_one_moment_ends_after_it(program: Client) -> None:
    at = (timezone.now() + timedelta(days=1)).isoformat()
    assert (
        len(send(program, "POST", "/schedules/preview", {"kind": "once", "at": at})[1]["next"]) == 1
    )


@each_row(
    ("field", "value"),
    [
        ("count", 0),
        ("count", 101),
        ("cron", "5 25 * * *"),
        ("start", "2026-01-01"),
        ("start", "9999-12-31T23:59:59Z"),
        ("start", "0001-01-01T00:00:00Z"),
        ("overlap", "skip"),
        ("every_s", 10**400),
    ],
)
def test_a_preview_refuses_impossible_values(program: Client, field: str, value: object) -> None:
    assert fields_refused(program, "POST", "/schedules/preview", {**NIGHTLY, field: value}) == [
        field
    ]


def test_a_preview_of_the_longest_interval_stays_within_the_calendar(program: Client) -> None:
    body = {
        "kind": "interval",
        "every_s": rule.MAX_INTERVAL_S,
        "start": "2999-12-31T23:59:59Z",
        "count": 100,
    }
    assert len(send(program, "POST", "/schedules/preview", body)[1]["next"]) == 100


def test_a_schedule_of_another_script_is_not_listed(program: Client) -> None:
    make_schedule(make_script("Other"))
    assert send(program, "GET", "/scripts/hello/schedules")[1]["items"] == []


# --- previews of bounds, jitter and crowds --------------------------------------------------------------------------
def preview(client: Client, **fields: object) -> Any:
    """A preview that must be given."""
    status, answer = send(client, "POST", "/schedules/preview", fields)
    assert status == 200, answer
    return answer


def test_a_preview_keeps_within_the_bounds(program: Client) -> None:
    bounds = {"start_at": "2026-11-02T00:00:00Z", "end_at": "2026-11-03T23:00:00Z"}
    answer = preview(program, **NIGHTLY, **bounds, start="2026-10-26T00:00:00Z")
    assert [moment["utc"][:10] for moment in answer["next"]] == ["2026-11-02", "2026-11-03"]


def test_an_intervals_grid_begins_at_its_start(program: Client) -> None:
    body = {
        "kind": "interval",
        "every_s": 3600,
        "start_at": "2026-11-02T00:07:00Z",
        "start": "2026-10-26T00:00:00Z",
    }
    assert [moment["utc"] for moment in preview(program, **body, count=2)["next"]] == [
        "2026-11-02T00:07:00Z",
        "2026-11-02T01:07:00Z",
    ]


def test_a_preview_with_the_script_puts_moments_off_as_its_schedule_will(program: Client) -> None:
    body = {"kind": "cron", "cron": "0 3 * * *", "timezone": "UTC", "jitter_s": 1800}
    promised = preview(program, **body, script="hello")["next"][0]["utc"]
    assert create(program, **body)["next_at"] == promised
    others = preview(program, **body)["next"]
    assert {moment["utc"][11:13] for moment in others} == {"03"}


def test_a_preview_says_that_nothing_lies_within_the_bounds(program: Client) -> None:
    bounds = {"start_at": "2026-11-02T03:00:00Z", "end_at": "2026-11-02T04:00:00Z"}
    answer = preview(program, **NIGHTLY, **bounds, start="2026-11-01T00:00:00Z")
    assert answer["next"] == []
    assert any("never happens" in warning for warning in answer["warnings"])


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("end_at", {"start_at": "2026-11-03T00:00:00Z", "end_at": "2026-11-02T00:00:00Z"}),
        ("jitter_s", {"jitter_s": 3601}),
        ("script", {"script": "nobody"}),
    ],
)
def test_a_preview_refuses_bounds_jitter_and_scripts_that_cannot_be(
    program: Client, field: str, body: dict[str, object]
) -> None:
    assert fields_refused(program, "POST", "/schedules/preview", {**NIGHTLY, **body}) == [field]


def test_a_preview_tells_of_a_crowd_at_its_minute_with_as_many_queries_for_1_as_for_100(
    program: Client,
) -> None:
    body = {"kind": "cron", "cron": "0 0 1 1 *", "timezone": "UTC"}
    costs = []
    preview(program, **body)  # the first call of a minute notes that its key was used
    for number in (1, 4, 100):
        while Schedule.objects.count() < number:
            make_schedule(make_script(), kind="cron", cron="30 0 0 1 1 *", now=timezone.now())
        with CaptureQueriesContext(connection) as asked:
            answer = preview(program, **body, script="hello")
        costs.append(len(asked))
        crowd = [
            warning
            for warning in answer["warnings"]
            if f"starts with {number} other scripts" in warning
        ]
        assert len(crowd) == (number > 1)
    assert len(set(costs)) == 1


# --- the ledger -----------------------------------------------------------------------------------------------------
def test_the_ledger_has_a_row_a_moment_and_a_row_a_try_newest_first(program: Client) -> None:
    schedule = make_schedule()
    about: dict[str, Any] = {"script": schedule.script, "schedule": schedule}
    failed: dict[str, Any] = {
        "status": RunStatus.FAILED,
        "reason": Reason.EXIT_CODE,
        "exit_code": 3,
    }
    first = make_run(**about, **failed, due_at=NOW, late_ms=12)
    second = make_run(**about, status=RunStatus.SUCCEEDED, attempt=2, parent=first)
    gap: dict[str, Any] = {"missed_count": 4, "missed_since": NOW + timedelta(minutes=1)}
    missed = make_run(**about, **gap, status=RunStatus.MISSED, due_at=NOW + timedelta(minutes=5))
    items = send(program, "GET", f"/schedules/{schedule.pk}/ledger")[1]["items"]
    assert [(item["run"], item["attempt"]) for item in items] == [
        (missed.pk, 1),
        (second.pk, 2),
        (first.pk, 1),
    ]
    assert items[0]["missed_count"] == 4 and items[0]["missed_since"] == "2026-11-23T12:01:00Z"
    assert items[2] == {
        "due_at": "2026-11-23T12:00:00Z",
        "status": "failed",
        "reason": "exit_code",
        "message": "Exit code 3.",
        "run": first.pk,
        "late_ms": 12,
        "missed_count": 0,
        "missed_since": None,
        "attempt": 1,
    }


def test_the_ledger_is_of_one_schedule_and_pages(program: Client) -> None:
    schedule = make_schedule()
    other = make_schedule(schedule.script)
    wanted = []
    for minute in range(3):
        due = NOW + timedelta(minutes=minute)
        wanted.append(make_run(schedule.script, schedule=schedule, due_at=due).pk)
        make_run(schedule.script, schedule=other, due_at=due)
    first = send(program, "GET", f"/schedules/{schedule.pk}/ledger?limit=2")[1]
    second = send(
        program, "GET", f"/schedules/{schedule.pk}/ledger?limit=2&cursor={first['next_cursor']}"
    )[1]
    assert [item["run"] for item in first["items"] + second["items"]] == wanted[::-1]
    assert second["next_cursor"] is None


def test_the_ledger_of_nothing_is_not_found(program: Client) -> None:
    assert send(program, "GET", "/schedules/1/ledger")[0] == 404


# --- the pause of everything ----------------------------------------------------------------------------------------
NO_PAUSE = {"paused": False, "since": None, "until": None, "by": ""}


def test_everything_is_paused_until_further_notice_and_resumed(program: Client) -> None:
    assert send(program, "GET", "/pause") == (200, NO_PAUSE)
    status, pause = send(program, "POST", "/pause")
    assert (status, pause["paused"], pause["until"], pause["by"]) == (200, True, None, "key: tests")
    assert send(program, "GET", "/pause") == (200, pause)
    assert send(program, "DELETE", "/pause") == (200, NO_PAUSE)
    assert send(program, "GET", "/pause") == (200, NO_PAUSE)


def test_everything_is_paused_until_a_moment_and_a_second_time_moves_its_end(
    program: Client,
) -> None:
    first = send(program, "POST", "/pause", {"until": "2998-01-01T00:00:00Z"})[1]
    second = send(program, "POST", "/pause", {"until": "2999-01-01T00:00:00Z"})[1]
    assert (first["until"], second["until"]) == ("2998-01-01T00:00:00Z", "2999-01-01T00:00:00Z")
    assert first["since"] == second["since"]


@pytest.mark.parametrize("until", ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00", "soon", 5])
def test_a_pause_needs_a_moment_to_come(program: Client, until: object) -> None:
    assert fields_refused(program, "POST", "/pause", {"until": until}) == ["until"]
    assert send(program, "GET", "/pause")[1] == NO_PAUSE

"""Runs through the API."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ

from runs_app.models import Run
from runs_app.output.log import LOG
from runs_app.states import Reason, Status, Trigger
from scripts_app import scripts
from scripts_app.models import Script
from tempo_site.lib import paths
from tempo_site.models import ApiKey
from tests.factories import make_run, make_script
from tests.rows import each_row

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
STORED = b"1000 O F one\n1001 E P tw\n1002 S F Stopped\n1003 E F o\n1004 O P \xff\x00\n"
WRITTEN = b"one\ntwo\n\xff\x00"

FAILED_RUN = {
    "kind": "script",
    "script": "hello",
    "version": 1,
    "status": "failed",
    "reason": "exit_code",
    "exit_code": 3,
    "signal": "",
    "trigger": "manual",
    "schedule": None,
    "due_at": "2026-11-23T12:00:00.123Z",
    "late_ms": 12,
    "created_at": "2026-11-23T12:00:00.123Z",
    "started_at": "2026-11-23T12:00:01.123Z",
    "finished_at": "2026-11-23T12:00:02.123Z",
    "duration_s": 1.0,
    "cpu_s": None,
    "peak_memory_mb": None,
    "output_bytes": 4096,
    "isolation": "good",
    "flags": ["output_truncated", "leftovers_killed", "isolation_degraded"],
    "message": "Exit code 3.",
    "memory_mb": 512,
    "output_lines": 40,
    "output_dropped": 100,
    "processes_max": 3,
    "isolation_why": "kernel 4.4 has no Landlock",
    "attempt": 1,
    "not_before": None,
    "params": {},
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Django's test client by a name that is the server's."""
    return Client(headers={"host": "localhost"})


@pytest.fixture
def script(db: None) -> Script:
    """A script that may run."""
    return make_script("Hello")


def send(client: Client, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Call the API; returns status and decoded answer."""
    content = "" if body is None else json.dumps(body)
    response = client.generic(method, f"/api/v1{path}", content, "application/json")
    return response.status_code, response.json()


def make_written_run(script: Script | None = None, content: bytes = STORED, **fields: Any) -> Run:
    """A run with a log."""
    run = make_run(script, folder="2026-11/1-abcdef", **{"status": Status.SUCCEEDED, **fields})
    paths.run_folder(run.folder).mkdir(parents=True)
    (paths.run_folder(run.folder) / LOG).write_bytes(content)
    return run


def test_it_queues_a_run_and_names_the_key(program: Client, script: Script) -> None:
    status, answer = send(program, "POST", "/scripts/hello/runs")
    run = Run.objects.get()
    assert status == 202
    assert (answer["id"], answer["status"], answer["script"], answer["version"]) == (
        run.pk,
        "queued",
        "hello",
        1,
    )
    assert (run.by, run.trigger, run.script_id) == ("key: tests", Trigger.API, script.pk)
    assert OrmQ.objects.count() == 1


@pytest.mark.usefixtures("script")
def test_a_run_of_a_user_is_manual_and_names_them(browser: Client) -> None:
    send(browser, "POST", "/scripts/hello/runs", {})  # as the editor does
    run = Run.objects.get()
    assert (run.by, run.trigger) == ("ann", Trigger.MANUAL)


@pytest.mark.usefixtures("script")
def test_a_key_of_scope_run_may_start_and_cancel(client: Client) -> None:
    headers = {"x-api-key": ApiKey.issue(name="ci", scope="run")[1]}
    run = client.post("/api/v1/scripts/hello/runs", {}, "application/json", headers=headers).json()
    assert (
        client.post(f"/api/v1/runs/{run['id']}/cancel", headers=headers).json()["status"]
        == "cancelled"
    )


def test_it_keeps_the_inputs_with_the_run_and_adds_the_defaults(
    program: Client, script: Script
) -> None:
    declared = [
        {"name": "text"},
        {"name": "days", "type": "int", "default": 7},
        {"name": "deep", "type": "bool"},
    ]
    scripts.update(script, by=None, now=NOON, parameters=declared)
    status, answer = send(
        program, "POST", "/scripts/hello/runs", {"params": {"text": "\U0001f980", "deep": "yes"}}
    )
    assert (status, answer["params"]) == (202, {"text": "\U0001f980", "days": 7, "deep": True})
    assert Run.objects.get().params == answer["params"]


def test_it_refuses_inputs_by_their_names(program: Client, script: Script) -> None:
    declared = [{"name": "days", "type": "int", "min": 1}, {"name": "who", "required": True}]
    scripts.update(script, by=None, now=NOON, parameters=declared)
    status, answer = send(
        program, "POST", "/scripts/hello/runs", {"params": {"days": 0, "\u202ex": 1}}
    )
    assert status == 422 and not Run.objects.exists()
    assert answer["error"]["fields"] == {
        "params.days": "is less than 1",
        "params.\u202ex": "is no parameter of this script: there are `days`, `who`",
        "params.who": "is required",
    }


@pytest.mark.usefixtures("script")
@each_row(
    "params",
    [
        '"text"',
        "[]",
        "null",
        '{"x": "' + "y" * 17_000 + '"}',
        '{"x": 1e999}',
        '{"x": ' + "[" * 40 + "]" * 40 + "}",
        '{"x": ["\\ud800"]}',
        '{"\\udfff": 1}',
    ],
)
def test_it_refuses_params_that_are_no_small_object(program: Client, params: str) -> None:
    response = program.post(
        "/api/v1/scripts/hello/runs", f'{{"params": {params}}}', "application/json"
    )
    assert (response.status_code, list(response.json()["error"]["fields"])) == (422, ["params"])
    assert not Run.objects.exists()


@pytest.mark.usefixtures("script")
def test_params_nested_without_end_are_refused_before_they_are_read(program: Client) -> None:
    params = '{"x": ' + "[" * 500 + "]" * 500 + "}"
    response = program.post(
        "/api/v1/scripts/hello/runs", f'{{"params": {params}}}', "application/json"
    )
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")
    assert "nested deeper than 64 levels" in response.json()["error"]["message"]
    assert not Run.objects.exists()


@pytest.mark.usefixtures("script")
def test_a_start_that_waits_costs_eight_queries(program: Client, key: str) -> None:
    send(program, "POST", "/scripts/hello/runs")  # notes the key's use, which happens once a minute
    OrmQ.objects.all().delete()
    with CaptureQueriesContext(connection) as queries:
        send(program, "POST", "/scripts/hello/runs")
    asked = [query["sql"].removeprefix("1 times: ") for query in queries]  # rows in bulk: how many
    verbs = [sql.split()[0] for sql in asked if "SAVEPOINT" not in sql]
    # The key, the script, whether the queue is full, the last run, the run, whether a task waits already, a task of its
    # own, the audit. A run that begins at once asks for no queue.
    inserts = ["INSERT", "SELECT", "INSERT", "INSERT"]
    assert verbs == ["SELECT", "SELECT", "SELECT", "SELECT", *inserts]


def test_it_answers_with_the_whole_run(program: Client, script: Script) -> None:
    parent = make_run(script)
    run = make_run(
        script,
        status=Status.FAILED,
        reason=Reason.EXIT_CODE,
        exit_code=3,
        created_at=NOON,
        started_at=NOON + timedelta(seconds=1),
        finished_at=NOON + timedelta(seconds=2),
        duration_s=1.0,
        late_ms=12,
        due_at=NOON,
        leftovers_killed=2,
        memory_mb=512,
        output_bytes=4096,
        output_lines=40,
        output_dropped=100,
        processes_max=3,
        isolation="good",
        isolation_why="kernel 4.4 has no Landlock",
        isolation_degraded=True,
        parent=parent,
    )
    status, answer = send(program, "GET", f"/runs/{run.pk}")
    explanation = answer.pop("explanation")
    assert (status, answer) == (200, FAILED_RUN | {"id": run.pk, "parent": parent.pk})
    assert (explanation["title"], explanation["kind"]) == ("Exit code 3.", "exit_code")
    assert (explanation["frame"], explanation["actions"]) == (None, [])
    assert send(program, "GET", "/runs")[1]["items"][0] == answer | {"explanation": None}


def test_a_list_shows_each_run_as_it_is_shown_alone(program: Client, script: Script) -> None:
    ends = {"exit_code": 2, "signal": "SIGKILL", "cancelled_by": "ann", "timeout_s": 90}
    make_run(kind="install", params={"python": "3.12"})
    make_run(script, attempt=2, not_before=NOON, late_ms=9_000, overran=True, params={"a": 1})
    for reason in Reason:
        make_run(script, status=Status.FAILED, reason=reason, duration_s=0.5, **ends)
    listed = send(program, "GET", "/runs?kind=all&limit=200")[1]["items"]
    assert len(listed) == len(Reason) + 2
    for item in listed:
        alone = send(program, "GET", f"/runs/{item['id']}")[1]
        assert item | {"explanation": None} == alone | {"explanation": None}


def test_it_lists_runs_newest_first_page_by_page(program: Client, script: Script) -> None:
    wanted = [make_run(script).pk for _ in range(5)][::-1]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = send(program, "GET", f"/runs?script=&status=&limit=2&cursor={cursor}")[1]
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == wanted


def test_a_page_that_holds_all_says_that_it_is_the_last(program: Client, script: Script) -> None:
    for _ in range(2):
        make_run(script)
    assert send(program, "GET", "/runs?limit=2")[1]["next_cursor"] is None


def test_it_filters_by_script_status_and_kind(program: Client, script: Script) -> None:
    failed = make_run(script, status=Status.FAILED)
    other = make_run(make_script("Other"))
    build = make_run(kind="build")
    install = make_run(kind="install")
    found = {
        query: [item["id"] for item in send(program, "GET", f"/runs?{query}")[1]["items"]]
        for query in (
            "script=hello",
            "status=failed",
            "kind=build",
            "kind=install",
            "kind=all",
            "",
        )
    }
    assert found == {
        "script=hello": [failed.pk],
        "status=failed": [failed.pk],
        "kind=build": [install.pk, build.pk],  # as when an installation was a build
        "kind=install": [install.pk],
        "kind=all": [install.pk, build.pk, other.pk, failed.pk],
        "": [other.pk, failed.pk],
    }


@each_row("path", ["/runs", "/runs?q=error", "/failures", "/search?q=error"])
def test_a_list_of_a_script_or_folder_that_is_not_there_is_not_found(
    program: Client, script: Script, path: str
) -> None:
    joint = "&" if "?" in path else "?"
    assert send(program, "GET", f"{path}{joint}script={script.slug}")[1]["items"] == []
    status, answer = send(program, "GET", f"{path}{joint}script=nothing")
    assert (status, answer["error"]["message"]) == (404, "There is no script `nothing`.")
    if path != "/failures":
        status, answer = send(program, "GET", f"{path}{joint}folder=Nowhere")
        assert (status, answer["error"]["message"]) == (404, "There is no folder `Nowhere`.")


def test_runs_of_a_deleted_script_are_still_listed(program: Client, script: Script) -> None:
    scripts.delete(script, now=NOON)
    assert send(program, "GET", "/runs?script=hello") == (
        200,
        {"items": [], "next_cursor": None, "searched_back_to": None},
    )


@each_row(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=-1", "cursor"),
        ("cursor=" + "9" * 30, "cursor"),
        ("status=done", "status"),
        ("kind=job", "kind"),
        ("min_s=x", "min_s"),
    ],
)
def test_it_refuses_an_impossible_question(program: Client, query: str, field: str) -> None:
    status, answer = send(program, "GET", f"/runs?{query}")
    assert (status, {name.partition(".")[0] for name in answer["error"]["fields"]}) == (
        422,
        {field},
    )


def test_the_list_costs_the_same_for_1_and_for_100_runs(program: Client, script: Script) -> None:
    make_run(script)
    send(program, "GET", "/runs")
    with CaptureQueriesContext(connection) as one:
        send(program, "GET", "/runs?limit=200")
    Run.objects.bulk_create(
        Run(script=script, version=script.version, trigger="api", created_at=NOON)
        for _ in range(99)
    )
    with CaptureQueriesContext(connection) as many:
        assert len(send(program, "GET", "/runs?limit=200")[1]["items"]) == 100
    assert len(many) == len(one) == 2  # the key and the page


def test_a_queued_run_is_cancelled_at_once(program: Client, script: Script) -> None:
    run = make_run(script)
    status, answer = send(program, "POST", f"/runs/{run.pk}/cancel")
    assert (status, answer["id"], answer["status"], answer["reason"]) == (
        200,
        run.pk,
        "cancelled",
        "user",
    )
    run.refresh_from_db()
    assert run.cancelled_by == "key: tests"


def test_a_run_that_has_ended_cannot_be_cancelled(program: Client, script: Script) -> None:
    run = make_run(script, status=Status.SUCCEEDED)
    status, answer = send(program, "POST", f"/runs/{run.pk}/cancel")
    assert (status, answer["error"]["code"]) == (409, "conflict")


def test_the_log_is_what_the_script_wrote_byte_for_byte(program: Client, script: Script) -> None:
    response = program.get(f"/api/v1/runs/{make_written_run(script).pk}/log")
    assert b"".join(response) == WRITTEN
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Disposition" not in response.headers


def test_the_log_can_be_downloaded(program: Client, script: Script) -> None:
    run = make_written_run(script)
    response = program.get(f"/api/v1/runs/{run.pk}/log?download=1")
    assert response.headers["Content-Disposition"] == f'attachment; filename="run-{run.pk}.log"'


def test_a_large_log_is_streamed_in_parts(key: str, script: Script) -> None:
    run = make_written_run(script, (b"1000 O F " + b"x" * 1000 + b"\n") * 2000)
    parts = async_to_sync(stream)(f"/api/v1/runs/{run.pk}/log", key)
    assert b"".join(parts) == (b"x" * 1000 + b"\n") * 2000
    assert max(map(len, parts)) <= 256 * 1024


async def stream(path: str, key: str) -> list[bytes]:
    """The parts of an answer as the ASGI server gets them."""
    response = await AsyncClient().get(path, headers={"x-api-key": key})
    return [part async for part in response]  # type: ignore[attr-defined]


def test_a_run_without_a_log_has_an_empty_one(program: Client, script: Script) -> None:
    run = make_run(script)
    assert b"".join(program.get(f"/api/v1/runs/{run.pk}/log")) == b""
    assert read_output(program, run) == (
        {"t": "o", "o": 0, "n": 0, "status": "queued", "final": False},
        b"",
    )


def read_output(client: Client, run: Run, offset: int = 0) -> tuple[dict[str, Any], bytes]:
    """The header line and the stored records from an offset."""
    response = client.get(f"/api/v1/runs/{run.pk}/output?offset={offset}")
    assert (response.status_code, response.headers["Content-Type"]) == (
        200,
        "application/octet-stream",
    )
    head, _, data = response.content.partition(b"\n")
    return json.loads(head), data


def test_output_is_the_stored_form_from_an_offset(program: Client, script: Script) -> None:
    run = make_written_run(script)
    head, data = read_output(program, run, 13)
    assert data == STORED[13:]
    assert head == {"t": "o", "o": 13, "n": len(STORED), "status": "succeeded", "final": True}


def test_output_of_a_run_under_way_is_not_final(program: Client, script: Script) -> None:
    run = make_written_run(script, STORED + b"1005 O F unfinish", status=Status.RUNNING)
    head, data = read_output(program, run)
    assert (data, head["n"], head["final"]) == (STORED, len(STORED), False)


def test_a_poller_that_follows_the_offsets_gets_all_of_a_long_log(
    program: Client, script: Script
) -> None:
    content = b"".join(b"1000 O F line %d\n" % number for number in range(20_000))
    run = make_written_run(script, content)
    seen, head = b"", {"n": 0, "final": False}
    while not head["final"]:
        head, data = read_output(program, run, head["n"])
        assert len(data) <= 64 * 1024
        seen += data
    assert seen == content


@pytest.mark.parametrize("offset", ["-1", "x", "9" * 30])
def test_it_refuses_an_impossible_offset(program: Client, script: Script, offset: str) -> None:
    response = program.get(f"/api/v1/runs/{make_run(script).pk}/output?offset={offset}")
    assert (response.status_code, list(response.json()["error"]["fields"])) == (422, ["offset"])


def test_an_offset_beyond_the_end_gives_nothing(program: Client, script: Script) -> None:
    head, data = read_output(program, make_written_run(script), 2**53)
    assert (data, head["n"]) == (b"", 2**53)

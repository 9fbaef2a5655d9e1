"""The commands `listruns`, `showlog`, `cancelrun` and `queue --json`."""

import io
import json
import os

import pytest
from django.core.management import CommandError, call_command

from runs_app.engine import engine
from runs_app.models import Run
from runs_app.output.log import LOG
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run, make_script

STORED = b"1000 O F one\n1001 E F two\n1002 S F Tempo's own\n1003 O P \xffthree\n"

pytestmark = pytest.mark.django_db


def said(*argv: str) -> str:
    """What a command prints."""
    printed = io.StringIO()
    call_command(*argv, stdout=printed)
    return printed.getvalue()


def written(**fields: object) -> Run:
    """A run with a log."""
    run = make_run(make_script("Hello"), folder="2026-11/1-abcdef", **fields)
    paths.run_folder(run.folder).mkdir(parents=True)
    (paths.run_folder(run.folder) / LOG).write_bytes(STORED)
    return run


def test_listruns_shows_the_newest_first_and_what_was_asked_for() -> None:
    hello = make_script("Hello")
    first = make_run(hello, status=Status.FAILED)
    make_run(make_script("Other"), status=Status.SUCCEEDED)
    last = make_run(hello, status=Status.SUCCEEDED)
    lines = said("listruns", "--script", "hello").splitlines()
    assert [line.split()[0] for line in lines] == ["run", f"#{last.pk}", f"#{first.pk}"]
    (only,) = said("listruns", "--status", "bad", "--json").splitlines()
    assert (json.loads(only)["id"], json.loads(only)["script"]) == (first.pk, "hello")
    assert len(said("listruns", "--limit", "1").splitlines()) == 2
    assert said("listruns", "--script", "other", "--status", "bad") == "There are no such runs.\n"


def test_showlog_writes_what_the_script_wrote(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    run = written(status=Status.SUCCEEDED)
    call_command("showlog", str(run.pk))
    assert capfdbinary.readouterr().out == b"one\ntwo\n\xffthree"
    call_command("showlog", str(run.pk), "--stream", "stdout", "--tail", "1", "--follow")
    assert capfdbinary.readouterr().out == b"\xffthree"
    call_command("showlog", str(run.pk), "--json")
    records = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [record["stream"] for record in records] == ["stdout", "stderr", "system", "stdout"]
    assert records[3] == {"at_ms": 1003, "stream": "stdout", "text": "�three", "is_line": False}
    call_command("showlog", str(run.pk), "--json", "--stream", "stdout", "--tail", "1")
    assert [json.loads(capfdbinary.readouterr().out)] == [records[3]]
    call_command("showlog", str(run.pk), "--json", "--tail", "2")
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == records[1:]


@pytest.mark.parametrize("command", ["showlog", "cancelrun"])
def test_a_run_that_is_not_there_is_named(command: str) -> None:
    with pytest.raises(CommandError, match="There is no run 4711"):
        call_command(command, "4711")


@pytest.mark.parametrize(
    "words", [["listruns", "--script", "nothing"], ["searchlogs", "error", "script:nothing"]]
)
def test_a_script_that_is_not_there_is_named(words: list[str]) -> None:
    with pytest.raises(CommandError, match="There is no script `nothing`"):
        call_command(*words)


@pytest.mark.parametrize("number", ["0", "-1", "-9" + "9" * 20, "9" * 20])
def test_a_number_that_no_run_has_is_a_run_that_is_not_there(number: str) -> None:
    with pytest.raises(CommandError, match="There is no run"):
        call_command("showlog", "--", number)


@pytest.mark.parametrize("number", ["0", "-1", "9" * 20, "1.5", ""])
@pytest.mark.parametrize("words", [["listruns"], ["queue"], ["searchlogs", "one"]])
def test_a_limit_is_a_whole_number_within_bounds(words: list[str], number: str) -> None:
    with pytest.raises(CommandError, match=r"argument --limit: .*number"):
        call_command(*words, f"--limit={number}")


@pytest.mark.parametrize("number", ["-1", "9" * 20])
def test_a_tail_is_a_whole_number_within_bounds(number: str) -> None:
    with pytest.raises(CommandError, match="argument --tail: it is a number from 0 to 1000000"):
        call_command("showlog", "7", f"--tail={number}")


def test_cancelrun_ends_a_queued_run_at_once() -> None:
    run = make_run(make_script("Hello"))
    assert said("cancelrun", str(run.pk)) == f"Run {run.pk} is cancelled.\n"
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert run.cancelled_by.startswith("command: ")
    with pytest.raises(CommandError, match="has ended already"):
        call_command("cancelrun", str(run.pk))


def test_cancelrun_asks_the_engine_to_end_a_run_under_way() -> None:
    run = make_run(make_script("Hello"), status=Status.RUNNING, folder="2026-11/1-abcdef")
    assert "as soon as Tempo runs again" in said("cancelrun", str(run.pk))
    lock = engine.take_lock(wait_s=0)
    assert said("cancelrun", str(run.pk)) == f"Run {run.pk} is being cancelled.\n"
    os.close(lock)
    assert json.loads(said("cancelrun", str(run.pk), "--json"))["status"] == "running"
    run.refresh_from_db()
    assert run.cancel_requested_at is not None


def test_queue_as_json_has_the_shape_of_the_api() -> None:
    run = make_run(make_script("Hello"))
    (line,) = said("queue", "--json").splitlines()
    assert (json.loads(line)["run"], json.loads(line)["position"]) == (run.pk, 1)

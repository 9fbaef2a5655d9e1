"""Whatever a run's folder holds: a run that nobody executes any more gets a final status, once and for good."""

import itertools
import json
import math
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from runs_app import launcher_client, runner_report
from runs_app.api import runs as api
from runs_app.engine import reconcile
from runs_app.execution import execution
from runs_app.history import history
from runs_app.models import Run
from runs_app.output import live
from runs_app.states import FINAL, Isolation, Kind, Reason, Status, Trigger
from scripts_app.environments import health
from scripts_app.models import Environment, Script
from tempo_site.lib import paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

Make = Callable[[Path], None]
VERDICT: dict[str, Any] = {
    "v": 1, "status": "failed", "reason": "memory", "exit_code": None, "signal": "SIGKILL", "message": "too much",
    "started_at": 1e9, "finished_at": 1e9 + 2, "duration_s": 2.0, "cpu_s": 0.5, "peak_memory_mb": 530.0,
    "processes": 3, "output_bytes": 7, "output_lines": 1, "output_dropped": 0, "log_bytes": 30, "leftovers_killed": 0,
    "isolation": {"grade": "good", "why": "", "degraded": False},
}  # fmt: skip
HUGE = int("9" * 400)
DEEP = '{"a":' * 5000 + "1" + "}" * 5000
STRANGE: list[Any] = [
    None, True, -1, -1e400, 1e400, float("nan"), HUGE, 2**63, 1e18,
    "", "7", "\ud800", "a\0b", "x" * 20_000, [], {}, [{}],
]  # fmt: skip


def nothing(path: Path) -> None:
    """Leave it missing."""


def holding(content: object) -> Make:
    """A file with this text, these bytes, or this value as JSON."""
    data = content.encode() if isinstance(content, str) else content
    return lambda path: void(
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    )


def a_link(path: Path) -> None:
    """A link to a file that would do."""
    beside = path.with_name(f"beside-{path.name}")
    beside.write_text(json.dumps(VERDICT))
    path.symlink_to(beside)


def a_link_to_itself(path: Path) -> None:
    """A link that leads nowhere."""
    path.symlink_to(path)


def void(_: object) -> None:
    """Drop a result."""


NO_FILES: list[Make] = [Path.mkdir, a_link, a_link_to_itself, os.mkfifo]
TORN = ("", "{", "[]", "null", "7", '{"status"', DEEP, b"\xff\xfe", b"\0" * 70_000)
BAD_JSON = [holding(text) for text in TORN]
CLAIMS = [holding(""), holding(execution.CLAIMED_BY_CANCEL), Path.mkdir, a_link, os.mkfifo]
CLAIMS += [holding(execution.CLAIMED_TO_FAIL + b"\xff\0")]
LOCKS = [nothing, holding(""), Path.mkdir, a_link_to_itself, os.mkfifo]
STATES = [nothing, holding({"started_at": 1e9}), *BAD_JSON, *NO_FILES]
STATES += [holding({"started_at": value, "isolation": value}) for value in STRANGE]
EXITS = [nothing, holding(VERDICT), *BAD_JSON, *NO_FILES]
FOREIGN: tuple[Any, ...] = ("queued", "lost", None, 7, [])
EXITS += [holding(VERDICT | {name: value}) for name in ("status", "reason") for value in FOREIGN]
LOGS = [nothing, holding("1 O F x\n"), *NO_FILES]
TAILS = [nothing, holding("8 0 \n1 O F y\n"), holding(b"\xff" * 99), *NO_FILES]
SPECS = [nothing, holding("{}"), holding("{"), Path.mkdir]


@pytest.fixture
def script() -> Script:
    """Its runs are settled."""
    return make_script()


@pytest.fixture(autouse=True)
def _quiet_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers: settling must not depend on it."""
    monkeypatch.setattr(launcher_client.launcher, "cancel", lambda _folder: False)


def a_run(script: Script, number: int, **fields: Any) -> tuple[Run, Path]:
    """A run that was handed over, and where its folder is to be."""
    facts = {
        "status": Status.STARTING,
        "folder": f"2026-11/{number}-abcdef12",
        "handed_over_at": timezone.now(),
    }
    run = make_run(script, **facts | {"environment": script.environment} | fields)
    folder = paths.run_folder(run.folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return run, folder


def check_settled_for_good(run: Run) -> Run:
    """Settle twice: final at once, the same ever after, and fit for every page and for JSON."""
    assert reconcile.reconcile(run, now=timezone.now())
    row = Run.objects.filter(pk=run.pk).values()
    before = row.get()
    assert before["status"] in FINAL
    reconcile.reconcile(Run.objects.get(pk=run.pk), now=timezone.now() + timedelta(hours=1))
    assert row.get() == before
    settled = Run.objects.select_related("script", "version").get(pk=run.pk)
    json.dumps(
        [api.run_out(settled).model_dump(mode="json"), live.status_event(settled)], allow_nan=False
    )
    return settled


def combinations() -> Iterator[list[tuple[str, Make]]]:
    """Every claim with every lock and every exit.json; what decides less takes turns beside them."""
    turns = [itertools.cycle(choices) for choices in (STATES, LOGS, TAILS, SPECS)]
    names = ("claim", "lock", "exit.json", "state.json", "output.log", "tail", "spec.json")
    for decisive in itertools.product(CLAIMS, LOCKS, EXITS):
        yield list(zip(names, (*decisive, *map(next, turns)), strict=True))


def test_every_combination_of_claim_lock_and_verdict_ends_the_run(script: Script) -> None:
    for number, parts in enumerate(combinations(), 1):
        run, folder = a_run(script, number)
        folder.mkdir()
        for name, make in parts:
            make(folder / name)
        check_settled_for_good(run)
    assert number > 500
    while history.archive_finished(now=timezone.now()):
        pass
    left = {path for folder in (paths.runs() / "2026-11").iterdir() for path in folder.iterdir()}
    assert {path.name for path in left if path.is_symlink() or not path.is_dir()} <= history.KEPT


@pytest.mark.parametrize(
    "make", [nothing, holding("no folder"), a_link, a_link_to_itself, os.mkfifo]
)
@pytest.mark.parametrize("kind", [Kind.SCRIPT, Kind.BUILD])
def test_a_folder_that_is_none_ends_a_running_run(script: Script, make: Make, kind: Kind) -> None:
    trigger = Trigger.BUILD if kind == Kind.BUILD else Trigger.MANUAL
    run, folder = a_run(script, 1, status=Status.RUNNING, kind=kind, trigger=trigger)
    make(folder)
    assert check_settled_for_good(run).status == Status.LOST


def test_a_link_to_another_run_s_folder_is_not_followed(script: Script) -> None:
    other, folder = a_run(script, 1)
    folder.mkdir()
    holding("")(folder / "claim")
    holding(VERDICT)(folder / "exit.json")
    run, link = a_run(script, 2)
    link.symlink_to(folder)
    assert check_settled_for_good(run).status == Status.LOST
    history.archive_finished(now=timezone.now())
    assert check_settled_for_good(other).status == Status.FAILED


def settled_with(script: Script, number: int, verdict: object) -> Run:
    """A run whose runner has left this verdict."""
    run, folder = a_run(script, number)
    folder.mkdir()
    holding("")(folder / "claim")
    holding(json.dumps(verdict))(folder / "exit.json")
    return check_settled_for_good(run)


def test_no_value_of_a_verdict_keeps_a_run_from_its_end(script: Script) -> None:
    fields = [name for name in VERDICT if name not in ("status", "reason")]
    for number, (name, value) in enumerate(itertools.product(fields, STRANGE), 1):
        run = settled_with(script, number, VERDICT | {name: value})
        assert (run.status, run.reason) == (Status.FAILED, Reason.MEMORY), (name, value)


def test_no_value_about_isolation_is_believed_blindly(script: Script) -> None:
    for number, value in enumerate(STRANGE, 1):
        run = settled_with(
            script,
            number,
            VERDICT | {"isolation": {"grade": value, "why": value, "degraded": value}},
        )
        assert run.isolation in (Isolation.BASIC, Isolation.NONE)


@pytest.mark.parametrize(
    ("name", "value"), [("status", "running"), ("reason", "because"), ("reason", "restart")]
)
def test_words_that_are_not_a_runner_s_make_a_run_lost(
    script: Script, name: str, value: str
) -> None:
    run = settled_with(script, 1, VERDICT | {name: value})
    assert (run.status, run.reason) == (Status.LOST, Reason.RESTART)
    assert run.message == "Its `exit.json` is damaged, so how it ended is not known."


@pytest.mark.parametrize("status", sorted(runner_report.ENDS))
def test_every_end_and_every_reason_of_a_runner_is_taken(
    script: Script, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A broken one would be the reason.
    monkeypatch.setattr(health, "quick_check", lambda _environment: "")
    for number, reason in enumerate(sorted(runner_report.REASONS), 1):
        run = settled_with(script, number, VERDICT | {"status": status, "reason": reason})
        assert (run.status, run.reason) == (status, reason)


def test_the_size_of_the_log_is_measured_not_told(script: Script) -> None:
    run, folder = a_run(script, 1)
    folder.mkdir()
    holding("")(folder / "claim")
    holding(VERDICT | {"log_bytes": 2**60})(folder / "exit.json")
    holding("1 O F x\n")(folder / "output.log")
    assert check_settled_for_good(run).log_bytes == 8


@pytest.mark.parametrize(
    "result", ["[]", "{", "7", '{"digest": 7}', '{"digest": ["a"]}', '{"error": {}}', DEEP]
)
def test_no_result_of_a_build_keeps_it_from_its_end(script: Script, result: str) -> None:
    Environment.objects.update(state=Environment.State.BUILDING)
    run, folder = a_run(script, 1, kind=Kind.BUILD, trigger=Trigger.BUILD)
    folder.mkdir()
    holding("")(folder / "claim")
    holding(VERDICT | {"status": "succeeded", "reason": ""})(folder / "exit.json")
    holding(result)(folder / "built.json")
    check_settled_for_good(run)
    assert Environment.objects.get().state == Environment.State.FAILED


def test_a_failing_disk_says_nothing_about_a_run(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = a_run(script, 1)
    folder.mkdir()
    holding("")(folder / "claim")

    def failing(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as context, pytest.raises(OSError, match="Input/output"):
        context.setattr(os, "open", failing)
        reconcile.reconcile(run, now=timezone.now())
    run.refresh_from_db()
    assert run.status == Status.STARTING


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NESTED = PLAIN | st.lists(PLAIN, max_size=2)
# Two levels by hand: st.recursive() draws five times as long, and less of what has a range.
JSON = PLAIN | st.lists(NESTED, max_size=5) | st.dictionaries(st.text(), NESTED, max_size=5)


@given(st.fixed_dictionaries(dict.fromkeys(VERDICT, JSON)))
def test_what_a_verdict_fills_is_always_in_range(verdict: dict[str, Any]) -> None:
    runner_report.is_ours(verdict)
    facts = runner_report.run_fields(verdict)
    for name, value in facts.items():
        field = Run._meta.get_field(name)
        limit = getattr(field, "max_length", None)
        assert not isinstance(value, float) or (math.isfinite(value) and value >= 0)
        assert not isinstance(value, int) or abs(value) < 2**63
        assert not isinstance(value, str) or (
            value.encode() is not None and (limit is None or len(value) <= limit)
        )
    runner_report.moment(verdict["started_at"])

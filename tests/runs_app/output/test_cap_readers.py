"""Whoever reads a log over its cap sees it stand still, and at the end the gap and what came last."""

import asyncio
import json
import os
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from runs_app.launcher.output import log_file
from runs_app.models import Run
from runs_app.output import lines, live
from runs_app.output import log as output_log
from runs_app.states import Status
from tempo_site.lib import paths
from tests.factories import make_run, make_script
from tests.runs_app.test_consumers import FOLDER, LIMIT_S, all_frames, frame, talk

pytestmark = pytest.mark.django_db

CAP = 2000
HEAD = CAP // 118
NOTICE = "Output is over 2,000 bytes: of what follows only the last 256 KB are kept"


@pytest.fixture
def run() -> Run:
    """A run under way."""
    paths.run_folder(FOLDER).mkdir(parents=True)
    return make_run(make_script(), status=Status.RUNNING, folder=FOLDER)


@pytest.fixture
def log(run: Run) -> log_file.Log:
    """Its log, far over the cap."""
    log = log_file.Log(os.open(paths.run_folder(run.folder), os.O_RDONLY), CAP)
    log.add(b"O", b"F", [b"%099d" % number for number in range(10_000)])
    log.say("Stopped after 300 s (time limit)")
    return log


def ended(run: Run) -> Run:
    run.status = Status.TIMED_OUT
    run.save()
    return run


def gap_of(log: log_file.Log) -> str:
    return f"{log.dropped:,} bytes of output ({log.dropped // 100:,} lines) were left out here"


def test_a_raw_log_says_where_output_is_missing_and_how_much(run: Run, log: log_file.Log) -> None:
    log.finish()
    content = b"".join(output_log.script_bytes(run))
    before, after = content.split(b"[Tempo: %b]\n" % gap_of(log).encode())

    assert before == b"".join(b"%099d\n" % number for number in range(HEAD))
    assert len(before) + log.dropped + len(after) == 1_000_000
    assert b"Stopped" not in content


def test_a_raw_log_without_a_gap_is_what_was_written(run: Run) -> None:
    log = log_file.Log(os.open(paths.run_folder(run.folder), os.O_RDONLY), CAP)
    for number in range(100):
        log.add(b"O", b"F", [b"%099d" % number])
    log.finish()

    assert b"".join(output_log.script_bytes(run)) == b"".join(
        b"%099d\n" % number for number in range(100)
    )


def test_a_gap_in_the_middle_of_a_line_has_a_line_of_its_own_in_a_raw_log(run: Run) -> None:
    stored = (
        b"1000 O P half\n1001 S F Output was lost here: No space left on device\n1002 O F line\n"
    )
    (paths.run_folder(run.folder) / "output.log").write_bytes(stored)
    raw = b"half\n[Tempo: Output was lost here: No space left on device]\nline\n"

    assert b"".join(output_log.script_bytes(run)) == raw


def test_what_a_script_writes_is_never_taken_for_the_mark_of_a_gap(run: Run) -> None:
    said = b"1,000 bytes of output were left out here"
    (paths.run_folder(run.folder) / "output.log").write_bytes(b"1000 O F " + said + b"\n")

    assert b"".join(output_log.script_bytes(run)) == said + b"\n"


def test_lines_stand_still_at_the_cap_and_go_on_behind_the_gap(run: Run, log: log_file.Log) -> None:
    at_cap = lines.last(run, 2)
    assert [line.text for line in at_cap.lines] == [f"{HEAD - 1:099}", NOTICE]

    log.finish()
    after = lines.window(run, at_cap.total + 1, 2)
    assert [line.text for line in after.lines] == [gap_of(log), f"{log.dropped // 100 + HEAD:099}"]
    assert lines.last(run, 1).lines[0].text == "Stopped after 300 s (time limit)"
    assert lines.search(run, "left out here").numbers == [at_cap.total + 1]
    assert after.total == log.records


def test_no_line_reaches_across_the_gap(run: Run) -> None:
    log = log_file.Log(os.open(paths.run_folder(run.folder), os.O_RDONLY), CAP)
    log.add(b"O", b"P", [b"begun before"])
    for _ in range(100):
        log.add(b"O", b"P", [b"x" * 16_000])
    log.add(b"O", b"F", [b"ended after"])
    log.finish()
    first, *_, last = lines.window(run, 1, 10).lines

    assert (first.text, first.is_open) == ("begun before", False)
    assert last.number > first.number


def test_a_page_hears_nothing_past_the_cap_and_then_the_gap_and_the_end(
    run: Run, log: log_file.Log
) -> None:
    async def body(socket: WebsocketCommunicator) -> list[tuple[dict[str, Any], str]]:
        await frame(socket)
        head, text = await frame(socket)
        assert text.splitlines()[-1].endswith(NOTICE)
        await socket.send_to(json.dumps({"a": head["n"]}))
        live._tails[run.pk].wake()
        assert await socket.receive_nothing()
        await asyncio.to_thread(log.finish)
        live._tails[run.pk].facts = {**live.status_event(run), "final": True}
        live._tails[run.pk].final = True
        live._tails[run.pk].wake()
        return await asyncio.wait_for(all_frames(socket), LIMIT_S)

    frames = talk(f"/ws/runs/{run.pk}/", body)
    text = "".join(text for _, text in frames)
    assert text.splitlines()[0].endswith(gap_of(log))
    assert text.splitlines()[-1].endswith("Stopped after 300 s (time limit)")
    assert (frames[-1][0]["t"], frames[-2][0]["n"]) == ("end", log.size)


def test_a_page_that_polls_gets_the_rest_at_the_end(run: Run, log: log_file.Log) -> None:
    offset = output_log.size(run)
    quiet = json.loads(output_log.frame(run, offset))
    assert (quiet["n"], quiet["final"]) == (offset, False)

    log.finish()
    ended(run)
    finals = []
    while offset < output_log.size(run):
        head, _, _ = output_log.frame(run, offset).partition(b"\n")
        offset = json.loads(head)["n"]
        finals.append(json.loads(head)["final"])
    assert finals[-1] is True
    assert True not in finals[:-1]


def test_a_dead_runners_last_lines_are_there_before_the_page_is_told_that_it_ended(
    run: Run, log: log_file.Log
) -> None:
    before = lines.last(run, 1).total
    output_log.append_tail(paths.run_folder(run.folder))

    assert lines.window(run, before + 1, 1).lines[0].text == gap_of(log)
    assert json.loads(output_log.frame(ended(run), output_log.size(run)))["final"] is True

"""Pages of runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs_app.models import Run
from runs_app.output.console import TAIL_CHARACTERS, TAIL_LINES
from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.triggers import triggers
from scripts_app.environments import environments
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.rows import each_row

RECORDS = b"1000 O F hello\n1001 E F <b>bad</b>\n1002 O P half\n1003 O F done\n1004 S F cancelled\n"

pytestmark = pytest.mark.django_db


def with_log(data: bytes, **fields: Any) -> Run:
    """A finished run that left this log."""
    now = timezone.now()
    facts = {
        "status": Status.SUCCEEDED,
        "started_at": now,
        "finished_at": now,
        "duration_s": 1.0,
        "log_bytes": len(data),
    }
    run = make_run(fields.pop("script", None) or make_script(), **(facts | fields))
    Run.objects.filter(pk=run.pk).update(folder=f"2026-11/{run.pk}-abcdef12")
    run.refresh_from_db()
    log_of(run).parent.mkdir(parents=True)
    log_of(run).write_bytes(data)
    return run


def log_of(run: Run) -> Path:
    """Where its log lies."""
    return paths.run_folder(run.folder) / "output.log"


def page(browser: Client, run: Run) -> str:
    """A run's page."""
    return browser.get(reverse("run-detail", args=[run.pk])).content.decode()


# --- one run --------------------------------------------------------------------------------------------------------
def rows(text: str) -> list[tuple[str, str, str]]:
    """(mark, number, text as HTML) of each row of a page's console."""
    return re.findall(
        r'<div class="row(?: row-)?(\w*)"[^>]*><span class="row-n" data-n="(\d+)"></span>'
        r'<span class="row-x">(.*?)</span></div>',
        text,
        re.DOTALL,
    )


def test_a_run_shows_its_output_with_the_streams_marked_apart(browser: Client) -> None:
    text = page(browser, with_log(RECORDS))
    assert rows(text) == [
        ("", "1", "hello"),
        ("stderr", "2", "&lt;b&gt;bad&lt;/b&gt;"),
        ("", "3", "halfdone"),
        ("system", "4", "cancelled"),
    ]
    assert "All of its output." in text and "4 lines" in text


def test_the_console_goes_on_from_what_the_page_carries(browser: Client) -> None:
    run = with_log(b"1000 O P half\n", status=Status.RUNNING, finished_at=None, duration_s=None)
    text = page(browser, run)
    window = json.loads(text.split('<script type="application/json">')[1].split("</script>")[0])
    assert window["lines"] == [{"t": 1000, "s": "O", "x": "half", "o": True}]
    assert (window["open"], window["end"], window["final"]) == (
        {"O": 1},
        len(b"1000 O P half") + 1,
        False,
    )
    assert "data-final" not in text


def test_a_long_log_is_shown_by_its_last_lines(browser: Client) -> None:
    data = b"".join(b"1000 O F line %06d\n" % number for number in range(10_000))
    text = page(browser, with_log(data))
    assert "Earlier output is left out here" in text and "10000 lines" in text
    assert [number for _, number, _ in rows(text)] == [
        str(number) for number in range(10_001 - TAIL_LINES, 10_001)
    ]


def test_long_lines_are_few_on_the_page(browser: Client) -> None:
    text = page(browser, with_log(b"".join(b"1000 O F %s\n" % (b"x" * 10_000) for _ in range(100))))
    assert len(rows(text)) == TAIL_CHARACTERS // 10_000


def test_bytes_that_are_no_text_and_control_sequences_do_no_harm(browser: Client) -> None:
    text = page(browser, with_log(b"1000 O F \xff\xfe\x00ok \x1b[31mred\x1b[0m</script>\r\n"))
    assert rows(text) == [("", "1", "\ufffd\ufffdok red&lt;/script&gt;")]
    assert "\x1b" not in text and "red</script>" not in text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"log_bytes": 0}, "It wrote nothing."),
        ({"log_bytes": 9}, "Its output is not kept any more."),
    ],
)
def test_a_run_without_a_log_says_why(
    browser: Client, fields: dict[str, Any], sentence: str
) -> None:
    run = make_run(make_script(), status=Status.SUCCEEDED, finished_at=timezone.now(), **fields)
    assert sentence in page(browser, run)


def test_a_run_that_waits_for_its_environment_names_the_build(browser: Client) -> None:
    script = make_script(is_ready=False)
    build = make_run(kind=Kind.BUILD, environment=script.wanted_environment, status=Status.RUNNING)
    text = page(browser, make_run(script, reason=Reason.ENVIRONMENT))
    assert (
        f"It waits for its environment: run #{build.pk} builds it." in text
        and f"Watch run #{build.pk}" in text
    )


def test_the_end_is_explained(browser: Client) -> None:
    run = with_log(RECORDS, status=Status.FAILED, reason=Reason.EXIT_CODE, exit_code=3)
    text = page(browser, run)
    assert "Exit code 3." in text and "Run again" in text and "Cancel" not in text


def test_the_facts_can_be_fetched_alone(browser: Client) -> None:
    run = with_log(RECORDS)
    text = browser.get(reverse("run-detail", args=[run.pk]), {"part": "facts"}).content.decode()
    assert text.lstrip().startswith("<div data-facts") and "<html" not in text


def test_the_console_can_be_fetched_alone(browser: Client) -> None:
    run = with_log(RECORDS)
    text = browser.get(reverse("run-detail", args=[run.pk]), {"part": "console"}).content.decode()
    assert text.startswith("<log-view") and "<html" not in text and "data-permalinks" not in text


def test_a_run_leads_to_its_version_and_to_the_runs_before_and_after(browser: Client) -> None:
    script, other = make_script("One"), make_script("Two")
    before, run, _, after = (
        make_run(script),
        with_log(RECORDS, script=script),
        make_run(other),
        make_run(script),
    )
    text = page(browser, run)
    assert f'href="/runs/{before.pk}/" rel="prev" data-key="h"' in text
    assert f'href="/runs/{after.pk}/" rel="next" data-key="l"' in text
    assert f'href="{reverse("version-detail", args=[script.slug, 1])}"' in text


def test_a_page_costs_the_same_after_many_runs(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    script = make_script()
    runs = [make_run(script, status=Status.SUCCEEDED) for _ in range(30)]
    for run in (runs[0], runs[15]):
        # session, user, the pause, the run, the one before, the one after
        with django_assert_num_queries(6):
            page(browser, run)


def test_cancel_ends_a_queued_run_in_the_users_name(browser: Client) -> None:
    run = make_run(make_script())
    answer = browser.post(reverse("run-cancel", args=[run.pk]), follow=True)
    run.refresh_from_db()
    assert (run.status, run.cancelled_by) == (Status.CANCELLED, "ann")
    assert "Cancelled by ann." in answer.content.decode()


def test_cancelling_what_has_ended_says_so(browser: Client) -> None:
    run = make_run(make_script(), status=Status.SUCCEEDED, finished_at=timezone.now())
    answer = browser.post(reverse("run-cancel", args=[run.pk]), follow=True)
    assert "had ended already" in answer.content.decode()
    assert browser.get(reverse("run-cancel", args=[run.pk])).status_code == 405


def test_a_run_that_is_gone_says_that_old_ones_are_deleted(browser: Client) -> None:
    answer = browser.get(reverse("run-detail", args=[12345]))
    assert answer.status_code == 404 and "Old ones are deleted" in answer.content.decode()


# --- log and output -------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_the_raw_log_is_what_the_script_wrote_byte_for_byte(user: Any, async_client: Any) -> None:
    run = with_log(b"1000 O F \xffa\x00\n1001 E P b\n1002 S F not its own\n")

    async def fetch() -> tuple[Any, bytes]:
        await async_client.aforce_login(user)
        answer = await async_client.get(f"/runs/{run.pk}/log?download=1")
        return answer, b"".join([chunk async for chunk in answer.streaming_content])

    answer, content = async_to_sync(fetch)()
    assert content == b"\xffa\x00\nb"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert f"run-{run.pk}.log" in answer.headers["Content-Disposition"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("torn", [b"\0" * 100, b"\0" * 5_000_000, b"x\n-1 O F y\n\n1000 X F z\n"])
def test_a_log_that_a_power_cut_tore_is_shown_around_the_tear(
    user: Any, async_client: Any, torn: bytes
) -> None:
    run = with_log(RECORDS + torn + b"1005 O F lost with it\n1006 O F after\n")

    async def fetch() -> bytes:
        await async_client.aforce_login(user)
        answer = await async_client.get(f"/runs/{run.pk}/log")
        return b"".join([chunk async for chunk in answer.streaming_content])

    content = async_to_sync(fetch)()
    assert content.startswith(b"hello\n") and content.endswith(b"after\n")
    assert b"\0" not in content


def test_a_page_that_polls_gets_to_the_end_of_a_torn_log(browser: Client) -> None:
    stored = RECORDS + b"\0" * 1_000_000 + b"1005 O F lost with it\n1006 O F after\n"
    run, offset, is_final = with_log(stored), 0, False
    for _ in range(100):
        answer = browser.get(reverse("run-output", args=[run.pk]), {"offset": offset}).content
        head = json.loads(answer.partition(b"\n")[0])
        offset, is_final = head["n"], head["final"]
        if is_final:
            break
    assert (offset, is_final) == (len(stored), True)


def test_output_comes_from_an_offset_with_a_header_line(browser: Client) -> None:
    run = with_log(RECORDS)
    offset = RECORDS.index(b"1002")
    head, _, body = browser.get(
        reverse("run-output", args=[run.pk]), {"offset": offset}
    ).content.partition(b"\n")
    assert body == RECORDS[offset:]
    assert json.loads(head) == {
        "t": "o",
        "o": offset,
        "n": len(RECORDS),
        "status": "succeeded",
        "final": True,
    }


def test_output_of_a_run_that_goes_on_is_not_final(browser: Client) -> None:
    run = with_log(RECORDS, status=Status.RUNNING, finished_at=None, duration_s=None)
    head = json.loads(browser.get(reverse("run-output", args=[run.pk])).content.partition(b"\n")[0])
    assert (head["status"], head["final"]) == ("running", False)


@each_row("offset", ["-1", "x", "1e3", "9" * 40, ""])
def test_an_offset_that_is_no_number_is_refused(browser: Client, offset: str) -> None:
    run = with_log(RECORDS)
    assert browser.get(reverse("run-output", args=[run.pk]), {"offset": offset}).status_code == 400


# --- lines ----------------------------------------------------------------------------------------------------------
def lines(browser: Client, run: Run, **query: str | int) -> Any:
    """What `/runs/<id>/lines` says."""
    answer = browser.get(reverse("run-lines", args=[run.pk]), query)
    return (
        answer.json()
        if answer.status_code == 200
        else (answer.status_code, answer.content.decode())
    )


def test_lines_come_by_number(browser: Client) -> None:
    run = with_log(RECORDS)
    found = lines(browser, run, **{"from": 2, "count": 2})
    assert [line["x"] for line in found["lines"]] == ["<b>bad</b>", "halfdone"]
    assert (found["first"], found["total"], found["end"]) == (2, 4, len(RECORDS))
    assert (found["final"], found["status"]) == (True, "succeeded")
    assert [line["x"] for line in lines(browser, run, last=1)["lines"]] == ["cancelled"]
    assert lines(browser, run, **{"from": 9, "count": 2})["lines"] == []


def test_lines_are_found_by_their_text(browser: Client) -> None:
    assert lines(browser, with_log(RECORDS), q="HALFdone") == {
        "matches": [3],
        "searched": 4,
        "cut": False,
    }


def test_a_run_without_a_log_has_no_lines(browser: Client) -> None:
    run = make_run(make_script())
    assert lines(browser, run, last=10)["total"] == 0
    assert lines(browser, run, q="x")["matches"] == []


@each_row(
    "query",
    [
        {},
        {"from": "0", "count": "5"},
        {"from": "1"},
        {"from": "1", "count": "1001"},
        {"last": "1001"},
        {"last": "-1"},
        {"last": "x"},
        {"q": " "},
        {"q": "x" * 201},
        {"q": "a\nb"},
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_a_sentence(
    browser: Client, query: dict[str, str]
) -> None:
    status, sentence = lines(browser, with_log(RECORDS), **query)
    assert status == 400 and sentence.endswith("\n") and "`" in sentence


def test_run_again_takes_the_parameters_along(browser: Client) -> None:
    script = make_script(parameters=[{"name": "day"}])
    run = make_run(
        script, status=Status.FAILED, finished_at=timezone.now(), params={"day": "monday"}
    )
    assert reverse("run-again", args=[run.pk]) in page(browser, run)
    browser.post(reverse("run-again", args=[run.pk]))
    other = Run.objects.exclude(pk=run.pk).get()
    assert (other.script, other.params, other.by) == (run.script, {"day": "monday"}, "ann")


def test_a_build_is_not_run_again_by_hand(browser: Client) -> None:
    run = make_run(kind=Kind.BUILD, status=Status.FAILED, finished_at=timezone.now())
    assert (
        "built an environment"
        in browser.post(reverse("run-again", args=[run.pk]), follow=True).content.decode()
    )
    assert Run.objects.count() == 1


def test_a_queued_run_says_that_its_environment_is_being_built_again(browser: Client) -> None:
    script = make_script()
    run = make_run(script)
    assert "It is about to begin." in page(browser, run)
    environments.rebuild(script)
    assert "It waits for its environment." in page(browser, run)


# --- limits, isolation, chart -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": "time", "timeout_s": 60}, "Stopped after 1 min: its time limit."),
        ({"reason": "memory", "memory_mb": 512}, "it used more memory than its limit, 512 MB."),
        ({"reason": "memory_system"}, "Killed by the system, which had no memory left for it."),
        ({"reason": "cpu"}, "it used more CPU time than its limit."),
        ({"reason": "output"}, "it wrote more output than any run may."),
        ({"reason": "processes"}, "it had more processes than its limit."),
        ({"reason": "disk"}, "the disk of the data folder was nearly full."),
        (
            {"reason": "memory", "message": "Used 530 MB, the limit is 512 MB."},
            "Used 530 MB, the limit is 512 MB.",
        ),
    ],
)
def test_a_run_that_reached_a_limit_says_which(
    browser: Client, fields: dict[str, Any], sentence: str
) -> None:
    run = make_run(make_script(), status=Status.FAILED, finished_at=NOW, **fields)
    assert sentence in browser.get(f"/runs/{run.pk}/").content.decode()


def test_a_run_shows_its_isolation_in_words(browser: Client) -> None:
    why = "kernel 4.4 has no `Landlock`"
    run = make_run(
        make_script(),
        status=Status.SUCCEEDED,
        finished_at=NOW,
        isolation="good",
        isolation_why=why,
    )
    text = browser.get(f"/runs/{run.pk}/").content.decode()
    assert "Isolation: </span>Good</span>" in text
    assert "kernel 4.4 has no <code>Landlock</code>" in text


@pytest.mark.parametrize(("grade", "is_at_the_top"), [("good", False), ("basic", True)])
def test_isolation_is_one_of_all_facts_and_at_the_top_where_there_is_hardly_any(
    browser: Client, grade: str, is_at_the_top: bool
) -> None:
    fields = {"isolation": grade, "isolation_why": "no user of its own"}
    run = make_run(make_script(), status=Status.SUCCEEDED, finished_at=NOW, **fields)
    text = browser.get(f"/runs/{run.pk}/").content.decode()
    top, strip, facts = (part.partition("</dl>")[0] for part in text.split("<dl "))
    assert re.search(r"<dt>Isolation</dt>\s*<dd>.*</span>\s*no user of its own", facts, re.DOTALL)
    assert "Isolation" not in strip
    assert ("apart from other scripts: no user of its own" in top) == is_at_the_top


def test_the_head_of_a_run_says_whose_it_is_how_it_ended_and_its_number(browser: Client) -> None:
    run = make_run(make_script(name="Photo counter"), status=Status.FAILED, finished_at=NOW)
    text = browser.get(f"/runs/{run.pk}/").content.decode()
    words = " ".join(re.sub("<[^>]+>", " ", text.partition("<h1")[2].partition("</h1>")[0]).split())
    assert words.endswith(f"Photo counter failed #{run.pk}")
    assert f"Photo counter · failed · #{run.pk} · Tempo" in text


def test_the_console_of_a_run_that_wrote_nothing_is_one_line(browser: Client) -> None:
    done = make_run(make_script(), status=Status.SUCCEEDED, finished_at=NOW, archived_at=NOW)
    assert "console-frame is-empty" in browser.get(f"/runs/{done.pk}/").content.decode()
    live = make_run(done.script, status=Status.RUNNING)
    assert "console-frame is-empty" not in browser.get(f"/runs/{live.pk}/").content.decode()


def test_what_a_backup_is_asked_for_is_said_in_its_head(browser: Client) -> None:
    asked = {"act": "make", "logs": False}
    backup = make_run(None, kind=Kind.BACKUP, own_number=2, params=asked)
    run = make_run(make_script(), params={"days": 7})
    pages = [browser.get(f"/runs/{pk}/").content.decode() for pk in (backup.pk, run.pk)]
    assert ["run-inputs" in page for page in pages] == [False, True]
    assert "Makes a backup" in pages[0]


def test_builds_have_numbers_of_their_own(browser: Client) -> None:
    make_run(make_script())
    environment = Environment.objects.create(interpreter="/usr/bin/python3", python="3.11.7")
    first, second = (triggers.start_build(environment, now=NOW) for _ in range(2))
    installation = triggers.start_installation("3.12", by="ann", now=NOW)
    assert [first.label, second.label, installation.label] == [
        "build 1",
        "build 2",
        "installation 1",
    ]
    assert "build 2" in browser.get(f"/runs/{second.pk}/").content.decode()


def test_a_run_notes_what_was_left_out_left_behind_and_lowered(browser: Client) -> None:
    fields = {
        "output_dropped": 3_000_000,
        "leftovers_killed": 2,
        "isolation": "good",
        "isolation_degraded": True,
        "output_lines": 1,
    }
    run = make_run(make_script(), status=Status.SUCCEEDED, finished_at=NOW, **fields)
    text = browser.get(f"/runs/{run.pk}/").content.decode().replace("\xa0", " ")
    assert "2.9 MB of its output were left out of the log" in text and "1 line<" in text
    assert "2 processes left behind, ended by Tempo" in text
    assert "Less than could be had here" in text


def with_samples(status: Status, count: int) -> Run:
    """A run with so many samples in its folder."""
    run = make_run(make_script(), status=status, folder="2026-11/1-abcdef12", memory_mb=100)
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    lines = (f"{1_795_000_000_000 + at * 1000},{at}.5,2048,2,0\n" for at in range(count))
    (folder / "samples.csv").write_text(
        "at_ms,cpu_percent,memory_kb,processes,output_bytes\n" + "".join(lines)
    )
    return run


def test_a_run_with_samples_has_a_chart_with_its_limit_and_a_table(browser: Client) -> None:
    run = with_samples(Status.SUCCEEDED, 3)
    text = browser.get(f"/runs/{run.pk}/").content.decode()
    assert text.count('<svg viewBox="0 0 600 100"') == 2 and "limit 100 MB" in text
    assert "<td>2.00 s</td>" in text and "At most 2 processes" in text
    assert (
        " style=" not in text
        and "data-live" not in text.partition("<run-chart")[2].partition(">")[0]
    )


def test_a_run_that_is_over_has_one_figure_of_its_memory(browser: Client, staff: User) -> None:
    run = with_samples(Status.SUCCEEDED, 3)
    Run.objects.filter(pk=run.pk).update(peak_memory_mb=86.5)
    text = browser.get(f"/runs/{run.pk}/").content.decode()
    assert text.count("86 MB") == 5  # the head, all facts, the curve in sight and twice in words
    figures = re.findall(r"([\d.]+) MB", text.partition("<tbody>")[0])
    assert set(figures) == {"86", "100"}  # its peak and its limit
    browser.force_login(staff)
    assert "86 MB" in browser.get(f"/admin/runs_app/run/{run.pk}/change/").content.decode()


def test_a_run_without_enough_samples_has_no_chart(browser: Client) -> None:
    run = with_samples(Status.SUCCEEDED, 1)
    assert "<run-chart" not in browser.get(f"/runs/{run.pk}/").content.decode()


def test_a_run_under_way_keeps_a_place_for_its_chart_and_asks_again(browser: Client) -> None:
    run = with_samples(Status.RUNNING, 1)
    text = browser.get(f"/runs/{run.pk}/").content.decode()
    assert f'<run-chart data-address="/runs/{run.pk}/?part=chart" data-live hidden>' in text
    part = browser.get(f"/runs/{run.pk}/?part=chart").content.decode()
    assert part.startswith("<run-chart") and "<html" not in part


def test_the_page_of_a_try_leads_to_the_others_and_those_to_it(browser: Client) -> None:
    schedule = make_schedule(retries=3)
    first = make_run(
        schedule.script, schedule=schedule, status=Status.FAILED, due_at=NOW, late_ms=11_520_000
    )
    fields = {"trigger": Trigger.RETRY, "parent": first, "attempt": 2, "overran": True}
    second = make_run(schedule.script, schedule=schedule, status=Status.SUCCEEDED, **fields)
    texts = {
        run.pk: browser.get(reverse("run-detail", args=[run.pk])).content.decode()
        for run in (first, second)
    }
    assert f'Try 2 of 4 of <a href="/runs/{first.pk}/">run #{first.pk}</a>' in texts[second.pk]
    assert f'<a href="/runs/{second.pk}/">#{second.pk}</a> succeeded' in texts[first.pk]
    assert "Began 3 h 12 min late" in texts[first.pk] and "Took longer than" in texts[second.pk]


def test_the_page_of_a_try_stays_when_the_first_one_or_the_schedule_is_gone(
    browser: Client,
) -> None:
    run = make_run(make_script(), status=Status.FAILED, trigger=Trigger.RETRY, attempt=2)
    text = browser.get(reverse("run-detail", args=[run.pk])).content.decode()
    assert "Try 2; the first one is not kept any more." in text

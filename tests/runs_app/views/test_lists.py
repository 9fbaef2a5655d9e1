"""The page of runs: filters in the address, chips, pages by key."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.views.lists import PAGE
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


def listed(browser: Client, **query: str) -> list[int]:
    """The ids that the page shows for this address."""
    return [run.pk for run in browser.get(reverse("run-list"), query).context["runs"]]


def text_of(browser: Client, **query: str) -> str:
    """The page's text for this address."""
    return browser.get(reverse("run-list"), query).content.decode()


def test_it_filters_by_script_status_and_kind(browser: Client) -> None:
    wanted = make_run(make_script("One"), status=Status.FAILED)
    make_run(make_script("Two"), status=Status.FAILED)
    make_run(wanted.script, status=Status.SUCCEEDED)
    build = make_run(kind=Kind.BUILD, trigger=Trigger.BUILD)
    assert listed(browser, script="one", status="failed") == [wanted.pk]
    assert listed(browser, kind="build") == [build.pk]
    assert len(listed(browser, kind="all")) == 4
    install = make_run(kind=Kind.INSTALL, trigger=Trigger.BUILD, params={"python": "3.12"})
    assert listed(browser, kind="install") == [install.pk]
    assert listed(browser, kind="build") == [install.pk, build.pk]


def test_it_filters_by_trigger_and_age(browser: Client) -> None:
    script, now = make_script(), timezone.now()
    ended, days_ago = {"trigger": Trigger.API, "status": Status.FAILED}, now - timedelta(days=3)
    old = make_run(script, **ended, created_at=days_ago, finished_at=days_ago)
    # it took its time
    new = make_run(script, **ended, created_at=days_ago, finished_at=now - timedelta(hours=3))
    make_run(script, trigger=Trigger.SCHEDULE)
    assert listed(browser, trigger="api") == [new.pk, old.pk]
    assert listed(browser, trigger="api", since="24h") == [new.pk]
    assert listed(browser, trigger="api", since="7d") == [new.pk, old.pk]


def test_one_filter_finds_every_bad_end(browser: Client) -> None:
    script = make_script()
    runs = {status: make_run(script, status=status).pk for status in Status}
    assert listed(browser, status="bad") == sorted(
        (runs[Status.FAILED], runs[Status.TIMED_OUT], runs[Status.LOST]), reverse=True
    )


def test_each_filter_has_a_chip_that_takes_it_away(browser: Client) -> None:
    make_run(make_script("A & B"), status=Status.FAILED)
    text = text_of(browser, script="a-b", status="failed", before="9")
    assert 'href="?status=failed"' in text and 'href="?script=a-b"' in text
    assert "Script: <bdi>A &amp; B</bdi>" in text and "Show all" in text
    assert "Filters in force" not in text_of(browser)


def test_older_pages_follow_by_key_and_keep_the_filter(browser: Client) -> None:
    script = make_script()
    runs = [make_run(script, status=Status.FAILED) for _ in range(PAGE + 3)]
    older: int = runs[3].pk
    assert f'href="?status=failed&amp;before={older}"' in text_of(browser, status="failed")
    assert listed(browser, status="failed", before=str(older)) == [
        runs[2].pk,
        runs[1].pk,
        runs[0].pk,
    ]
    last = text_of(browser, status="failed", before=str(older))
    assert "Older" not in last and 'href="?status=failed"' in last and "data-still" in last


@pytest.mark.parametrize(
    "query",
    [
        {"before": "abc"},
        {"before": "-1"},
        {"before": "9" * 30},
        {"status": "unheard-of"},
        {"kind": "x"},
        {"since": "1y"},
        {"trigger": "<script>"},
        {"script": "gone"},
    ],
)
def test_a_filter_that_cannot_be_read_filters_nothing_and_says_so(
    browser: Client, query: dict[str, Any]
) -> None:
    run = make_run(make_script())
    assert listed(browser, **query) == [run.pk]
    assert f"There is no {next(iter(query))} " in text_of(browser, **query)


def test_without_a_match_it_says_so(browser: Client) -> None:
    make_run(make_script())
    assert "No run matches." in text_of(browser, status="lost")
    assert "No run yet." not in text_of(browser)


def test_the_rows_can_be_fetched_alone(browser: Client) -> None:
    make_run(make_script(), status=Status.FAILED)
    text = text_of(browser, part="rows", status="failed")
    assert (
        text.lstrip().startswith("<div data-part>")
        and "<html" not in text
        and "part=rows" not in text
    )


def test_it_costs_the_same_for_one_and_many(browser: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(browser, kind="all", since="30d")
        return len(queries)

    make_run(make_script())
    few = cost()
    for number in range(40):
        script = make_script(f"Script {number}") if number % 2 else None
        make_run(
            script, status=Status.FAILED, environment=make_script(f"Other {number}").environment
        )
    assert cost() == few


# --- further filters, and files -------------------------------------------------------------------------------------
def test_it_filters_by_folder_tag_reason_version_and_duration(browser: Client) -> None:
    script = make_script("One", folder="Ops/Night", tags=["home"])
    other = make_script("Two", folder="Opsy")
    run = make_run(script, status=Status.FAILED, reason=Reason.SIGNAL, duration_s=30.0)
    make_run(other, status=Status.FAILED, reason=Reason.EXIT_CODE, duration_s=90.0, version=None)
    for query in (
        {"folder": "Ops"},
        {"tag": "home"},
        {"reason": "signal"},
        {"version": "1"},
        {"max_s": "31"},
        {"min_s": "10", "max_s": "30", "status": "bad"},
    ):
        assert listed(browser, **query) == [run.pk], query
    assert listed(browser, min_s="31", folder="Ops") == []


def test_a_chip_takes_such_a_filter_away(browser: Client) -> None:
    make_script(folder="Ops")
    page = text_of(browser, folder="Ops", min_s="10")
    assert 'href="?min_s=10"' in page and 'href="?folder=Ops"' in page


def test_a_filtered_list_is_a_file_without_formulas(browser: Client) -> None:
    run = make_run(make_script("One"), status=Status.FAILED, message="=HYPERLINK(1)", by="-ann")
    make_run(make_script("Two"), status=Status.SUCCEEDED)
    answer = browser.get("/runs.csv", {"status": "bad"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="runs.csv"'
    head, line = list(csv.reader(answer.content.decode().splitlines()))
    row = dict(zip(head, line, strict=True))
    assert (row["id"], row["script"], row["status"]) == (str(run.pk), "one", "failed")
    assert (row["message"], row["by"]) == ("'=HYPERLINK(1)", "'-ann")
    [item] = browser.get("/runs.json", {"status": "bad"}).json()["items"]
    assert (item["id"], item["message"], item["duration_s"]) == (run.pk, "=HYPERLINK(1)", None)


def test_a_file_of_a_filter_that_cannot_be_read_is_refused(browser: Client) -> None:
    answer = browser.get("/runs.csv", {"status": "nonsense"})
    assert answer.status_code == 400 and "nonsense" in answer.content.decode()

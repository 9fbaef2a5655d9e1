"""The page of runs: filters in the address, chips, pages by key."""

import csv
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.exports import table
from runs_app.history import saved_views
from runs_app.models import SavedView
from runs_app.search import search
from runs_app.states import Kind, Reason, Status, Trigger
from runs_app.views import lists
from runs_app.views.lists import PAGE
from tests.factories import make_run, make_script
from tests.rows import each_row
from tests.runs_app.search.logs import index_all, make_logged

pytestmark = pytest.mark.django_db

ENDS = (Status.SUCCEEDED, Status.FAILED)


def listed(browser: Client, **query: str) -> list[int]:
    """The ids that the page shows for this address."""
    return shown_on(browser.get(reverse("run-list"), query))


def shown_on(page: Any) -> list[int]:
    return [run.pk for day in page.context["days"] for run in day.runs]


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


def test_each_trigger_is_shown_by_its_label(browser: Client) -> None:
    script = make_script()
    for trigger in Trigger:
        make_run(script, trigger=trigger)
    cells = re.findall(r'<td class="run-trigger">\s*(\w+)', text_of(browser, script=script.slug))
    assert cells == [trigger.label for trigger in reversed(Trigger)]
    assert {"API", "URL", "Manual"} < set(cells)


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


def test_the_runs_of_a_script_are_its_own_filtered_and_paged(browser: Client) -> None:
    script, other = make_script("Hello World"), make_script("Other")
    own = [make_run(script, status=ENDS[number % 2]) for number in range(120)]
    make_run(other)
    seen, query = [], "?status=failed"
    while query:
        page = browser.get(reverse("script-runs", args=["hello-world"]) + query)
        seen += shown_on(page)
        query = f"?status=failed&before={page.context['older']}" if page.context["older"] else ""
    assert seen == [run.pk for run in reversed(own) if run.status == Status.FAILED]


def test_the_runs_of_a_script_are_filtered_like_all_runs(browser: Client) -> None:
    script = make_script()
    run = make_logged("a needle", script=script)
    slow = make_run(script, status=Status.FAILED, reason=Reason.TIME, duration_s=90.0)
    make_logged("a needle", script=make_script("Other"))
    address = reverse("script-runs", args=[script.slug])
    assert shown_on(browser.get(address, {"q": "needle"})) == [run.pk]
    assert shown_on(browser.get(address, {"min_s": "60", "reason": "time"})) == [slow.pk]
    assert shown_on(browser.get(address, {"script": "other"})) == [slow.pk, run.pk]
    page = browser.get(address, {"reason": "time", "script": "other"}).content.decode()
    assert 'href="/runs.csv?reason=time&amp;script=hello-world"' in page
    assert "Reason: <bdi>time</bdi>" in page and 'id="id_folder"' not in page


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


def test_it_filters_by_a_free_span_of_days_and_moments(browser: Client) -> None:
    script, at = make_script(), datetime(2026, 11, 3, 14, tzinfo=UTC)
    went = {"created_at": at, "finished_at": at + timedelta(hours=1), "status": Status.SUCCEEDED}
    run = make_run(script, **went)
    make_run(script)
    for span in (
        {"from": "2026-11-03", "to": "2026-11-03"},
        {"to": "2026-11-03T14:01"},
        {"from": "2026-11-03T14:59", "to": "2026-11-04"},
    ):
        assert listed(browser, **span) == [run.pk], span
    assert listed(browser, **{"from": "2026-11-03T15:01", "to": "2026-11-03"}) == []
    page = text_of(browser, to="2026-11-03")
    assert "To: <bdi>2026-11-04 00:00</bdi>" in page and 'value="2026-11-04T00:00"' in page
    assert "From: `x` is no day." in text_of(browser, **{"from": "x"})
    assert "To: `9999-12-31` is no day." in text_of(browser, to="9999-12-31")


def test_runs_stand_under_the_days_on_which_they_began(browser: Client) -> None:
    script, now = make_script(), timezone.now()
    runs = [
        make_run(
            script, created_at=now - timedelta(days=days), started_at=now - timedelta(days=days)
        )
        for days in (400, 1, 0, 0)
    ]
    old, yesterday, *today = runs
    days = browser.get(reverse("run-list")).context["days"]
    assert [day.runs for day in days] == [today[::-1], [yesterday], [old]]
    assert [day.title.partition(",")[0] for day in days[:2]] == ["Today", "Yesterday"]
    assert days[2].title.endswith(f" {timezone.localdate(old.created_at):%Y-%m-%d}")


# --- text in the output ---------------------------------------------------------------------------------------------
def test_a_text_is_looked_for_in_the_output_together_with_the_other_filters(
    browser: Client,
) -> None:
    script = make_script("One", tags=["home"])
    wanted = make_logged("first timeout", "a <Timeout> again", script=script, status=Status.FAILED)
    make_logged("timeout", script=script)
    make_logged("timeout", script=make_script("Two"), status=Status.FAILED)
    make_logged("well", script=script, status=Status.FAILED)
    index_all()
    asked = {"q": "timeout", "status": "bad", "tag": "home"}
    assert listed(browser, **asked) == [wanted.pk]
    page = text_of(browser, **asked)
    assert "a &lt;<mark>Timeout</mark>&gt; again" in page
    assert f'href="/runs/{wanted.pk}/#L2"' in page
    assert 'href="?status=bad&amp;tag=home"' in page


def test_a_text_is_paged_by_runs_and_each_comes_once(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 2)
    runs = [make_logged("needle", "needle").pk for _ in range(3)]
    seen, before = [], ""
    while True:
        shown = browser.get(reverse("run-list"), {"q": "needle", "before": before}).context
        seen += [run.pk for day in shown["days"] for run in day.runs]
        before = shown["older"]
        if not before:
            break
    assert seen == runs[::-1]


def test_a_search_of_a_text_says_how_far_it_came_and_goes_on(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BUDGET_S", 0.0)
    make_logged("needle")
    run = make_logged("other")
    page = text_of(browser, q="needle")
    assert "Searched back to 2026-11-01" in page and "Continue" in page
    assert "Nothing was found so far" in page
    assert f"q=needle&amp;before={run.pk}" in page


@pytest.mark.parametrize("text", ["re:(", "-only", "x status:odd"])
def test_a_text_that_cannot_be_searched_for_is_explained(browser: Client, text: str) -> None:
    make_run(make_script())
    assert "Text in the output: " in text_of(browser, q=text)


# --- saved views ----------------------------------------------------------------------------------------------------
def save_view(browser: Client, name: str, query: str) -> str:
    """What the page says after these filters were saved."""
    answer = browser.post(reverse("run-view-save"), {"name": name, "query": query}, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_filters_are_saved_as_a_view_which_is_a_plain_link(browser: Client) -> None:
    said = save_view(browser, " Failed <b> ", "?status=failed&since=24h&before=9&part=rows&odd=1")
    assert said == "Saved the view `Failed <b>`."
    page = text_of(browser, status="failed", since="24h")
    assert 'href="/runs/?status=failed&amp;since=24h"' in page and "Failed &lt;b&gt;" in page
    assert 'aria-current="true"><bdi>Failed' in page
    save_view(browser, "Failed <b>", "status=lost")
    [view] = SavedView.objects.all()
    assert view.query == "status=lost"
    browser.post(reverse("run-view-delete", args=[view.pk]))
    assert not SavedView.objects.exists()


def test_views_are_their_users_own(browser: Client, staff: User) -> None:
    save_view(browser, "Mine", "status=lost")
    [view] = SavedView.objects.all()
    other = Client()
    other.force_login(staff)
    assert "Mine" not in text_of(other)
    other.post(reverse("run-view-delete", args=[view.pk]))
    assert SavedView.objects.filter(pk=view.pk).exists()


@each_row(
    ("name", "query", "sentence"),
    [
        ("", "status=lost", "needs a name"),
        ("x" * 61, "status=lost", "at most 60"),
        ("x", "", "Nothing is filtered"),
        ("x", "status=nonsense&odd=1", "Nothing is filtered"),
        ("x", "q=" + "y" * 495 + "&folder=" + "ü" * 200, "too long"),
    ],
)
def test_a_view_that_cannot_be_saved_is_refused_in_words(
    browser: Client, name: str, query: str, sentence: str
) -> None:
    make_script(folder="ü" * 200)
    assert sentence in save_view(browser, name, query)
    assert not SavedView.objects.exists()


def test_a_user_has_no_more_than_fifty_views(user: User) -> None:
    for number in range(saved_views.MAX_OF_USER):
        SavedView.objects.create(user=user, name=f"View {number}", query="status=lost")
    with pytest.raises(saved_views.ViewRefused, match="50 views already"):
        saved_views.save(user, name="One more", query="status=lost")
    saved_views.save(user, name="View 1", query="status=failed")


# --- files ----------------------------------------------------------------------------------------------------------
def test_a_file_that_does_not_hold_the_whole_list_says_so_in_its_name(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_ROWS", 2)
    runs = [make_logged("needle", script=make_script(f"S{number}")).pk for number in range(3)]
    for query in ({}, {"q": "needle"}):
        answer = browser.get("/runs.json", query)
        assert 'filename="runs-2-of-more.json"' in answer.headers["Content-Disposition"]
        rest = browser.get("/runs.json", {**query, "before": answer.json()["next_cursor"]})
        items = answer.json()["items"] + rest.json()["items"]
        assert [item["id"] for item in items] == runs[::-1]


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

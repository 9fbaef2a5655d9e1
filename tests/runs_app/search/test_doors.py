"""The search by its doors: page, API, command, palette."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runs_app.history import run_filters
from runs_app.search import month_index, search
from runs_app.states import Reason, Status, Trigger
from tempo_site.models import ApiKey
from tests.factories import make_script
from tests.rows import each_row
from tests.runs_app.search.logs import index_all, make_logged

pytestmark = pytest.mark.django_db


def asked(client: Client, **parameters: str | int) -> dict[str, Any]:
    answer = client.get("/api/v1/search", parameters)
    assert answer.status_code == 200, answer.content
    content: dict[str, Any] = answer.json()
    return content


def page_text(browser: Client, **parameters: str) -> str:
    return browser.get("/search/", parameters).content.decode()


# --- API -------------------------------------------------------------------------------------------------------------
def test_the_api_tells_lines_with_what_is_around_them(program: Client) -> None:
    run = make_logged("one", "two", "a needle", "four", script=make_script())
    index_all()
    content = asked(program, q="needle")
    assert content == {
        "items": [
            {
                "run": run.pk,
                "script": "hello-world",
                "line": 3,
                "at": "2026-11-01T12:00:00Z",
                "stream": "stdout",
                "text": "a needle",
                "before": ["one", "two"],
                "after": ["four"],
            }
        ],
        "next_cursor": None,
        "searched_back_to": None,
        "complete": True,
        "searched_bytes": content["searched_bytes"],
        "indexed_percent": 100,
        "passed_over": "",
    }


def test_the_api_goes_on_by_its_cursor(program: Client) -> None:
    runs = [make_logged("needle").pk for _ in range(3)]
    first = asked(program, q="needle", limit=2)
    assert not first["complete"] and first["searched_back_to"]
    second = asked(program, q="needle", limit=2, cursor=first["next_cursor"])
    assert [item["run"] for item in first["items"] + second["items"]] == runs[::-1]
    assert second["complete"]


def test_the_apis_filters_count_like_those_in_the_text(program: Client) -> None:
    run = make_logged("needle", script=make_script(), started_at=timezone.now())
    make_logged("needle")
    assert [item["run"] for item in asked(program, q="needle", script="hello-world")["items"]] == [
        run.pk
    ]
    assert asked(program, q="needle", status="failed")["items"] == []
    assert (
        len(asked(program, q="needle", **{"from": "2026-11-01", "to": "2026-11-01"})["items"]) == 2
    )
    assert asked(program, q="needle", to="2026-10-31")["items"] == []
    assert asked(program, q="needle", stream="stderr")["items"] == []


@each_row(
    ("parameters", "sentence"),
    [
        ({"q": "re:("}, "is no regular expression"),
        ({"q": "x status:odd"}, "no status `odd`"),
        ({"q": "x", "from": "yesterday"}, "`yesterday` is no day"),
        ({"q": "x", "to": "9999-12-31"}, "`9999-12-31` is no day"),
        ({"q": "x", "stream": "odd"}, "no stream `odd`"),
        ({"q": "x" * 501}, "at most 500 characters"),
        ({"q": ""}, "needs a word"),
        ({"q": "-x"}, "needs a word"),
        ({"q": "\0"}, "needs a word"),
        ({"q": "-script:x y"}, "cannot be left out"),
    ],
)
def test_the_api_says_what_cannot_be_searched_for(
    program: Client, parameters: dict[str, str], sentence: str
) -> None:
    answer = program.get("/api/v1/search", parameters)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]["message"]


def test_too_many_searches_at_once_are_told_to_wait(
    program: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WAIT_S", 0.01)
    for _ in range(search.AT_ONCE):
        search._places.acquire()
    try:
        assert program.get("/api/v1/search", {"q": "x"}).status_code == 503
    finally:
        for _ in range(search.AT_ONCE):
            search._places.release()
    assert program.get("/api/v1/search", {"q": "x"}).status_code == 200


def test_a_key_that_may_read_may_search_and_a_stranger_may_not(client: Client) -> None:
    token = ApiKey.issue(name="reader", scope="read")[1]
    reader = {"authorization": f"Bearer {token}"}
    assert client.get("/api/v1/search", {"q": "x"}, headers=reader).status_code == 200
    assert client.get("/api/v1/search", {"q": "x"}).status_code == 401
    assert client.get("/search/", {"q": "x"}).status_code == 302


def test_the_api_lists_runs_by_the_filters_of_the_page(program: Client) -> None:
    script = make_script("One", folder="Ops/Night", tags=["home"])
    fields: dict[str, Any] = {"reason": Reason.SIGNAL, "duration_s": 30.0}
    run = make_logged("a needle", script=script, status=Status.FAILED, **fields)
    make_logged("a needle", script=make_script("Two"), status=Status.FAILED)
    for filters in (
        {"q": "needle", "folder": "Ops"},
        {"tag": "home", "status": "bad"},
        {"reason": "signal", "trigger": "manual", "version": "1"},
        {"min_s": "10", "max_s": "30.5", "from": "2026-11-01", "to": "2026-11-01"},
    ):
        answer = program.get("/api/v1/runs", filters).json()
        assert [item["id"] for item in answer["items"]] == [run.pk], filters
    assert program.get("/api/v1/runs", {"to": "2026-10-31"}).json()["items"] == []


def test_the_api_pages_runs_by_their_output_and_says_how_far_it_came(
    program: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_logged("needle", "needle").pk for _ in range(3)]
    first = program.get("/api/v1/runs", {"q": "needle", "limit": "2"}).json()
    asked: dict[str, Any] = {"q": "needle", "limit": "2", "cursor": first["next_cursor"]}
    second = program.get("/api/v1/runs", asked).json()
    assert [item["id"] for item in first["items"] + second["items"]] == runs[::-1]
    assert (second["next_cursor"], second["searched_back_to"]) == (None, None)
    monkeypatch.setattr(search, "BUDGET_S", 0.0)
    none = program.get("/api/v1/runs", {"q": "nothing"}).json()
    assert none["next_cursor"] and none["searched_back_to"] == "2026-11-01T12:00:00Z"


@each_row(
    ("parameters", "sentence"),
    [
        ({"q": "re:("}, "is no regular expression"),
        ({"from": "x"}, "`x` is no day"),
        ({"to": "9999-12-31"}, "`9999-12-31` is no day"),
        ({"from": "0001-01-01T00:00+14:00"}, "`0001-01-01T00:00+14:00` is no day"),
        ({"from": "9999-12-31T23:59-14:00"}, "`9999-12-31T23:59-14:00` is no day"),
    ],
)
def test_the_api_refuses_a_filter_of_runs_that_cannot_be_read(
    program: Client, parameters: dict[str, str], sentence: str
) -> None:
    answer = program.get("/api/v1/runs", parameters)
    assert answer.status_code == 422 and sentence in answer.json()["error"]["message"]


# --- page ------------------------------------------------------------------------------------------------------------
def test_the_page_marks_hits_and_links_to_the_very_line(browser: Client) -> None:
    run = make_logged("<b>one</b>", "a Needle & more")
    text = page_text(browser, q="needle")
    assert "a <mark>Needle</mark> &amp; more" in text
    assert f'href="/runs/{run.pk}/#L2"' in text
    assert "&lt;b&gt;one&lt;/b&gt;" in text
    assert "All output was searched." in text


def test_lines_between_hits_are_shown_once(browser: Client) -> None:
    make_logged("one", "needle 2", "three", "needle 4", "needle 5", "six", "seven", "eight")
    [found] = browser.get("/search/", {"q": "needle"}).context["found"]
    assert [(line.before, line.number, line.after) for line in found.lines] == [
        ([], 5, ["six", "seven"]),
        (["three"], 4, []),
        (["one"], 2, []),
    ]


def test_the_page_marks_what_a_regular_expression_found(browser: Client) -> None:
    make_logged("code E42 came")
    assert "code <mark>E42</mark> came" in page_text(browser, q=r"re:e\d+")


def test_a_long_line_is_cut_around_its_hit(browser: Client) -> None:
    make_logged("a b " * 2000 + "needle" + " c d" * 2000)
    text = page_text(browser, q="needle")
    assert "<mark>needle</mark>" in text
    assert text.count("…") >= 2


def test_the_page_says_how_far_it_came_and_goes_on(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BUDGET_S", 0.0)
    make_logged("needle", started_at=timezone.now())
    make_logged("other")
    text = page_text(browser, q="needle")
    assert "Searched back to" in text and "Continue" in text


def test_a_list_says_how_far_it_came_and_goes_on(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_filters, "FIRST_WINDOW", 1)
    monkeypatch.setattr(run_filters, "SCAN_S", 0.0)
    old = make_logged("a", trigger=Trigger.URL)
    make_logged("a")
    page = browser.get("/runs/", {"trigger": "url"})
    text = page.content.decode()
    assert "Searched back to 2026-11-01" in text and "bytes" not in text and "Continue" in text
    rest = browser.get("/runs/", {"trigger": "url", "before": page.context["older"]})
    assert [run.pk for day in rest.context["days"] for run in day.runs] == [old.pk]
    assert rest.context["older"] == ""


def test_the_page_says_that_the_index_is_being_rebuilt(browser: Client) -> None:
    make_logged("needle")
    index_all()
    month_index.remove("2026-11")
    text = page_text(browser, q="needle")
    assert "being rebuilt, 0 %" in text
    assert "<mark>needle</mark>" in text


def test_the_page_without_words_says_what_can_be_typed(browser: Client) -> None:
    assert "What can be searched for" in page_text(browser)
    assert 'value="script:hello-world "' in page_text(browser, script="hello-world")


def test_the_search_box_of_a_script_searches_its_output_alone(browser: Client) -> None:
    script = make_script()
    run = make_logged("a needle", script=script)
    make_logged("a needle", script=make_script("Other"))
    page = browser.get(reverse("script-overview", args=[script.slug])).content.decode()
    assert 'name="script" value="hello-world"' in page and 'aria-label="Search its output"' in page
    page = browser.get(reverse("script-runs", args=[script.slug])).content.decode()
    assert 'href="/search/?script=hello-world"' in page
    found = browser.get("/search/", {"script": "hello-world", "q": "needle"}).context
    assert [each.run.pk for each in found["found"]] == [run.pk]
    assert found["text"] == "script:hello-world needle"


def test_the_palette_leads_to_the_search(browser: Client) -> None:
    items = browser.get("/jump/", {"q": "disk full"}).json()["items"]
    assert items[-1]["url"] == "/search/?q=disk+full"


# --- command ---------------------------------------------------------------------------------------------------------
def command(*arguments: str) -> list[str]:
    output = StringIO()
    call_command("searchlogs", *arguments, stdout=output, stderr=StringIO())
    return output.getvalue().splitlines()


def test_the_command_shows_lines_and_goes_on_until_its_limit() -> None:
    run = make_logged("needle 1", "needle 2", script=make_script())
    assert command("needle") == [
        f"#{run.pk} hello-world 2: needle 2",
        f"#{run.pk} hello-world 1: needle 1",
    ]
    assert len(command("needle", "--limit", "1")) == 1
    assert command("pin") == ["Nothing was found."] and command("pin", "--json") == []


def test_the_command_speaks_json() -> None:
    run = make_logged("a needle")
    (line,) = command("needle", "--json")
    assert json.loads(line)["run"] == run.pk


def test_the_command_says_what_cannot_be_searched_for() -> None:
    with pytest.raises(CommandError, match="no regular expression"):
        command("re:(")

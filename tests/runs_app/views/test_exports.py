"""Lists as files: every list in CSV and JSON, and no cell of a CSV is a formula."""

import csv
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifications_app.models import Delivery
from runs_app.exports import table
from runs_app.exports.table import Table
from runs_app.figures import counting
from scripts_app.models import Script
from tests.factories import NOW, make_schedule, make_script
from tests.notifications_app.views.test_pages import make_delivery
from tests.rows import each_row
from tests.runs_app.search.logs import index_all, make_logged
from tests.runs_app.views.test_failures import EXPLANATION, make_failed

pytestmark = pytest.mark.django_db

FORMULA = "=HYPERLINK(1)"
# The address of each list, and a column in which somebody could have written a formula.
LISTS = {
    "/runs": "by",
    "/scripts": "name",
    "/schedules": "cron",
    "/failures": "title",
    "/search": "text",
    "/statistics": "name",
    "/notifications/deliveries": "title",
}


@pytest.fixture
def script() -> Script:
    script = make_script(FORMULA, tags=["one", "two"])
    make_schedule(script)
    script.schedules.update(cron=FORMULA)
    make_logged(FORMULA, script=script, finished_at=NOW)
    make_failed(script, {**EXPLANATION, "title": FORMULA}, by=FORMULA)
    make_delivery(title=FORMULA, status=Delivery.Status.SENT)
    counting.count_all()
    index_all()
    return script


def read_csv(client: Client, address: str, query: dict[str, str]) -> list[dict[str, str]]:
    answer = client.get(f"{address}.csv", query)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    return list(csv.DictReader(answer.content.decode().splitlines()))


def read_json(client: Client, address: str, query: dict[str, str]) -> list[dict[str, Any]]:
    content = client.get(f"{address}.json", query).json()
    assert content["next_cursor"] is None
    items: list[dict[str, Any]] = content["items"]
    return items


@pytest.mark.parametrize("address", LISTS)
def test_every_list_is_a_file_without_formulas(
    admin_client: Client, script: Script, address: str
) -> None:
    query = {"q": FORMULA} if address == "/search" else {}
    if address == "/scripts":
        query = {"folder": ""}
    lines, items = read_csv(admin_client, address, query), read_json(admin_client, address, query)
    column = LISTS[address]
    assert len(lines) == len(items) > 0
    assert lines[0].keys() == items[0].keys()
    assert (lines[0][column], items[0][column]) == (f"'{FORMULA}", FORMULA)
    assert f'href="{address}.csv' in admin_client.get(f"{address}/", query).content.decode()


def test_the_days_of_a_script_are_a_file(browser: Client, script: Script) -> None:
    address = f"/scripts/{script.slug}/overview"
    [line] = read_csv(browser, address, {})
    assert (line["day"], line["succeeded"], line["failed"]) == ("2026-11-23", "1", "1")
    page = browser.get(reverse("script-overview", args=[script.slug])).content.decode()
    assert f'href="{address}.csv"' in page


def test_a_file_has_the_filters_of_its_page(admin_client: Client, script: Script) -> None:
    assert read_json(admin_client, "/scripts", {"q": "nothing"}) == []
    assert read_json(admin_client, "/failures", {"script": make_script("Other").slug}) == []
    assert admin_client.get("/failures.json", {"script": "nothing"}).status_code == 404
    assert read_json(admin_client, "/notifications/deliveries", {"status": "failed"}) == []


def test_a_file_of_found_lines_says_how_far_it_goes(
    browser: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_logged(FORMULA, script=script, finished_at=NOW)
    monkeypatch.setattr(table, "MAX_ROWS", 1)
    lines = read_csv(browser, "/search", {"q": FORMULA})
    assert len(lines) == 2
    assert lines[1]["text"].startswith("Searched back to ")


@pytest.mark.parametrize("text", ["", "re:("])
def test_a_search_that_cannot_be_is_no_file(browser: Client, text: str) -> None:
    answer = browser.get("/search.csv", {"q": text})
    assert (answer.status_code, "Content-Disposition" in answer.headers) == (400, False)


def test_only_staff_gets_deliveries_as_a_file(browser: Client) -> None:
    assert browser.get("/notifications/deliveries.csv").status_code == 403


@each_row("begin", table.FORMULA_BEGINS)
def test_no_text_begins_as_a_formula(begin: str) -> None:
    rows = [{"a": f"{begin}1", "b": -1, "c": [f"{begin}1"], "d": None}]
    written = table.as_csv(Table(name="x", columns=("a", "b", "c", "d"), rows=rows))
    [_, cells] = csv.reader(written.splitlines(keepends=True))
    assert cells[0].startswith(f"'{begin}") and cells[1] == "-1"
    assert cells[2].startswith(f"'{begin}") and cells[3] == ""

"""The pages of versions, as they work without JavaScript."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs_app.states import Status
from scripts_app import scripts
from scripts_app.models import Script
from scripts_app.versions import drafts
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.rows import each_row

PATH = "/scripts/hello/versions/"
HOSTILE = "'\"><img src=x onerror=alert(1)>\n{{ 7*7 }}\n"

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(user: User) -> Script:
    """A script of two versions; the second one was saved with another memory limit."""
    script = make_script("Hello", code="import os\nprint(1)\n")
    return scripts.update(
        script, by=user, now=NOW, code="import os\nprint(2)\n", note="faster", memory_mb=64
    )


def page(browser: Client, path: str) -> str:
    """A page that opens, as text."""
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_offers_the_newest_two_to_be_compared(script: Script, browser: Client) -> None:
    text = page(browser, PATH)
    assert re.findall(r'name="(from|to)" value="(\d)"[^>]* checked', text) == [
        ("to", "2"),
        ("from", "1"),
    ]
    assert "settings changed" in text and "faster" in text
    answer = browser.get(f"{PATH}compare/?from=1&to=2")
    assert answer.status_code == 200


def test_a_single_version_has_nothing_to_be_compared_with(browser: Client) -> None:
    make_script("Hello")
    assert 'type="radio"' not in page(browser, PATH)


def test_settings_that_were_changed_since_are_told(script: Script, browser: Client) -> None:
    assert "Settings changed since" not in page(browser, PATH)
    scripts.update(script, by=None, now=NOW, memory_mb=128)
    text = page(browser, PATH)
    assert "Settings changed since v2" in text and "128 MB" in text


def test_a_kept_draft_is_marked(script: Script, browser: Client) -> None:
    revision = drafts.text(script).revision
    drafts.save(
        script,
        code="typed",
        requirements="",
        python_version="",
        based_on=revision,
        by=None,
        now=NOW,
    )
    drafts.keep_idle(now=NOW + timedelta(minutes=10))
    text = page(browser, PATH)
    assert text.index(">v3<") < text.index(">draft<") < text.index(">v2<") < text.index(">current<")


@pytest.mark.parametrize("look", ["unified", "beside", "nonsense"])
def test_two_are_compared(script: Script, browser: Client, look: str) -> None:
    text = page(browser, f"{PATH}compare/?from=1&to=2&look={look}")
    assert (
        "removed: </span><bdi>print(1)</bdi>" in text
        and "added: </span><bdi>print(2)</bdi>" in text
    )
    assert "512 MB" in text and "64 MB" in text
    assert ("diff-pair" in text) == (look == "beside")


def test_each_page_says_when_the_script_is_due_next(script: Script, browser: Client) -> None:
    make_schedule(script, now=timezone.now())
    for path in (PATH, f"{PATH}1/", f"{PATH}compare/?from=1&to=2", f"{PATH}turning-point/"):
        assert ">next <time" in page(browser, path)


def test_they_are_compared_as_text_too(script: Script, browser: Client) -> None:
    answer = browser.get(f"{PATH}compare/?from=1&to=2&as=text")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.content.decode().endswith(" import os\n-print(1)\n+print(2)\n")


def test_what_says_the_same_says_so(script: Script, browser: Client) -> None:
    assert "They say the same" in page(browser, f"{PATH}compare/?from=1&to=1")


@each_row(
    "query",
    ["", "?from=1", "?from=1&to=9", "?from=x&to=1", "?from=²&to=1", f"?from={'9' * 30}&to=1"],
)
def test_what_names_no_two_versions_is_not_found(
    script: Script, browser: Client, query: str
) -> None:
    assert browser.get(f"{PATH}compare/{query}").status_code == 404


def test_a_hostile_text_stays_text(script: Script, browser: Client) -> None:
    scripts.update(script, by=None, now=NOW, code=HOSTILE, note=HOSTILE.split("\n")[0])
    for path in (
        PATH,
        f"{PATH}3/",
        f"{PATH}compare/?from=1&to=3",
        f"{PATH}compare/?from=3&to=1&look=beside",
    ):
        text = page(browser, path)
        assert "<img src=x" not in text and "49" not in re.findall(r"<bdi>(\d+)</bdi>", text)


def test_one_is_restored(script: Script, browser: Client) -> None:
    answer = browser.post(f"{PATH}1/restore/", follow=True)
    assert "v1 is back, as v3." in answer.content.decode()
    script.refresh_from_db()
    assert script.version and (script.version.code, script.version.saved_by) == (
        "import os\nprint(1)\n",
        "ann",
    )
    assert "says the same" in browser.post(f"{PATH}1/restore/", follow=True).content.decode()


def test_what_cannot_be_restored_says_why(script: Script, browser: Client) -> None:
    script.versions.filter(number=1).update(requirements="-r other.txt")
    text = browser.post(f"{PATH}1/restore/", follow=True).content.decode()
    assert "v1 was not restored" in text
    assert script.versions.count() == 2


def test_a_note_is_changed(script: Script, browser: Client) -> None:
    browser.post(f"{PATH}1/note/", {"note": "the first one"})
    assert script.versions.get(number=1).note == "the first one"
    assert (
        "200" in browser.post(f"{PATH}1/note/", {"note": "x" * 201}, follow=True).content.decode()
    )


def test_the_list_asks_as_much_for_many_versions_as_for_few(
    script: Script, browser: Client
) -> None:
    make_run(script, status=Status.SUCCEEDED)
    make_run(script, status=Status.FAILED)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            page(browser, PATH)
        counts.append(len(queries))
        for number in range(10):
            scripts.update(script, by=None, now=NOW, code=f"print({number}, {len(counts)})")
    assert counts[0] == counts[1]

"""The frame around every page of both halves."""

import re
from pathlib import Path

import django
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from tempo_site import health
from tempo_site.pages import frame
from tempo_site.stored_settings import general, store

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"{% block ([\w-]+) %}")
# Blocks of Django's frame that ours stands in place of: its header and side bar.
REPLACED = {
    "branding",
    "header",
    "nav-global",
    "nav-sidebar",
    "userlinks",
    "usertools",
    "welcome-msg",
    "stylesheet_rtl",
}
EMPTY_HEADING = re.compile(
    r"<th[^>]*>\s*</th>"
)  # a screen reader has nothing to say above such a column
WRITES_HTML = re.compile(r"(inner|outer)HTML\s*=[^=]|insertAdjacentHTML|document\.write|\beval\(")
MAILS = {"mail.html"}  # a mail has no style sheet
INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?=[\s>])(?![^>]*\ssrc=)[^>]*>")


def blocks_of(*templates: Path) -> set[str]:
    """The blocks that templates offer."""
    return {name for template in templates for name in BLOCK.findall(template.read_text())}


def test_the_admin_frame_offers_every_block_of_djangos() -> None:
    theirs = Path(django.__file__).parent / "contrib/admin/templates/admin/base.html"
    ours = blocks_of(ROOT / "templates/admin/base.html", ROOT / "templates/base.html")
    assert blocks_of(theirs) - ours == REPLACED


def test_the_admin_is_where_its_names_say() -> None:
    places = {place.label: place.url for place in frame.navigation("/", is_staff=True)}
    assert places["Admin"] == reverse("admin:index")
    assert places["Users"] == reverse("admin:auth_user_changelist")


def test_every_column_has_a_heading() -> None:
    templates = sorted((ROOT / "templates").rglob("*.html"))
    assert templates
    assert [path for path in templates if EMPTY_HEADING.search(path.read_text())] == []


def test_no_template_has_inline_script_or_style_or_trusts_text() -> None:
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text()
        assert template.name in MAILS or not INLINE.search(text), template
        assert "|safe" not in text and "autoescape off" not in text, template


def test_no_script_writes_html() -> None:
    for script in (ROOT / "static/js").rglob("*.js"):
        assert not WRITES_HTML.search(script.read_text()), script


@pytest.mark.django_db
def test_the_frame_costs_two_queries_for_the_login_and_one_of_its_own(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):  # session, user; whether all schedules are paused
        assert browser.get("/nothing-here").status_code == 404


@pytest.mark.django_db
def test_the_login_page_costs_no_query(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        client.get("/login/")


def test_staff_is_told_of_a_weak_secret_key_and_nobody_else(settings: Settings) -> None:
    settings.SECRET_KEY_NOTICE = "PYSCHED_SECRET_KEY is a sample"
    well: dict[str, object] = {"failing": [], "parts": {}}
    assert frame.notices(well, is_staff=True) == ["PYSCHED_SECRET_KEY is a sample"]
    assert frame.notices(well, is_staff=False) == []


def test_staff_is_told_what_the_data_folder_does_not_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    warning = "Other users of this machine may read the secret key."
    monkeypatch.setattr(health, "isolation", lambda: {"warnings": [warning]})
    well: dict[str, object] = {"failing": [], "parts": {}}
    assert frame.notices(well, is_staff=True) == [warning]
    assert frame.notices(well, is_staff=False) == []


def test_a_failing_engine_is_told_to_everybody() -> None:
    state = {"failing": ["ticker"], "parts": {"ticker": "not seen for 30 s", "disk": "ok"}}
    assert frame.notices(state, is_staff=False) == [
        "Nothing may start now. ticker: not seen for 30 s"
    ]


@pytest.mark.django_db
def test_the_engines_pill_says_what_fails(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"queue": "run #7 should have begun 75 s ago", "disk": "ok"}
    report = {"status": "failing", "failing": ["queue"], "parts": parts}
    monkeypatch.setattr(health, "health_report", lambda: report)
    client.force_login(user)
    page = client.get("/").content.decode()
    pill = re.search(r'<span class="engine is-failing" title="([^"]*)">\s*engine failing', page)
    assert pill and pill[1] == "queue: run #7 should have begun 75 s ago"


@pytest.mark.django_db
def test_the_admin_is_offered_to_staff_only(client: Client, staff: User, user: User) -> None:
    client.force_login(staff)
    assert 'href="/admin/"' in client.get("/").content.decode()
    client.force_login(user)
    assert 'href="/admin/"' not in client.get("/").content.decode()


@pytest.mark.django_db
def test_a_missing_page_has_the_frame_and_a_way_home(browser: Client) -> None:
    answer = browser.get("/scripts/not-there/")
    assert answer.status_code == 404
    text = answer.content.decode()
    assert "There is no script `not-there`." in text and "Go to the dashboard" in text


@pytest.mark.django_db
def test_every_page_carries_the_policy(browser: Client) -> None:
    assert "default-src 'self'" in browser.get("/").headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_the_name_of_this_tempo_stands_in_the_bar_and_in_the_title(browser: Client) -> None:
    store.save({general.NAME: "Cellar <b>"}, by="ann")
    page = browser.get("/").content.decode()
    assert "Dashboard · Tempo · Cellar &lt;b&gt;</title>" in page
    assert '<bdi class="name">Cellar &lt;b&gt;</bdi>' in page

"""The guide inside the product: its pages, its links, its search, and the parts that belong to pages."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver, reverse

from tempo_site.pages import guide

HREF = re.compile(r'href="\.\./([\w-]+)/(?:#([^"]*))?"')
ID = re.compile(r'<h\d id="([^"]+)"')


@pytest.fixture(scope="module")
def pages() -> dict[str, guide.GuidePage]:
    return {name: guide.page(name) for name in guide.TITLES}


def test_every_page_of_the_documentation_is_in_it() -> None:
    files = {path.stem for path in (settings.BASE_DIR / "docs").glob("*.md")}
    assert set(guide.TITLES) == {*files, "changelog"}


def test_every_link_between_pages_leads_to_a_part_that_is_there(
    pages: dict[str, guide.GuidePage],
) -> None:
    links = [link for page in pages.values() for link in HREF.findall(page.html)]
    broken = []
    for target, part in links:
        if target not in pages or (part and part not in ID.findall(pages[target].html)):
            broken.append(f"{target}#{part}")
    assert broken == [] and ("install", "a-forgotten-password") in links


def test_every_page_of_tempo_that_has_a_part_leads_to_it(
    pages: dict[str, guide.GuidePage],
) -> None:
    names = get_resolver().reverse_dict
    for view_name, address in guide.PART_OF_PAGE.items():
        assert view_name in names, view_name
        name, _, part = address.partition("#")
        assert not part or part in ID.findall(pages[name].html), address


def test_the_search_finds_parts_by_all_words_and_leads_to_them(
    pages: dict[str, guide.GuidePage],
) -> None:
    found = guide.find("Calendar iCalendar")
    assert [(part.page, part.part) for part in found] == [("user-guide", "all-schedules")]
    assert guide.find("  ") == [] and guide.find("nothing-is-called-so") == []
    for part in guide.find("run"):
        assert part.part in ID.findall(pages[part.page].html), part


def test_excerpts_are_words_without_marks_of_markdown() -> None:
    found = guide.find("schedule")
    assert found
    for part in found:
        assert not re.search(r"\*\*|\|--|```|\w\]\(", part.excerpt), part.excerpt


@pytest.mark.django_db
def test_each_page_has_a_link_to_its_part_and_the_guide_is_for_everybody(
    browser: Client, staff: User
) -> None:
    part = '/help/user-guide/#all-schedules"'
    assert part in browser.get("/schedules/").content.decode()
    assert 'id="all-schedules"' in browser.get("/help/user-guide/").content.decode()
    assert "What is new" in browser.get("/help/changelog/").content.decode()
    assert browser.get("/help/settings/").status_code == 404
    assert browser.get("/help/").headers["Location"] == reverse("help-page", args=["user-guide"])
    found = browser.get("/help/", {"q": "calendar <b>"}).content.decode()
    assert "calendar &lt;b&gt;" in found and "No part of the guide" in found

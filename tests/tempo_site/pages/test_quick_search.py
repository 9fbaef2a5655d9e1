"""Where the palette leads."""

from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runs_app.states import Status
from scripts_app import scripts
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


def found(client: Client, words: str = "") -> list[tuple[str, str, str]]:
    """(label, place, address) of each place that these letters lead to, but for the search, which comes last."""
    items = client.get("/jump/", {"q": words}).json()["items"]
    if words:
        last = items.pop()
        assert last["url"] == "/search/?" + urlencode({"q": words.strip()})
    return [(item["label"], item["place"], item["url"]) for item in items]


def test_a_script_is_found_by_name_folder_or_slug_and_a_name_that_begins_so_comes_first(
    browser: Client,
) -> None:
    make_script("A backup of the wiki", folder="Ops/Nightly")
    make_script("Backup")
    make_script("Weather")
    assert found(browser, "backup") == [
        ("Backup", "script", "/scripts/backup/"),
        ("A backup of the wiki", "script in Ops/Nightly", "/scripts/a-backup-of-the-wiki/"),
    ]
    assert [label for label, _, _ in found(browser, " nightly ")] == ["A backup of the wiki"]
    assert [label for label, _, _ in found(browser, "of-the-w")] == ["A backup of the wiki"]


def test_a_number_leads_to_the_run(browser: Client) -> None:
    run = make_run(make_script("Backup"), status=Status.FAILED, finished_at=timezone.now())
    expected = (f"#{run.pk}", "run of Backup, failed", f"/runs/{run.pk}/")
    assert found(browser, f"#{run.pk}")[0] == found(browser, str(run.pk))[0] == expected


@pytest.mark.parametrize("words", ["#", "99999999999999999999999", "²", "%", "'; --", "\u202e<b>"])
def test_odd_words_lead_nowhere(browser: Client, words: str) -> None:
    make_script("Backup")
    assert found(browser, words) == []


def test_without_words_it_offers_the_pages_then_the_newest_scripts(browser: Client) -> None:
    make_script("Old")
    make_script("New")
    labels = [label for label, _, _ in found(browser)]
    assert labels == [
        "Dashboard",
        "Scripts",
        "Schedules",
        "Runs",
        "Statistics",
        "Failures",
        "Search",
        "Environments",
        "API",
        "Help",
        "New script",
        "Change password",
        "New",
        "Old",
    ]


def test_the_admins_places_are_for_staff(client: Client, browser: Client, staff: User) -> None:
    assert found(browser, "system") == []
    client.force_login(staff)
    assert found(client, "system") == [("System", "page", "/system/")]


def test_what_was_deleted_is_not_offered(browser: Client) -> None:
    scripts.delete(make_script("Backup"), now=timezone.now())
    assert found(browser, "backup") == []


def test_it_costs_four_queries_at_most_however_many_scripts_there_are(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        make_script(f"Script {number}")
    with django_assert_num_queries(4):  # session, user, run, scripts
        assert len(found(browser, "1")) == 8


def test_it_offers_what_can_be_done_by_its_words(browser: Client) -> None:
    make_script("Backup")
    items = browser.get("/jump/", {"q": "run back"}).json()["items"]
    assert items[0] == {
        "label": "Run Backup",
        "place": "start it now",
        "url": "/scripts/backup/run/",
        "act": "post",
    }
    assert found(browser, "theme") == [("Light or dark theme", "act", "")]
    assert found(browser, "log out") == [("Log out", "act", "/logout/")]
    assert ("Pause everything", "act", "/pause/") in found(browser, "pause")
    assert ("zone", "search the guide", "/help/?q=zone") in found(browser, "help zone")


def test_settings_are_found_by_their_words_and_by_staff_alone(
    client: Client, user: User, staff: User
) -> None:
    client.force_login(staff)
    place = "/settings/limits/#id_PYSCHED_MAX_CONCURRENT_RUNS"
    assert ("Runs at once", "setting in Limits", place) in found(client, "at once")
    client.force_login(user)
    assert found(client, "at once") == []


def test_it_is_closed_to_strangers(client: Client) -> None:
    assert client.get("/jump/").status_code == 302

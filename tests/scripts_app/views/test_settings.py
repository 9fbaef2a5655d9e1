"""The Settings tab: what is saved, refused, and said of limits and isolation."""

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from runs_app.states import Status
from scripts_app import scripts
from scripts_app.limits import LIMITS
from scripts_app.models import Script
from tempo_site import health
from tests.factories import make_run, make_script
from tests.rows import each_row

SETTINGS: dict[str, Any] = {
    "name": "Data Backup Script!",
    "folder": "Ops/Nightly",
    "timeout_s": "60",
    "memory_mb": "512",
    "cpu_s": "0",
    "processes": "64",
    "output_mb": "10",
    "file_mb": "2048",
    "nice": "5",
    "description": "",
    "tags": "home, night",
    "enabled": "on",
}
pytestmark = pytest.mark.django_db


def text_of(browser: Client, name: str, *args: object) -> str:
    """A page's text."""
    return browser.get(reverse(name, args=args)).content.decode()


# --- settings -------------------------------------------------------------------------------------------------------
def test_settings_are_stored_and_the_address_stays(browser: Client) -> None:
    script = make_script("Hello World", code="1")
    answer = browser.post(reverse("script-settings", args=["hello-world"]), SETTINGS)
    assert answer.headers["Location"] == "/scripts/hello-world/settings/"
    script = Script.objects.select_related("folder", "version").get(pk=script.pk)
    assert (script.name, str(script.folder), script.tags) == (
        "Data Backup Script!",
        "Ops/Nightly",
        ["home", "night"],
    )
    assert (script.timeout_s, str(script.version), script.revision) == (60, "v1", 0)


def test_settings_show_what_is_stored_and_how_to_start_it(browser: Client) -> None:
    make_script("Hello World", folder="Ops", tags=["one", "two"])
    text = text_of(browser, "script-settings", "hello-world")
    assert (
        'value="Ops"' in text
        and 'value="one, two"' in text
        and "<code>scripts/hello-world/</code>" in text
    )
    assert "http://testserver/api/v1/scripts/hello-world/runs</pre>" in text


@each_row(
    ("field", "value", "sentence"),
    [
        ("name", "...", "contains no letter and no digit"),
        ("name", "", "This field is required."),
        ("folder", "a//b", "has an empty part"),
        ("tags", "x" * 60, "50 is the most"),
        ("timeout_s", "-1", "Use 0 or more"),
        ("timeout_s", str(10**12), "timeout_s"),
        ("memory_mb", "15", "Use 16 or more"),
        ("nice", "20", "Use 19 or less"),
        ("cpu_s", "", "This field is required."),
    ],
)
def test_refused_settings_are_explained_at_their_field_and_nothing_typed_is_lost(
    browser: Client, field: str, value: str, sentence: str
) -> None:
    make_script("Hello World")
    typed = SETTINGS | {field: value, "description": "typed with care"}
    answer = browser.post(reverse("script-settings", args=["hello-world"]), typed)
    assert sentence in " ".join(answer.context["form"].errors[field])
    text = answer.content.decode()
    assert "typed with care" in text and "<h1><bdi>Hello World</bdi></h1>" in text
    assert all(
        answer.context["form"][name].value() == kept
        for name, kept in typed.items()
        if name != "enabled"
    )


def test_settings_save_what_was_changed_there_and_undo_nothing_else(browser: Client) -> None:
    script = make_script("Hello World")
    address = reverse("script-settings", args=[script.slug])
    shown = browser.get(address).content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(initial-\w+)" value="([^"]*)"', shown))
    assert {"initial-name", "initial-enabled"} <= hidden.keys()
    scripts.update(script, by=None, now=timezone.now(), enabled=False, tags=["home"])
    stale = SETTINGS | {"name": "Renamed", "timeout_s": "300", "tags": "", "folder": ""}
    browser.post(address, hidden | stale)
    script.refresh_from_db()
    assert (script.name, script.enabled, script.tags) == ("Renamed", False, ["home"])


def test_too_many_tags_are_refused_on_the_page_as_well(browser: Client) -> None:
    make_script("Hello World")
    address = reverse("script-settings", args=["hello-world"])
    answer = browser.post(address, SETTINGS | {"tags": ",".join(map(str, range(51)))})
    assert "50 is the most" in answer.content.decode()


# --- limits and isolation -------------------------------------------------------------------------------------------
def test_settings_store_limits_and_say_what_each_means(admin_client: Client) -> None:
    browser = admin_client
    script = make_script("Hello World")
    address = reverse("script-settings", args=[script.slug])
    browser.post(address, SETTINGS | {"cpu_s": "7", "nice": "19", "as_service_user": "on"})
    script.refresh_from_db()
    assert (script.cpu_s, script.nice, script.as_service_user) == (7, 19, True)
    text = re.sub("</?code>", "`", html.unescape(browser.get(address).content.decode()))
    assert [limit.field for limit in LIMITS.values() if limit.description not in text] == []


@pytest.mark.parametrize("field", scripts.SET_BY_STAFF)
def test_what_is_set_by_staff_is_refused_at_its_field(browser: Client, field: str) -> None:
    script = make_script("Hello World")
    answer = browser.post(reverse("script-settings", args=[script.slug]), SETTINGS | {field: "on"})
    script.refresh_from_db()
    assert not getattr(script, field)
    assert "is set by staff" in str(answer.context["form"].errors[field].data)


def staff_script(field: str) -> Script:
    script = make_script("Hello World")
    changes: dict[str, Any] = {field: True}
    return scripts.update(script, by=None, now=timezone.now(), **changes)


@pytest.mark.parametrize("field", scripts.SET_BY_STAFF)
def test_who_edits_other_settings_keeps_what_staff_has_set(browser: Client, field: str) -> None:
    script = staff_script(field)
    address = reverse("script-settings", args=[script.slug])
    shown = browser.get(address).content.decode()
    box = re.search(rf'<input type="checkbox" name="{field}"[^>]*>', shown)
    assert box and "disabled" in box[0] and "checked" in box[0] and "Set by staff" in shown
    answer = browser.post(address, SETTINGS | {"name": "Renamed"})
    script.refresh_from_db()
    assert answer.status_code == 302
    assert (script.name, getattr(script, field)) == ("Renamed", True)


def test_settings_name_the_bound_and_what_is_stored_above_it(
    browser: Client, settings: Settings
) -> None:
    make_script("Hello World", timeout_s=600)
    settings.MAX_TIMEOUT_S = 60
    text = text_of(browser, "script-settings", "hello-world")
    assert "At most 60 seconds on this server." in text
    assert "Time: 600 seconds is stored, its runs get 60 seconds." in text


def test_a_limit_above_its_bound_is_refused_at_its_field(
    browser: Client, settings: Settings
) -> None:
    make_script("Hello World")
    settings.MAX_MEMORY_MB = 256
    answer = browser.post(reverse("script-settings", args=["hello-world"]), SETTINGS)
    assert "have an admin raise `PYSCHED_MAX_MEMORY_LIMIT`" in str(
        answer.context["form"].errors["memory_mb"].data
    )


def test_settings_say_which_isolation_there_is_and_which_folders_are_open(
    browser: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_script("Hello World")
    settings.EXTRA_READ_PATHS, settings.EXTRA_WRITE_PATHS = ["/mnt/media"], ["/srv/exports"]
    offered = {
        "grade": "good",
        "why": "kernel 4.4 has no Landlock",
        "own_users": True,
        "keeps_modes": True,
        "landlock": 0,
    }
    monkeypatch.setattr(health, "isolation", lambda: offered)
    text = text_of(browser, "script-settings", "hello-world")
    assert "Kernel 4.4 has no Landlock" in text and "grade-good" in text
    assert "<code>/mnt/media</code>" in text and "<code>/srv/exports</code>" in text
    assert "They run as a user of their own" in text


def test_settings_promise_no_user_where_the_file_system_ignores_users(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_script("Hello World")
    offered = {"grade": "basic", "why": "It may read.", "own_users": True, "keeps_modes": False}
    monkeypatch.setattr(health, "isolation", lambda: {**offered, "landlock": 0})
    text = text_of(browser, "script-settings", "hello-world")
    assert "Nothing here enforces that" in text and "grade-basic" in text


def test_settings_stand_without_a_launcher(browser: Client) -> None:
    make_script("Hello World")
    assert "is not known now" in text_of(browser, "script-settings", "hello-world")


def test_running_as_tempos_user_is_said_to_isolate_less(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_script("Hello World", as_service_user=True)
    monkeypatch.setattr(
        health, "isolation", lambda: {"grade": "strong", "own_users": True, "landlock": 5}
    )
    text = html.unescape(text_of(browser, "script-settings", "hello-world"))
    assert "set to run as Tempo's own user" in text and "grade-strong" not in text


def test_settings_say_so_when_the_last_run_had_less_isolation(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = {"grade": "strong", "why": "All layers.", "own_users": True, "landlock": 7}
    monkeypatch.setattr(health, "isolation", lambda: offered)
    script = make_script()
    make_run(
        script=script,
        isolation="good",
        isolation_why="`/home/me` is closed.",
        isolation_degraded=True,
    )
    page = admin_client.get(reverse("script-settings", args=[script.slug])).content.decode()

    assert "Its last run had this: <code>/home/me</code> is closed." in page
    assert "grade-good" in page and "grade-strong" not in page


def test_a_limit_has_the_peak_beside_it_and_usual_values_within_the_bound(
    browser: Client, settings: Settings
) -> None:
    settings.MAX_MEMORY_MB = 1024
    script = make_script("Hello World")
    make_run(script, status=Status.SUCCEEDED, finished_at=timezone.now(), peak_memory_mb=120)
    text = text_of(browser, "script-settings", "hello-world")
    assert "Peak so far: <strong>120 MB</strong>" in text
    assert re.findall(r'value="(\d+)" data-fills="id_memory_mb"', text) == [
        *("128", "256", "512", "1024")
    ]

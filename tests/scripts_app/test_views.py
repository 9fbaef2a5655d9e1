"""Pages of scripts."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Status, Trigger
from scripts_app import scripts
from scripts_app.models import Environment, Script
from tests.factories import make_run, make_schedule, make_script

HOSTILE = [
    "<script>alert(1)</script>",
    "{{7*7}} {% now %}",
    '"><img src=x onerror=alert(1)>',
    "\u202eabc \u05e9\u05dc\u05d5\u05dd",
    "LongWithoutASpace" * 11,
]
FORM: dict[str, Any] = {
    "name": "Data Backup Script!",
    "folder": "Ops/Nightly",
    "code": "print('hello')\r\n",
    "requirements": "",
    "python_version": "",
    "timeout_s": "60",
    "description": "",
    "tags": "home, night",
}

pytestmark = pytest.mark.django_db


def text_of(browser: Client, name: str, *args: object) -> str:
    """A page's text."""
    return browser.get(reverse(name, args=args)).content.decode()


# --- new and edit ---------------------------------------------------------------------------------------------------
def test_the_form_creates_a_script_by_the_verb(browser: Client) -> None:
    answer = browser.post(reverse("script-new"), FORM)
    assert answer.headers["Location"] == "/scripts/data-backup-script/"
    script = Script.objects.select_related("version__author", "folder").get()
    assert script.version and script.version.code == "print('hello')\n"
    assert str(script.version.author) == "ann"
    assert (str(script.folder), script.tags, script.timeout_s) == ("Ops/Nightly", ["home", "night"], 60)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "...", "contains no letter and no digit"),
        ("name", "", "This field is required."),
        ("folder", "a//b", "has an empty part"),
        ("requirements", "-r other.txt", "line 1"),
        ("python_version", "2.7", "no Python version"),
        ("timeout_s", "-1", "greater than or equal to 0"),
        ("timeout_s", str(10**12), "timeout_s"),
    ],
)
def test_a_refusal_stands_at_its_field_and_nothing_typed_is_lost(
    browser: Client, field: str, value: str, sentence: str
) -> None:
    answer = browser.post(reverse("script-new"), FORM | {field: value, "description": "typed with care"})
    assert answer.status_code == 200
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert "typed with care" in answer.content.decode() and "print(&#x27;hello&#x27;)" in answer.content.decode()
    assert not Script.objects.exists()


def test_a_script_may_be_called_new(browser: Client) -> None:
    browser.post(reverse("script-new"), FORM | {"name": "New"})
    assert "<bdi>New</bdi>" in text_of(browser, "script-detail", "new")


def test_editing_makes_a_version_and_keeps_the_address(browser: Client) -> None:
    script = make_script("Hello World")
    answer = browser.post(reverse("script-edit", args=["hello-world"]), FORM | {"name": "Renamed", "code": "print(2)"})
    assert answer.headers["Location"] == "/scripts/hello-world/"
    script.refresh_from_db()
    assert script.version and (script.name, script.version.number, script.version.code) == ("Renamed", 2, "print(2)")


def test_the_edit_form_shows_what_is_stored(browser: Client) -> None:
    make_script("Hello World", code="print('<b>')\n", folder="Ops", tags=["one", "two"])
    text = text_of(browser, "script-edit", "hello-world")
    assert "print(&#x27;&lt;b&gt;&#x27;)" in text and 'value="Ops"' in text and 'value="one, two"' in text


def test_two_people_editing_one_script_do_not_overwrite_each_other_unawares(browser: Client) -> None:
    script = make_script("Hello World")
    mine = FORM | {"name": "Hello World", "code": "print('mine')", "based_on": str(script.version_id)}
    scripts.update(script, by=None, now=timezone.now(), code="print('theirs')")
    refused = browser.post(reverse("script-edit", args=["hello-world"]), mine)
    assert "was saved while you were editing" in refused.content.decode()
    assert "print(&#x27;mine&#x27;)" in refused.content.decode()
    script.refresh_from_db()
    again = browser.post(reverse("script-edit", args=["hello-world"]), mine | {"based_on": str(script.version_id)})
    assert again.status_code == 302


# --- list and page --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_on_every_page(browser: Client, name: str) -> None:
    script = make_script(f"a{name}", code=name, description=name, folder=name.replace("/", ""), tags=[name[:50]])
    schedule = make_schedule(script)
    run = make_run(script, status=Status.FAILED, message=name, finished_at=timezone.now())
    pages: list[tuple[str, tuple[object, ...]]] = [
        *((page, ()) for page in ("script-list", "run-list", "dashboard")),
        *((page, (script.slug,)) for page in ("script-detail", "script-edit", "script-delete", "schedule-new")),
        ("schedule-edit", (script.slug, schedule.pk)),
        ("run-detail", (run.pk,)),
    ]
    for page, args in pages:
        text = text_of(browser, page, *args)
        assert "<script>alert" not in text and "<img src=x" not in text and ">49 " not in text, page


def test_a_new_installation_is_told_to_write_its_first_script(browser: Client) -> None:
    assert "There is no script yet" in text_of(browser, "script-list")


def test_the_list_narrows_by_folder_and_name(browser: Client) -> None:
    make_script("Backup", folder="Ops/Nightly")
    make_script("Weather", folder="Home")
    in_folder = browser.get(reverse("script-list"), {"folder": "Ops"}).content.decode()
    by_name = browser.get(reverse("script-list"), {"q": "weath"}).content.decode()
    assert "/scripts/backup/" in in_folder and "/scripts/weather/" not in in_folder
    assert "/scripts/weather/" in by_name and "/scripts/backup/" not in by_name


def test_the_list_shows_the_next_moment_of_armed_schedules_only(browser: Client) -> None:
    on, off = make_script("On"), make_script("Off")
    make_schedule(on, now=timezone.now())
    make_schedule(off, now=timezone.now())
    scripts.update(off, by=None, now=timezone.now(), enabled=False)
    text = text_of(browser, "script-list")
    assert text.count("<time datetime=") == 1 and "not scheduled" in text


def test_the_list_costs_the_same_for_one_and_many(browser: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(browser, "script-list")
        return len(queries)

    make_run(make_schedule(make_script(folder="Ops")).script)
    few = cost()
    for number in range(30):
        make_run(make_schedule(make_script(f"Script {number}", folder=f"Folder {number}")).script)
    assert cost() == few


def test_a_failed_environment_is_explained_with_a_way_out(browser: Client) -> None:
    script = make_script(is_ready=False)
    rows = Environment.objects.filter(scripts=None, waiting_scripts=script)
    rows.update(
        state=Environment.State.FAILED, message="no version of `reqests` was found\nhint: did you mean `requests`?"
    )
    text = text_of(browser, "script-detail", script.slug)
    assert "no version of `reqests` was found" in text and "Build again" in text
    browser.post(reverse("script-rebuild", args=[script.slug]))
    assert rows.get().state == Environment.State.WANTED


def test_a_deleted_script_has_no_page(browser: Client) -> None:
    script = make_script()
    scripts.delete(script, now=timezone.now())
    assert browser.get(reverse("script-detail", args=[script.slug])).status_code == 404


# --- acts -----------------------------------------------------------------------------------------------------------
def test_the_run_button_starts_a_run_in_the_users_name_and_goes_to_it(browser: Client) -> None:
    make_script("Hello World")
    answer = browser.post(reverse("script-run", args=["hello-world"]))
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}/"
    assert (run.trigger, run.by) == (Trigger.MANUAL, "ann")


def test_a_refused_start_is_told_on_the_scripts_page(browser: Client, settings: Any) -> None:
    settings.MIN_FREE_MB = 10**9
    make_script("Hello World")
    answer = browser.post(reverse("script-run", args=["hello-world"]), follow=True)
    assert "are free on the disk" in answer.content.decode()
    assert not Run.objects.exists()


def test_switching_off_disarms_and_on_arms_again(browser: Client) -> None:
    schedule = make_schedule(make_script("Hello World"))
    for enabled, is_armed in (("0", False), ("1", True)):
        browser.post(reverse("script-switch", args=["hello-world"]), {"enabled": enabled})
        schedule.refresh_from_db()
        assert (schedule.next_at is not None) == is_armed


def test_deleting_asks_first_and_names_the_script(browser: Client) -> None:
    script = make_script("Hello World")
    assert "Delete “<bdi>Hello World</bdi>”?" in text_of(browser, "script-delete", "hello-world")
    script.refresh_from_db()
    assert script.deleted_at is None
    browser.post(reverse("script-delete", args=["hello-world"]))
    script.refresh_from_db()
    assert script.deleted_at is not None


@pytest.mark.parametrize("name", ["script-run", "script-switch", "script-rebuild"])
def test_acts_are_posts(browser: Client, name: str) -> None:
    make_script("Hello World")
    assert browser.get(reverse(name, args=["hello-world"])).status_code == 405


def test_acts_need_a_token_of_this_site(user: Any) -> None:
    make_script("Hello World")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    answer = strict.post(reverse("script-run", args=["hello-world"]))
    assert answer.status_code == 403 and "reload the page" in answer.content.decode()
    assert not Run.objects.exists()

"""The page of all scripts: folders, filters in the address, strips, and what is done to several at once."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.history import overview
from runs_app.models import Run
from runs_app.states import Status, Trigger
from scripts_app import scripts
from scripts_app.models import Environment, Script
from tests.factories import make_run, make_schedule, make_script

pytestmark = pytest.mark.django_db


def listed(browser: Client, **query: str) -> list[str]:
    """The slugs that the page shows for this address."""
    return [
        script.slug for script, _, _ in browser.get(reverse("script-list"), query).context["page"]
    ]


def text_of(browser: Client, **query: str) -> str:
    """The page's text for this address."""
    return browser.get(reverse("script-list"), query).content.decode()


def told(browser: Client, act: str, *slugs: str, to: str = "") -> list[str]:
    """What is said after an act on these scripts."""
    answer = browser.post(
        f"{reverse('script-list')}?folder=Ops", {"act": act, "slug": slugs, "to": to}
    )
    assert answer.headers["Location"] == "/scripts/?folder=Ops"
    return [str(message) for message in browser.get(answer.headers["Location"]).context["messages"]]


# --- what it shows --------------------------------------------------------------------------------------------------
def test_a_new_installation_is_told_to_write_its_first_script(browser: Client) -> None:
    assert "There is no script yet" in text_of(browser)


def test_it_narrows_by_folder_name_and_state(browser: Client) -> None:
    now = timezone.now()
    backup = make_script("Backup", folder="Ops/Nightly")
    weather = make_script("Weather", folder="Home")
    make_script("Opsy", folder="Opsy")
    scripts.update(weather, by=None, now=now, enabled=False)
    make_run(backup, status=Status.LOST, finished_at=now)
    assert listed(browser, folder="Ops") == ["backup"]
    assert listed(browser, q=" weath ") == ["weather"]
    assert listed(browser, state="disabled") == ["weather"]
    assert listed(browser, state="enabled") == ["backup", "opsy"]
    assert listed(browser, state="failing") == ["backup"]


def test_only_the_last_verdict_makes_a_script_failing(browser: Client) -> None:
    recovered, skipped = make_script("Recovered"), make_script("Skipped")
    for script, statuses in (
        (recovered, [Status.FAILED, Status.SUCCEEDED]),
        (skipped, [Status.FAILED, Status.SKIPPED]),
    ):
        for status in statuses:
            make_run(script, status=status, finished_at=timezone.now())
    make_run(skipped, status=Status.RUNNING)
    assert listed(browser, state="failing") == ["skipped"]


def test_a_state_nobody_has_heard_of_narrows_nothing_and_is_told(browser: Client) -> None:
    make_script("Backup")
    assert listed(browser, state="<b>") == ["backup"]
    assert "There is no state <bdi>&lt;b&gt;</bdi>" in text_of(browser, state="<b>")


def test_without_a_match_it_offers_all_again(browser: Client) -> None:
    make_script("Backup")
    text = text_of(browser, q="nothing")
    assert "No script matches." in text and 'href="/scripts/"' in text


def test_folders_count_what_lies_below_them(browser: Client) -> None:
    make_script("One", folder="Ops/Nightly")
    make_script("Two", folder="Ops")
    scripts.delete(make_script("Gone", folder="Old"), now=timezone.now())
    found = browser.get(reverse("script-list")).context["folders"]
    assert [(row.path, row.name, row.depth, row.count) for row in found] == [
        ("Old", "Old", 0, 0),
        ("Ops", "Ops", 0, 2),
        ("Ops/Nightly", "Nightly", 1, 1),
    ]


def test_it_shows_the_next_moment_of_armed_schedules_only(browser: Client) -> None:
    on, off = make_script("On"), make_script("Off")
    make_schedule(on, now=timezone.now())
    make_schedule(off, now=timezone.now())
    scripts.update(off, by=None, now=timezone.now(), enabled=False)
    assert text_of(browser).count("<time datetime=") == 1


def test_a_strip_tells_its_runs_in_words_and_marks_the_bad_ones(browser: Client) -> None:
    script = make_script()
    for status, duration_s in (
        (Status.SUCCEEDED, 2.0),
        (Status.SUCCEEDED, 4.0),
        (Status.FAILED, 1.0),
    ):
        run = make_run(script, status=status, duration_s=duration_s, finished_at=timezone.now())
    text = text_of(browser)
    assert 'aria-label="Last 3 runs: 2 succeeded, 1 failed; the newest failed"' in text
    assert f"<title>#{run.pk} failed after 1.00 s</title>" in text and text.count("is-notch") == 1
    assert "3.00 s" in text  # the median of those that succeeded


def test_it_costs_the_same_for_one_and_many(browser: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(browser)
        return len(queries)

    make_run(make_schedule(make_script("First", folder="A")).script)
    few = cost()
    for number in range(20):
        script = make_script(f"Script {number}", folder=f"Folder {number}")
        make_schedule(script)
        make_run(script)
    assert cost() == few


# --- several at once ------------------------------------------------------------------------------------------------
def test_many_scripts_come_in_pages_that_ask_for_their_own_alone(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "PAGE", 2)
    for slug in "abcde":
        make_script(slug)
    pages = [listed(browser, page=page, sort="name") for page in ("", "2", "3", "4", "x")]
    assert pages == [["a", "b"], ["c", "d"], ["e"], ["e"], ["a", "b"]]
    text = text_of(browser, page="2", sort="name")
    assert "3 to 4 of 5" in text and "2 scripts on this page" in " ".join(text.split())
    assert 'href="?page=1&amp;sort=name"' in text and 'href="?page=3&amp;sort=name"' in text
    whole = text_of(browser, q="a")
    assert "on this page" not in whole and 'class="pager"' not in whole
    exported = browser.get(reverse("script-list-file", args=["csv"]), {"page": "2"})
    assert len(exported.content.decode().splitlines()) == 1 + 5


def test_ticked_scripts_are_disabled_and_enabled_by_the_verb(browser: Client) -> None:
    schedule = make_schedule(make_script("One"), now=timezone.now())
    make_script("Two")
    assert told(browser, "disable", "one", "two") == ["Disabled 2 scripts."]
    schedule.refresh_from_db()
    assert schedule.alarm is None and not Script.objects.filter(enabled=True).exists()
    assert told(browser, "enable", "one") == ["Enabled 1 script."]
    schedule.refresh_from_db()
    assert schedule.alarm is not None


def test_ticked_scripts_are_started_in_the_users_name(browser: Client) -> None:
    make_script("One")
    make_script("Two")
    make_script("Three")
    assert told(browser, "run", "one", "three") == ["Started 2 scripts."]
    runs = Run.objects.order_by("script__slug").values_list("script__slug", "trigger", "by")
    assert list(runs) == [("one", Trigger.MANUAL, "ann"), ("three", Trigger.MANUAL, "ann")]


def test_ticked_scripts_are_moved_to_a_folder_and_out_of_it(browser: Client) -> None:
    make_script("One", folder="Ops")
    make_script("Two")
    assert told(browser, "move", "one", "two", to="Home/New") == ["Moved 2 scripts."]
    assert listed(browser, folder="Home") == ["one", "two"]
    assert told(browser, "move", "one", to="") == ["Moved 1 script."]
    assert Script.objects.get(slug="one").folder is None
    assert "has an empty part" in told(browser, "move", "two", to="a//b")[0]
    assert listed(browser, folder="Home") == ["two"]


def test_enter_in_a_field_of_the_list_presses_none_of_its_buttons(browser: Client) -> None:
    make_script("One")
    buttons = re.findall(
        r"<button[^>]*type=\"submit\"[^>]*>", text_of(browser).partition('class="rows')[0]
    )
    in_the_form = [button for button in buttons if "name=" in button or "hidden" in button]
    assert "disabled" in in_the_form[0]  # a form's first button is the one that Enter presses


@pytest.mark.parametrize(
    ("act", "slugs", "sentence"),
    [
        ("run", [], "No script was chosen"),
        ("explode", ["one"], "Nothing was done"),
        ("run", ["gone"], "1 of them was deleted meanwhile."),
    ],
)
def test_an_act_that_cannot_be_done_is_explained(
    browser: Client, act: str, slugs: list[str], sentence: str
) -> None:
    make_script("One")
    assert sentence in " ".join(told(browser, act, *slugs))
    assert not Run.objects.exists()


def test_refusals_do_not_stop_the_others_and_are_not_a_flood(
    browser: Client, settings: Any
) -> None:
    settings.MIN_FREE_MB = 2**40
    slugs = [make_script(f"Script {number}").slug for number in range(5)]
    sentences = told(browser, "run", *slugs)
    assert (
        len(sentences) == 4
        and "MB are free" in sentences[0]
        and sentences[3] == "2 more were refused."
    )


def test_a_folder_is_its_own_letters(browser: Client) -> None:
    make_script("Upper", folder="Ops/a")
    make_script("Lower", folder="ops/b")
    make_script("Other", folder="Opsy")
    assert listed(browser, folder="Ops") == ["upper"]


def test_it_narrows_to_scripts_whose_environment_failed(browser: Client) -> None:
    make_script("Sound")
    broken = make_script("Broken", requirements="reqests")
    Environment.objects.filter(waiting_scripts=broken).update(state=Environment.State.FAILED)
    assert listed(browser, state="broken") == ["broken"]


# --- when, tags, order, stars ---------------------------------------------------------------------------------------
def test_each_row_says_when_it_runs_and_can_be_run_and_switched_on(browser: Client) -> None:
    script = make_schedule(make_script("Backup"), kind="cron", cron="0 3 * * *").script
    make_schedule(script, every_s=3600)
    text = text_of(browser)
    assert "At 03:00, and 1 more" in text
    schedule = make_schedule(make_script("Off"), kind="cron", cron="0 4 * * *", enabled=False)
    tab = reverse("script-schedule", args=[schedule.script.slug])
    assert f'<a class="small" href="{tab}">At 04:00</a>' in text_of(browser)
    schedule.timezone = "Asia/Tokyo"
    schedule.save()
    assert f'<a class="small" href="{tab}">At 04:00 Asia/Tokyo</a>' in text_of(browser)
    assert f'formaction="{reverse("script-run", args=[script.slug])}"' in text
    scripts.update(script, by=None, now=timezone.now(), enabled=False)
    assert "Switch on" in text_of(browser)
    browser.post(reverse("script-list"), {"one": f"enable {script.slug}"})
    script.refresh_from_db()
    assert script.enabled


def test_it_narrows_by_tag_and_sorts(browser: Client) -> None:
    now = timezone.now()
    soon = make_schedule(make_script("Soon", tags=["größe"]), every_s=60, now=now).script
    late = make_schedule(make_script("Late", tags=["home"]), every_s=9000, now=now).script
    make_script("Never")
    make_run(late, status=Status.SUCCEEDED, finished_at=now, duration_s=2.0)
    assert listed(browser, tag="größe") == ["soon"]
    assert listed(browser, sort="next") == ["soon", "late", "never"]
    assert listed(browser, sort="last")[0] == "late"
    assert '<th aria-sort="descending">' in text_of(browser, sort="last")
    assert listed(browser, sort="nonsense") == ["late", "never", "soon"]
    assert '<option value="größe"' in text_of(browser)
    assert soon.tags == ["größe"]


def test_the_head_of_a_script_names_eight_of_its_tags_and_counts_the_others(
    browser: Client,
) -> None:
    script = make_script(tags=[f"tag-{number:02}" for number in range(50)])
    head = browser.get(reverse("script-overview", args=[script.slug])).content.decode()
    assert head.count('<bdi class="tag">') == 8
    assert "and 42 more" in head


def test_a_star_brings_a_script_to_the_top_of_ones_own_list(browser: Client, staff: User) -> None:
    make_script("A")
    make_script("B")
    for expected in (["b", "a"], ["a", "b"]):
        browser.post(reverse("script-list"), {"one": "star b"})
        assert listed(browser) == expected
    browser.post(reverse("script-list"), {"one": "star b"})
    other = Client()
    other.force_login(staff)
    assert listed(other) == ["a", "b"]


def test_the_schedules_of_several_are_paused_and_resumed(browser: Client) -> None:
    schedule = make_schedule(make_script("Backup"), now=timezone.now())
    answer = browser.post(
        reverse("script-list"), {"act": "pause", "slug": "backup", "length": "week"}
    )
    assert answer.status_code == 302
    schedule.refresh_from_db()
    assert schedule.is_paused(timezone.now() + timedelta(days=6))
    browser.post(reverse("script-list"), {"act": "resume", "slug": "backup"})
    schedule.refresh_from_db()
    assert not schedule.is_paused(timezone.now())

"""Pages of scripts."""

import re
import subprocess
import sys
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Status, Trigger
from scripts_app import scripts
from scripts_app.diagnostics import check
from scripts_app.models import Environment, Script, Version
from scripts_app.versions import drafts
from tests.factories import make_run, make_schedule, make_script
from tests.rows import each_row

HOSTILE = [
    "<script>alert(1)</script>",
    "{{7*7}} {% now %}",
    '"><img src=x onerror=alert(1)>',
    "\u202eabc \u05e9\u05dc\u05d5\u05dd",
    "LongWithoutASpace" * 11,
]
TEXT = {"code": "print('hello')\r\n", "requirements": "", "python_version": "", "based_on": "0"}

TABS = (
    "script-overview",
    "script-edit",
    "script-schedule",
    "script-runs",
    "script-versions",
    "script-settings",
)

pytestmark = pytest.mark.django_db


def text_of(browser: Client, name: str, *args: object) -> str:
    """A page's text."""
    return browser.get(reverse(name, args=args)).content.decode()


# --- new ------------------------------------------------------------------------------------------------------------
def test_a_name_is_enough_for_a_script_that_runs(browser: Client) -> None:
    answer = browser.post(
        reverse("script-new"), {"name": "Data Backup Script!", "folder": "Ops/Nightly"}
    )
    assert answer.headers["Location"] == "/scripts/data-backup-script/edit/"
    script = Script.objects.select_related("version__author", "folder").get()
    assert script.version and (str(script.version.author), str(script.folder)) == (
        "ann",
        "Ops/Nightly",
    )
    assert subprocess.check_output([sys.executable, "-c", script.version.code]).startswith(
        b"Hello from Python"
    )
    assert check.find_problems(code=script.version.code, requirements="", python_version="") == []


def test_the_form_stands_alone_for_a_dialog_and_knows_the_folders(browser: Client) -> None:
    make_script(folder="Ops/Nightly")
    text = browser.get(reverse("script-new"), {"part": "form", "folder": "Home"}).content.decode()
    assert (
        text.startswith("<form")
        and '<option value="Ops/Nightly">' in text
        and 'value="Home"' in text
    )


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "...", "contains no letter and no digit"),
        ("name", "", "This field is required."),
        ("folder", "a//b", "has an empty part"),
    ],
)
def test_a_refused_script_is_explained_at_its_field(
    browser: Client, field: str, value: str, sentence: str
) -> None:
    typed = {"name": "Typed", "folder": "With/Care"} | {field: value}
    answer = browser.post(reverse("script-new"), typed)
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert all(f'value="{kept}"' in answer.content.decode() for kept in typed.values() if kept)
    assert not Script.objects.exists()


def test_a_script_may_be_called_new(browser: Client) -> None:
    browser.post(reverse("script-new"), {"name": "New"})
    assert "<bdi>New</bdi>" in text_of(browser, "script-edit", "new")


# --- the text -------------------------------------------------------------------------------------------------------
def test_saving_makes_a_version(browser: Client) -> None:
    script = make_script("Hello World", code="1")
    for number, sentence in enumerate(["Saved as v2.", "No changes since v2."]):
        typed = TEXT | {"act": "save", "based_on": str(number)}
        answer = browser.post(reverse("script-edit", args=["hello-world"]), typed, follow=True)
        assert sentence in answer.content.decode()
    script.refresh_from_db()
    assert script.version and script.version.code == "print('hello')\n"


def test_saving_and_running_goes_to_the_run_of_the_new_version(browser: Client) -> None:
    make_script("Hello World", code="1")
    answer = browser.post(reverse("script-edit", args=["hello-world"]), TEXT | {"act": "run"})
    run = Run.objects.select_related("version").get()
    assert answer.headers["Location"] == f"/runs/{run.pk}/"
    assert run.version and run.version.number == 2


def test_what_may_harm_is_asked_about_before_the_first_run_of_a_version(browser: Client) -> None:
    make_script()
    text = {**TEXT, "code": "eval(input())\nnothing_there\n"}
    answer = browser.post("/scripts/hello-world/edit/", text | {"act": "run"})
    assert (answer.url, Run.objects.count()) == ("/scripts/hello-world/edit/?ask=run", 0)  # type: ignore[attr-defined]
    page = browser.get("/scripts/hello-world/edit/?ask=run").content.decode()
    assert "Line 2: <bdi>Undefined name <code>nothing_there</code></bdi>" in page
    assert 'role="alert" data-doubts>' in page

    browser.post("/scripts/hello-world/run/", {"confirm": "1"})  # its button, "Run anyway"
    browser.post("/scripts/hello-world/edit/", text | {"act": "run", "based_on": "1"})
    assert Run.objects.count() == 2, "nobody is asked again"
    assert (
        'role="alert" data-doubts hidden>'
        in browser.get("/scripts/hello-world/edit/?ask=run").content.decode()
    )


def test_what_python_cannot_read_is_saved_but_not_run_and_says_where(browser: Client) -> None:
    make_script()
    answer = browser.post(
        "/scripts/hello-world/edit/", {**TEXT, "code": "x = (\n", "act": "run"}, follow=True
    )
    assert "line 1: &#x27;(&#x27; was never closed" in answer.content.decode()
    assert (Version.objects.count(), Run.objects.count()) == (2, 0)
    assert "data-unreadable>Nothing runs it" in text_of(browser, "script-schedule", "hello-world")


def test_a_secret_in_the_code_leads_to_the_variables_and_is_repeated_nowhere_else(
    browser: Client,
) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    make_script(code=f"token = '{secret}'\n")
    page = text_of(browser, "script-edit", "hello-world")
    assert '<a href="/scripts/hello-world/variables/">Make it a secret</a>' in page
    assert page.count(secret) == 1, "in the text itself"


def test_a_draft_is_kept_without_a_version_and_can_be_discarded(browser: Client) -> None:
    script = make_script("Hello World", code="print(1)")
    wrong = TEXT | {"code": "def f(:", "requirements": "-r x", "act": "draft"}
    browser.post(reverse("script-edit", args=["hello-world"]), wrong)
    page = browser.get(reverse("script-edit", args=["hello-world"]))
    assert "def f(:" in page.content.decode()
    assert (page.context["is_draft"], page.context["revision"]) == (True, 1)
    assert {problem.field for problem in page.context["problems"]} == {"code", "requirements"}
    discard = reverse("script-draft-discard", args=["hello-world"])
    refused = browser.post(discard, {"based_on": "0"}, follow=True).content.decode()
    assert "has changed it meanwhile" in refused and "def f(:" in refused
    browser.post(discard, {"based_on": "1"})
    assert "print(1)" in text_of(browser, "script-edit", "hello-world")
    assert script.versions.count() == 1


@each_row(
    ("field", "value", "sentence"),
    [
        ("requirements", "-r other.txt", "line 1"),
        ("python_version", "2.7", "no Python version"),
        ("code", "\0", "Null characters are not allowed"),
        ("code", "x" * (1024 * 1024 + 1), "1 MB is the most"),
        ("based_on", "", "This field is required"),
    ],
)
def test_a_refused_text_is_explained_at_its_field_and_kept(
    browser: Client, field: str, value: str, sentence: str
) -> None:
    script = make_script("Hello World", code="1")
    typed = {"code": "typed_with_care", "requirements": "humanize", "act": "save", field: value}
    answer = browser.post(reverse("script-edit", args=["hello-world"]), TEXT | typed)
    assert sentence in " ".join(answer.context["form"].errors[field])
    text = answer.context["text"]
    assert all(getattr(text, name) == typed[name] for name in ("code", "requirements"))
    assert script.versions.count() == 1


def test_two_people_editing_one_script_do_not_overwrite_each_other_unawares(
    browser: Client,
) -> None:
    script = make_script("Hello World")
    mine = TEXT | {"code": "print('mine')", "act": "save"}
    scripts.update(script, by=None, now=timezone.now(), code="print('theirs')")
    refused = browser.post(reverse("script-edit", args=["hello-world"]), mine)
    assert refused.status_code == 409
    assert "print(&#x27;mine&#x27;)" in refused.content.decode()
    assert "print(&#x27;theirs&#x27;)" in refused.content.decode()
    on_top = mine | {"based_on": refused.context["revision"]}
    assert browser.post(reverse("script-edit", args=["hello-world"]), on_top).status_code == 302
    script.refresh_from_db()
    assert script.version and script.version.code == "print('mine')"


def test_a_refused_text_is_still_based_on_what_its_author_saw(browser: Client) -> None:
    script = make_script("Hello World")
    scripts.update(script, by=None, now=timezone.now(), code="print('theirs')")
    mine = TEXT | {"code": "print('mine')", "act": "save"}
    refused = browser.post(
        reverse("script-edit", args=["hello-world"]), mine | {"requirements": "-r x"}
    )
    again = mine | {"based_on": refused.context["revision"]}
    assert browser.post(reverse("script-edit", args=["hello-world"]), again).status_code == 409


def test_the_side_can_be_asked_for_alone(browser: Client) -> None:
    run = make_run(make_script("Hello World"))
    text = browser.get(
        reverse("script-edit", args=["hello-world"]), {"part": "side"}
    ).content.decode()
    assert f"/runs/{run.pk}/" in text and "<html" not in text and "<textarea" not in text


def test_the_old_addresses_of_the_overview_and_of_an_open_editor_still_lead_there(
    browser: Client,
) -> None:
    script = make_script("Hello World")
    moved = browser.get("/scripts/hello-world/overview/?days=7")
    assert (moved.status_code, moved.headers["Location"]) == (301, "/scripts/hello-world/")
    typed = TEXT | {"act": "save", "code": "print('from an open editor')\n"}
    browser.post("/scripts/hello-world/", typed, follow=True)
    script.refresh_from_db()
    assert script.version and script.version.code == typed["code"]


def test_a_python_that_is_gone_stays_chosen(browser: Client) -> None:
    script = make_script("Hello World")
    drafts.save(
        script,
        code="",
        requirements="",
        python_version="3.99",
        based_on=0,
        by=None,
        now=timezone.now(),
    )
    pythons = dict(browser.get(reverse("script-edit", args=["hello-world"])).context["pythons"])
    assert pythons["3.99"] == "3.99 (not on this machine)" and "Tempo" in pythons[""]


# --- versions and runs ----------------------------------------------------------------------------------------------
def test_versions_are_listed_newest_first_and_the_current_one_is_marked(
    browser: Client, user: User
) -> None:
    script = make_script("Hello World", code="print('<first>')")
    scripts.update(script, by=user, now=timezone.now(), code="print(2)")
    text = text_of(browser, "script-versions", "hello-world")
    assert text.index(">v2</a> <span") < text.index(">v1</a>")
    assert text.count("current</span>") == 1 and "<bdi>ann</bdi>" in text
    assert "print(&#x27;&lt;first&gt;&#x27;)" in text_of(
        browser, "version-detail", "hello-world", 1
    )


@pytest.mark.parametrize("number", [2, 10**30])
def test_a_version_that_is_not_there_is_said_so(browser: Client, number: int) -> None:
    make_script("Hello World")
    assert browser.get(reverse("version-detail", args=["hello-world", number])).status_code == 404


def test_old_versions_are_reached_by_pages(browser: Client) -> None:
    script = make_script("Hello World")
    Version.objects.bulk_create(Version(script=script, number=number) for number in range(2, 121))
    seen, query = [], "?"
    while query:
        page = browser.get(reverse("script-versions", args=["hello-world"]) + query)
        seen += [version.number for version in page.context["versions"]]
        query = f"?before={page.context['older']}" if page.context["older"] else ""
    assert seen == list(range(120, 0, -1))


@pytest.mark.parametrize(
    "query", ["?before=x", "?before=-1", "?status=nonsense", "?before=" + "9" * 40]
)
def test_an_address_that_cannot_be_read_still_shows_the_list(browser: Client, query: str) -> None:
    make_script("Hello World")
    for name in ("script-runs", "script-versions"):
        assert browser.get(reverse(name, args=["hello-world"]) + query).status_code == 200


def test_every_tab_says_where_one_is_and_what_is_due(browser: Client) -> None:
    make_schedule(make_script("Hello World"), now=timezone.now())
    for name in TABS:
        text = text_of(browser, name, "hello-world")
        tabs = text[text.index('<nav class="tabs"') :]
        here = next(link for link in re.findall("<a [^>]*>", tabs) if 'aria-current="page"' in link)
        assert f'href="{reverse(name, args=["hello-world"])}"' in here
        assert tabs.count("aria-current") - tabs[tabs.index("</nav>") :].count("aria-current") == 1
        assert "next <time" in text


def test_a_tab_costs_the_same_for_one_and_many(browser: Client) -> None:
    script = make_script("Hello World")

    def cost(name: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(browser, name, script.slug)
        return len(queries)

    def grow(count: int) -> None:
        for number in range(count):
            make_run(make_schedule(script).script)
            scripts.update(
                script, by=None, now=timezone.now(), code=f"{script.versions.count()} {number}"
            )

    grow(1)
    few = {name: cost(name) for name in TABS}
    grow(15)
    assert {name: cost(name) for name in TABS} == few
    assert max(few.values()) <= 12


# --- list and page --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_on_every_page(browser: Client, name: str) -> None:
    script = make_script(
        f"a{name}", code=name, description=name, folder=name.replace("/", ""), tags=[name[:50]]
    )
    schedule = make_schedule(script)
    run = make_run(script, status=Status.FAILED, message=name, finished_at=timezone.now())
    pages: list[tuple[str, tuple[object, ...]]] = [
        *((page, ()) for page in ("script-list", "run-list", "dashboard")),
        *((page, (script.slug,)) for page in (*TABS, "script-delete", "schedule-new")),
        ("version-detail", (script.slug, 1)),
        ("schedule-edit", (script.slug, schedule.pk)),
        ("run-detail", (run.pk,)),
    ]
    for page, args in pages:
        text = text_of(browser, page, *args)
        assert "<script>alert" not in text and "<img src=x" not in text and ">49 " not in text, page


def test_a_failed_environment_is_explained_with_a_way_out(browser: Client) -> None:
    script = make_script(is_ready=False)
    rows = Environment.objects.filter(scripts=None, waiting_scripts=script)
    rows.update(
        state=Environment.State.FAILED,
        message="no version of `reqests` was found\nhint: did you mean `requests`?",
    )
    text = text_of(browser, "script-edit", script.slug)
    assert "no version of <code>reqests</code> was found" in text and "Build again" in text
    browser.post(reverse("script-rebuild", args=[script.slug]))
    assert rows.get().state == Environment.State.WANTED


def test_a_deleted_script_has_no_page(browser: Client) -> None:
    script = make_script()
    scripts.delete(script, now=timezone.now())
    assert browser.get(reverse("script-edit", args=[script.slug])).status_code == 404


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


def test_a_button_of_the_head_leads_back_to_its_tab(browser: Client) -> None:
    make_script("Hello World")
    answer = browser.post(
        reverse("script-switch", args=["hello-world"]), {"enabled": "0", "tab": "runs"}
    )
    assert answer.headers["Location"] == "/scripts/hello-world/runs/"


@pytest.mark.parametrize(
    "name", ["script-run", "script-switch", "script-rebuild", "script-draft-discard"]
)
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


def test_a_text_that_does_not_say_what_it_was_made_from_is_refused_in_words(
    browser: Client,
) -> None:
    make_script("Hello World")
    answer = browser.post(
        reverse("script-edit", args=["hello-world"]), {**TEXT, "based_on": "x", "act": "save"}
    )
    assert "did not say which text this was made from" in answer.content.decode()


def test_an_unknown_address_is_told_in_words(browser: Client) -> None:
    assert "There is nothing at this address." in browser.get("/no-such-page/").content.decode()

"""The script templates as they are offered: complete, clean, and made into scripts that nothing starts by itself."""

import ast
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from runs_app.models import Run
from scripts_app import script_templates
from scripts_app.diagnostics import check
from scripts_app.inputs import declarations, parameters
from scripts_app.models import Script
from scripts_app.packages import inline_metadata, requirements
from scripts_app.script_templates import ScriptTemplate
from scripts_app.timing import rule
from scripts_app.validation import ScriptError
from tests.factories import NOW
from tests.refusals import refusal
from tests.rows import each_row
from tests.service import ROOT

TEMPLATES = list(script_templates.all_templates().values())
OLDEST = (3, 8)  # the Pythons that scripts may have begin there
PROMISED = (
    "hello http_check folder_backup disk_space csv_to_sqlite api_poll page_change log_rotation database_dump"
    " certificate_expiry git_mirror nightly_tests page_screenshot"
)

each = each_row("template", TEMPLATES)


@pytest.fixture
def asked(key: str) -> Client:
    """A client that bears a key."""
    return Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})


# --- what each is ---------------------------------------------------------------------------------------------------
def test_there_are_those_that_were_promised_the_easiest_first() -> None:
    names = [template.name for template in TEMPLATES]
    assert sorted(names) == sorted(PROMISED.split())
    assert names[:3] == ["hello", "http_check", "folder_backup"]


@each
def test_a_template_says_what_it_does_in_one_sentence(template: ScriptTemplate) -> None:
    assert 40 < len(template.description) <= 110 and template.description.count(". ") == 0
    assert template.description.endswith(".") and template.title


@each
def test_its_suggested_schedule_can_be_saved(template: ScriptTemplate) -> None:
    timing = rule.Timing(kind=template.kind, cron=template.cron, every_s=template.every_s)
    assert refusal(lambda: rule.check(timing), rule.TimingError) == ""


@each
def test_its_requirements_are_such_as_tempo_takes(template: ScriptTemplate) -> None:
    assert requirements.normalise(template.requirements).split() == template.packages


@each
def test_its_block_is_read_without_a_complaint(template: ScriptTemplate) -> None:
    block = inline_metadata.read(template.code)
    assert (declarations.problems(template.code), block.requires_python) == ([], ">=3.8")


@each
def test_its_parameters_are_complete(template: ScriptTemplate) -> None:
    assert template.parameters
    for parameter in template.parameters:
        assert parameter["help"] and ("default" in parameter or parameter["required"]), parameter[
            "name"
        ]


@each
def test_it_reads_the_parameters_that_it_declares(template: ScriptTemplate) -> None:
    assert set(reads(template)) == {
        f"TEMPO_PARAM_{parameter['name'].upper()}" for parameter in template.parameters
    }


@each
def test_what_it_does_without_tempo_is_what_the_form_offers(template: ScriptTemplate) -> None:
    """The same script runs in a terminal, where nothing is set."""
    offered = {parameter["name"]: parameter.get("default", "") for parameter in template.parameters}
    for name, default in reads(template).items():
        text = parameters.as_text(offered[name.removeprefix("TEMPO_PARAM_").lower()])
        assert default in (text, text.removesuffix(".0"), None), name


@each
def test_every_python_that_scripts_may_have_can_read_it(template: ScriptTemplate) -> None:
    assert refusal(lambda: ast.parse(template.code, feature_version=OLDEST), SyntaxError) == ""


@each
@pytest.mark.parametrize("version", ["", "3.8"])
def test_it_is_free_of_problems(template: ScriptTemplate, version: str) -> None:
    found = check.find_problems(
        code=template.code, requirements=template.requirements, python_version=version
    )
    assert [problem for problem in found if problem.field == "code"] == []


def test_the_image_holds_them() -> None:
    assert script_templates.FOLDER.is_relative_to(ROOT / "scripts_app")
    assert "COPY scripts_app/ scripts_app/" in (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "!scripts_app" in ignored and not [
        line for line in ignored if "script_template_files" in line
    ]


def reads(template: ScriptTemplate) -> dict[str, str | None]:
    """The parameters that its code reads, each with the default it takes when nothing is given."""
    return {
        name: default
        for node in ast.walk(ast.parse(template.code))
        for name, default in read_in(node)
    }


def read_in(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Of `os.environ.get("TEMPO_PARAM_X", "default")`."""
    if isinstance(node, ast.Call):
        words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        if words and str(words[0]).startswith("TEMPO_PARAM_"):
            yield str(words[0]), str(words[1]) if len(words) > 1 else None


# --- a script made from one -----------------------------------------------------------------------------------------
def test_a_script_from_a_template_waits_to_be_switched_on(user: User, settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    template = script_templates.find_template("folder_backup")
    script = script_templates.create_from_template(template, by=user, now=NOW)
    schedule = script.schedules.get()
    assert (script.name, script.slug, script.enabled) == (
        template.title,
        "folder-backup-with-rotation",
        True,
    )
    assert (schedule.cron, schedule.timezone, schedule.enabled, schedule.alarm) == (
        *("30 2 * * *", "Europe/Berlin"),
        *(False, None),
    )
    assert script.version and (script.version.code, script.description) == (
        template.code,
        template.description,
    )
    assert not Run.objects.scripts().exists()


def test_a_browser_gets_the_memory_that_it_needs_as_far_as_the_server_allows(
    user: User, settings: Settings
) -> None:
    template = script_templates.find_template("page_screenshot")
    made = script_templates.create_from_template(template, by=user, now=NOW)
    settings.MAX_MEMORY_MB = 700
    less = script_templates.create_from_template(template, by=user, now=NOW)
    assert (made.memory_mb, less.memory_mb) == (1024, 700)


def test_two_from_one_template_are_two_scripts(user: User) -> None:
    made = [
        script_templates.create_from_template(
            script_templates.find_template("hello"), by=user, now=NOW
        )
        for _ in range(2)
    ]
    assert [script.slug for script in made] == ["hello", "hello-2"]


@pytest.mark.django_db
def test_a_template_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        ScriptError, match=r"no template `..\/hello`\nhint: there are hello, http_check"
    ):
        script_templates.find_template("../hello")


# --- the page -------------------------------------------------------------------------------------------------------
def test_the_page_offers_each_with_its_sentence_packages_and_schedule(browser: Client) -> None:
    text = browser.get(reverse("script-new"), {"start": "nightly_tests"}).content.decode()
    for template in TEMPLATES:
        assert f'value="{template.name}"' in text and template.title in text
    assert "At 04:00 · <code>pytest</code>" in text and 'value="nightly_tests" checked' in text
    assert 'value="" checked' in browser.get(reverse("script-new")).content.decode()


def test_choosing_one_is_enough(browser: Client) -> None:
    answer = browser.post(
        reverse("script-new"), {"start": "disk_space", "name": "", "folder": "Ops"}, follow=True
    )
    script = Script.objects.select_related("folder").get()
    assert (script.name, str(script.folder)) == ("Disk space", "Ops")
    assert (
        "Its suggested schedule, every hour, is there but switched off." in answer.content.decode()
    )


def test_a_name_of_ones_own_counts(browser: Client) -> None:
    browser.post(reverse("script-new"), {"start": "disk_space", "name": "NAS"})
    assert Script.objects.get().slug == "nas"


def test_what_is_no_template_is_refused_at_its_field(browser: Client) -> None:
    answer = browser.post(reverse("script-new"), {"start": "<b>", "name": "NAS"})
    assert answer.context["form"].errors["start"] and "<b>" not in answer.content.decode()
    assert not Script.objects.exists()


def test_who_has_no_script_is_offered_three(browser: Client) -> None:
    for page in ("script-list", "dashboard"):
        text = browser.get(reverse(page)).content.decode()
        assert [f"?start={name}" in text for name in ("hello", "http_check", "folder_backup")] == [
            True
        ] * 3, page


# --- the API --------------------------------------------------------------------------------------------------------
def test_the_api_lists_them_and_shows_the_code_of_one(asked: Client) -> None:
    page = asked.get("/api/v1/templates").json()
    assert [item["name"] for item in page["items"]] == [template.name for template in TEMPLATES]
    assert page["next_cursor"] is None and "code" not in page["items"][0]
    one = asked.get("/api/v1/templates/http_check").json()
    assert one["code"] == script_templates.find_template("http_check").code
    assert one["schedule"] == {
        "kind": "cron",
        "cron": "*/5 * * * *",
        "every_s": None,
        "description": "Every 5 minutes",
    }
    assert [parameter["name"] for parameter in one["parameters"]][:4] == [
        "url",
        "status",
        "contains",
        "tries",
    ]


def test_the_api_makes_a_script(asked: Client) -> None:
    body = {"name": "Mine", "folder": "A/B"}
    answer = asked.post("/api/v1/templates/hello", body, content_type="application/json")
    assert (answer.status_code, answer.json()["slug"], answer.json()["folder"]) == (
        201,
        "mine",
        "A/B",
    )
    (schedule,) = asked.get("/api/v1/scripts/mine/schedules").json()["items"]
    assert (schedule["every_s"], schedule["enabled"], schedule["next_at"]) == (3600, False, None)


@pytest.mark.parametrize(
    ("name", "body", "status", "sentence"),
    [
        ("nothing", {}, 404, "There is no template `nothing`"),
        ("hello", {"name": "..."}, 422, "contains no letter and no digit"),
        ("hello", {"folder": "a//b"}, 422, "has an empty part"),
        ("hello", {"code": "x"}, 422, ""),
    ],
)
def test_the_api_refuses(
    asked: Client, name: str, body: dict[str, str], status: int, sentence: str
) -> None:
    answer = asked.post(f"/api/v1/templates/{name}", body, content_type="application/json")
    assert (answer.status_code, sentence in answer.json()["error"]["message"]) == (status, True), (
        answer.json()
    )
    assert not Script.objects.exists()


def test_the_guide_names_each_of_them() -> None:
    guide = (ROOT / "docs" / "user-guide.md").read_text()
    assert [template.name for template in TEMPLATES if f"| `{template.name}` |" not in guide] == []

"""What a text needs: its fields, else the PEP 723 block of its code."""

import platform
import sys

import pytest
from django.test import Client
from django.urls import reverse

from scripts_app import scripts
from scripts_app.environments import environments
from scripts_app.models import Script
from scripts_app.packages import interpreters, resolution
from scripts_app.packages.interpreters import InterpreterMissing
from scripts_app.validation import ScriptError
from scripts_app.versions import drafts
from tests.factories import NOW, make_script
from tests.scripts_app.environments.test_environments import wanted

BLOCK = """# /// script
# requires-python = ">={minor}"
# dependencies = ["humanize>=4", "Attrs"]
# ///
print("hello")
"""
CODE = BLOCK.format(minor=f"3.{sys.version_info.minor}")


def needed(
    code: str = CODE, requirements: str = "", python_version: str = ""
) -> resolution.Resolution:
    return resolution.resolve(code=code, requirements=requirements, python_version=python_version)


def offered(code: str = CODE, requirements: str = "", python_version: str = "") -> resolution.Offer:
    return resolution.offer(code=code, requirements=requirements, python_version=python_version)


def test_empty_fields_follow_the_block() -> None:
    found = needed(requirements="# none\n")
    assert (found.requirements, found.interpreter) == ("attrs\nhumanize>=4", interpreters.own())
    assert (found.are_requirements_of_code, found.is_python_of_code) == (True, True)


def test_a_field_that_is_filled_in_counts() -> None:
    found = needed(requirements="toml", python_version=platform.python_version())
    assert (found.requirements, found.are_requirements_of_code, found.is_python_of_code) == (
        "toml",
        False,
        False,
    )


@pytest.mark.parametrize("code", ["", "print(1)\n", "# /// script\n# ///\n"])
def test_without_a_list_there_is_nothing_to_follow(code: str) -> None:
    assert (needed(code).requirements, bool(offered(code))) == ("", False)


def test_what_would_be_refused_in_the_field_is_refused_in_the_block() -> None:
    code = '# /// script\n# dependencies = ["toml", "-e ."]\n# ///\n'
    with pytest.raises(
        ScriptError, match=r"block, dependency 2: `-e \.` is not allowed"
    ) as refusal:
        needed(code)
    assert refusal.value.field == "code"


def test_a_text_of_the_block_is_one_requirement() -> None:
    code = '# /// script\n# dependencies = ["toml\\n-e ."]\n# ///\n'
    with pytest.raises(ScriptError, match=r"block, dependency 1: `toml -e \.`"):
        needed(code)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("# /// script\n# dependencies = 3\n# ///\n", "Line 2: `dependencies` has to be a list"),
        ("# /// script\n# dependencies = []\n# /// \n", "Line 3: a space behind `# ///`"),
    ],
)
def test_a_broken_block_is_refused_even_if_the_fields_overrule_it(code: str, problem: str) -> None:
    for requirements in ("", "toml"):
        with pytest.raises(ScriptError, match=f"^{problem}") as refusal:
            needed(code, requirements, platform.python_version())
        assert refusal.value.field == "code"


def test_a_python_that_is_not_there_is_named() -> None:
    with pytest.raises(InterpreterMissing, match=r"asks for Python >=3\.99\nhint: there is "):
        needed(BLOCK.format(minor="3.99"))


def test_the_newest_python_that_will_do_is_taken_where_tempos_own_will_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [
        interpreters.Interpreter(version=version, path=interpreters.own().path)
        for version in ("3.98.2", "3.98.1")
    ]
    monkeypatch.setattr(interpreters, "discover", lambda: there)
    assert needed(BLOCK.format(minor="3.98")).interpreter.version == "3.98.2"


def test_the_offer_says_whether_a_field_stands_before_it() -> None:
    assert (offered().is_used, offered().is_overruled) == (True, False)
    assert offered(requirements="toml").is_overruled
    assert offered(python_version="3.11").is_overruled


@pytest.mark.django_db
def test_a_script_gets_the_packages_of_its_block_and_follows_it() -> None:
    script = make_script(code=CODE, is_ready=False)
    assert wanted(script).requirements == "attrs\nhumanize>=4"
    scripts.update(script, by=None, now=NOW, code=CODE.replace("Attrs", "toml"))
    assert wanted(script).requirements == "humanize>=4\ntoml"
    assert (
        environments.request(Script.objects.get(pk=script.pk)).requirements == "humanize>=4\ntoml"
    )


@pytest.mark.django_db
def test_the_environment_page_says_who_named_the_packages(browser: Client) -> None:
    pages = [
        browser.get(
            reverse("script-environment", args=[make_script(code=CODE, requirements=field).slug])
        ).content.decode()
        for field in ("", "toml")
    ]
    assert ["is named by the code" in page for page in pages] == [True, False]


@pytest.mark.django_db
def test_taking_over_empties_the_fields_in_the_draft(browser: Client) -> None:
    script = make_script(code=CODE, requirements="toml")
    page = browser.get(reverse("script-edit", args=[script.slug])).content.decode()
    assert "Take over from the code" in page
    browser.post(
        reverse("script-take-over", args=[script.slug]), {"based_on": str(script.revision)}
    )
    text = drafts.text(Script.objects.get(pk=script.pk))
    assert (text.is_draft, text.requirements, text.code) == (True, "", CODE)
    assert (
        "That is used" in browser.get(reverse("script-edit", args=[script.slug])).content.decode()
    )


@pytest.mark.django_db
def test_nothing_is_taken_over_from_a_text_that_has_changed(browser: Client) -> None:
    script = make_script(code=CODE, requirements="toml")
    browser.post(reverse("script-take-over", args=[script.slug]), {"based_on": "99"})
    assert not drafts.text(Script.objects.get(pk=script.pk)).is_draft

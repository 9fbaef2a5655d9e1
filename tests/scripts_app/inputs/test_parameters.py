"""Parameters: how they are declared, and what a run may be given."""

from typing import Any

import pytest

from scripts_app import scripts
from scripts_app.diagnostics import check
from scripts_app.inputs import declarations, parameters
from scripts_app.inputs.parameters import InputError
from scripts_app.models import Script
from scripts_app.validation import ScriptError
from tests.factories import NOW, make_script
from tests.rows import each_row

DECLARED = """\
days = {type = "int", default = 7, min = 1, max = 30, help = "How far back."}
mode = {choices = ["fast", "whole"], default = "fast"}
ratio = {type = "float"}
dry = {type = "bool", default = false}
since = {type = "date", min = 2020-01-01}
who = {required = true}
"""

pytestmark = pytest.mark.django_db


def with_block(lines: str) -> str:
    """A text whose code declares these parameters."""
    said = "".join(f"# {line}\n" for line in lines.splitlines())
    return f"# /// script\n# [tool.tempo.parameters]\n{said}# ///\nprint()\n"


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code=with_block(DECLARED))


def wrong(script: Script, **inputs: Any) -> dict[str, str]:
    """What is refused of these values, by name."""
    with pytest.raises(InputError) as caught:
        parameters.check_inputs(script, {"who": "me", **inputs})
    return caught.value.fields


def test_what_is_given_is_read_and_the_rest_has_its_default(script: Script) -> None:
    inputs = {"who": "", "ratio": "1.5", "dry": "yes", "since": " 2026-01-31 ", "days": ""}
    assert parameters.check_inputs(script, {**inputs, "who": "me"}) == {
        "who": "me",
        "ratio": 1.5,
        "dry": True,
        "since": "2026-01-31",
        "days": 7,
        "mode": "fast",
    }


@each_row(
    ("inputs", "why"),
    [
        ({"days": 0}, "is less than 1"),
        ({"days": "31"}, "is more than 30"),
        ({"days": True}, "has to be a whole number"),
        ({"days": "9" * 5000}, "has to be a whole number"),
        ({"days": [7]}, "has to be a whole number"),
        ({"ratio": "nan"}, "has to be a number"),
        ({"ratio": "1e999"}, "has to be a number that is not infinite"),
        ({"ratio": 10**400}, "has to be a number"),
        ({"dry": "perhaps"}, "has to be `true` or `false`"),
        ({"mode": "slow"}, "has to be one of `fast`, `whole`"),
        ({"since": "2026-02-30"}, "has to be a date like `2026-11-24`"),
        ({"since": "2019-12-31"}, "is less than 2020-01-01"),
        ({"who": 5}, "has to be text"),
        ({"who": "a\0b"}, "contains a NUL character, which no program can be given"),
        ({"who": "\ud800"}, "contains half a surrogate pair, which is no character"),
        ({"who": "x" * 10_001}, "has 10,001 bytes; 10,000 is the most"),
        ({"who": ""}, "is required"),
        ({"who": None}, "is required"),
    ],
)
def test_a_value_that_is_not_right_is_refused_by_name(
    script: Script, inputs: dict[str, Any], why: str
) -> None:
    assert wrong(script, **inputs) == {next(iter(inputs)): why}


def test_a_name_that_is_not_declared_is_refused(script: Script) -> None:
    assert "there are `days`" in wrong(script, LD_PRELOAD="x")["LD_PRELOAD"]
    assert list(wrong(make_script("Plain"), **{"x" * 5000: 1}))[1].startswith("xxx")


def test_all_values_together_are_bounded() -> None:
    script = make_script("Wide", parameters=[{"name": name} for name in "abc"])
    with pytest.raises(InputError, match="16,384"):
        parameters.check_inputs(script, dict.fromkeys("abc", "x" * 9000))


def test_an_environment_carries_text() -> None:
    found = parameters.environment(
        {"days": 7, "dry": False, "ratio": 0.5, "who": "it's $(me)", "since": "2026-01-31"}
    )
    assert found == {
        "TEMPO_PARAM_DAYS": "7",
        "TEMPO_PARAM_DRY": "false",
        "TEMPO_PARAM_RATIO": "0.5",
        "TEMPO_PARAM_WHO": "it's $(me)",
        "TEMPO_PARAM_SINCE": "2026-01-31",
    }


def test_what_is_not_declared_any_more_is_dropped(script: Script) -> None:
    assert parameters.split(script, {"who": "me", "gone": 1}) == ({"who": "me"}, ["gone"])


def test_the_codes_table_wins_over_the_settings(script: Script) -> None:
    scripts.update(script, by=None, now=NOW, parameters=[{"name": "other"}])
    assert [each.name for each in parameters.parameters_of(script)] == [
        "days",
        "mode",
        "ratio",
        "dry",
        "since",
        "who",
    ]
    scripts.update(script, by=None, now=NOW, code="print()\n")
    assert [each.name for each in parameters.parameters_of(script)] == ["other"]


def test_settings_are_written_like_the_code(script: Script) -> None:
    stored = declarations.declared_in_toml(DECLARED)
    assert stored == script.declared
    assert declarations.declared_in_toml(declarations.as_toml(stored)) == stored


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('Days = {type = "int"}', "needs another name"),
        ('a-b = {type = "int"}', "needs another name"),
        ('days = "int"', "is no table"),
        ('days = {type = "secret"}', "has no type that there is"),
        ("days = {typ = 1}", "has a field `typ`"),
        ('days = {type = "int", default = "7"}', "in quotes"),
        ('days = {type = "int", default = 1.5}', "`default` that has to be a whole number"),
        ('days = {type = "int", min = 5, default = 4}', "`default` that is less than 5"),
        ('days = {type = "int", min = 5, max = 4}', "`min` above its `max`"),
        ("days = {min = 5}", "which are for int, float, date"),
        ('days = {type = "choice"}', "needs `choices`"),
        ("days = {choices = []}", "needs `choices`"),
        ('days = {choices = ["a", "a"]}', "not different"),
        ('days = {type = "int", choices = ["a"]}', "which are for the type `choice`"),
        ("days = {required = 1}", "`required` that is not"),
        ('days = {help = "a\\nb"}', "no line"),
        ('days = {type = "date", default = 2026-01-01T00:00:00}', "date like"),
        ('days = {type = "float", default = inf}', "not infinite"),
        ("days = {type = []}", "has no type that there is"),
    ],
)
def test_a_declaration_that_is_not_right_has_its_line(line: str, why: str) -> None:
    code = with_block(f'fine = {{type = "int"}}\n{line}')
    [(number, sentence)] = declarations.problems(code)
    assert number == 4 and why in sentence
    declared = declarations.declared_in_code(code)
    assert declared is not None and [each["name"] for each in declared] == ["fine"]
    with pytest.raises(ScriptError) as caught:
        declarations.declared_in_toml(line)
    assert why in str(caught.value) and caught.value.field == "parameters"


def test_there_are_fifty_at_most() -> None:
    lines = "".join(f"p{number} = {{}}\n" for number in range(60))
    assert [why for _, why in declarations.problems(with_block(lines))] == [
        "parameter `p50` is one too many: 50 is the most"
    ]


@each_row(
    "declared", [5, "x", [5], [{}], [{"name": 5}], [{"name": "a"}, {"name": "a"}], {"name": "a"}]
)
def test_settings_that_are_no_list_are_refused(declared: Any) -> None:
    with pytest.raises(ScriptError):
        declarations.declared_in_settings(declared)


@pytest.mark.parametrize(
    "text", ["days", "a = " + "[" * 3000, "a" + ".a" * 3000 + " = 1", "x" * 40_000]
)
def test_lines_that_are_no_toml_are_refused(text: str) -> None:
    with pytest.raises(ScriptError) as caught:
        declarations.declared_in_toml(text)
    assert caught.value.field == "parameters"


def test_the_editor_shows_what_is_wrong_in_the_block() -> None:
    code = with_block('days = {type = "int", default = 1.5}')
    found = [
        each
        for each in check.find_problems(code=code, requirements="", python_version="")
        if each.code == "block"
    ]
    assert [(each.field, each.line) for each in found] == [("code", 3)]

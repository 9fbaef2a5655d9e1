"""The texts of tests/corpus/: requirements and blocks as people bring them, taken or refused with the right words."""

import re
from typing import Any

import pytest

from scripts_app.diagnostics import check
from scripts_app.diagnostics.models import Severity
from scripts_app.packages import inline_metadata, requirements, resolution
from scripts_app.validation import ScriptError
from tests import corpus
from tests.rows import each_row

REQUIREMENTS = corpus.cases("requirements")
BLOCKS = corpus.cases("pep723")
READ = [case for case in BLOCKS if "python" in case]
BROKEN = [case for case in BLOCKS if "line" in case]
TAKEN = [case for case in REQUIREMENTS if "taken" in case]
REFUSED = [case for case in REQUIREMENTS if "line" in case]


def test_the_corpus_of_requirements_is_whole() -> None:
    assert len(REQUIREMENTS) >= 100 and len(TAKEN) + len(REFUSED) == len(REQUIREMENTS)
    assert len({case["text"] for case in REQUIREMENTS}) == len(REQUIREMENTS)


@each_row("case", TAKEN)
def test_requirements_are_taken(case: dict[str, Any]) -> None:
    assert requirements.normalise(case["text"]).splitlines() == case["taken"]


@each_row("case", TAKEN)
def test_a_normal_form_is_its_own(case: dict[str, Any]) -> None:
    normal = requirements.normalise(case["text"])
    assert requirements.normalise(normal) == normal


@each_row("case", REFUSED)
def test_requirements_are_refused_with_line_reason_and_hint(case: dict[str, Any]) -> None:
    with pytest.raises(ScriptError, match=f"^line {case['line']}: `") as refusal:
        requirements.normalise(case["text"])
    assert case["reason"] in str(refusal.value)
    assert written(str(refusal.value)) == case.get("write", [])


@each_row("case", REFUSED)
def test_what_a_hint_says_to_write_is_taken(case: dict[str, Any]) -> None:
    refused = list(requirements.refused_lines(case["text"]))
    assert refused
    for _, reason in refused:
        lines = written(reason)
        assert len(requirements.normalise("\n".join(lines)).splitlines()) == len(set(lines))


def written(refusal: str) -> list[str]:
    """The lines that a hint says to write."""
    _, separator, lines = refusal.partition("\nhint: write ")
    return re.findall("`(.+?)`", lines) if separator else []


def test_the_corpus_of_blocks_is_whole() -> None:
    assert len(BLOCKS) >= 30 and len(READ) + len(BROKEN) == len(BLOCKS)
    assert len({case["code"] for case in BLOCKS}) == len(BLOCKS)


@each_row("case", READ)
def test_blocks_are_read(case: dict[str, Any]) -> None:
    found = inline_metadata.read(case["code"])
    wanted = case.get("requirements")
    assert (found.requirements, found.requires_python, found.problems) == (
        wanted if wanted is None else tuple(wanted),
        case["python"],
        (),
    )
    notes = [case["note"]] if "note" in case else []
    assert [note[: len(case["note"])] for _, note in found.notes] == notes
    assert [line for line, _ in found.notes] == ([case["note_line"]] if notes else [])


@each_row("case", BROKEN)
def test_broken_blocks_are_refused_with_their_line(case: dict[str, Any]) -> None:
    with pytest.raises(ScriptError, match=f"^Line {case['line']}: ") as refusal:
        resolution.resolve(code=case["code"], requirements="", python_version="")
    assert refusal.value.field == "code" and case["reason"] in str(refusal.value)


def test_a_note_is_shown_where_problems_are() -> None:
    (case,) = (case for case in READ if case["code"].count("[tool.uv]") and case["note_line"])
    found = check.find_problems(code=case["code"], requirements="", python_version="")
    assert [(one.line, one.severity, one.message) for one in found if one.code == "block"] == [
        (3, Severity.WARNING, "`[tool.uv]` is not read: Tempo has an index and locks of its own")
    ]


def test_what_a_broken_block_is_told_to_write_puts_its_line_right() -> None:
    told = 0
    for case in BROKEN:
        ((line, message),) = inline_metadata.read(case["code"]).problems
        instead = re.search("write `(.+?)`", message)
        if instead is None:
            continue
        told += 1
        lines = case["code"].split("\n")
        lines[line - 1] = instead[1]
        left = inline_metadata.read("\n".join(lines)).problems
        assert line not in [number for number, _ in left]
    assert told >= 4

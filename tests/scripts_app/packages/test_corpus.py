"""The texts of tests/corpus/: requirements and blocks as people bring them, taken or refused with the right words."""

import re
from typing import Any

import pytest

from scripts_app.packages import requirements
from scripts_app.validation import ScriptError
from tests import corpus

REQUIREMENTS = corpus.cases("requirements")
TAKEN = [case for case in REQUIREMENTS if "taken" in case]
REFUSED = [case for case in REQUIREMENTS if "line" in case]


def test_the_corpus_of_requirements_is_whole() -> None:
    assert len(REQUIREMENTS) >= 100 and len(TAKEN) + len(REFUSED) == len(REQUIREMENTS)
    assert len({case["text"] for case in REQUIREMENTS}) == len(REQUIREMENTS)


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: repr(case["text"][:40]))
def test_requirements_are_taken(case: dict[str, Any]) -> None:
    assert requirements.normalise(case["text"]).splitlines() == case["taken"]


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: repr(case["text"][:40]))
def test_a_normal_form_is_its_own(case: dict[str, Any]) -> None:
    normal = requirements.normalise(case["text"])
    assert requirements.normalise(normal) == normal


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: repr(case["text"][:40]))
def test_requirements_are_refused_with_line_reason_and_hint(case: dict[str, Any]) -> None:
    with pytest.raises(ScriptError, match=f"^line {case['line']}: `") as refusal:
        requirements.normalise(case["text"])
    assert case["reason"] in str(refusal.value)
    assert written(str(refusal.value)) == case.get("write", [])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: repr(case["text"][:40]))
def test_what_a_hint_says_to_write_is_taken(case: dict[str, Any]) -> None:
    for _, reason in requirements.refused_lines(case["text"]):
        lines = written(reason)
        assert len(requirements.normalise("\n".join(lines)).splitlines()) == len(set(lines))


def written(refusal: str) -> list[str]:
    """The lines that a hint says to write."""
    _, separator, lines = refusal.partition("\nhint: write ")
    return re.findall("`(.+?)`", lines) if separator else []

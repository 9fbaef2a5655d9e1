"""What Tempo says of logs that Python 3.8 to 3.13 wrote."""

from pathlib import Path
from typing import Any

from tests.corpus.tracebacks import make_logs
from tests.corpus.tracebacks.reading import explain
from tests.rows import each_row

LOGS = [(case, python) for case in make_logs.cases() for python in make_logs.pythons_of(case)]
NAMES = [f"{case['name']}-{python}" for case, python in LOGS]


def test_there_is_a_log_of_each_case_and_no_other() -> None:
    expected = {make_logs.log_of(case, python) for case, python in LOGS}
    assert set((Path(make_logs.HERE) / "logs").iterdir()) == expected
    assert len(expected) >= 80


@each_row(("case", "python"), LOGS)
def test_a_log_is_explained(case: dict[str, Any], python: str) -> None:
    found = explain(make_logs.log_of(case, python).read_bytes(), case["exit"])
    assert found
    expected = case | case.get("in", {}).get(python, {})
    said: dict[str, object] = {"kind": found.kind, "title": found.title, "hint": found.hint}
    said["at"] = f"{found.frame.file}:{found.frame.line}" if found.frame else ""
    said["function"] = found.frame.function if found.frame else ""
    said["line"] = found.frame.code if found.frame else ""
    said["actions"] = [action["kind"] for action in found.actions]
    if found.frame and found.frame.code:
        sources = {"main.py": case["code"], **case.get("files", {})}
        written = sources[found.frame.file].splitlines()[found.frame.line - 1]
        assert written.strip() == found.frame.code
    named = said.keys() & expected.keys()
    assert {name: said[name] for name in named} == {name: expected[name] for name in named}
    assert expected.get("detail", "") in found.detail

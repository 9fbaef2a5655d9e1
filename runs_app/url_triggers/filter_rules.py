"""Rules that decide whether a call starts a run: one a line, like `ref == refs/heads/main`; all have to hold.

A name is a path into what the call says (`repository.name`, `commits.0.id`) or a header: `header.X-GitHub-Event`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts_app.inputs import parameters
from scripts_app.validation import ScriptError

MAX_RULES = 20
MAX_RULE_LENGTH = 300
HEADER = "header."
COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "==": lambda found, value: found == value,
    "!=": lambda found, value: found != value,
    "startswith": lambda found, value: found.startswith(value),
    "contains": lambda found, value: value in found,
}
HINT = "hint: write `name == value`, with `==`, `!=`, `startswith` or `contains` in the middle"


@dataclass(frozen=True, kw_only=True)
class FilterRule:
    name: str
    comparison: str
    value: str

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.value}".rstrip()


def parse(text: str) -> list[FilterRule]:
    """Return the rules of a text. Raise ScriptError."""
    lines = [line.strip() for line in text.splitlines()]
    rules = [_parse_line(line) for line in lines if line and not line.startswith("#")]
    if len(rules) > MAX_RULES:
        raise ScriptError(f"{len(rules)} rules are more than {MAX_RULES}", field="rules")
    return rules


def _parse_line(line: str) -> FilterRule:
    parts = line.split(maxsplit=2)
    if len(line) > MAX_RULE_LENGTH:
        raise ScriptError(f"A rule has at most {MAX_RULE_LENGTH} characters", field="rules")
    if len(parts) < 2 or parts[1] not in COMPARISONS:
        raise ScriptError(f"`{line}` is no rule\n{HINT}", field="rules")
    value = parts[2] if len(parts) == 3 else ""
    return FilterRule(name=parts[0], comparison=parts[1], value=value)


def first_unmet(text: str, *, content: Any, headers: Mapping[str, str]) -> str:
    """Return the first rule that does not hold, with what was found instead; "" when all hold."""
    for rule in parse(text):
        found = _found(rule.name, content, headers)
        if not COMPARISONS[rule.comparison](found, rule.value):
            why = f"it is `{found[:100]}`" if found else "nothing is there"
            return f"`{rule}` does not hold: {why}"
    return ""


def _found(name: str, content: Any, headers: Mapping[str, str]) -> str:
    if name.startswith(HEADER):
        return headers.get(name.removeprefix(HEADER), "")
    found = content
    for step in name.split("."):
        found = _below(found, step)
    if found is None:
        return ""
    return parameters.as_text(found)


def _below(content: Any, step: str) -> Any:
    if isinstance(content, dict):
        return content.get(step)
    if isinstance(content, list) and step.isdecimal() and int(step) < len(content):
        return content[int(step)]
    return None

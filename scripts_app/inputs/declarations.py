"""How parameters are declared: in the PEP 723 block of the code, or in a script's settings."""

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from scripts_app.inputs import parameters
from scripts_app.inputs.parameters import TYPES, Parameter
from scripts_app.packages import inline_metadata
from scripts_app.packages.inline_metadata import MAX_BLOCK, MAX_LINE
from scripts_app.validation import ScriptError

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_PARAMETERS = 50
MAX_HELP = 300
MAX_CHOICES, MAX_CHOICE = 100, 200
FIELDS = ("type", "default", "choices", "required", "help", "min", "max")
BOUNDED = ("int", "float", "date")


class DeclarationError(ValueError):
    """A parameter is not declared as it has to be; the sentence has no subject."""


def declared_in_code(code: str) -> list[dict[str, Any]] | None:
    """Return the parameters that a text declares, as they are stored; None without such a table.

    What is declared wrongly is left out: problems() says what it is.
    """
    table = inline_metadata.read(code).parameters
    if table is None:
        return None
    return [found.as_json() for _, found in _each(table) if isinstance(found, Parameter)]


def problems(code: str) -> list[tuple[int, str]]:
    """What is wrong in the block of a text, with its lines."""
    metadata = inline_metadata.read(code)
    found = list(metadata.problems)
    for name, refusal in _each(metadata.parameters or {}):
        if isinstance(refusal, DeclarationError):
            found.append((metadata.line_of(name), f"parameter `{_shown(name)}` {refusal}"))
    return found


def declared_in_settings(given: object) -> list[dict[str, Any]]:
    """Return parameters as settings declare them: a list of objects. Raises ScriptError (field `parameters`)."""
    if (
        not isinstance(given, Sequence)
        or isinstance(given, str)
        or not all(isinstance(each, dict) for each in given)
    ):
        raise ScriptError("`parameters` has to be a list of objects", field="parameters")
    names = [each.get("name") for each in given]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ScriptError("Each of `parameters` needs a `name` of its own", field="parameters")
    return _stored(
        {
            each["name"]: {key: value for key, value in each.items() if key != "name"}
            for each in given
        }
    )


def declared_in_toml(text: str) -> list[dict[str, Any]]:
    """Return parameters from the lines of a form, written as in the code. Raises ScriptError (field `parameters`)."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > MAX_BLOCK or any(
        len(line) > MAX_LINE or line.count(".") > MAX_LINE // 20 for line in lines
    ):
        raise ScriptError(
            f"The parameters have more than {MAX_BLOCK:,} characters", field="parameters"
        )
    try:
        table = tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        hint = 'write lines like `days = {type = "int", default = 7}`'
        raise ScriptError(
            f"The parameters are no TOML: {str(error)[:200]}\nhint: {hint}", field="parameters"
        ) from None
    return _stored(table)


def as_toml(stored: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for each in stored:
        said = ", ".join(f"{key} = {_toml(value)}" for key, value in each.items() if key != "name")
        lines.append(f"{each['name']} = {{{said}}}\n")
    return "".join(lines)


def _stored(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, each in _each(table):
        if isinstance(each, DeclarationError):
            raise ScriptError(f"Parameter `{_shown(name)}` {each}", field="parameters")
        found.append(each.as_json())
    return found


def _each(table: Mapping[str, Any]) -> Iterator[tuple[str, Parameter | DeclarationError]]:
    for number, (name, said) in enumerate(table.items(), start=1):
        try:
            if number > MAX_PARAMETERS:
                raise DeclarationError(f"is one too many: {MAX_PARAMETERS} is the most")
            yield name, _parameter(name, said)
        except DeclarationError as refusal:
            yield name, refusal
        if number > MAX_PARAMETERS:
            return


def _parameter(name: str, said: object) -> Parameter:
    if not NAME.fullmatch(name):
        raise DeclarationError(
            "needs another name: a letter from a to z first, then a-z, 0-9 and `_`, 40 at most"
        )
    if not isinstance(said, dict):
        raise DeclarationError('is no table: write `{type = "text"}`')
    if unknown := sorted(said.keys() - set(FIELDS)):
        raise DeclarationError(f"has a field `{_shown(unknown[0])}`: there are {', '.join(FIELDS)}")
    type_ = said.get("type", "choice" if "choices" in said else "text")
    if type_ not in TYPES:
        raise DeclarationError(f"has no type that there is: use {', '.join(TYPES)}")
    plain = Parameter(
        name=name,
        type=type_,
        choices=_choices(type_, said.get("choices")),
        required=_required(said.get("required", False)),
        help=_help(said.get("help", "")),
    )
    if ("min" in said or "max" in said) and type_ not in BOUNDED:
        raise DeclarationError(f"has `min` or `max`, which are for {', '.join(BOUNDED)}")
    bounds = {key: _value(plain, key, said[key]) for key in ("min", "max") if key in said}
    bounded = replace(plain, **bounds)
    if len(bounds) == 2 and bounds["min"] > bounds["max"]:
        raise DeclarationError("has a `min` above its `max`")
    if "default" in said:
        return replace(bounded, default=_value(bounded, "default", said["default"]))
    return bounded


# A value as its type wants it; a declaration says numbers as numbers, and a date as TOML does or as
# text.
def _value(parameter: Parameter, key: str, said: object) -> Any:
    if isinstance(said, date) and not isinstance(said, datetime):
        said = said.isoformat()
    if isinstance(said, str) and parameter.type in ("int", "float", "bool"):
        raise DeclarationError(f"has a `{key}` in quotes: write it without")
    try:
        return parameters.value_of(parameter, said)
    except ValueError as refusal:
        raise DeclarationError(f"has a `{key}` that {refusal}") from None


def _choices(type_: str, said: object) -> tuple[str, ...]:
    if type_ != "choice":
        if said is not None:
            raise DeclarationError("has `choices`, which are for the type `choice`")
        return ()
    found = tuple(said) if isinstance(said, list | tuple) else ()
    if not 1 <= len(found) <= MAX_CHOICES or not all(
        isinstance(each, str) and each for each in found
    ):
        raise DeclarationError(f"needs `choices`: a list of 1 to {MAX_CHOICES} texts")
    if any(len(each) > MAX_CHOICE for each in found):
        raise DeclarationError(f"has a choice of more than {MAX_CHOICE} characters")
    if len(set(found)) < len(found) or not all(_is_line(each) for each in found):
        raise DeclarationError("has `choices` that are not different lines of text")
    return found


def _required(said: object) -> bool:
    if not isinstance(said, bool):
        raise DeclarationError("has a `required` that is not `true` or `false`")
    return said


def _help(said: object) -> str:
    if not isinstance(said, str) or len(said) > MAX_HELP or not _is_line(said):
        raise DeclarationError(f"has a `help` that is no line of at most {MAX_HELP} characters")
    return said


def _is_line(text: str) -> bool:
    return not any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text
    )


def _shown(text: str) -> str:
    if len(text) <= 60:
        return text
    return f"{text[:60]}…"


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

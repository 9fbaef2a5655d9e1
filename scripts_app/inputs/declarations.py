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
    """Why a parameter is declared wrongly; the sentence has no subject."""


def declared_in_code(code: str) -> list[dict[str, Any]] | None:
    """Return the parameters that a text declares, in their stored form; None without such a table.

    Wrong declarations are left out: problems() describes them.
    """
    table = inline_metadata.read(code).parameters
    if table is None:
        return None
    declared = []
    for _, parameter in _read_table(table):
        if isinstance(parameter, Parameter):
            declared.append(parameter.as_json())
    return declared


def problems(code: str) -> list[tuple[int, str]]:
    metadata = inline_metadata.read(code)
    found = list(metadata.problems)
    for name, refusal in _read_table(metadata.parameters or {}):
        if isinstance(refusal, DeclarationError):
            found.append((metadata.line_of(name), f"parameter `{_excerpt(name)}` {refusal}"))
    return found


def declared_in_settings(declared: object) -> list[dict[str, Any]]:
    """Return parameters as settings declare them: a list of objects. Raise ScriptError (field `parameters`)."""
    if not isinstance(declared, Sequence) or isinstance(declared, str):
        raise ScriptError("`parameters` has to be a list of objects", field="parameters")
    if not all(isinstance(parameter, dict) for parameter in declared):
        raise ScriptError("`parameters` has to be a list of objects", field="parameters")
    names = [parameter.get("name") for parameter in declared]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise ScriptError("Each of `parameters` needs a `name` of its own", field="parameters")
    table = {}
    for parameter in declared:
        declaration = dict(parameter)
        table[declaration.pop("name")] = declaration
    return _stored(table)


def declared_in_toml(text: str) -> list[dict[str, Any]]:
    """Return parameters from the lines of a form, written as in the code. Raise ScriptError (field `parameters`)."""
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text) > MAX_BLOCK or any(_is_costly(line) for line in lines):
        sentence = f"The parameters have more than {MAX_BLOCK:,} characters"
        raise ScriptError(sentence, field="parameters")
    try:
        table = tomllib.loads("\n".join(lines))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        sentence = f"The parameters are no TOML: {str(error)[:200]}"
        hint = 'write lines like `days = {type = "int", default = 7}`'
        raise ScriptError(f"{sentence}\nhint: {hint}", field="parameters") from None
    return _stored(table)


def as_toml(stored: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for parameter in stored:
        declaration = dict(parameter)
        name = declaration.pop("name")
        pairs = ", ".join(f"{key} = {_toml_value(value)}" for key, value in declaration.items())
        lines.append(f"{name} = {{{pairs}}}\n")
    return "".join(lines)


# Each dot of a key is a further table to the TOML parser.
def _is_costly(line: str) -> bool:
    return len(line) > MAX_LINE or line.count(".") > MAX_LINE // 20


def _stored(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    stored = []
    for name, parameter in _read_table(table):
        if isinstance(parameter, DeclarationError):
            raise ScriptError(f"Parameter `{_excerpt(name)}` {parameter}", field="parameters")
        stored.append(parameter.as_json())
    return stored


def _read_table(table: Mapping[str, Any]) -> Iterator[tuple[str, Parameter | DeclarationError]]:
    for number, (name, declaration) in enumerate(table.items(), start=1):
        if number > MAX_PARAMETERS:
            yield name, DeclarationError(f"is one too many: {MAX_PARAMETERS} is the most")
            return
        try:
            yield name, _read_declaration(name, declaration)
        except DeclarationError as refusal:
            yield name, refusal


def _read_declaration(name: str, declaration: object) -> Parameter:
    if not NAME.fullmatch(name):
        raise DeclarationError(
            "needs another name: a letter from a to z first, then a-z, 0-9 and `_`, 40 at most"
        )
    if not isinstance(declaration, dict):
        raise DeclarationError('is no table: write `{type = "text"}`')
    unknown = sorted(declaration.keys() - set(FIELDS))
    if unknown:
        fields = ", ".join(FIELDS)
        raise DeclarationError(f"has a field `{_excerpt(unknown[0])}`: there are {fields}")
    type_ = declaration.get("type", "choice" if "choices" in declaration else "text")
    if type_ not in TYPES:
        raise DeclarationError(f"has no type that there is: use {', '.join(TYPES)}")
    plain = Parameter(
        name=name,
        type=type_,
        choices=_read_choices(type_, declaration.get("choices")),
        required=_read_required(declaration.get("required", False)),
        help=_read_help(declaration.get("help", "")),
    )
    bounded = _with_bounds(plain, declaration)
    if "default" not in declaration:
        return bounded
    return replace(bounded, default=_read_value(bounded, "default", declaration["default"]))


def _with_bounds(parameter: Parameter, declaration: Mapping[str, Any]) -> Parameter:
    bounds = {}
    for key in ("min", "max"):
        if key not in declaration:
            continue
        if parameter.type not in BOUNDED:
            raise DeclarationError(f"has `min` or `max`, which are for {', '.join(BOUNDED)}")
        bounds[key] = _read_value(parameter, key, declaration[key])
    if len(bounds) == 2 and bounds["min"] > bounds["max"]:
        raise DeclarationError("has a `min` above its `max`")
    return replace(parameter, **bounds)


# A declaration writes numbers as numbers, and a date as TOML does or as text.
def _read_value(parameter: Parameter, key: str, raw: object) -> Any:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = raw.isoformat()
    if isinstance(raw, str) and parameter.type in ("int", "float", "bool"):
        raise DeclarationError(f"has a `{key}` in quotes: write it without")
    try:
        return parameters.read_value(parameter, raw)
    except ValueError as refusal:
        raise DeclarationError(f"has a `{key}` that {refusal}") from None


def _read_choices(type_: str, raw: object) -> tuple[str, ...]:
    if type_ != "choice":
        if raw is not None:
            raise DeclarationError("has `choices`, which are for the type `choice`")
        return ()
    choices = tuple(raw) if isinstance(raw, list | tuple) else ()
    is_complete = all(isinstance(choice, str) and choice for choice in choices)
    if not is_complete or not 1 <= len(choices) <= MAX_CHOICES:
        raise DeclarationError(f"needs `choices`: a list of 1 to {MAX_CHOICES} texts")
    if any(len(choice) > MAX_CHOICE for choice in choices):
        raise DeclarationError(f"has a choice of more than {MAX_CHOICE} characters")
    if len(set(choices)) < len(choices) or not all(_is_line(choice) for choice in choices):
        raise DeclarationError("has `choices` that are not different lines of text")
    return choices


def _read_required(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise DeclarationError("has a `required` that is not `true` or `false`")
    return raw


def _read_help(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > MAX_HELP or not _is_line(raw):
        raise DeclarationError(f"has a `help` that is no line of at most {MAX_HELP} characters")
    return raw


def _is_line(text: str) -> bool:
    categories = map(unicodedata.category, text)
    return not any(category in ("Cc", "Cs", "Zl", "Zp") for category in categories)


def _excerpt(text: str) -> str:
    if len(text) > 60:
        return f"{text[:60]}…"
    return text


def _toml_value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

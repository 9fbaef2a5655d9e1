"""The parameters of a script, and the inputs of its runs: checked by type and handed on."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from scripts_app.models import Script

Value = str | int | float | bool

MAX_VALUE_BYTES = 10_000
MAX_BYTES = 16 * 1024  # of all values as JSON: the row of each run carries them
ENVIRONMENT = "TEMPO_PARAM_"
_MAX_NUMBER = 2**63 - 1
_MAX_REFUSALS = 20
_MAX_EXCERPT = 60
_INT = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class InputError(ValueError):
    """Inputs that a run cannot start with: `fields` holds a sentence by the name of the parameter."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"`{name}`: {why}." for name, why in fields.items()))
        self.fields = dict(fields)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A declared parameter; `min` and `max` are for `int`, `float` and `date`, `choices` for `choice`."""

    name: str
    type: str = "text"
    default: Value | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    help: str = ""
    min: Value | None = None
    max: Value | None = None

    @property
    def must_be_given(self) -> bool:
        return self.required and self.default is None

    def as_json(self) -> dict[str, Any]:
        """Return the stored form: name, type and the fields that differ from a plain parameter."""
        stored: dict[str, Any] = {"name": self.name, "type": self.type}
        if self.default is not None:
            stored["default"] = self.default
        if self.choices:
            stored["choices"] = list(self.choices)
        if self.required:
            stored["required"] = True
        if self.help:
            stored["help"] = self.help
        if self.min is not None:
            stored["min"] = self.min
        if self.max is not None:
            stored["max"] = self.max
        return stored


def from_json(stored: Mapping[str, Any]) -> Parameter:
    known = {field.name for field in fields(Parameter)}
    values: dict[str, Any] = {name: value for name, value in stored.items() if name in known}
    values["choices"] = tuple(values.get("choices", ()))
    return Parameter(**values)


def parameters_of(script: Script) -> list[Parameter]:
    """Return the parameters that the current version's code declares, else those of the settings."""
    return [from_json(stored) for stored in script.declared]


def check_inputs(script: Script, inputs: Mapping[str, Any]) -> dict[str, Value]:
    """Return the checked inputs of a run, with the defaults of the parameters that have no input.

    Texts are read as the parameter's type wants. Raise InputError: undeclared names, wrong values, required inputs that
    are missing, more than 16 KB together.
    """
    values, refusals = _read_inputs(script, inputs)
    for name in _missing_names(script, inputs):
        refusals.setdefault(name, "is required")
    if refusals:
        raise InputError(refusals)
    found: dict[str, Value] = {}
    for parameter in parameters_of(script):
        if parameter.default is not None:
            found[parameter.name] = parameter.default
    found.update(values)
    _refuse_too_many_bytes(found)
    return found


def check_schedule_inputs(script: Script, inputs: object) -> dict[str, Value]:
    """Return the checked inputs that a schedule has for its runs; required inputs may still be missing.

    Raise InputError like check_inputs().
    """
    if not isinstance(inputs, Mapping):
        raise InputError({"params": "has to be an object of names and values"})
    values, refusals = _read_inputs(script, inputs)
    if refusals:
        raise InputError(refusals)
    _refuse_too_many_bytes(values)
    return values


def split(script: Script, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs of an older run that the script still declares, and the names of the others."""
    names = {parameter.name for parameter in parameters_of(script)}
    kept = {name: value for name, value in inputs.items() if name in names}
    return kept, sorted(inputs.keys() - names)


def as_text(value: object) -> str:
    """Return a value as a program reads it from its environment: `true`, `7`, `2026-11-24`."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def environment(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {f"{ENVIRONMENT}{name.upper()}": as_text(value) for name, value in inputs.items()}


def read_value(parameter: Parameter, raw: object) -> Value:
    """Return a value of the parameter's type. Raise ValueError: a sentence without subject."""
    value = _READERS[parameter.type](parameter, raw)
    if parameter.min is not None and value < parameter.min:  # type: ignore[operator]  # of one type: dates are ISO text
        raise ValueError(f"is less than {as_text(parameter.min)}")
    if parameter.max is not None and value > parameter.max:  # type: ignore[operator]
        raise ValueError(f"is more than {as_text(parameter.max)}")
    return value


def _read_inputs(
    script: Script, inputs: Mapping[str, Any]
) -> tuple[dict[str, Value], dict[str, str]]:
    declared = {parameter.name: parameter for parameter in parameters_of(script)}
    values: dict[str, Value] = {}
    refusals: dict[str, str] = {}
    for name, raw in inputs.items():
        parameter = declared.get(name)
        if parameter is None:
            names = _describe_names(declared)
            refusals[_excerpt(name)] = f"is no parameter of this script: {names}"
        elif not _is_empty(parameter, raw):
            try:
                values[name] = read_value(parameter, raw)
            except ValueError as refusal:
                refusals[name] = str(refusal)
        if len(refusals) >= _MAX_REFUSALS:
            break
    return values, refusals


def _missing_names(script: Script, inputs: Mapping[str, Any]) -> list[str]:
    missing = []
    for parameter in parameters_of(script):
        if parameter.must_be_given and _is_empty(parameter, inputs.get(parameter.name)):
            missing.append(parameter.name)
    return missing


# Whether an input leaves the value to the default: there is none, or an empty field of a form.
def _is_empty(parameter: Parameter, raw: object) -> bool:
    if raw is None:
        return True
    return raw == "" and (parameter.type != "text" or parameter.required)


def _describe_names(declared: Iterable[str]) -> str:
    names = ", ".join(f"`{name}`" for name in declared)
    if not names:
        return "it declares none"
    return f"there are {names}"


def _excerpt(text: object) -> str:
    printable = str(text).encode(errors="replace").decode()
    if len(printable) > _MAX_EXCERPT:
        return f"{printable[:_MAX_EXCERPT]}…"
    return printable


def _refuse_too_many_bytes(values: Mapping[str, Value]) -> None:
    if len(json.dumps(values, ensure_ascii=False).encode()) > MAX_BYTES:
        raise InputError({"params": f"all values together have more than {MAX_BYTES:,} bytes"})


def _read_text(_: Parameter, raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("has to be text")
    try:
        size = len(raw.encode())
    except UnicodeEncodeError:
        raise ValueError("contains half a surrogate pair, which is no character") from None
    if size > MAX_VALUE_BYTES:
        raise ValueError(f"has {size:,} bytes; {MAX_VALUE_BYTES:,} is the most")
    if "\0" in raw:
        raise ValueError("contains a NUL character, which no program can be given")
    return raw


def _read_int(_: Parameter, raw: object) -> int:
    if isinstance(raw, str) and _INT.fullmatch(raw.strip()):
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > _MAX_NUMBER:
        raise ValueError("has to be a whole number")
    return raw


def _read_float(_: Parameter, raw: object) -> float:
    if isinstance(raw, str) and len(raw) <= 400 and _FLOAT.fullmatch(raw.strip()):
        raw = float(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueError("has to be a number")
    if isinstance(raw, int) and abs(raw) > _MAX_NUMBER:
        raise ValueError("has to be a number")
    number = float(raw)
    if not math.isfinite(number):
        raise ValueError("has to be a number that is not infinite")
    return number


def _read_bool(_: Parameter, raw: object) -> bool:
    if isinstance(raw, str):
        raw = _BOOLS.get(raw.strip().lower())
    if not isinstance(raw, bool):
        raise ValueError("has to be `true` or `false`")
    return raw


def _read_choice(parameter: Parameter, raw: object) -> str:
    if not isinstance(raw, str) or raw not in parameter.choices:
        choices = ", ".join(f"`{choice}`" for choice in parameter.choices)
        raise ValueError(f"has to be one of {choices}")
    return raw


def _read_date(_: Parameter, raw: object) -> str:
    try:
        if isinstance(raw, str) and _DATE.fullmatch(raw.strip()):
            return date.fromisoformat(raw.strip()).isoformat()
    except ValueError:
        pass
    raise ValueError("has to be a date like `2026-11-24`")


_READERS: dict[str, Callable[[Parameter, object], Value]] = {
    "text": _read_text,
    "int": _read_int,
    "float": _read_float,
    "bool": _read_bool,
    "choice": _read_choice,
    "date": _read_date,
}
TYPES = tuple(_READERS)

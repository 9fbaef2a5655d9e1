"""The parameters of a script: what a run may be given, and how that is checked and handed on."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from scripts_app.models import Script

Value = str | int | float | bool

MAX_VALUE_BYTES = 10_000
MAX_BYTES = 16 * 1024  # of all values as JSON: the row of each run carries them
ENVIRONMENT = "TEMPO_PARAM_"
_LARGEST = 2**63 - 1
_SHOWN = 60
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
    """A run cannot be given this: `fields` holds a sentence by the name of the parameter."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"`{name}`: {why}." for name, why in fields.items()))
        self.fields = dict(fields)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter as it is declared; `min` and `max` are for `int`, `float` and `date`, `choices` for `choice`."""

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
        said = {**asdict(self), "choices": list(self.choices)}
        return {
            key: value
            for key, value in said.items()
            if key in ("name", "type") or value not in _PLAIN[key]
        }


# What a field need not say; False and 0 are values of a default.
_PLAIN: dict[str, tuple[object, ...]] = dict.fromkeys(("default", "min", "max"), (None,)) | {
    "choices": ([],),
    "required": (False,),
    "help": ("",),
}


def from_json(stored: Mapping[str, Any]) -> Parameter:
    known = {each.name for each in fields(Parameter)}
    said: dict[str, Any] = {key: value for key, value in stored.items() if key in known}
    return Parameter(**{**said, "choices": tuple(said.get("choices", ()))})


def parameters_of(script: Script) -> list[Parameter]:
    """The parameters of a script as its current version has them: those of its code, else those of its settings."""
    return [from_json(stored) for stored in script.declared]


def are_missing(script: Script, given: Mapping[str, Any]) -> list[str]:
    """The names of those that must be given and are not."""
    return [
        each.name
        for each in parameters_of(script)
        if each.must_be_given and _is_nothing(each, given.get(each.name))
    ]


def check_inputs(script: Script, given: Mapping[str, Any]) -> dict[str, Value]:
    """Return the values of a run: what is given, checked, and the defaults; what has neither is left out.

    Texts are read as their type wants them. Raises InputError: names that are not declared, values that are not right,
    required ones that are missing, more than 16 KB together.
    """
    values, wrong = _checked(script, given)
    wrong |= {name: "is required" for name in are_missing(script, given) if name not in wrong}
    if wrong:
        raise InputError(wrong)
    defaults = {
        each.name: each.default for each in parameters_of(script) if each.default is not None
    }
    found = {**defaults, **values}
    if _size(found) > MAX_BYTES:
        raise InputError({"params": f"all values together have more than {MAX_BYTES:,} bytes"})
    return found


def check_given(script: Script, given: object) -> dict[str, Value]:
    """Return the values that a schedule gives its runs, checked; what it leaves out is no concern yet.

    Raises InputError as check() does.
    """
    if not isinstance(given, Mapping):
        raise InputError({"params": "has to be an object of names and values"})
    values, wrong = _checked(script, given)
    if wrong:
        raise InputError(wrong)
    if _size(values) > MAX_BYTES:
        raise InputError({"params": f"all values together have more than {MAX_BYTES:,} bytes"})
    return values


def split(script: Script, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what of an older run's values the script still declares, and the names that are dropped."""
    names = {each.name for each in parameters_of(script)}
    return {name: value for name, value in given.items() if name in names}, sorted(
        given.keys() - names
    )


def as_text(value: object) -> str:
    """Return a value as a program reads it from its environment: `true`, `7`, `2026-11-24`."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def environment(values: Mapping[str, Any]) -> dict[str, str]:
    return {f"{ENVIRONMENT}{name.upper()}": as_text(value) for name, value in values.items()}


def value_of(parameter: Parameter, given: object) -> Value:
    """Return what is given as the parameter's type wants it. Raises ValueError: a sentence without subject."""
    value = _READERS[parameter.type](parameter, given)
    if parameter.min is not None and value < parameter.min:  # type: ignore[operator]  # of one type: dates are ISO text
        raise ValueError(f"is less than {as_text(parameter.min)}")
    if parameter.max is not None and value > parameter.max:  # type: ignore[operator]
        raise ValueError(f"is more than {as_text(parameter.max)}")
    return value


def _checked(script: Script, given: Mapping[str, Any]) -> tuple[dict[str, Value], dict[str, str]]:
    declared = {each.name: each for each in parameters_of(script)}
    values: dict[str, Value] = {}
    wrong: dict[str, str] = {}
    for name, raw in given.items():
        parameter = declared.get(name)
        if parameter is None:
            wrong[_shown(name)] = f"is no parameter of this script: {_names(declared)}"
        elif not _is_nothing(parameter, raw):
            try:
                values[name] = value_of(parameter, raw)
            except ValueError as refusal:
                wrong[name] = str(refusal)
        if len(wrong) >= 20:
            break
    return values, wrong


# Whether this leaves the value to the default: nothing, or an empty field of a form.
def _is_nothing(parameter: Parameter, given: object) -> bool:
    return given is None or (given == "" and (parameter.type != "text" or parameter.required))


def _names(declared: Iterable[str]) -> str:
    names = ", ".join(f"`{name}`" for name in declared)
    if names:
        return f"there are {names}"
    return "it declares none"


def _shown(text: object) -> str:
    shown = str(text).encode(errors="replace").decode()
    if len(shown) <= _SHOWN:
        return shown
    return f"{shown[:_SHOWN]}…"


def _text(_: Parameter, given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("has to be text")
    try:
        size = len(given.encode())
    except UnicodeEncodeError:
        raise ValueError("contains half a surrogate pair, which is no character") from None
    if size > MAX_VALUE_BYTES:
        raise ValueError(f"has {size:,} bytes; {MAX_VALUE_BYTES:,} is the most")
    if "\0" in given:
        raise ValueError("contains a NUL character, which no program can be given")
    return given


def _int(_: Parameter, given: object) -> int:
    if isinstance(given, str) and _INT.fullmatch(given.strip()):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) > _LARGEST:
        raise ValueError("has to be a whole number")
    return given


def _float(_: Parameter, given: object) -> float:
    if isinstance(given, str) and len(given) <= 400 and _FLOAT.fullmatch(given.strip()):
        given = float(given)
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or (isinstance(given, int) and abs(given) > _LARGEST):
        raise ValueError("has to be a number")
    number = float(given)  # type: ignore[arg-type]  # a number, as was seen above
    if not math.isfinite(number):
        raise ValueError("has to be a number that is not infinite")
    return number


def _bool(_: Parameter, given: object) -> bool:
    if isinstance(given, bool):
        return given
    found = None
    if isinstance(given, str):
        found = _BOOLS.get(given.strip().lower())
    if found is None:
        raise ValueError("has to be `true` or `false`")
    return found


def _choice(parameter: Parameter, given: object) -> str:
    if not isinstance(given, str) or given not in parameter.choices:
        raise ValueError(
            f"has to be one of {', '.join(f'`{choice}`' for choice in parameter.choices)}"
        )
    return given


def _date(_: Parameter, given: object) -> str:
    try:
        if isinstance(given, str) and _DATE.fullmatch(given.strip()):
            return date.fromisoformat(given.strip()).isoformat()
    except ValueError:
        pass
    raise ValueError("has to be a date like `2026-11-24`")


_READERS: dict[str, Callable[[Parameter, object], Value]] = {
    "text": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "choice": _choice,
    "date": _date,
}
TYPES = tuple(_READERS)


def _size(values: Mapping[str, Value]) -> int:
    return len(json.dumps(values, ensure_ascii=False).encode())

"""What a setting is: its name, kind, words and bounds, and the check of a value."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

Value = str | int | bool

MAX_TEXT = 500
MAX_NUMBER = 2**31 - 1
NOT_IN_A_LINE = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of pairs, line ends


class FieldKind(StrEnum):
    TEXT = "text"
    ADDRESS = "address"  # of a mailbox, with or without a name: `Tempo <tempo@example.org>`
    SECRET = "secret"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"


class SettingRefused(Exception):
    """A value that a setting cannot have; the exception's text is for people."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One setting. `name` is the environment's variable too; `attribute` is where Django's settings keep its value."""

    name: str
    attribute: str
    kind: FieldKind
    label: str
    help: str = ""
    unit: str = ""
    choices: Sequence[tuple[str, str]] = ()  # value and words
    minimum: int = 0
    maximum: int = MAX_NUMBER
    is_editable: bool = True  # else it is read when Tempo starts, and only shown
    presets: Sequence[int] = ()  # numbers that are offered
    check: Callable[[Value], None] | None = None  # raises ValueError with a sentence
    # Keeps a value elsewhere than in the table, and `attribute` has it then; raises OSError.
    keep: Callable[[Value], None] | None = None

    @property
    def is_secret(self) -> bool:
        return self.kind == FieldKind.SECRET

    @property
    def is_from_environment(self) -> bool:
        return self.name in settings.GIVEN_BY_ENVIRONMENT

    @property
    def base_value(self) -> Value:
        """Return what the environment says, else the default."""
        value = getattr(settings, self.attribute)
        if isinstance(value, list):
            return ", ".join(str(each) for each in value)
        found: Value = value
        return found


@dataclass(frozen=True, kw_only=True)
class Section:
    """Settings that are edited on one page. `slug` is the page's address."""

    slug: str
    title: str
    help: str
    fields: Sequence[SettingField]


def checked(field: SettingField, value: object) -> Value:
    """Return the value as it is stored. Raise SettingRefused."""
    try:
        found = _CHECKS[field.kind](field, value)
        if field.check is not None:
            field.check(found)
    except ValueError as refusal:
        raise SettingRefused(field.name, f"{field.label}: {refusal}") from None
    return found


def _text(field: SettingField, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it has to be text")
    text = value.strip()
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has {len(text)} characters; {MAX_TEXT} is the most")
    if any(unicodedata.category(character) in NOT_IN_A_LINE for character in text):
        raise ValueError("it holds a line end or another control character")
    return text


def _address(field: SettingField, value: object) -> str:
    text = _text(field, value)
    if text:
        _name, mailbox = parseaddr(text)
        try:
            validate_email(mailbox)
        except ValidationError:
            raise ValueError(
                f"`{text}` is no address of a mailbox\nhint: write it as `Tempo <tempo@example.org>`"
            ) from None
    return text


def _number(field: SettingField, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("it has to be a whole number")
    if not field.minimum <= value <= field.maximum:
        raise ValueError(f"it is {value}; {field.minimum} to {field.maximum} is possible")
    return value


def _switch(field: SettingField, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it has to be true or false")
    return value


def _choice(field: SettingField, value: object) -> str:
    known = [choice for choice, _words in field.choices]
    if value not in known:
        names = ", ".join(f"`{choice}`" for choice in known)
        raise ValueError(f"`{str(value)[:MAX_TEXT]}` is not known\nhint: known are {names}")
    return str(value)


_CHECKS: dict[FieldKind, Callable[[SettingField, object], Value]] = {
    FieldKind.TEXT: _text,
    FieldKind.ADDRESS: _address,
    FieldKind.SECRET: _text,
    FieldKind.NUMBER: _number,
    FieldKind.SWITCH: _switch,
    FieldKind.CHOICE: _choice,
}

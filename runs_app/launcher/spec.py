"""A run's `spec.json`: what to start, checked as far as a wrong value would otherwise end in a puzzling error."""

import json
import os
from typing import NamedTuple, cast

NAME = "spec.json"
_MAX_BYTES = 1 << 20


class SpecError(Exception):
    """A spec that cannot be used: the sentence names the field."""


class Spec(NamedTuple):
    """What to start. Texts are bytes: what JSON said, in UTF-8, whatever the locale is."""

    run_id: int
    argv: list[bytes]
    cwd: bytes
    env: dict[bytes, bytes]
    timeout_s: float | None  # None: no limit
    grace_s: float  # between TERM and KILL


def read(folder_fd: int) -> Spec:
    """The spec of the folder open as `folder_fd`. Raises SpecError, OSError if there is none to read."""
    try:
        content = json.loads(_contents(folder_fd).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SpecError("spec.json is not JSON") from error
    if not isinstance(content, dict) or content.get("v") != 1:
        raise SpecError("spec.json is not a JSON object of version 1")
    return _parse(content)


def _contents(folder_fd: int) -> bytes:
    fd = os.open(NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=folder_fd)
    with open(fd, "rb") as file:
        return file.read(_MAX_BYTES)


def _parse(content: dict[str, object]) -> Spec:
    argv = content.get("argv")
    env = content.get("env")
    if not isinstance(argv, list) or not argv:
        raise SpecError("spec.json: argv has to be a list with at least the program")
    if not isinstance(env, dict) or any("=" in name or not name for name in env):
        raise SpecError("spec.json: env has to be an object of names and texts")
    return Spec(
        run_id=int(_number(content, "run_id")),
        argv=[_text("argv", value) for value in argv],
        cwd=_text("cwd", content.get("cwd")),
        env={_text("env", name): _text(f"env {name}", value) for name, value in env.items()},
        timeout_s=_number(content, "timeout_s") or None,
        grace_s=_number(content, "grace_s"),
    )


def _text(field: str, value: object) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise SpecError(f"spec.json: {field} has to be text without NUL")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise SpecError(f"spec.json: {field} is not valid Unicode") from error


def _number(content: dict[str, object], field: str) -> float:
    value = content.get(field) or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        raise SpecError(f"spec.json: {field} has to be a number, 0 or more")
    return cast(float, value)

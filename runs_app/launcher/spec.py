"""A run's `spec.json`: what to start, checked as far as a wrong value would otherwise end in a puzzling error."""

import json
import os
from typing import NamedTuple

from runs_app.launcher import files

NAME = "spec.json"
CONFINED = "confined"  # any layer will do, but none will not
_MAX_BYTES = 1 << 20
_MIB = 1 << 20


class SpecError(Exception):
    """A spec that cannot be used; the message names the field."""


class Limits(NamedTuple):
    memory_bytes: int = 0  # of the whole tree, shared pages counted once
    cpu_s: float = 0  # of the whole tree
    processes: int = 0
    output_bytes: int = 0  # of the log: the head that is kept
    output_kill_bytes: int = 0  # written in all
    file_bytes: int = 0
    open_files: int = 0
    nice: int = 5
    min_free_bytes: int = 0  # of the disk of the run folder
    umask: int | None = None  # None: the one that fits its user


class IsolationSpec(NamedTuple):
    uid: int | None  # a user of its own
    uid_why: str  # why it has none
    read: list[str]
    write: list[str]
    closed: list[str]  # folders that no broader path may open
    require: str  # the least grade to run with, or CONFINED; "": any
    shared_read: list[str] = []  # opened by people; none may be, hold or lie in one of `refused`
    shared_write: list[str] = []
    refused: list[str] = []
    name: str = ""  # for a user that has none; "": a program that needs none


class Step(NamedTuple):
    """A program. Texts are bytes: the JSON's text in UTF-8, whatever the locale is."""

    argv: list[bytes]
    cwd: bytes
    env: dict[bytes, bytes]
    isolation: IsolationSpec | None  # None: a program of Tempo's own


class Spec(NamedTuple):
    """What to run: a program as in Step, and the programs that follow while all before them succeed."""

    run_id: int
    argv: list[bytes]
    cwd: bytes
    env: dict[bytes, bytes]
    timeout_s: float | None  # for all programs together; None: no limit
    grace_s: float  # between TERM and KILL
    limits: Limits
    isolation: IsolationSpec | None
    then: tuple[Step, ...] = ()  # the secrets of the order are not for these

    def with_step(self, step: Step) -> "Spec":
        return self._replace(**step._asdict())


def read(folder_fd: int) -> Spec:
    """Return the spec in the folder open as `folder_fd`. Raise SpecError, or OSError without a readable file."""
    try:
        content = json.loads(_read_file(folder_fd).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SpecError("spec.json is not JSON") from error
    if not isinstance(content, dict) or content.get("v") != 1:
        raise SpecError("spec.json is not a JSON object of version 1")
    return _parse(content)


def _read_file(folder_fd: int) -> bytes:
    return files.read(NAME, dir_fd=folder_fd, max_bytes=_MAX_BYTES)


def _parse(content: dict[str, object]) -> Spec:
    first = _step(content)
    return Spec(
        run_id=int(_number(content, "run_id")),
        argv=first.argv,
        cwd=first.cwd,
        env=first.env,
        timeout_s=_number(content, "timeout_s") or None,
        grace_s=_number(content, "grace_s"),
        limits=_limits(_object(content, "limits")),
        isolation=first.isolation,
        then=_then(content),
    )


def _step(content: dict[str, object]) -> Step:
    return Step(
        argv=_argv(content),
        cwd=_text("cwd", content.get("cwd")),
        env=_env(content),
        isolation=_isolation(_object(content, "isolation")),
    )


def _then(content: dict[str, object]) -> tuple[Step, ...]:
    steps = content.get("then") or []
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise SpecError("spec.json: then has to be a list of objects")
    return tuple(_step(step) for step in steps)


def _argv(content: dict[str, object]) -> list[bytes]:
    argv = content.get("argv")
    if not isinstance(argv, list) or not argv:
        raise SpecError("spec.json: argv has to be a list with at least the program")
    return [_text("argv", value) for value in argv]


def _env(content: dict[str, object]) -> dict[bytes, bytes]:
    values = content.get("env")
    if not isinstance(values, dict):
        raise SpecError("spec.json: env has to be an object of names and texts")
    env = {}
    for name, value in values.items():
        if not name or "=" in name:
            raise SpecError("spec.json: env has to be an object of names and texts")
        env[_text("env", name)] = _text(f"env {name}", value)
    return env


def _limits(content: dict[str, object]) -> Limits:
    limits = Limits(
        memory_bytes=int(_number(content, "memory_mb") * _MIB),
        cpu_s=_number(content, "cpu_s"),
        processes=int(_number(content, "processes")),
        output_bytes=int(_number(content, "output_bytes")),
        output_kill_bytes=int(_number(content, "output_kill_bytes")),
        file_bytes=int(_number(content, "file_mb") * _MIB),
        open_files=int(_number(content, "open_files")),
        min_free_bytes=int(_number(content, "min_free_mb") * _MIB),
    )
    if "nice" in content:
        limits = limits._replace(nice=int(_number(content, "nice")))
    if content.get("umask") is not None:
        limits = limits._replace(umask=int(_number(content, "umask")) & 0o777)
    return limits


def _isolation(content: dict[str, object]) -> IsolationSpec | None:
    if not content:
        return None
    uid = content.get("uid")
    require = content.get("require") or ""
    if uid is not None and (isinstance(uid, bool) or not isinstance(uid, int)):
        raise SpecError("spec.json: isolation uid has to be a whole number")
    if require not in ("", CONFINED, "good", "strong"):
        raise SpecError('spec.json: isolation require has to be "", "confined", "good" or "strong"')
    return IsolationSpec(
        uid=uid,
        uid_why=str(content.get("uid_why") or ""),
        read=_paths(content, "read"),
        write=_paths(content, "write"),
        closed=_paths(content, "closed"),
        shared_read=_paths(content, "shared_read"),
        shared_write=_paths(content, "shared_write"),
        refused=_paths(content, "refused"),
        require=str(require),
        name=str(content.get("name") or ""),
    )


def _object(content: dict[str, object], field: str) -> dict[str, object]:
    value = content.get(field) or {}
    if not isinstance(value, dict):
        raise SpecError(f"spec.json: {field} has to be an object")
    return value


def _paths(content: dict[str, object], field: str) -> list[str]:
    values = content.get(field) or []
    if not isinstance(values, list):
        raise SpecError(f"spec.json: isolation {field} has to be a list")
    paths = [os.fsdecode(_text(f"isolation {field}", value)) for value in values]
    if not all(path.startswith("/") for path in paths):
        raise SpecError(f"spec.json: isolation {field} has to hold absolute paths")
    return paths


def _text(field: str, value: object) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise SpecError(f"spec.json: {field} has to be text without NUL")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise SpecError(f"spec.json: {field} is not valid Unicode") from error


def _number(content: dict[str, object], field: str) -> float:
    value = content.get(field) or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e13:
        raise SpecError(f"spec.json: {field} has to be a number, 0 or more")
    return value

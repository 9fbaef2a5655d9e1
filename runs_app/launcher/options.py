"""The launcher's command line; read by hand, since argparse would double the start-up time."""

import re
from typing import NamedTuple

USAGE = (
    "usage: launcher --data DIR --host H --port P [--lock-fd N] [--grace S] [--web-user UID:GID] "
    "[--script-users FIRST-LAST] -- WEB ARGV..."
)
_MAX_ID = 2**32 - 2  # the last number means "leave as it is" to the kernel
_MIN_SCRIPT_USER = 1000  # below lie the users of the system
_MAX_SCRIPT_USERS = 100_000


class UsageError(Exception):
    """A command line that cannot be understood: the sentence says what is wrong with it."""


class Options(NamedTuple):
    """What the launcher was asked to do."""

    data: str
    host: str
    port: int
    # an inherited descriptor whose flock guards the data folder; kept open, never handed on
    lock_fd: int | None
    grace_s: float  # between TERM and KILL for scripts when Tempo shuts down
    # uid and gid that web is dropped to; None: it is what the launcher is
    web_user: tuple[int, int] | None
    script_users: tuple[int, int]  # the first and the last uid that scripts may get
    web_argv: list[str]


def parse(arguments: list[str]) -> Options:
    """Read the arguments after the program's name. Raises UsageError."""
    if "--" not in arguments:
        raise UsageError("no `--` before the command of web")
    split = arguments.index("--")
    values = _pairs(arguments[:split])
    try:
        options = Options(
            data=values.pop("--data"),
            host=values.pop("--host"),
            port=int(_between(0, 65535, values.pop("--port"))),
            lock_fd=int(values.pop("--lock-fd")) if "--lock-fd" in values else None,
            grace_s=_between(0, 3600, values.pop("--grace", "5")),
            web_user=_two(":", values.pop("--web-user")) if "--web-user" in values else None,
            script_users=_script_users(values.pop("--script-users", "50000-59999")),
            web_argv=arguments[split + 1 :],
        )
    except KeyError as error:
        raise UsageError(f"{error.args[0]} is missing") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    if values:
        raise UsageError(f"unknown option {next(iter(values))}")
    if not options.web_argv:
        raise UsageError("no command of web after `--`")
    _refuse_shared_ids(options)
    return options


def _refuse_shared_ids(options: Options) -> None:
    """No script may get web's user or group."""
    first, last = options.script_users
    if shared := [number for number in options.web_user or () if first <= number <= last]:
        raise UsageError(f"{shared[0]}, of web, is among the users of scripts {first}-{last}")


def _pairs(arguments: list[str]) -> dict[str, str]:
    if len(arguments) % 2:
        raise UsageError(f"{arguments[-1]} has no value")
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


def _between(least: float, most: float, text: str) -> float:
    number = float(text)
    if not least <= number <= most:
        raise ValueError(f"{text} is not between {least} and {most}")
    return number


def _two(mark: str, text: str) -> tuple[int, int]:
    """Two user or group ids with a mark between them."""
    found = re.fullmatch(rf"([0-9]{{1,10}}){mark}([0-9]{{1,10}})", text)
    if found is None or max(ids := (int(found[1]), int(found[2]))) > _MAX_ID:
        raise ValueError(f"{text} is not two ids with a `{mark}` between them")
    return ids


def _script_users(text: str) -> tuple[int, int]:
    first, last = _two("-", text)
    if not _MIN_SCRIPT_USER <= first <= last < first + _MAX_SCRIPT_USERS:
        bounds = f"{_MIN_SCRIPT_USER} or more, at most {_MAX_SCRIPT_USERS} of them"
        raise ValueError(f"{text} is no range of users for scripts: {bounds}")
    return first, last

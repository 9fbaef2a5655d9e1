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
    """A command line that cannot be understood; the message says what is wrong."""


class Options(NamedTuple):
    data: str
    host: str
    port: int
    # An inherited descriptor whose flock guards the data folder; kept open, never handed on.
    lock_fd: int | None
    grace_s: float  # between TERM and KILL for scripts when Tempo shuts down
    # The uid and gid that web is dropped to; None: the launcher's own.
    web_user: tuple[int, int] | None
    script_users: tuple[int, int]  # the first and the last uid that scripts may get
    web_argv: list[str]


def parse(arguments: list[str]) -> Options:
    if "--" not in arguments:
        raise UsageError("no `--` before the command of web")
    split = arguments.index("--")
    values = _values_by_name(arguments[:split])
    try:
        options = _options(values, web_argv=arguments[split + 1 :])
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


def _values_by_name(arguments: list[str]) -> dict[str, str]:
    if len(arguments) % 2:
        raise UsageError(f"{arguments[-1]} has no value")
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


def _options(values: dict[str, str], *, web_argv: list[str]) -> Options:
    # Takes each known option out of `values`, so that unknown ones remain.
    options = Options(
        data=values.pop("--data"),
        host=values.pop("--host"),
        port=int(_number(values.pop("--port"), minimum=0, maximum=65535)),
        lock_fd=None,
        grace_s=_number(values.pop("--grace", "5"), minimum=0, maximum=3600),
        web_user=None,
        script_users=_script_users(values.pop("--script-users", "50000-59999")),
        web_argv=web_argv,
    )
    if "--lock-fd" in values:
        options = options._replace(lock_fd=int(values.pop("--lock-fd")))
    if "--web-user" in values:
        options = options._replace(web_user=_two_ids(values.pop("--web-user"), separator=":"))
    return options


def _refuse_shared_ids(options: Options) -> None:
    # No script may get web's user or group.
    first, last = options.script_users
    for number in options.web_user or ():
        if first <= number <= last:
            raise UsageError(f"{number}, of web, is among the users of scripts {first}-{last}")


def _number(text: str, *, minimum: float, maximum: float) -> float:
    number = float(text)
    if not minimum <= number <= maximum:
        raise ValueError(f"{text} is not between {minimum} and {maximum}")
    return number


def _two_ids(text: str, *, separator: str) -> tuple[int, int]:
    match = re.fullmatch(rf"([0-9]{{1,10}}){separator}([0-9]{{1,10}})", text)
    if match:
        first, second = int(match[1]), int(match[2])
        if first <= _MAX_ID and second <= _MAX_ID:
            return first, second
    raise ValueError(f"{text} is not two ids with a `{separator}` between them")


def _script_users(text: str) -> tuple[int, int]:
    first, last = _two_ids(text, separator="-")
    if not _MIN_SCRIPT_USER <= first <= last < first + _MAX_SCRIPT_USERS:
        bounds = f"{_MIN_SCRIPT_USER} or more, at most {_MAX_SCRIPT_USERS} of them"
        raise ValueError(f"{text} is no range of users for scripts: {bounds}")
    return first, last

"""The launcher's command line; read by hand, since argparse would double the start-up time."""

from typing import NamedTuple

USAGE = "usage: launcher --data DIR --host H --port P [--lock-fd N] [--grace S] -- WEB ARGV..."


class UsageError(Exception):
    """A command line that cannot be understood: the sentence says what is wrong with it."""


class Options(NamedTuple):
    """What the launcher was asked to do."""

    data: str
    host: str
    port: int
    lock_fd: int | None  # an inherited descriptor whose flock guards the data folder; kept open, never handed on
    grace_s: float  # between TERM and KILL for scripts when Tempo shuts down
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
    return options


def _pairs(arguments: list[str]) -> dict[str, str]:
    if len(arguments) % 2:
        raise UsageError(f"{arguments[-1]} has no value")
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


def _between(least: float, most: float, text: str) -> float:
    number = float(text)
    if not least <= number <= most:
        raise ValueError(f"{text} is not between {least} and {most}")
    return number

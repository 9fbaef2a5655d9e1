"""The requests that `web` may send over the control channel, one function per `op`."""

import os
from collections.abc import Callable
from typing import NamedTuple

from runs_app.launcher import console, folders, forking, wire
from runs_app.launcher.output.masking import Secrets
from runs_app.launcher.removal import Removals
from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.watch.supervision import CANCEL

_Answer = Callable[[str | None], None]
_Send = Callable[[wire.Reply], None]


class Refusal(Exception):
    """A request that is not carried out; the message says why."""


class Context(NamedTuple):
    runners: Runners
    removals: Removals
    renew: Callable[[], str]
    mark_web_ready: Callable[[], None]
    is_stopping: Callable[[], bool]


def handle(context: Context, request: wire.Message, send: _Send) -> None:
    """Carry out `request` and `send` the reply, for a removal when the removal is done."""
    number = request.get("id")
    op = request.get("op")

    def answer(error: str | None) -> None:
        send(_reply(number, error))

    try:
        result = _carry_out(context, request, answer)
    except (Refusal, folders.FolderError) as error:
        answer(str(error))
    except OSError as error:
        answer(f"{op} failed: {error.strerror}")
    except Exception as error:
        # The loop's boundary: no request, however strange, may take the launcher down.
        console.say(console.ERROR, f"{op} failed: {error!r}")
        answer(f"{op} failed: {error!r}")
    else:
        if result is not None:
            send({"id": number, "ok": True, **result})


def _carry_out(context: Context, request: wire.Message, answer: _Answer) -> wire.Reply | None:
    context.renew()
    op = str(request.get("op"))
    handler = _HANDLERS.get(op)
    if handler is None:
        raise Refusal(f"unknown op {op[:40]!a}")
    return handler(context, request, answer)


def _reply(number: object, error: str | None) -> wire.Reply:
    if error is None:
        return {"id": number, "ok": True}
    return {"id": number, "ok": False, "error": error}


def _ready(context: Context, _request: wire.Message, _answer: _Answer) -> wire.Reply:
    context.mark_web_ready()
    return {}


def _ping(context: Context, _request: wire.Message, _answer: _Answer) -> wire.Reply:
    support = context.runners.support
    usual = support.usual
    message = wire.SupportMessage(
        grade=usual.grade,
        why=usual.why,
        own_users=not support.users_why_not,
        landlock=support.landlock_abi,
        keeps_modes=not support.file_system.modes_why_not,
        warnings=list(support.file_system.warnings),
    )
    return {
        "runs": context.runners.run_count,
        "pid": os.getpid(),
        "isolation": message,
        "problem": context.renew() or forking.why_no_runner(),
    }


def _start(context: Context, request: wire.Message, _answer: _Answer) -> wire.Reply:
    folder = request.get("folder")
    if context.is_stopping():
        raise Refusal("Tempo is shutting down")
    if context.removals.is_under_way(folder):
        raise Refusal("the run folder is being removed")
    secrets = _secrets(request.get("secrets") or {})
    return {"pid": context.runners.start(folder, secrets)}


def _secrets(values: object) -> Secrets:
    # A refusal never holds a value: it is logged and shown.
    if not isinstance(values, dict):
        raise Refusal("secrets have to be an object of names and texts")
    try:
        secrets = {name.encode(): value.encode() for name, value in values.items()}
    except (AttributeError, UnicodeEncodeError):
        raise Refusal("secrets have to be an object of names and texts") from None
    for name, value in secrets.items():
        if not name or b"=" in name or b"\0" in name + value:
            raise Refusal("secrets have to have names, and no NUL")
    return secrets


def _cancel(context: Context, request: wire.Message, _answer: _Answer) -> wire.Reply:
    return {"signalled": context.runners.signal(request.get("folder"), CANCEL)}


def _adopt(context: Context, request: wire.Message, _answer: _Answer) -> wire.Reply:
    return {"adopted": context.runners.adopt(request.get("folder"))}


def _remove(context: Context, request: wire.Message, answer: _Answer) -> None:
    folder, scope = request.get("folder"), request.get("what")
    # A runner that was just forked may not have its lock yet.
    if scope == "all" and context.runners.is_own(folders.check_name(folder)):
        raise Refusal(f"{folder} is still running")
    context.removals.start(folder, scope, answer)


_HANDLERS: dict[str, Callable[[Context, wire.Message, _Answer], wire.Reply | None]] = {
    "ready": _ready,
    "ping": _ping,
    "start": _start,
    "cancel": _cancel,
    "adopt": _adopt,
    "remove": _remove,
}

"""What `web` may ask for over the control channel, one function per `op`."""

import os
from collections.abc import Callable
from typing import NamedTuple

from runs_app.launcher import console, folders, wire
from runs_app.launcher.output.masking import Secrets
from runs_app.launcher.removal import Removals
from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.watch.supervision import CANCEL


class Refusal(Exception):
    """An order that is not carried out: the sentence says why."""


class Context(NamedTuple):
    """What orders act on."""

    runners: Runners
    removals: Removals
    say_ready: Callable[[], None]
    is_stopping: Callable[[], bool]


def handle(desk: Context, request: wire.Message, send: Callable[[wire.Reply], None]) -> None:
    """Carry out `request` and `send` the reply, for a removal when it is done."""
    number = request.get("id")
    act = _HANDLERS.get(str(request.get("op")))
    try:
        if act is None:
            raise Refusal(f"unknown op {str(request.get('op'))[:40]!a}")
        reply = act(desk, request, lambda error: send(_reply(number, error)))
    except (Refusal, folders.FolderError) as error:
        reply = _reply(number, str(error))
    except OSError as error:
        reply = _reply(number, f"{request.get('op')} failed: {error.strerror}")
    except Exception as error:
        # The loop's boundary: no request, however strange, may take the launcher down.
        console.say(console.ERROR, f"{request.get('op')} failed: {error!r}")
        reply = _reply(number, f"{request.get('op')} failed: {error!r}")
    if reply is not None:
        send({"id": number, "ok": True, **reply})


_Answer = Callable[[str | None], None]


def _reply(number: object, error: str | None) -> wire.Reply:
    return (
        {"id": number, "ok": True} if error is None else {"id": number, "ok": False, "error": error}
    )


def _ready(desk: Context, _request: wire.Message, _answer: _Answer) -> wire.Reply:
    desk.say_ready()
    return {}


def _ping(desk: Context, _request: wire.Message, _answer: _Answer) -> wire.Reply:
    powers = desk.runners.powers
    best = powers.best
    told = wire.SupportMessage(
        grade=best.grade,
        why=best.why,
        own_users=not powers.users_why_not,
        landlock=powers.landlock_abi,
    )
    return {"runs": len(desk.runners), "pid": os.getpid(), "isolation": told}


def _start(desk: Context, request: wire.Message, _answer: _Answer) -> wire.Reply:
    if desk.is_stopping():
        raise Refusal("Tempo is shutting down")
    if desk.removals.is_under_way(request.get("folder")):
        raise Refusal("the run folder is being removed")
    return {
        "pid": desk.runners.start(request.get("folder"), _secrets(request.get("secrets") or {}))
    }


def _secrets(told: object) -> Secrets:
    """What is to be in the script's environment beside its spec's; a refusal never tells a value."""
    if not isinstance(told, dict):
        raise Refusal("secrets have to be an object of names and texts")
    try:
        pairs = {name.encode(): value.encode() for name, value in told.items()}
    except (AttributeError, UnicodeEncodeError):
        raise Refusal("secrets have to be an object of names and texts") from None
    if any(not name or b"=" in name or b"\0" in name + value for name, value in pairs.items()):
        raise Refusal("secrets have to have names, and no NUL")
    return pairs


def _cancel(desk: Context, request: wire.Message, _answer: _Answer) -> wire.Reply:
    return {"signalled": desk.runners.signal(request.get("folder"), CANCEL)}


def _adopt(desk: Context, request: wire.Message, _answer: _Answer) -> wire.Reply:
    return {"adopted": desk.runners.adopt(request.get("folder"))}


def _remove(desk: Context, request: wire.Message, answer: _Answer) -> None:
    folder, what = request.get("folder"), request.get("what")
    # Just forked, it may not have its lock yet.
    if what == "all" and desk.runners.is_own(folders.check_name(folder)):
        raise Refusal(f"{folder} is still running")
    desk.removals.start(folder, what, answer)


_HANDLERS: dict[str, Callable[[Context, wire.Message, _Answer], wire.Reply | None]] = {
    "ready": _ready,
    "ping": _ping,
    "start": _start,
    "cancel": _cancel,
    "adopt": _adopt,
    "remove": _remove,
}

"""The rows of the audit: `record` is called by the verbs, in the transaction in which they act."""

# Who acts is known by the request that is served, as auth found it, so that verbs need not hand it on. What has no
# request says who acts: a command, a call of a trigger's address. Whatever is left is Tempo itself.

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from tempo_site.lib.sqlite.prepared import PreparedInsert
from tempo_site.models import AuditEntry

MAX_CHANGES = 30
MAX_VALUE = 200  # characters
PLAIN = (bool, int, float, date, datetime)
Changes = dict[str, list[Any]]
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Actor:
    kind: AuditEntry.Actor
    name: str = ""
    address: str = ""


_INSERT = PreparedInsert(AuditEntry, has_key=False)
SYSTEM = Actor(kind=AuditEntry.Actor.SYSTEM)

_request: ContextVar[HttpRequest | None] = ContextVar("audit_request", default=None)
_actor: ContextVar[Actor | None] = ContextVar("audit_actor", default=None)


@contextmanager
def serving(request: HttpRequest) -> Iterator[None]:
    """Hold the caller of this request for whoever acts, while it is served."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


@contextmanager
def acting_as(kind: AuditEntry.Actor, name: str, *, address: str = "") -> Iterator[None]:
    """Name who acts where no request tells it, or where the caller of the request is somebody of another kind."""
    token = _actor.set(Actor(kind=kind, name=name, address=address or _address()))
    try:
        yield
    finally:
        _actor.reset(token)


def record(
    verb: str,
    row: Model | None = None,
    *,
    kind: str = "",
    name: str = "",
    changes: Mapping[str, Any] | None = None,
    is_act: bool = True,
) -> None:
    """Write that somebody did something to a row, or to what `kind` and `name` say. `changes` holds no secret.

    `is_act` is False for what happens beside the act that a request is about.
    """
    name = name or str(row or "")
    _INSERT.store([_entry(verb, row, kind=kind, name=name, changes=changes or {})])
    request = _request.get()
    if request is not None and is_act:
        request.is_audited = True  # type: ignore[attr-defined]  # for the middleware


def record_all(verb: str, rows: Sequence[Row], *, name_of: Callable[[Row], str] = str) -> None:
    """Write that somebody did the same to many rows, as part of an act that is recorded by itself."""
    _INSERT.store([_entry(verb, row, name=name_of(row)) for row in rows])


def _entry(
    verb: str,
    row: Model | None,
    *,
    name: str,
    kind: str = "",
    changes: Mapping[str, Any] | None = None,
) -> AuditEntry:
    actor = current_actor()
    return AuditEntry(
        at=timezone.now(),
        actor=actor.kind,
        name=actor.name[:150],
        address=actor.address[:45],
        verb=verb[:40],
        kind=(kind or kind_of(row))[:40],
        object_id="" if row is None else str(row.pk),
        object_name=name[:200],
        changes=_bounded(changes or {}),
    )


def record_changes(row: Model, before: Mapping[str, Any]) -> None:
    """Write that a row was changed, with what differs now from these facts of before."""
    record("changed", row, changes=differences(before, facts(row, before)))


def pass_over() -> None:
    """Say that what a request writes is no act of its own."""
    request = _request.get()
    if request is not None:
        request.is_audited = True  # type: ignore[attr-defined]  # for the middleware


def current_actor() -> Actor:
    request = _request.get()
    return _actor.get() or (SYSTEM if request is None else _caller_of(request))


def name_of_program() -> str:
    """Return the API key or command that acts now, as `key: laptop`; "" where a person does, or Tempo itself."""
    actor = current_actor()
    if actor.kind in (AuditEntry.Actor.KEY, AuditEntry.Actor.COMMAND):
        return f"{actor.kind}: {actor.name}"[:150]
    return ""


def _caller_of(request: HttpRequest) -> Actor:
    caller = getattr(request, "auth", None)
    key = getattr(caller, "key", None)
    if key is not None:
        return Actor(kind=AuditEntry.Actor.KEY, name=key.name, address=_address())
    user = getattr(request, "user", None)
    if isinstance(user, User):
        return Actor(kind=AuditEntry.Actor.USER, name=user.get_username(), address=_address())
    return Actor(kind=AuditEntry.Actor.STRANGER, address=_address())


def _address() -> str:
    request = _request.get()
    return "" if request is None else str(request.META.get("REMOTE_ADDR", ""))


def kind_of(row: Model | None) -> str:
    return "" if row is None else str(row._meta.verbose_name)


def facts(row: Model, names: Iterable[str]) -> dict[str, Any]:
    """Return these fields of a row, for `differences` with what they are later. None of them may be a secret."""
    return {name: getattr(row, name) for name in names}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Return what differs, as `[before, after]` by name."""
    return {
        name: [before.get(name), after[name]] for name in after if before.get(name) != after[name]
    }


def _bounded(changes: Mapping[str, Any]) -> dict[str, Any]:
    # What has no value tells nothing, but beside another one.
    names = [name for name in changes if changes[name] not in (None, "", [])][:MAX_CHANGES]
    return {name[:MAX_VALUE]: _shown(changes[name]) for name in names}


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, PLAIN):
        return value
    if isinstance(value, list) and len(value) == 2:
        return [_shown(each) for each in value]
    text = str(value)
    if isinstance(value, list):
        text = ", ".join(map(str, value))
    if len(text) > MAX_VALUE:
        text = f"{text[: MAX_VALUE - 1]}…"
    return text


def keep_for(*, days: int, rows: int, now: datetime) -> int:
    """Delete what is older, and the oldest beyond so many rows; return how many rows went."""
    count, _ = AuditEntry.objects.filter(at__lt=now - timedelta(days=days)).delete()
    beyond = AuditEntry.objects.values_list("pk", flat=True)[rows : rows + 1].first()
    if beyond is not None:
        deleted, _ = AuditEntry.objects.filter(pk__lte=beyond).delete()
        count += deleted
    return count

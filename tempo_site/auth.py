"""Callers: API keys with scopes, or the session of a signed-in user; and what is for staff alone."""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, parse_cookie
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from ninja.errors import AuthenticationError, AuthorizationError
from ninja.security.base import AuthBase

from tempo_site.accounts import keys, rate_limits
from tempo_site.accounts.keys import KeyLimits
from tempo_site.accounts.rate_limits import LimitUsage
from tempo_site.audit import net, trail
from tempo_site.lib import addresses, origins
from tempo_site.models import ApiKey, AuditEntry

logger = logging.getLogger(__name__)

Scope = ApiKey.Scope

MAX_TOKEN_LENGTH = 500
TOUCH_EVERY = timedelta(minutes=5)  # a write per request would cost more than most requests
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_KNOWN_ADDRESSES = 20
UNKNOWN_KEY = "This API key is not known, or not any more.\nhint: make one with `createkey`"
NO_CSRF_TOKEN = (
    "The CSRF token is missing or wrong.\n"
    "hint: send the cookie's value as `X-CSRFToken`, or use an API key"
)
ONLY_STAFF = "Only staff may do that.\nhint: ask a user of the staff"

# Key -> when its use could not be noted; tried again when a note would be due.
_failed_at: dict[int, datetime] = {}
_RANK = {Scope.READ: 0, Scope.RUN: 1, Scope.FULL: 2}
_ABILITIES = {Scope.READ: "only read", Scope.RUN: "only read, and start and cancel runs"}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller of an operation. `name` is stored as `by` of a run; `user` is None for a key.

    `limits` are the scripts and folders that a key is limited to, None for everybody else.
    """

    name: str
    user: User | None = None
    key: ApiKey | None = None
    limits: KeyLimits | None = None
    usage: LimitUsage | None = None

    @property
    def is_staff(self) -> bool:
        """Whether it may do what staff does: a user of the staff, or a key without limits, as its scope was checked."""
        if self.user is not None:
            return self.user.is_staff
        return self.limits is None

    @property
    def owner(self) -> User | None:
        """The user whose own things it sees: who is signed in, or who made the key."""
        return self.key.created_by if self.key is not None else self.user


class AuthenticatedRequest(HttpRequest):
    auth: Caller


def has_session(headers: Mapping[str, str]) -> bool:
    """Whether the cookie is of a user who is logged in now: not logged out, not switched off, same password."""
    return user_of_session(headers) is not None


def user_of_session(headers: Mapping[str, str]) -> User | None:
    request = HttpRequest()
    name = parse_cookie(_header(headers, "Cookie")).get(settings.SESSION_COOKIE_NAME)
    request.session = SessionStore(name)
    user = get_user(request)
    return user if isinstance(user, User) else None


def is_known(headers: Mapping[str, str]) -> bool:
    """Whether these headers show a key, or a session, that is good now: for answers that go on for long."""
    return key_of_headers(headers) is not None or has_session(headers)


class SignedInRequest(HttpRequest):
    user: User


class StaffOnly(PermissionDenied):
    """The caller is not staff; a page and the API answer 403 with the sentence of this exception."""


def require_staff(caller: Caller | User, sentence: str = ONLY_STAFF) -> None:
    """Raise StaffOnly for a user who is not staff, and for an API key with limits."""
    if not caller.is_staff:
        raise StaffOnly(sentence)


def key_of_headers(headers: Mapping[str, str]) -> ApiKey | None:
    """Return the key shown in `X-API-Key` or `Authorization: Bearer`; None without a key, or for an unknown key.

    Header names may be in lower case or as written here. One query when a token was shown, else no query.
    """
    token = token_of_headers(headers)
    return ApiKey.objects.by_token(token) if token else None


def token_of_headers(headers: Mapping[str, str]) -> str:
    """Return the token that was shown, or "". Other schemes than Bearer may be a proxy's and do not count."""
    token = _header(headers, "X-API-Key")
    scheme, _, credentials = _header(headers, "Authorization").partition(" ")
    if not token and scheme.lower() == "bearer":
        token = credentials
    return token.strip()[:MAX_TOKEN_LENGTH]


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(name) or headers.get(name.lower()) or ""


def is_enough(scope: str, needed: str) -> bool:
    return _RANK[Scope(scope)] >= _RANK[Scope(needed)]


def touch(key: ApiKey, *, address: str, now: datetime) -> None:
    """Note that the key was used, and from where; an address that is new to the key is a row of the audit.

    Whoever reads is neither refused nor kept waiting where that cannot be written.
    """
    before = now - TOUCH_EVERY
    is_fresh = key.last_used_at is not None and key.last_used_at >= before
    is_new = addresses.site_of(address) not in key.known_addresses
    if is_fresh and not is_new:
        return
    if before < _failed_at.get(key.pk, before) <= now:
        return
    if is_new and not rate_limits.is_free(rate_limits.NEW_ADDRESSES_IN_AUDIT, str(key.pk)):
        return
    try:
        with _without_waiting(), transaction.atomic():
            _note_use(key, address=address, is_new=is_new, now=now)
    except DatabaseError as error:
        _failed_at[key.pk] = now
        logger.warning("the use of key %s could not be noted: %s", key.pk, error)


def _note_use(key: ApiKey, *, address: str, is_new: bool, now: datetime) -> None:
    rows = ApiKey.objects.filter(pk=key.pk)
    if not is_new:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - TOUCH_EVERY)
        rows.filter(stale).update(last_used_at=now, last_used_from=address)
        return
    known = [*key.known_addresses, addresses.site_of(address)][-MAX_KNOWN_ADDRESSES:]
    rows.update(last_used_at=now, last_used_from=address, known_addresses=known)
    with trail.acting_as(AuditEntry.Actor.KEY, key.name, address=address):
        trail.record("used at a new address", key, is_act=False)
    key.known_addresses = known


@contextmanager
def _without_waiting() -> Iterator[None]:
    # Another one may hold the write lock for long.
    connection.ensure_connection()
    database: sqlite3.Connection = connection.connection
    (before_ms,) = database.execute("PRAGMA busy_timeout").fetchone()
    database.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        database.execute(f"PRAGMA busy_timeout = {before_ms}")


Operation = TypeVar("Operation", bound=Callable[..., Any])


def filters_by_limits(operation: Operation) -> Operation:
    """Mark an operation that shows a limited key what lies within its limits; others that name no script are closed."""
    operation.filters_by_limits = True  # type: ignore[attr-defined]
    return operation


class KeyAuth(AuthBase):
    """A key in either header; `needs` is the smallest scope, by default `read` for GET and `full` for the rest."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, needs: str = "") -> None:
        super().__init__()
        self.needs = needs

    def __call__(self, request: HttpRequest) -> Caller | None:
        """Return the caller, or None when no key was shown. Raises AuthenticationError or AuthorizationError."""
        if not token_of_headers(request.headers):
            return None
        key = key_of_headers(request.headers)
        address = request.META.get("REMOTE_ADDR", "")
        if key is None:
            rate_limits.require(rate_limits.WRONG_KEYS, rate_limits.address_of(request))
            raise AuthenticationError(message=UNKNOWN_KEY)
        usage = rate_limits.require(rate_limits.API, f"key {key.pk}")
        needed = self.needs or _scope_for(request.method)
        if not is_enough(key.scope, needed):
            sentence = f"The key `{key.name}` may {_ABILITIES[Scope(key.scope)]}."
            hint = f"hint: use a key with scope `{needed}`"
            raise AuthorizationError(message=f"{sentence}\n{hint}")
        touch(key, address=address, now=timezone.now())
        net.begin(request)
        return Caller(name=f"key: {key.name}", key=key, limits=keys.limits_of_key(key), usage=usage)


def _scope_for(method: str | None) -> str:
    if method in SAFE_METHODS:
        return Scope.READ
    return Scope.FULL


class HeaderKeyAuth(KeyAuth):
    openapi_type = "apiKey"
    openapi_in = "header"
    openapi_name = "X-API-Key"


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponseForbidden(reason)


def _no_view(_: HttpRequest) -> HttpResponse:
    return HttpResponse()


_csrf_check = _CsrfCheck(_no_view)


def is_forged(request: HttpRequest) -> bool:
    _csrf_check.process_request(request)
    return _csrf_check.process_view(request, _no_view, (), {}) is not None


class SessionAuth(AuthBase):
    """The session of a signed-in user; a request that changes data needs the CSRF token as well."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    csrf = True  # tells ninja's docs page to send the token

    def __call__(self, request: HttpRequest) -> Caller | None:
        """Return the caller, or None when no user is signed in. Raises AuthorizationError without the CSRF token."""
        if not isinstance(request.user, User):
            return None
        if is_forged(request):
            raise AuthorizationError(message=origins.what_a_proxy_hides(request) or NO_CSRF_TOKEN)
        return Caller(name=request.user.get_username(), user=request.user)


def callers(needs: str = "") -> Sequence[AuthBase]:
    return [KeyAuth(needs), HeaderKeyAuth(needs), SessionAuth()]


DEFAULT = callers()
RUN = callers(Scope.RUN)
FULL = callers(Scope.FULL)

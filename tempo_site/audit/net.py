"""The net below the audit: a request or a command that acted and left no row is recorded by its name, and logged."""

import logging
import sqlite3

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tempo_site.audit import trail

logger = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOG_OUT = "logout"  # ends a session; the log-in is recorded


def begin(request: HttpRequest) -> None:
    """Note what the database has written so far: what comes after this is the request's own act."""
    if request.method not in SAFE_METHODS:
        request.written_before = written()  # type: ignore[attr-defined]  # for `is_silent_act`


def is_silent_act(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a request has written to the database, and no row of the audit says so."""
    if request.method in SAFE_METHODS or getattr(request, "is_audited", False):
        return False
    # What was refused, with an error or with the form again, was rolled back.
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    if response.status_code >= 400 or (response.status_code == 200 and is_page):
        return False
    if view_name(request) == LOG_OUT:
        return False
    before: int = request.written_before  # type: ignore[attr-defined]  # set by `begin`
    return written() > before


def written() -> int:
    """Return how many rows this thread's connection has inserted, changed and deleted since it was opened."""
    database: sqlite3.Connection | None = connection.connection
    return 0 if database is None else database.total_changes


def catch(request: HttpRequest) -> None:
    """Record a request that acted, by what its address says."""
    name = view_name(request)
    logger.warning("a request left no entry in the audit view=%s", name)
    kwargs = request.resolver_match.kwargs if request.resolver_match else {}
    trail.record("sent", kind="request", name=name, changes=kwargs)


def catch_command(name: str) -> None:
    logger.warning("a command left no entry in the audit command=%s", name)
    trail.record("gave", kind="command", name=name)


def view_name(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""

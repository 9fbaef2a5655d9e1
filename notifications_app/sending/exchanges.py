"""Requests and answers over HTTP: one way for all libraries, with bounds, and what an answer means.

apprise and anymail tell little of what a server said, so that it is written down where requests sends.
"""

import email.utils
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from notifications_app.channels.addresses import AddressRefused
from notifications_app.delivery.letters import Outcome

TIMEOUT_S = (5.0, 15.0)  # to connect, and between two parts of the answer
MAX_ANSWER_BYTES = 200_000
MAX_RETRY_AFTER_S = 24 * 3600.0
_RETRY_STATUSES = frozenset({408, 425, 429})
_GONE = 410


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its end: a status with the server's text, or why there is none."""

    host: str
    status: int | None = None
    text: str = ""
    retry_after_s: float | None = None
    is_refused_address: bool = False

    @property
    def outcome(self) -> Outcome:
        if self.status is None:
            return "refused" if self.is_refused_address else "retry"
        return outcome_of(self.status)

    @property
    def words(self) -> str:
        if self.status is None:
            return self.text
        if 300 <= self.status < 400:
            return f"{self.status}: the server sends on to another address, which is not followed"
        return f"{self.status} {self.text}"


class _Recorded(threading.local):
    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []


_recorded = _Recorded()
_send = requests.Session.send


def begin() -> list[Exchange]:
    """Return a list to which each exchange of this thread will be added from now on."""
    _recorded.exchanges = []
    return _recorded.exchanges


def record_all() -> None:
    """Make every session of this process keep to the bounds and write down its exchanges."""
    requests.Session.send = _bounded_send  # type: ignore[method-assign,assignment]


def _bounded_send(
    session: requests.Session, request: requests.PreparedRequest, **options: Any
) -> requests.Response:
    options |= {"allow_redirects": False, "timeout": TIMEOUT_S, "stream": True}
    # Whatever an address says, certificates are checked, by what the system trusts.
    options["verify"] = os.environ.get("REQUESTS_CA_BUNDLE") or True
    host = urlsplit(request.url or "").hostname or ""
    try:
        response = _send(session, request, **options)
        _read(response)
    except (requests.RequestException, OSError) as error:
        _recorded.exchanges.append(_failed(host, error))
        raise
    _recorded.exchanges.append(
        Exchange(
            host=str(host),
            status=response.status_code,
            text=response.text,
            retry_after_s=_retry_after_s(response, now=time.time()),
        )
    )
    return response


def _read(response: requests.Response) -> None:
    content = b""
    for part in response.iter_content(16_384):
        content += part
        if len(content) >= MAX_ANSWER_BYTES:
            response.close()
            break
    # The only way to give requests an answer that was read in part.
    response._content = content[:MAX_ANSWER_BYTES]


def _failed(host: Any, error: BaseException) -> Exchange:
    cause = root_cause(error)
    is_refused = isinstance(cause, AddressRefused)
    return Exchange(host=str(host), text=connection_words(cause), is_refused_address=is_refused)


def root_cause(error: BaseException) -> BaseException:
    """Return what an error goes back to; the errors of libraries on top hold addresses with their secrets."""
    seen = {id(error)}
    while cause := error.__cause__ or error.__context__:
        if id(cause) in seen:
            break
        seen.add(id(cause))
        error = cause
    return error


def connection_words(cause: BaseException) -> str:
    """Return why there was no answer."""
    if isinstance(cause, AddressRefused):
        return str(cause)
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "the name of the server was not found"
    if isinstance(cause, OSError) and cause.strerror:
        return f"no connection: {cause.strerror}"
    return f"no connection: {cause}"


def outcome_of(status: int) -> Outcome:
    """Return what the status of an answer means for a message; a redirection is a failure."""
    if 200 <= status < 300:
        return "sent"
    if status == _GONE:
        return "gone"
    if status in _RETRY_STATUSES or status >= 500:
        return "retry"
    return "refused"


def _retry_after_s(response: requests.Response, *, now: float) -> float | None:
    value = response.headers.get("Retry-After", "") or _retry_after_in(response)
    seconds = seconds_of(value, now=now)
    if seconds is None:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def seconds_of(value: str, *, now: float) -> float | None:
    """Return the seconds that a Retry-After asks for, which is a number or a date; None for anything else."""
    try:
        return float(value) if float(value) < float("inf") else None
    except ValueError:
        pass
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - now
    except ValueError:
        return None


def _retry_after_in(response: requests.Response) -> str:
    # Discord and Telegram say it in the body.
    if response.status_code != 429:
        return ""
    try:
        body = response.json()
        return str(body.get("retry_after") or body["parameters"]["retry_after"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""

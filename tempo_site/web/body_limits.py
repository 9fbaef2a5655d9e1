"""How large a request's body may be: by its address, and by who sends it."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone

from runs_app.url_triggers import large_bodies
from runs_app.url_triggers.large_bodies import Right
from tempo_site import auth
from tempo_site.bootstrap import first_start
from tempo_site.lib import origins

KB, MB = 2**10, 2**20
STRANGER_BYTES = 64 * KB  # before the caller is known; more than any log-in or set-up needs
API_BYTES = 4 * MB  # a script's text of 1 MB, however JSON writes its characters

# The first pattern that matches an address decides; whatever matches none is a page.
_UPLOAD = re.compile(r"/(?:api/v1/)?scripts/[^/?]+/files/?|/api/v1/import/?|/import/?")
_RUNS = re.compile(r"/api/v1/(?:scripts/[^/?]+/runs|runs/.*)")
_API = re.compile(r"/api/.*")
_SETUP_UPLOAD = re.compile(r"/setup/([^/?]+)/backup/upload")
_TRIGGER = re.compile(r"/trigger/(.*?)/?")

OK, UNPROVEN, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 200, 202, 401, 403, 404


def ceiling(target: bytes) -> int:
    """Return the largest body in bytes for a request's target; an upload has a little around its files."""
    path = origins.without_base(target.partition(b"?")[0].decode("latin1"))
    if _UPLOAD.fullmatch(path):
        return (int(settings.MAX_UPLOAD_MB) + 1) * MB
    if _RUNS.fullmatch(path):
        return STRANGER_BYTES
    if _TRIGGER.fullmatch(path):
        return large_bodies.MAX_BYTES
    if _API.fullmatch(path):
        return API_BYTES
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


@database_sync_to_async
def status_of_caller(target: bytes, headers: Mapping[str, str], address: str) -> int:
    """Return 200 when whoever sent these headers may send more than a stranger may, else 401 or 403.

    For a trigger, 202 when the body is taken so that its signature can be checked, 404 when nobody is let in.
    """
    path, _, query = target.decode("latin1").partition("?")
    path = origins.without_base(path)
    setup = _SETUP_UPLOAD.fullmatch(path)
    if setup:
        return OK if first_start.is_open_for(setup[1]) else UNAUTHENTICATED
    trigger = _TRIGGER.fullmatch(path)
    if trigger:
        return _status_for_trigger(trigger[1], headers, query, address)
    key = auth.key_of_headers(headers)
    if key is not None:
        return OK if auth.is_enough(key.scope, auth.Scope.FULL) else FORBIDDEN
    return OK if auth.has_session(headers) else UNAUTHENTICATED


def _status_for_trigger(slug: str, headers: Mapping[str, str], query: str, address: str) -> int:
    now = timezone.now()
    token = auth.token_of_headers(headers)
    in_query = parse_qs(query).get("key", [""])[-1]
    match large_bodies.right_to_send(slug, token, in_query, now=now):
        case Right.KNOWN:
            return OK
        case Right.TO_BE_PROVEN:
            return UNPROVEN
    large_bodies.note_unread(slug, address=address, now=now)
    return NOT_FOUND

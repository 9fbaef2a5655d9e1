"""Every operation of the API and every WebSocket, by every kind of caller, on rows that are there.

What each may is the table of docs/security.md. A limited key is tried on what is its own and on what is not.
"""

import functools
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from runs_app.models import RetentionRule
from runs_app.routing import websocket_urlpatterns
from runs_app.states import Reason
from runs_app.url_triggers import trigger_keys, trigger_settings
from scripts_app import reach
from scripts_app.files import store
from scripts_app.models import Script
from scripts_app.variables import variables
from tempo_site import asgi
from tempo_site.accounts import keys
from tempo_site.accounts.keys import KeyLimits
from tempo_site.api import api
from tempo_site.models import ApiKey
from tests.factories import make_run, make_schedule, make_script
from tests.notifications_app.telling import end_run, make_channel, make_rule

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OURS, THEIRS = "ours", "zebra"
LIMIT_S = 5.0
ORDER = (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
)  # what takes rows away comes last, the script at the very end

# What a key of scope `run` may beside GET, and what is asked with GET and yet is for scope `full`.
FOR_RUN = {"POST /scripts/{slug}/runs", "POST /runs/{run_id}/cancel", "POST /runs/{run_id}/rerun"}
FOR_FULL = {
    "GET /settings",
    "GET /keys",
    "GET /keys/{key_id}",
    "GET /audit",
    "GET /backups",
    "GET /backups/{name}/file",
}
# What a limited key finds: its lists, and what is of one script; but it makes no other script.
LISTS = {
    "GET /export",
    "GET /scripts",
    "GET /runs",
    "GET /queue",
    "GET /failures",
    "GET /statistics",
    "GET /search",
}
OF_A_SCRIPT = re.compile(r"\{(slug|run_id|schedule_id)\}")
CLOSED_TO_LIMITED = {"POST /scripts/{slug}/duplicate"}
# They ask for something that these scripts do not have: a file in the folder, a deleted script, an upgrade, an end.
NOT_THERE = re.compile(r"/files/|/restore$|/upgrade|last-good|/samples|/output|/log")

QUERIES = {"GET /search": "?q=print", "GET /scripts/{slug}/versions/diff": "?from=1&to=1"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /check": {"code": ""},
    "POST /format": {"code": ""},
    "POST /folders": {"path": "Other"},
    "PATCH /folders/{folder_id}": {"path": "Other"},
    "POST /scripts": {"name": "Other"},
    "PATCH /scripts/{slug}": {"tags": ["x"]},
    "PUT /scripts/{slug}/draft": {"code": "", "requirements": "", "python_version": ""},
    "POST /scripts/{slug}/outside-edit": {"take": False},
    "POST /pythons": {"version": "3.11"},
    "POST /pythons/move": {"from": "3.11", "to": "3.12"},
    "POST /schedules/preview": {"kind": "startup"},
    "PATCH /schedules/{schedule_id}": {"enabled": False},
    "POST /scripts/{slug}/schedules": {"kind": "startup"},
    "PUT /scripts/{slug}/trigger": {"enabled": False},
    "PUT /scripts/{slug}/variables/{name}": {"value": "x"},
    "PUT /variables/{name}": {"value": "x"},
    "PATCH /scripts/{slug}/versions/{number}": {"note": "x"},
    "POST /templates/{name}": {},
    "PUT /views/{name}": {"query": "status=failed"},
    "PUT /retention": {"days": 1},
    "PATCH /settings": {},
    "POST /channels": {"kind": "webhook", "name": "other"},
    "PATCH /channels/{channel_id}": {"name": "other"},
    "POST /rules": {"channel": 1, "events": []},
    "PATCH /rules/{rule_id}": {"events": []},
    "POST /keys": {"name": "other"},
    "PATCH /keys/{key_id}": {"name": "other"},
}
UPLOAD = "POST /scripts/{slug}/files"
Rows = dict[str, object]  # what stands in an address, by the name of its parameter


@functools.cache
def operations() -> list[str]:
    """Every operation in the order of the walk: what removes something comes last."""
    found = [
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    ]
    return sorted(found, key=place)


def place(operation: str) -> tuple[int, int]:
    method, path = operation.split()
    return ORDER.index(method), -len(path)


@pytest.fixture(autouse=True)
def limits_are_off(settings: Any) -> None:
    """A walk comes more often than its address may."""
    settings.RATELIMIT_ENABLE = False


def rows_of(name: str, folder: str) -> Rows:
    """A script in a folder, with everything that a script can have; each text of it is its name."""
    script = make_script(name, folder=folder, code=f"print('{name}')\n", description=name)
    variables.save(script, name=name, value=name, by=name)
    store.save(script, f"{name}.txt", [name.encode()])
    schedule = make_schedule(script)
    make_run(script, schedule=schedule)
    failed = end_run(script, reason=Reason.EXIT_CODE, message=name)
    trigger_settings.update(script, {"enabled": True})
    key, _ = trigger_keys.issue(trigger_settings.stored_trigger(script), by=name, now=NOW)
    rule = make_rule(make_channel(name), script=script)
    return {
        "slug": script.slug,
        "run_id": failed.pk,
        "schedule_id": schedule.pk,
        "key_id": key.pk,
        "number": 1,
        "name": name,
        "path": f"{name}.txt",
        "rule_id": rule.pk,
        "channel_id": rule.channel_id,
        "limits_id": RetentionRule.objects.create(script=script, days=10).pk,
        "environment_id": script.environment_id,
        "folder_id": script.folder_id,
        "delivery_id": 1,
    }


@pytest.fixture
def ours(db: None) -> Rows:
    """The rows of the script that a limited key sees."""
    return rows_of(OURS, "Ops")


@pytest.fixture
def theirs(db: None) -> Rows:
    """Those of a script that it does not see."""
    return rows_of(THEIRS, "Secret")


def call(token: str, operation: str, rows: Rows) -> tuple[int, str]:
    """Status and text of the answer to a request that is good but for who sends it."""
    method, path = operation.split()
    address = re.sub(r"\{(\w+)\}", lambda found: str(rows[found[1]]), path)
    client = Client(headers={"host": "localhost", "x-api-key": token})
    url = f"/api/v1{address}{QUERIES.get(operation, '')}"
    if operation == UPLOAD:
        answer = client.post(url, {"file": SimpleUploadedFile("one.txt", b"1")})
    else:
        answer = client.generic(method, url, json_of(operation), "application/json")
    content = b"".join(answer) if answer.streaming else answer.content
    return answer.status_code, content.decode(errors="replace")  # a zip is none


def json_of(operation: str) -> str:
    body = BODIES.get(operation)
    return "" if body is None else json.dumps(body)


def make_key(scope: str = "full", **fields: Any) -> str:
    return keys.create(name=f"{scope} of the walk", scope=scope, now=NOW, **fields)[1]


def tokens_of_nobody() -> dict[str, str]:
    """Tokens that open nothing of the API, by what is wrong with them."""
    before = NOW - timedelta(seconds=1)
    found = {name: make_key() for name in ("expired", "rotated", "revoked")}
    expired, rotated, revoked = ApiKey.objects.order_by("-pk")[:3][::-1]
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=before)
    keys.rotate(rotated, overlap=timedelta(hours=1), now=NOW)
    ApiKey.objects.filter(pk=rotated.pk).update(old_until=before)
    keys.revoke(revoked)
    trigger = trigger_settings.stored_trigger(Script.objects.get(slug=OURS))
    of_trigger = trigger_keys.issue(trigger, by="", now=NOW)[1]
    return {**found, "none": "", "wrong": "tempo_wrong", "of a trigger": of_trigger}


def limits(kind: str) -> KeyLimits:
    return reach.named([OURS], []) if kind == "script" else reach.named([], ["Ops"])


def may(operation: str, scope: str) -> bool:
    """Whether the scope of a key allows an operation."""
    if scope == "full":
        return True
    if operation in FOR_RUN:
        return scope == "run"
    return operation.startswith("GET") and operation not in FOR_FULL


def is_for_limited(operation: str) -> bool:
    """Whether a limited key finds an operation, on its own script."""
    if operation in CLOSED_TO_LIMITED:
        return False
    return operation in LISTS or bool(OF_A_SCRIPT.search(operation))


# --- the walk -------------------------------------------------------------------------------------------------------
def test_whoever_shows_no_good_key_is_refused_everywhere(ours: Rows) -> None:
    let_in = []
    for name, token in tokens_of_nobody().items():
        answers = {operation: call(token, operation, ours)[0] for operation in operations()}
        let_in += [(name, each, status) for each, status in answers.items() if status != 401]
    assert let_in == []


@pytest.mark.parametrize("scope", ["read", "run", "full"])
def test_a_key_may_do_what_its_scope_says(ours: Rows, scope: str) -> None:
    token = make_key(scope)
    refused = {each for each in operations() if call(token, each, ours)[0] == 403}
    assert refused == {each for each in operations() if not may(each, scope)}


@pytest.mark.parametrize(
    ("scope", "kind"), [("read", "script"), ("run", "folder"), ("full", "script")]
)
def test_a_limited_key_finds_its_own_and_nothing_of_others(
    ours: Rows, theirs: Rows, scope: str, kind: str
) -> None:
    token = make_key(scope, limits=limits(kind))
    told = []
    for operation in operations():
        status, text = call(token, operation, theirs)
        is_told = status == 200 and THEIRS in text
        if is_told or status != status_for_others(operation, scope):
            told.append((operation, status, text))
    assert told == []
    wrong = []
    for operation in filter(lambda each: may(each, scope), operations()):
        status, text = call(token, operation, ours)
        is_let_in = status != 404 or bool(NOT_THERE.search(operation))
        if is_let_in != is_for_limited(operation) or THEIRS in text:
            wrong.append((operation, status, text))
    assert wrong == []


def status_for_others(operation: str, scope: str) -> int:
    if not may(operation, scope):
        return 403
    return 200 if operation in LISTS else 404


def test_a_limited_key_does_not_turn_what_is_for_staff(ours: Rows) -> None:
    token = make_key(limits=limits("script"))
    client = Client(headers={"host": "localhost", "x-api-key": token})
    for switch in ("as_service_user", "allow_source"):
        answer = client.patch("/api/v1/scripts/ours", {switch: True}, "application/json")
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (403, [switch])


# --- WebSockets -----------------------------------------------------------------------------------------------------
@pytest.fixture
def connection_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels closes the database behind each question; the test's own has to stay."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


def is_opened(path: str, token: str) -> bool:
    async def connect() -> bool:
        headers = [(b"host", b"localhost"), (b"x-api-key", token.encode())]
        talk = WebsocketCommunicator(asgi.application, path, headers=headers)
        talk.scope["scheme"] = "ws"
        accepted, _ = await talk.connect(LIMIT_S)
        await talk.disconnect()
        return bool(accepted)

    return async_to_sync(connect)()


@pytest.mark.usefixtures("connection_of_the_test")
def test_no_websocket_opens_to_whoever_shows_no_good_key(ours: Rows) -> None:
    paths = [
        "/" + str(route.pattern).replace("<int:run_id>", str(ours["run_id"]))
        for route in websocket_urlpatterns
    ]
    good = make_key("read")
    assert [is_opened(path, good) for path in paths] == [True] * len(paths)
    tokens = tokens_of_nobody()
    opened = [(name, path) for name in tokens for path in paths if is_opened(path, tokens[name])]
    assert opened == []

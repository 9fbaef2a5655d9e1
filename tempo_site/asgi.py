"""The ASGI application: health from memory, pages through a pool of threads, WebSockets behind an origin check."""

import asyncio
import functools
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, get_resolver, set_script_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tempo_site.settings")
django.setup(set_prefix=False)

from runs_app.routing import websocket_urlpatterns  # noqa: E402 - models need the set-up above
from runs_app.views.later_response import LaterResponse  # noqa: E402
from tempo_site import auth, health  # noqa: E402
from tempo_site.accounts import keys  # noqa: E402
from tempo_site.lib import hosts, origins  # noqa: E402
from tempo_site.web import forwarded, turns  # noqa: E402

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

REQUEST_THREADS = 8
FORBIDDEN = 4403
MAX_SOCKETS = 50  # of a user, and of a key

# Django would open a thread and a database connection for each request. Eight executors of one thread each bound both;
# asgiref wants one thread an executor. Each has a count of the requests that use it now.
_users = {ThreadPoolExecutor(1, f"request-{number}"): 0 for number in range(REQUEST_THREADS)}


class OneThreadHandler(ASGIHandler):
    """Runs the middleware and the view of a request in one thread, one after the other, and goes there once.

    Every middleware and view here is synchronous. Left to itself, ASGIHandler goes back to the event loop between any
    two of them: measured 3 ms of 10 for a POST, and a quarter of the CPU. It would enter the thread once more to close
    each answer, and wait in two more tasks for a client that leaves before it is sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self._answer_in_thread = sync_to_async(self._answer, thread_sensitive=True)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. Who leaves while a thread works for it cannot stop the thread, and is not listened to."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        with body_file:
            set_script_prefix(get_script_prefix(scope))
            request, refusal = self.create_request(scope, body_file)
            response: Any = refusal if request is None else await self._answer_in_thread(request)
            if is_whole(response):
                await self.send_response(response, send)
            else:
                await self._send_while_client_stays(response, scope, receive, send)

    def resolve_request(self, request: Any) -> ResolverMatch:
        found = _match(request.path_info)
        request.resolver_match = found
        return found

    def _answer(self, request: Any) -> HttpResponseBase:
        for prepare in AT_START:
            prepare()
        response = self.get_response(request)
        if is_whole(response):
            response.close()
        elif isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        return response

    async def _send_while_client_stays(
        self, response: HttpResponseBase, scope: Scope, receive: Receive, send: Send
    ) -> None:
        sending = asyncio.create_task(self._send_in_parts(response, scope, send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.wait({sending})
            await sync_to_async(response.close, thread_sensitive=True)()

    async def _send_in_parts(self, response: HttpResponseBase, scope: Scope, send: Send) -> None:
        if isinstance(response, LaterResponse):
            executor = scope["executor"]
            _users[executor] -= 1  # while it waits, its thread is for others
            try:
                await response.at_end()
            finally:
                _users[executor] += 1
        await self.send_response(response, send)


# Clients ask for the same few addresses again and again; there are 300 patterns to try.
@functools.lru_cache(maxsize=64)
def _match(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)


def is_whole(response: HttpResponseBase) -> bool:
    """Whether an answer is in memory, and final."""
    return not response.streaming and not isinstance(response, LaterResponse)


# What Django does at the start of a request. As receivers of its signal they would cost a way of their own into the
# thread and back.
AT_START = (reset_queries, close_old_connections)
for receiver in AT_START:
    request_started.disconnect(receiver)
_django = OneThreadHandler()
_consumers = URLRouter(websocket_urlpatterns)
_sockets: Counter[str] = Counter()  # that are open, by who holds them


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    path = origins.without_base(scope["path"])
    base = settings.BASE_PATH
    # The root path is ours to say: daphne takes it from a header that anybody may send.
    scope = {**forwarded.true_scope(scope), "path": f"{base}{path}", "root_path": base}
    if scope["type"] == "websocket":
        await _websocket(scope, receive, send)
    elif path == "/healthz":
        await _healthz(send)
    else:
        async with turns.turn():
            await _page(scope, receive, send)


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    # In a free thread of the pool, or in the queue of the least busy thread.
    executor = min(_users, key=_users.__getitem__)
    _users[executor] += 1
    try:
        async with ThreadSensitiveContext(executor=executor):
            await _django({**scope, "executor": executor}, receive, send)
    finally:
        _users[executor] -= 1


async def _healthz(send: Send) -> None:
    # From memory: a locked database or a busy pool must not make the service look dead, or alive.
    report = health.health_report()
    status = 200 if report["status"] == "ok" else 503
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(report).encode()})


async def _websocket(scope: Scope, receive: Receive, send: Send) -> None:
    # For an API key, or for a session from a page of Tempo; the connection ends when either is void.
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers[name.decode("latin1").lower()] = value.decode("latin1")
    is_secure = scope["scheme"] == "wss"
    caller = await _welcome(headers, is_secure) if is_socket(scope["path"]) else None
    if caller is None or _sockets[caller.name] >= MAX_SOCKETS:
        await _refuse(receive, send)
        return
    _sockets[caller.name] += 1
    consumer = asyncio.ensure_future(_consumers({**scope, "caller": caller}, receive, send))
    try:
        while True:
            ended, _ = await asyncio.wait({consumer}, timeout=settings.SOCKET_RECHECK_S)
            if ended:
                break
            # Also where a key's limits have changed: the client comes again.
            if await _welcome(headers, is_secure) != caller:
                await send({"type": "websocket.close", "code": FORBIDDEN})
                break
        await consumer  # hears of the close, and ends by itself
    finally:
        consumer.cancel()
        _sockets[caller.name] -= 1
        if not _sockets[caller.name]:
            del _sockets[caller.name]


def is_socket(path: str) -> bool:
    path = origins.without_base(path).removeprefix("/")
    return any(route.pattern.match(path) for route in websocket_urlpatterns)


@database_sync_to_async
def _welcome(headers: Mapping[str, str], is_secure: bool) -> auth.Caller | None:
    host = headers.get("host", "")
    if not hosts.is_allowed(host, settings.HOST_PATTERNS, public_url=settings.PUBLIC_URL):
        return None
    key = auth.key_of_headers(headers)
    if key is not None:
        return auth.Caller(name=f"key {key.pk}", limits=keys.limits_of_key(key))
    origin = headers.get("origin", "")
    if not origins.is_own(origin, host=host, is_secure=is_secure):
        return None
    user = auth.user_of_session(headers)
    return None if user is None else auth.Caller(name=f"user {user.pk}")


async def _refuse(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": FORBIDDEN})

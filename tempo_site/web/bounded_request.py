"""One HTTP request at the socket: bodies have ceilings, strangers small ones, and long answers wait for slow clients.

This stands before ASGI: Twisted stores a whole body in a file before an application hears of the request.
"""

import asyncio
import json
import logging
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from django.shortcuts import resolve_url
from twisted.internet import reactor
from twisted.internet.interfaces import IDelayedCall
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import RESPONSES, HTTPChannel

from runs_app.url_triggers import senders
from tempo_site import asgi
from tempo_site.lib import origins
from tempo_site.lib.addresses import site_of
from tempo_site.web import body_limits, forwarded
from tempo_site.web.body_limits import MB, STRANGER_BYTES

logger = logging.getLogger(__name__)

LINGER_S = 5.0  # a client that is still sending when it is refused gets this long to read why
HEAD_S = 20.0  # for the head of a request and what a stranger may send, from its first byte
MAX_CONNECTIONS = 600
KEPT_FOR_LOOPBACK = 20  # beyond them: else nobody here could see that Tempo is well
MAX_CONNECTIONS_OF_ADDRESS = 200
MAX_LARGE_BODIES = 16  # under way at a time, each may take a file of MAX_UPLOAD_MB
MAX_UNPROVEN_BODIES = (
    4  # under way or at their check, of who has to prove by a signature that they may send them
)
ERRORS = {
    401: ("unauthenticated", "A request of this size needs a log-in or an API key."),
    403: ("forbidden", "This API key may not send a request of this size."),
    429: ("too_many_requests", "Too many connections are open from your address."),
    404: ("not_found", senders.NOT_HERE),
    413: ("too_large", "The request is too large."),
    414: ("too_large", "The address is too long.\nhint: at most 16 KB"),
    431: ("too_large", "A header of the request is too long.\nhint: at most 16 KB"),
    503: ("unavailable", "Large requests cannot be taken now."),
}

# Twisted has no words for the younger ones: 422 would be "Unknown Status".
for known in HTTPStatus:
    RESPONSES.setdefault(known, known.phrase.encode())


class BoundedRequest(WebRequest):
    """daphne's request, which by itself takes a body of any size and keeps all of an unread answer in memory."""

    large_bodies: "set[BoundedRequest]" = set()
    unproven_bodies: "set[BoundedRequest]" = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Twisted would parse forms in the event loop, for anybody; Django does, for whom it serves.
        super().__init__(*args, parsePOSTFormSubmission=False, **kwargs)
        self._received = 0
        self._is_refused = False
        self._is_known = False
        self._target = b""
        self._length: int | None = None
        self._question: asyncio.Future[None] | None = None
        self._held: list[bytes] = []
        self._whole: tuple[bytes, bytes, bytes] | None = None
        self._may_send = asyncio.Event()
        self._may_send.set()

    # --- the body: Twisted calls these as it arrives -----------------------------------------------------------------
    def gotLength(self, length: int | None) -> None:
        """Refuse a body that says it is too large before any of it is read; None: it comes in chunks."""
        self._target, self._length = self.channel._path, length
        is_too_large = (length or 0) > body_limits.ceiling(self._target)
        super().gotLength(0 if is_too_large else min(length or STRANGER_BYTES, STRANGER_BYTES))
        if self._is_one_too_many():
            self._refuse(429)
        elif is_too_large:
            self._refuse(413)
        elif (length or 0) > STRANGER_BYTES:
            self._ask_for_caller()

    def handleContentChunk(self, data: bytes) -> None:
        """Store a piece of the body; above the ceiling refuse it, and drop what still comes."""
        self._received += len(data)
        if self._is_refused:
            return
        if self._received > body_limits.ceiling(self._target):
            self._refuse(413)
        elif self._question is None and (self._is_known or self._received <= STRANGER_BYTES):
            super().handleContentChunk(data)
        else:
            self._held.append(data)
            self._ask_for_caller()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self._stop_clock()
        if self._is_refused:
            self.channel.loseConnection()
        elif self._question is not None:
            self._whole = (command, path, version)
        else:
            self.large_bodies.discard(self)
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        """Pass on a whole request. At an address that is no WebSocket's, an upgrade to one is a page like others."""
        if not asgi.is_socket(self.path.decode("latin1")):
            self.requestHeaders.removeHeader(b"Upgrade")
        return super().process()

    # --- who sends it ------------------------------------------------------------------------------------------------
    # Read nothing more until the caller is known: at most one piece, 64 KiB, has arrived beyond the limit.
    def _ask_for_caller(self) -> None:
        if self._question is None:
            self._stop_clock()
            self.channel.transport.pauseProducing()
            self._question = asyncio.ensure_future(self._go_on_or_refuse())

    def _stop_clock(self) -> None:
        if isinstance(self.channel.transport, BoundedConnection):
            self.channel.transport.stop_clock()

    def _is_one_too_many(self) -> bool:
        # Among the requests that come through a proxy from the same client.
        connection = self.channel.transport
        if not isinstance(connection, BoundedConnection) or not connection.is_of_proxy:
            return False
        headers = self._header_lines()
        client = forwarded.client_address(connection.getPeer().host, headers)
        connection.client = site_of(client)
        held: int = connection.factory.held_by(connection.client)
        return held > MAX_CONNECTIONS_OF_ADDRESS

    def _header_lines(self) -> list[tuple[bytes, bytes]]:
        lines = self.requestHeaders.getAllRawHeaders()
        return [(name, value) for name, values in lines for value in values]

    async def _go_on_or_refuse(self) -> None:
        headers = {
            name.decode("latin1").lower(): values[0].decode("latin1")
            for name, values in self.requestHeaders.getAllRawHeaders()
        }
        try:
            peer = self.channel.transport.getPeer().host
            client = forwarded.client_address(peer, self._header_lines())
            status = await body_limits.status_of_caller(self._target, headers, client)
        except Exception:  # of a locked or broken database: an unknown caller stays a stranger
            logger.warning("the caller of a large request could not be looked up", exc_info=True)
            status = 503
        if self._is_refused or self.channel is None:
            return
        if status == body_limits.UNPROVEN:
            status = self._place_for_unproven()
        if status == body_limits.OK and len(self.large_bodies) >= MAX_LARGE_BODIES:
            status = 503
        if status == body_limits.OK:
            self._take_large_body()
        else:
            self._refuse(status)

    def _place_for_unproven(self) -> int:
        if len(self.unproven_bodies) >= MAX_UNPROVEN_BODIES:
            return 503
        self.unproven_bodies.add(self)  # until it is answered
        return body_limits.OK

    def _take_large_body(self) -> None:
        self._question, self._is_known = None, True
        self.large_bodies.add(self)
        content = self.content.getvalue() + b"".join(self._held)
        self._held = []
        super().gotLength(self._length)
        self.content.write(content)
        self.channel.transport.resumeProducing()
        if self._whole:
            self.requestReceived(*self._whole)

    def _leave_places(self) -> None:
        self.large_bodies.discard(self)
        self.unproven_bodies.discard(self)

    def _refuse(self, status: int) -> None:
        self._is_refused = True
        self._leave_places()
        self._held = []
        self.content.truncate(0)
        self.requestHeaders.removeHeader(b"Expect")  # Twisted would ask for the body
        self.channel.transport.resumeProducing()
        _answer_last(self.channel.transport, refusal(status, self._target))

    # --- the answer --------------------------------------------------------------------------------------------------
    async def wait_until_taken(self) -> None:
        """Wait until the client has taken what was sent, 64 KiB apart. Returns at once when it has gone away."""
        if self.finished or self.channel is None:
            return
        if self.producer is None:
            self.registerProducer(self, True)
        await self._may_send.wait()

    def pauseProducing(self) -> None:
        self._may_send.clear()

    def resumeProducing(self) -> None:
        self._may_send.set()

    def stopProducing(self) -> None:
        self._may_send.set()

    def connectionLost(self, reason: Any) -> None:
        self._leave_places()
        self._may_send.set()
        super().connectionLost(reason)

    def handle_exception(self, exception: BaseException) -> None:
        """Answer with an error; an answer that has begun is broken off, so that nobody takes it for whole or waits."""
        if self._response_started:
            self.loseConnection()
        else:
            super().handle_exception(exception)

    def finish(self) -> None:
        self._leave_places()
        if self.producer is not None:
            self.unregisterProducer()
        if self.channel is not None and isinstance(self.channel.transport, BoundedConnection):
            self.channel.transport.end_request()
        super().finish()


class BoundedChannel(HTTPChannel):
    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse an address or a header of more than 16 KB, which Twisted would close without a word."""
        # There is a request as soon as its first line has been read.
        if self.requests:
            answer = refusal(431, self._path)
        else:
            answer = refusal(414, line.partition(b" ")[2])
        self.dataReceived = _drop
        _answer_last(self.transport, answer)


class BoundedFactory(HTTPFactory):
    protocol = BoundedChannel

    def startFactory(self) -> None:
        """Keep no log: Twisted would note the time for it once a second, and make a line of each request."""

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol


class BoundedConnection(ProtocolWrapper):
    """A connection, and who holds it: the peer, or the client whose request a trusted proxy passes on now, or "".

    Twisted closes it a minute after the last byte; a request that comes byte by byte has a clock of its own.
    """

    is_of_proxy = False
    client = ""
    _is_served = False
    _clock: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        if self._clock is None and not self._is_served:
            self._clock = reactor.callLater(HEAD_S, self._end)
        super().dataReceived(data)

    def stop_clock(self) -> None:
        """Give the rest of a request all the time it needs: it is here, or its sender will be known."""
        self._is_served = True
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def end_request(self) -> None:
        self._is_served = False
        if self.is_of_proxy:
            self.client = ""

    def connectionLost(self, reason: Any) -> None:
        self.stop_clock()
        super().connectionLost(reason)

    def _end(self) -> None:
        self._clock = None
        self.abortConnection()


class BoundedConnections(WrappingFactory):
    protocol = BoundedConnection

    def buildProtocol(self, addr: Any) -> Any:
        is_of_proxy = forwarded.is_trusted(addr.host)
        client = site_of(addr.host)
        if len(self.protocols) >= _places(addr.host):
            return None
        if not is_of_proxy and self.held_by(client) >= MAX_CONNECTIONS_OF_ADDRESS:
            return None
        connection = super().buildProtocol(addr)
        connection.is_of_proxy = is_of_proxy
        if not is_of_proxy:
            connection.client = client
        return connection

    def held_by(self, client: str) -> int:
        return sum(connection.client == client for connection in self.protocols)


def _places(host: str) -> int:
    if ip_address(forwarded.plain_address(host)).is_loopback:
        return MAX_CONNECTIONS + KEPT_FOR_LOOPBACK
    return MAX_CONNECTIONS


# Say that nothing more follows, and close later: at once would reset the connection under the answer.
def _answer_last(transport: Any, answer: bytes) -> None:
    transport.write(answer)
    transport.loseWriteConnection()
    reactor.callLater(LINGER_S, transport.abortConnection)


def _drop(_data: bytes) -> None:
    pass


def refusal(status: int, target: bytes) -> bytes:
    """Return the whole answer to a request that is not taken.

    For programs JSON in the API's error shape; a page leads to the log-in, or says a sentence.
    """
    code, text = ERRORS[status]
    message, _, hint = text.partition("\nhint: ")
    if status == 413:
        hint = f"at most {_size(body_limits.ceiling(target))}"
    headers = ["X-Content-Type-Options: nosniff", "Cache-Control: no-store", "Connection: close"]
    path = origins.without_base(target.partition(b"?")[0].decode("latin1"))
    if path.startswith(("/api/", "/trigger/")):
        kind = "application/json"
        error = {"code": code, "message": message} | ({"hint": hint} if hint else {})
        body = json.dumps({"error": error}).encode()
    else:
        kind = "text/plain; charset=utf-8"
        body = (f"{message}\nhint: {hint}\n" if hint else f"{message}\n").encode()
        if status == 401:
            status = 302
            headers.append(f"Location: {_log_in_before(path)}")
    if status in (429, 503):
        headers.append("Retry-After: 5")
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def _log_in_before(path: str) -> str:
    after = quote(origins.with_base(path), safe="/")
    return f"{origins.with_base(resolve_url(settings.LOGIN_URL))}?next={after}"


def _size(size_bytes: int) -> str:
    if size_bytes < MB:
        return f"{size_bytes // 2**10} KB"
    return f"{size_bytes // MB} MB"

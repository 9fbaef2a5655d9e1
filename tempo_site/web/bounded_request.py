"""One HTTP request at the socket: a body has a ceiling, and a long answer waits for a slow client.

Both rules stand before ASGI: Twisted stores a whole body in a file before an application hears of the request.
"""

import asyncio
import json
import re
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from twisted.internet import reactor

LINGER_S = 5.0  # a client that is still sending when it is refused gets this long to read why
TOO_LARGE = "The request is too large."
MB = 2**20
# Where files of a script are received.
_UPLOAD = re.compile(rb"/(?:api/v1/)?scripts/[^/?]+/files/?(?:\?.*)?")


class BoundedRequest(WebRequest):
    """daphne's request, which by itself takes a body of any size and keeps all of an unread answer in memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._received = 0
        self._is_refused = False
        self._may_send = asyncio.Event()
        self._may_send.set()

    # --- the body: Twisted calls these as it arrives -----------------------------------------------------------------
    def gotLength(self, length: int | None) -> None:
        """Refuse a body that says it is too large before the body is read; None: the body comes in chunks."""
        is_too_large = (length or 0) > ceiling(self.channel._path)
        super().gotLength(0 if is_too_large else length)
        if is_too_large:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """Store a piece of the body; above the ceiling refuse the request, and drop further pieces."""
        self._received += len(data)
        if self._is_refused:
            return
        if self._received > ceiling(self.channel._path):
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Go on to the application with a whole body; a refused request has its answer."""
        if self._is_refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def _refuse(self) -> None:
        # Answers 413 and closes later: closing at once would reset the connection under the answer.
        self._is_refused = True
        self.content.truncate(0)
        self.requestHeaders.removeHeader(b"Expect")  # Twisted would ask for the body
        transport = self.channel.transport
        transport.write(refusal(self.channel._path))
        transport.loseWriteConnection()
        reactor.callLater(LINGER_S, transport.abortConnection)

    # --- the answer --------------------------------------------------------------------------------------------------
    async def wait_until_taken(self) -> None:
        """Wait until the client has taken all but 64 KiB of the answer. Return at once when the client has gone."""
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
        """Let the application go on and find that the client is gone."""
        self._may_send.set()
        super().connectionLost(reason)

    def finish(self) -> None:
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()


class BoundedFactory(HTTPFactory):
    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol


def ceiling(path: bytes) -> int:
    """Return the maximal bytes of a body that is sent to this address."""
    limit = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if not _UPLOAD.fullmatch(path):
        return limit
    # An upload has a little around its files.
    return max(limit, (int(settings.MAX_UPLOAD_MB) + 1) * MB)


def refusal(path: bytes) -> bytes:
    """Return the whole answer to a too large body: JSON in the API's error shape below /api/, else a sentence."""
    hint = f"at most {ceiling(path) // MB} MB"
    if path.startswith(b"/api/"):
        kind = "application/json"
        error = {"code": "too_large", "message": TOO_LARGE, "hint": hint}
        body = json.dumps({"error": error}).encode()
    else:
        kind = "text/plain; charset=utf-8"
        body = f"{TOO_LARGE}\nhint: {hint}\n".encode()
    head = (
        "HTTP/1.1 413 Content Too Large\r\n"
        f"Content-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    return head.encode() + body

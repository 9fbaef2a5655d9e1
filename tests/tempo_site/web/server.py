"""A server for requests whose application is the test."""

import asyncio
from typing import Any

from tempo_site.web.bounded_request import BoundedRequest

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Server:
    """What a request needs of daphne's server."""

    server_name = "tempo"
    root_path = ""
    proxy_forwarded_address_header = None
    request_buffer_size = 8192

    def __init__(self) -> None:
        self.requests: list[BoundedRequest] = []

    def create_application(
        self, request: BoundedRequest, scope: dict[str, Any]
    ) -> asyncio.Queue[Any]:
        """Keep the request; the test is its application."""
        self.requests.append(request)
        return asyncio.Queue()

    def protocol_connected(self, request: BoundedRequest) -> None:
        """Nothing to note."""

    def protocol_disconnected(self, request: BoundedRequest) -> None:
        """Nothing to note."""

    def log_action(self, *_: object) -> None:
        """Nothing to log."""


def part(request: BoundedRequest, *, more: bool) -> None:
    """Send a part of an answer."""
    request.handle_reply({"type": "http.response.body", "body": b"part", "more_body": more})

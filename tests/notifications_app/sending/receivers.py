"""Receivers of messages on this machine: a server of the web that answers as it is told, and mail servers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a receiver answers."""

    status: int = 200
    body: bytes | str = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        pass  # a client that has heard enough closes the connection


class WebReceiver:
    """Keeps each request, and answers by its path; the answer of "" is for all others."""

    ok = Reply()

    def __init__(self, *, port: int = 0, certificate: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.replies: dict[str, Reply | Callable[[Received], Reply]] = {"": self.ok}
        self._server = _QuietServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        if certificate:
            self._server.socket = certificate.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> "WebReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def to(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path.partition("?")[0] == path]

    def _reply(self, request: Received) -> Reply:
        self.received.append(request)
        reply = self.replies.get(request.path.partition("?")[0], self.replies[""])
        return reply if isinstance(reply, Reply) else reply(request)

    def _handler(receiver) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Received(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                    connection=self.client_address[1],
                )
                reply = receiver._reply(request)
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(body)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody listens on."""
    with WebReceiver() as receiver:
        port = receiver.port
    yield port

"""Doubles of what script templates talk to: a web server, a server with a certificate of its own, a closed port."""

import contextlib
import http.server
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.service import free_port


@dataclass(kw_only=True)
class Web:
    """What a web server answers, and what it was asked: (method, path, headers in small letters, body)."""

    port: int
    status: int = 200
    page: str = "<p>all is well</p>"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def posted(self) -> list[str]:
        """The bodies it was sent."""
        return [body for method, _, _, body in self.asked if method == "POST"]


class Server(http.server.ThreadingHTTPServer):
    """A web server on 127.0.0.1 that answers as `web` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.web = Web(port=self.server_port)


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes what it is asked, and answers; 304 to whom already has that ETag."""

    server: Server

    def do_GET(self) -> None:
        """Note and answer."""
        web = self.server.web
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        names = {name.lower(): value for name, value in self.headers.items()}
        web.asked.append((self.command, self.path, names, body))
        is_known = "ETag" in web.headers and names.get("if-none-match") == web.headers["ETag"]
        content = b"" if is_known else web.page.encode()
        self.send_response(304 if is_known else web.status)
        for name, value in {**web.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def web_server() -> Iterator[Web]:
    """A web server while the block lasts."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.web
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def closed_port() -> int:
    """A port where nobody listens."""
    return free_port()


def certificate(folder: Path, *, days: int) -> Path:
    """A certificate for localhost, signed by itself, that is valid for so many days more; with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days, minutes=5))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"certificate{days}.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@contextlib.contextmanager
def tls_server(file: Path) -> Iterator[int]:
    """A server that shows this certificate to whom connects; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        thread = threading.Thread(target=greet_all, args=(listener, context))
        thread.start()
        try:
            yield port
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def greet_all(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands with each caller until the listener is shut down; one that does not trust us hangs up."""
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return
        with (
            caller,
            contextlib.suppress(OSError),
            context.wrap_socket(caller, server_side=True) as secured,
        ):
            secured.recv(1)

"""Who calls Tempo while it is measured: a client that keeps its connection, a browser, a viewer of live output."""

import http.client
import http.cookiejar
import json
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.service import PASSWORD, TOKEN, Service

LIMIT_S = 30.0
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


class Client:
    """An API client with one kept connection: what it adds to a figure is as small as can be."""

    def __init__(self, service: Service) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=LIMIT_S)
        self._connection.connect()

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """(status, content) of a call below /api/v1."""
        self._connection.request(method, f"/api/v1{path}", body, HEADERS)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def start(self, slug: str) -> int:
        """Start a run and return its id."""
        status, content = self.call("POST", f"/scripts/{slug}/runs", b"{}")
        assert status == 202, content
        return int(json.loads(content)["id"])

    def list_runs(self) -> None:
        """Ask for a page of runs, as a screen that polls does."""
        status, content = self.call("GET", "/runs")
        assert status == 200, content

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


class Browser:
    """A person who has logged in and opens pages."""

    def __init__(self, service: Service) -> None:
        self._url = service.url
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )
        self._log_in()

    def open(self, path: str, form: dict[str, str] | None = None) -> str:
        """The page at `path`."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        with self._opener.open(f"{self._url}{path}", data, timeout=LIMIT_S) as answer:
            return str(answer.read().decode())

    def cookie_header(self) -> str:
        """What to send as `Cookie` to be the same person over another connection."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._cookies)

    def _log_in(self) -> None:
        self.open("/login/")
        token = next(cookie.value for cookie in self._cookies if cookie.name == "csrftoken")
        self.open(
            "/login/", {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token or ""}
        )
        assert any(cookie.name == "sessionid" for cookie in self._cookies), "the login was refused"


def socket_to(service: Service, path: str) -> connect:
    """A WebSocket of the service, to be opened with `async with`."""
    url = f"ws://127.0.0.1:{service.port}{path}"
    headers = {"Authorization": HEADERS["Authorization"]}
    return connect(
        url, additional_headers=headers, compression=None, max_size=None, open_timeout=LIMIT_S
    )


async def output_frames(socket: ClientConnection) -> AsyncIterator[tuple[dict[str, Any], str]]:
    """(header, records) of each frame of output up to the end, each acknowledged as the page does."""
    async for frame in socket:
        assert isinstance(frame, str)
        head, _, records = frame.partition("\n")
        header = json.loads(head)
        if header["t"] == "end":
            return
        if header["t"] != "status":
            yield header, records
            await socket.send(json.dumps({"a": header["n"]}))

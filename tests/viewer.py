"""A viewer of live output: what the run page does with its WebSocket, for tests and benchmarks."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.service import TOKEN, Service

LIMIT_S = 30.0
KEY = {"Authorization": f"Bearer {TOKEN}"}
AGAIN_S = 0.02  # between two attempts to connect


class Frame(NamedTuple):
    """One message of the service: its header, and the stored records behind it."""

    head: dict[str, Any]
    body: str

    @property
    def kind(self) -> str:
        """`o`, `skip`, `status`, `end` or `run`."""
        return str(self.head["t"])


def open_socket(service: Service, path: str, headers: Mapping[str, str] = KEY) -> ClientConnection:
    """A WebSocket of the service, with the tests' key by default. Raises InvalidStatus when it is refused."""
    url = f"ws://127.0.0.1:{service.port}{path}"
    return connect(
        url,
        additional_headers=headers,
        compression=None,
        max_size=None,
        proxy=None,
        open_timeout=LIMIT_S,
    )


def open_run(
    service: Service, run_id: int, *, offset: int = 0, skip: bool = False
) -> ClientConnection:
    """The live output of a run from a byte offset on."""
    return open_socket(service, f"/ws/runs/{run_id}/?offset={offset}{'&skip=1' if skip else ''}")


def receive(socket: ClientConnection, *, limit_s: float = LIMIT_S) -> Frame:
    """The next frame. Raises TimeoutError when there is none in time, ConnectionClosed when there will be none."""
    message = socket.recv(timeout=limit_s)
    assert isinstance(message, str)
    head, _, body = message.partition("\n")
    return Frame(json.loads(head), body)


def acknowledge(socket: ClientConnection, offset: int) -> None:
    """Say that everything before `offset` is shown."""
    socket.send(json.dumps({"a": offset}))


def frames(socket: ClientConnection) -> Iterator[Frame]:
    """All frames up to `end`, which is left out; output is acknowledged as it comes."""
    while (frame := receive(socket)).kind != "end":
        if frame.kind == "o":
            acknowledge(socket, frame.head["n"])
        yield frame


class Viewer:
    """Watches a run to its end over as many connections as that takes, each from the last offset on."""

    def __init__(self, service: Service, run_id: int) -> None:
        self._service = service
        self._run_id = run_id
        self._bodies: list[str] = []
        self.offset = 0
        self.connections = 0
        self.is_closed = False  # set from another thread: do not connect again

    @property
    def text(self) -> str:
        """The stored records received so far, in the order of their arrival."""
        return "".join(self._bodies)

    def watch(self) -> None:
        """Return at the run's end. AssertionError at a gap or a repetition, or when it cannot connect for long."""
        give_up = time.monotonic() + LIMIT_S
        while not self.is_closed:
            before = self.offset
            try:
                with open_run(self._service, self._run_id, offset=self.offset) as socket:
                    self.connections += 1
                    self._take(socket)
                return
            except (OSError, EOFError, InvalidHandshake, WebSocketException) as error:
                if self.offset > before:
                    give_up = time.monotonic() + LIMIT_S
                assert time.monotonic() < give_up, (
                    f"the output of run {self._run_id} was lost for good: {error}"
                )
                time.sleep(AGAIN_S)

    def _take(self, socket: ClientConnection) -> None:
        for frame in frames(socket):
            if frame.kind == "o":
                assert frame.head["o"] == self.offset, "a gap, or something twice"
                self.offset = frame.head["n"]
                self._bodies.append(frame.body)

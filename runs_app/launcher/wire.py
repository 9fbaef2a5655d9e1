"""The control channel's messages: a 4-byte big-endian length, then a JSON object in UTF-8, at most 1 MiB."""

import json
import struct
from typing import TypedDict

MAX_BYTES = 1 << 20
_LENGTH = struct.Struct(">I")

Message = dict[str, object]


class SupportMessage(TypedDict):
    grade: str
    why: str
    own_users: bool
    landlock: int
    keeps_modes: bool  # the file system of the data folder
    warnings: list[str]  # about that file system, for the admin


class Reply(TypedDict, total=False):
    """An answer: `ok` and the values asked for, or not `ok` and a sentence in `error`."""

    id: object
    ok: bool
    error: str
    pid: int
    runs: int
    signalled: bool
    adopted: bool
    isolation: SupportMessage
    problem: str  # what keeps runs from being started, or ""


class WireError(ValueError):
    """Bytes that are no message: nothing that follows on this connection can be trusted."""


def encode(message: Message | Reply) -> bytes:
    """Return the bytes of a message. Raise WireError if the message is larger than the other side would accept."""
    body = json.dumps(message).encode()
    if len(body) > MAX_BYTES:
        raise WireError(f"message of {len(body)} bytes, at most {MAX_BYTES} are allowed")
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts a stream of bytes into messages; keeps an incomplete message, never more than that."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes. Raise WireError on bytes that are no message."""
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_BYTES:
            raise WireError(f"frame of {length} bytes, at most {MAX_BYTES} are allowed")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return _parse(body)


def _parse(body: bytes) -> Message:
    try:
        message = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WireError("frame that is not JSON") from error
    if not isinstance(message, dict):
        raise WireError("frame that is not a JSON object")
    return message

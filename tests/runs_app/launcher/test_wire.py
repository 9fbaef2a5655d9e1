"""The control channel: framing, and a launcher that survives whatever comes along it."""

import random
import struct
from pathlib import Path
from typing import Any

import pytest

from runs_app.launcher import wire
from tests.rows import each_row
from tests.runs_app.launcher.harness import LauncherHarness, is_gone, wait_for


def test_it_reads_messages_however_they_are_cut() -> None:
    decoder = wire.Decoder()
    data = wire.encode({"op": "ping", "id": 1}) + wire.encode({"text": "ü" * 1000})

    messages = [message for byte in data for message in decoder.feed(bytes([byte]))]

    assert messages == [{"op": "ping", "id": 1}, {"text": "ü" * 1000}]


def test_it_reads_many_messages_at_once() -> None:
    assert len(wire.Decoder().feed(wire.encode({"op": "ping"}) * 500)) == 500


@each_row(
    "data",
    [
        struct.pack(">I", wire.MAX_BYTES + 1),
        struct.pack(">I", 3) + b"[1]",
        struct.pack(">I", 4) + b"nope",
        struct.pack(">I", 2) + b"\xff\xfe",
        struct.pack(">I", 0),
        struct.pack(">I", 200_000) + b"[" * 200_000,
        struct.pack(">I", 5001) + b"9" * 5001,
    ],
)
def test_it_refuses_what_is_no_message(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.Decoder().feed(data)


def test_it_refuses_to_send_what_the_other_side_would_not_accept() -> None:
    with pytest.raises(wire.WireError, match="at most"):
        wire.encode({"text": "x" * wire.MAX_BYTES})


def test_garbage_on_the_channel_costs_the_web_not_the_launcher(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        noise = random.Random(1)
        for _ in range(10):
            web = launcher.web
            # A first byte that makes the length too large: noise that is read as a short length would wait for more.
            web.control.sendall(b"\xff" + noise.randbytes(noise.randrange(3, 5000)))

            assert web.is_dropped()
            wait_for(lambda pid=web.pid: is_gone(pid))  # type: ignore[misc]
            assert launcher.next_web().ask("ping")["ok"]


WRONG_VALUES: list[object] = [None, 1, -1, 1e300, True, "", "\ud800", "../etc", [], {}]
WRONG_VALUES += ["2026-11/1-abcdef", "all"]
OPS: list[Any] = ["start", "cancel", "adopt", "remove", "ping", "ready"]
OPS += ["nothing", None, 7, [], {}]


def test_wrong_requests_are_answered_with_a_sentence(tmp_path: Path) -> None:
    noise = random.Random(2)
    with LauncherHarness(tmp_path) as launcher:
        for _ in range(300):
            op, folder = noise.choice(OPS), noise.choice(WRONG_VALUES)
            what = noise.choice(WRONG_VALUES)
            reply = launcher.web.ask(op, folder=folder, what=what)
            assert reply["ok"] or reply["error"]

        assert launcher.web.ask("ping")["runs"] == 0
        assert "Traceback" not in launcher.log()


def test_a_frame_that_stops_in_the_middle_holds_nobody_up(tmp_path: Path) -> None:
    with LauncherHarness(tmp_path) as launcher:
        launcher.web.control.sendall(struct.pack(">I", 1000) + b'{"op"')
        launcher.web.control.close()

        # Web cannot say that it has gone: its descriptor lives in the test.
        launcher.process.send_signal(1)

        assert launcher.next_web().ask("ping")["ok"]

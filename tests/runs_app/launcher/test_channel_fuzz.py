"""Whatever comes along the control channel, and whatever web does to its folders: the launcher and the runs go on."""

import contextlib
import json
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_app.launcher import wire
from tests.runs_app.launcher.harness import LauncherHarness, is_gone, wait_for

SLEEPER = "import time; print('on', flush=True); time.sleep(600)"
OPS = ["start", "cancel", "adopt", "remove", "ping", "ready"]
FOLDER_OPS = ["start", "cancel", "adopt", "remove"]
ROUNDS = 8
FLOOD_BYTES = 30 << 20

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.dictionaries(st.text(), JSON, max_size=5)


# --- framing --------------------------------------------------------------------------------------------------------
@settings(deadline=None)
@given(messages=st.lists(MESSAGES, max_size=5), cuts=st.lists(st.integers(1, 40), max_size=20))
def test_messages_arrive_whole_wherever_they_are_cut(
    messages: list[dict[str, object]], cuts: list[int]
) -> None:
    decoder, data, found = wire.Decoder(), b"".join(map(wire.encode, messages)), []
    for cut in [*cuts, len(data)]:
        found += decoder.feed(data[:cut])
        data = data[cut:]

    assert json.dumps(found) == json.dumps(messages)  # NaN is not equal to itself


@settings(deadline=None)
@given(data=st.binary(max_size=200), length=st.none() | st.integers(0, 2**32 - 1))
def test_garbage_is_told_or_waited_for_and_nothing_else(data: bytes, length: int | None) -> None:
    framed = data if length is None else struct.pack(">I", length) + data
    with contextlib.suppress(wire.WireError):
        assert all(isinstance(message, dict) for message in wire.Decoder().feed(framed))


# --- a launcher with a run ------------------------------------------------------------------------------------------
class Target:
    """A launcher with a run that has to go on."""

    def __init__(self, launcher: LauncherHarness) -> None:
        self.launcher = launcher
        self.folder = launcher.run(SLEEPER)
        launcher.wait_for_output(self.folder, b"on")
        self.state = launcher.state_of(self.folder)

    def assert_goes_on(self) -> None:
        """The launcher and the run live, and the web that there is now is answered."""
        told = self.launcher.web.ask("ping")
        assert (told["ok"], told["runs"], told["pid"]) == (True, 1, self.launcher.process.pid)
        assert not is_gone(self.state["script_pid"]) and not is_gone(self.state["runner_pid"])
        assert not (self.launcher.path(self.folder) / "exit.json").exists()
        assert "Traceback" not in self.launcher.log()

    def assert_is_replaced_after(self, send: Callable[[], None]) -> None:
        """What `send` does costs this web its channel; the next one finds everything in order."""
        web = self.launcher.web
        with contextlib.suppress(ConnectionError):  # dropped before the last of it was sent
            send()
        assert web.is_dropped()
        wait_for(lambda: is_gone(web.pid))
        assert self.launcher.next_web().pid != web.pid
        self.assert_goes_on()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with LauncherHarness(tmp_path_factory.mktemp("data")) as launcher:
        yield Target(launcher)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_noise_costs_the_web_alone(target: Target, seed: int) -> None:
    noise = random.Random(seed)
    # A first byte that makes the length too large: a short one would be waited for.
    data = b"".join(
        [bytes([noise.randrange(1, 256)]), noise.randbytes(noise.randrange(3, 300_000))]
    )

    target.assert_is_replaced_after(lambda: target.launcher.web.control.sendall(data))


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">I", 2**32 - 1),
        struct.pack(">I", wire.MAX_BYTES + 1),
        struct.pack(">I", 0),
        struct.pack(">I", wire.MAX_BYTES) + b"[" * wire.MAX_BYTES,
        struct.pack(">I", 600_000) + b'{"a":' * 120_000,
        struct.pack(">I", 12) + b'{"op":"ping"',
        struct.pack(">I", 4) + b"null",
        struct.pack(">I", 6) + b'"ping"',
        wire.encode({"op": "ping"})[:-1] + b"\xff",
        wire.encode({"op": "nothing"}) + struct.pack(">I", 3) + b"{}}",
    ],
    ids=[
        "4 GB",
        "one too long",
        "empty",
        "deep list",
        "deep object",
        "torn",
        "null",
        "text",
        "no UTF-8",
        "second",
    ],
)
def test_what_is_no_message_costs_the_web_alone(target: Target, frame: bytes) -> None:
    target.assert_is_replaced_after(lambda: target.launcher.web.control.sendall(frame))


def test_a_web_that_asks_and_never_listens_is_replaced(target: Target) -> None:
    asked = wire.encode({"op": "ping", "id": "x" * 50_000})

    def flood() -> None:
        for _ in range(FLOOD_BYTES // len(asked)):
            target.launcher.web.control.sendall(asked)

    target.assert_is_replaced_after(flood)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_values_of_any_kind_are_answered(target: Target, seed: int) -> None:
    noise = random.Random(seed)
    values: list[Any] = [
        None,
        True,
        0,
        -1,
        2**70,
        1e308,
        "",
        "\ud800",
        "\0",
        "x" * 10_000,
        [],
        [[]],
        {},
        {"a": None},
    ]
    values += ["all", "tmp", "../..", "/", "2026-11/1-abcdef12"]
    for _ in range(60):
        request = {"op": noise.choice([*OPS, *values]), "id": noise.choice(values)}
        for field in ("folder", "what", "uid", "pid"):
            if noise.random() < 0.7:
                request[field] = noise.choice(values)
        target.launcher.web.control.sendall(wire.encode(request))
        reply = target.launcher.web.receive()
        assert reply["id"] == request["id"]
        assert reply["ok"] or reply["error"]
    target.assert_goes_on()


def test_messages_cut_anywhere_are_answered_all_the_same(target: Target) -> None:
    data = wire.encode({"op": "ping", "id": "cut"})
    for cut in range(1, len(data)):
        target.launcher.web.control.sendall(data[:cut])
        target.launcher.web.control.sendall(data[cut:])
        assert target.launcher.web.receive()["id"] == "cut"


# --- folders --------------------------------------------------------------------------------------------------------
def escapes(target: Target) -> dict[str, object]:
    """Names that lead out of `runs/`, or are none."""
    absolute = str(target.launcher.path(target.folder))
    return {
        "absolute": absolute,
        "up": f"../runs/{target.folder}",
        "up inside": f"2026-11/../{target.folder}",
        "dot": f"./{target.folder}",
        "doubled": target.folder.replace("/", "//"),
        "trailing": target.folder + "/.",
        "tmp": target.folder + "/tmp",
        "NUL": target.folder + "\0",
        "newline": target.folder + "\n",
        "month alone": "2026-11",
        "long": "2026-11/1-" + "a" * 10_000,
        "linked month": "2026-10/1-abcdef12",
        "linked folder": "2026-11/1-linked12",
        "file": "2026-11/1-file1234",
        "surrogate": "2026-11/1-abcdef\udc80",
    }


@pytest.fixture(scope="module")
def outside(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with something in it, to which links in `runs/` lead."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "1-abcdef12/tmp").mkdir(parents=True)
    (outside / "1-abcdef12/tmp/precious").touch()
    runs = target.launcher.data / "runs"
    (runs / "2026-10").symlink_to(outside)
    (runs / "2026-11/1-linked12").symlink_to(outside / "1-abcdef12")
    (runs / "2026-11/1-file1234").touch()
    return outside


@pytest.mark.parametrize("op", FOLDER_OPS)
def test_no_order_leads_out_of_the_run_folders(target: Target, outside: Path, op: str) -> None:
    for what, folder in escapes(target).items():
        reply = target.launcher.web.ask(op, folder=folder, what="all")
        is_refused = not reply["ok"] and bool(reply["error"])
        assert is_refused or reply.get("signalled") is False, (what, reply)

    assert (outside / "1-abcdef12/tmp/precious").exists()
    assert len(list((outside / "1-abcdef12").iterdir())) == 1
    target.assert_goes_on()


@pytest.mark.parametrize(
    "name", ["state.json", "lock", "spec.json", "claim", "exit.json.tmp", "output.log"]
)
def test_a_fifo_in_a_run_folder_stops_nobody(target: Target, name: str) -> None:
    folder = target.launcher.new_folder(["/bin/true"])
    path = target.launcher.path(folder) / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    target.launcher.web.ask("adopt", folder=folder)
    target.launcher.web.ask("start", folder=folder)
    wait_for(lambda: target.launcher.web.ask("ping")["runs"] == 1)
    target.launcher.web.ask("remove", folder=folder, what="all")

    target.assert_goes_on()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_any_state_is_read_without_harm(target: Target, seed: int) -> None:
    noise = random.Random(seed)
    folder = target.launcher.new_folder(["/bin/true"])
    state: dict[str, Any] = {
        "runner_pid": os.getpid(),
        "runner_start": 1,
        "boot_id": "x",
        "script_pid": 1,
    }
    state[noise.choice(list(state))] = noise.choice([None, -1, 0, 2**80, "1", 1.5, [], {}, True])
    content = json.dumps(state).encode()
    (target.launcher.path(folder) / "state.json").write_bytes(
        content[: noise.randrange(len(content) + 1)]
    )

    assert target.launcher.web.ask("adopt", folder=folder)["adopted"] is False
    shutil.rmtree(target.launcher.path(folder))
    target.assert_goes_on()


def spec_values() -> list[Any]:
    """What a field of a spec may turn out to be."""
    return [
        None,
        True,
        -1,
        2**70,
        1e308,
        "",
        "\0",
        "x" * 10_000,
        [],
        [[]],
        ["\0"],
        {},
        {"": ""},
        {"a=": ""},
        {"a": 1},
    ]


def verdicts(
    launcher: LauncherHarness, field: str, values: list[Any], *, inside: str = ""
) -> set[str]:
    """How runs end whose spec has each of these values in a field."""
    folders = []
    for value in values:
        folders.append(launcher.new_folder(["/bin/true"]))
        path = launcher.path(folders[-1]) / "spec.json"
        spec = json.loads(path.read_text()) | {"limits": {}, "isolation": {"read": ["/usr"]}}
        (spec[inside] if inside else spec)[field] = value
        path.write_text(json.dumps(spec))
        assert launcher.web.ask("start", folder=folders[-1])["ok"]
    found = {str(launcher.exit_of(folder)["status"]) for folder in folders}
    wait_for(lambda: launcher.web.ask("ping")["runs"] == 1)
    return found


@pytest.mark.parametrize(
    "field",
    ["v", "run_id", "argv", "cwd", "env", "timeout_s", "grace_s", "limits", "isolation", "kind"],
)
def test_any_spec_ends_in_a_verdict(target: Target, field: str) -> None:
    assert verdicts(target.launcher, field, spec_values()) <= {"succeeded", "failed", "timed_out"}
    target.assert_goes_on()


@pytest.mark.parametrize("field", ["uid", "uid_why", "read", "write", "closed", "require"])
def test_any_wish_for_isolation_ends_in_a_verdict(target: Target, field: str) -> None:
    values = [
        *spec_values(),
        ["relative"],
        ["/nowhere"],
        ["/etc/passwd"],
        ["/" + "x" * 9000],
        ["/etc/passwd/x"],
    ]

    assert verdicts(target.launcher, field, values, inside="isolation") <= {"succeeded", "failed"}
    target.assert_goes_on()


@pytest.mark.parametrize(
    "field",
    ["memory_mb", "cpu_s", "processes", "output_bytes", "output_kill_bytes", "file_mb", "open_files", "nice",
     "min_free_mb"],
)  # fmt: skip
def test_any_limit_ends_in_a_verdict(target: Target, field: str) -> None:
    values = [*spec_values(), 1, 0.5, 1e12]

    assert verdicts(target.launcher, field, values, inside="limits") <= {"succeeded", "failed"}
    target.assert_goes_on()

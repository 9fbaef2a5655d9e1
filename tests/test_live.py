"""Live output over a real WebSocket: all of it, in order, once, and to nobody else."""

import contextlib
import http.cookiejar
import os
import signal
import socket
import sqlite3
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest
from django.conf import settings
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from runs_app.output import following
from tests import viewer
from tests.service import PASSWORD, TOKEN, Service, wait_for
from tests.viewer import Viewer

pytestmark = pytest.mark.slow

WINDOW = 256 * 1024
FRAME = 64 * 1024
LINES = 40_000  # about 3 MB as stored: ten times the window, beyond the megabyte at which a viewer is behind

TALKER = """
import pathlib, sys, time
print("first line")
sys.stdout.write("no newline yet")
sys.stdout.flush()
gate = pathlib.Path("gate")
while not gate.exists():
    time.sleep(0.01)
print("; now there is")
"""
COUNTER = """
import pathlib, time
gate, number = pathlib.Path("gate"), 0
while not gate.exists():
    print("line", number, flush=True)
    number += 1
    time.sleep(0.002)
"""
FLOOD = f"""
for number in range({LINES}):
    print("line", number, "." * 40)
"""


@pytest.fixture(scope="module")
def running(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for all tests of this module."""
    with Service.copy_of(prepared, tmp_path_factory.mktemp("live") / "service") as service:
        yield service


@pytest.fixture(scope="module")
def flood(running: Service) -> int:
    """A run that has ended and left about 3 MB of output."""
    return int(running.run(running.make_script("Flood", FLOOD))["id"])


def start(service: Service, name: str, code: str) -> tuple[int, Path]:
    """Start a script that waits at its gate; returns the run and the gate."""
    slug = service.make_script(name, code)
    return int(
        service.post(f"/scripts/{slug}/runs")["id"]
    ), service.data / "scripts" / slug / "files" / "gate"


def stored(service: Service, run_id: int) -> str:
    """The run's log as it lies on the disk."""
    (log,) = (service.data / "runs").glob(f"*/{run_id}-*/output.log")
    return log.read_bytes().decode("utf-8", "replace")


def session_cookie(service: Service) -> str:
    """The Cookie header of a browser in which `ann` has logged in."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    opener.open(f"{service.url}/login/").close()
    token = next(cookie.value for cookie in jar if cookie.name == "csrftoken")
    form = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token or ""}
    opener.open(f"{service.url}/login/", urllib.parse.urlencode(form).encode()).close()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def receive_output(socket: ClientConnection, offset: int) -> int:
    """Take frames without acknowledging them until all before `offset` has come; returns the bytes taken."""
    taken = 0
    while taken < offset:
        frame = viewer.receive(socket)
        if frame.kind == "o":
            taken += frame.head["n"] - frame.head["o"]
    return taken


def settle_down(socket: ClientConnection) -> None:
    """Return when the service has done all that our messages so far can have made it do."""
    for _ in range(5):
        assert socket.ping().wait(viewer.LIMIT_S)


def test_a_viewer_gets_everything_in_order(running: Service, flood: int) -> None:
    watching = Viewer(running, flood)
    watching.watch()
    assert watching.text == stored(running, flood)
    assert watching.connections == 1


def test_a_line_arrives_while_the_script_runs_with_its_newline_or_without(running: Service) -> None:
    run_id, gate = start(running, "Talker", TALKER)
    with viewer.open_run(running, run_id) as socket:
        texts: list[str] = []
        for frame in viewer.frames(socket):
            texts += [record[18:] for record in frame.body.splitlines()]
            if texts == ["first line", "no newline yet"]:
                assert running.get(f"/runs/{run_id}")["status"] == "running"
                gate.touch()
    assert texts == ["first line", "no newline yet", "; now there is"]


def test_the_bell_for_output_hangs_while_somebody_watches(running: Service) -> None:
    bell = running.data / "run" / "output.bell"
    run_id, gate = start(running, "Watched", TALKER)
    for _ in range(2):  # who watches later finds it hung again
        wait_for(lambda: not is_heard(bell), what="no bell")
        with viewer.open_run(running, run_id):
            wait_for(lambda: is_heard(bell), what="a bell")
            bell.unlink()
            wait_for(lambda: is_heard(bell), what="another bell")
    gate.touch()


def is_heard(bell: Path) -> bool:
    """Ring a bell; whether somebody has hung it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ringer:
        try:
            ringer.sendto(b"look", str(bell))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def test_a_viewer_resumes_at_the_offset_it_names(running: Service, flood: int) -> None:
    with viewer.open_run(running, flood) as socket:
        heads = [frame.head for frame in viewer.frames(socket) if frame.kind == "o"]
    offset = heads[len(heads) // 2]["o"]
    with viewer.open_run(running, flood, offset=offset) as socket:
        rest = "".join(frame.body for frame in viewer.frames(socket))
    assert rest == stored(running, flood)[offset:]


def test_the_end_comes_behind_the_last_byte_of_a_final_run(running: Service) -> None:
    run_id, gate = start(running, "Counter", COUNTER)
    with viewer.open_run(running, run_id) as socket:
        for frame in viewer.frames(socket):
            if frame.kind == "o":
                last = frame.head["n"]
                gate.touch()
        status = running.get(f"/runs/{run_id}")["status"]
    assert (status, last) == ("succeeded", len(stored(running, run_id)))


def test_a_viewer_that_does_not_acknowledge_is_not_flooded(running: Service, flood: int) -> None:
    with viewer.open_run(running, flood) as socket:
        taken = receive_output(socket, WINDOW)
        viewer.acknowledge(socket, 0)  # wakes the sender, and allows nothing
        settle_down(socket)
        with pytest.raises(TimeoutError):
            viewer.receive(socket, limit_s=0)
    assert taken < WINDOW + FRAME


def test_an_acknowledgement_lets_the_output_go_on(running: Service, flood: int) -> None:
    with viewer.open_run(running, flood) as socket:
        taken = receive_output(socket, WINDOW)
        viewer.acknowledge(socket, taken)
        assert viewer.receive(socket).head["o"] == taken


def test_an_exaggerated_acknowledgement_stands_for_what_was_sent_by_then(
    running: Service, flood: int
) -> None:
    with viewer.open_run(running, flood) as socket:
        viewer.acknowledge(socket, 2**53)
        taken = receive_output(socket, WINDOW)
        settle_down(socket)
        with contextlib.suppress(TimeoutError):
            while True:
                head = viewer.receive(socket, limit_s=0).head
                taken += head["n"] - head["o"]
    assert taken < 2 * (WINDOW + FRAME)


def test_a_viewer_far_behind_skips_when_it_asked_for_that(running: Service, flood: int) -> None:
    with viewer.open_run(running, flood, skip=True) as socket:
        seen = [frame for frame in viewer.frames(socket) if frame.kind != "status"]
    skip, *output = seen
    whole = stored(running, flood)
    assert (skip.kind, skip.head["o"], output[0].head["o"]) == ("skip", 0, skip.head["n"])
    assert "".join(frame.body for frame in output) == whole[skip.head["n"] :]
    assert whole[skip.head["n"] - 1] == "\n"


def test_a_viewer_that_did_not_ask_skips_nothing(running: Service, flood: int) -> None:
    with viewer.open_run(running, flood) as socket:
        seen = [frame for frame in viewer.frames(socket) if frame.kind != "status"]
    assert {frame.kind for frame in seen} == {"o"}
    assert "".join(frame.body for frame in seen) == stored(running, flood)


@pytest.mark.parametrize("path", ["/ws/runs/{}/", "/ws/events/"])
def test_strangers_are_refused(running: Service, flood: int, path: str) -> None:
    own, foreign = {"Origin": running.url}, {"Origin": "http://evil.example"}
    session = {"Cookie": session_cookie(running)}
    for headers in (
        {},
        own,
        {"X-API-Key": "tempo_wrong"},
        session,
        session | foreign,
        session | {"Origin": "null"},
    ):
        with pytest.raises(InvalidStatus) as refusal:
            viewer.open_socket(running, path.format(flood), headers).close()
        assert refusal.value.response.status_code == 403, headers


VOIDINGS = {
    "log-out": "DELETE FROM django_session",
    "end of the session": "UPDATE django_session SET expire_date = '2001-01-01 00:00:00'",
    "new password": "UPDATE auth_user SET password = 'another'",
    "user switched off": "UPDATE auth_user SET is_active = 0",
    "key revoked": "UPDATE tempo_site_apikey SET digest = 'another'",
}


@contextlib.contextmanager
def carried_out(statement: str, database: Path) -> Iterator[None]:
    """Change the database, and put users and keys back."""
    connection = sqlite3.connect(database, timeout=30, isolation_level=None)
    (password,) = connection.execute("SELECT password FROM auth_user").fetchone()
    (digest,) = connection.execute("SELECT digest FROM tempo_site_apikey").fetchone()
    try:
        connection.execute(statement)
        yield
    finally:
        connection.execute("UPDATE auth_user SET is_active = 1, password = ?", [password])
        connection.execute("UPDATE tempo_site_apikey SET digest = ?", [digest])
        connection.close()


@pytest.fixture(scope="module")
def quick(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that looks after its open sockets often."""
    folder = tmp_path_factory.mktemp("quick") / "service"
    with Service.copy_of(prepared, folder, TEMPO_SOCKET_RECHECK_S="0.2") as service:
        yield service


@pytest.mark.parametrize("voiding", VOIDINGS)
def test_an_open_socket_ends_when_what_it_was_opened_with_is_void(
    quick: Service, voiding: str
) -> None:
    session = {"Cookie": session_cookie(quick), "Origin": quick.url}
    voided, other = (viewer.KEY, session) if voiding == "key revoked" else (session, viewer.KEY)
    with (
        viewer.open_socket(quick, "/ws/events/", voided) as ended,
        viewer.open_socket(quick, "/ws/events/", other) as alive,
        carried_out(VOIDINGS[voiding], quick.data / "tempo.sqlite3"),
    ):
        with pytest.raises(ConnectionClosed) as end:
            ended.recv(timeout=viewer.LIMIT_S)
        assert end.value.rcvd and end.value.rcvd.code == 4403
        assert alive.ping().wait(viewer.LIMIT_S)


def test_sockets_are_looked_after_often_enough_to_end_within_five_seconds() -> None:
    assert settings.SOCKET_RECHECK_S <= 4


@pytest.mark.parametrize(
    "path", ["/ws/", "/ws/nothing/", "/ws/runs/x/", "/ws/events/more", "/login/"]
)
def test_a_socket_where_there_is_none_is_no_page_and_no_traceback(
    running: Service, path: str
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        viewer.open_socket(running, path).close()
    assert refusal.value.response.status_code == (200 if path == "/login/" else 404)
    assert "Traceback" not in running.log.read_text()


def test_a_session_from_a_page_of_ours_is_let_in(running: Service, flood: int) -> None:
    headers = {"Cookie": session_cookie(running), "Origin": running.url}
    with viewer.open_socket(running, f"/ws/runs/{flood}/", headers) as socket:
        assert viewer.receive(socket).kind in ("status", "o")


def test_events_tell_of_each_status(running: Service) -> None:
    slug = running.make_script("Told", TALKER)
    with viewer.open_socket(running, "/ws/events/") as socket:
        run_id = running.post(f"/scripts/{slug}/runs")["id"]
        told: list[str] = []
        while not told or told[-1] in ("queued", "starting", "running"):
            run = viewer.receive(socket).head["run"]
            if run["id"] == run_id:
                told.append(run["status"])
            if told[-1:] == ["running"]:
                (running.data / "scripts" / slug / "files" / "gate").touch()
    assert told == ["starting", "running", "succeeded"]  # nobody is ahead of it


def test_a_viewer_goes_on_where_it_was_when_web_was_killed(running: Service) -> None:
    run_id, gate = start(running, "Survivor", COUNTER)
    watching = Viewer(running, run_id)
    thread = threading.Thread(target=watching.watch)
    thread.start()
    wait_for(lambda: watching.offset > 1000, what="some output")
    os.kill(running.web_pid(), signal.SIGKILL)
    wait_for(lambda: watching.connections > 1, what="the viewer to come back")
    before = watching.offset
    wait_for(lambda: watching.offset > before, what="more output")
    gate.touch()
    thread.join(viewer.LIMIT_S)
    assert watching.text == stored(running, run_id)


def test_curl_follows_a_run_to_its_end(running: Service) -> None:
    run_id, gate = start(running, "Followed", TALKER)
    with followed(running, run_id) as answer:
        assert answer.readline() == b"first line\n"
        assert answer.read(len("no newline yet")) == b"no newline yet"
        gate.touch()
        assert answer.read() == b"; now there is\n"


def test_followers_take_no_threads_and_are_let_go_when_they_hang_up(running: Service) -> None:
    run_id, gate = start(running, "Watched", TALKER)
    with contextlib.ExitStack() as followers:
        enter = followers.enter_context
        for _ in range(20):  # more than the threads of the pool, which begin when they are needed
            enter(followed(running, run_id)).readline()
        before = threads_of(running)
        for _ in range(following.MAX_FOLLOWERS - 20):
            enter(followed(running, run_id)).readline()
        assert threads_of(running) == before
        assert running.call("GET", f"/runs/{run_id}/log?follow=1")[0] == 503
    wait_for(lambda: can_follow(running, run_id), what="a place for a follower")
    gate.touch()


def followed(service: Service, run_id: int) -> HTTPResponse:
    """The answer of `curl -N .../log?follow=1`."""
    request = urllib.request.Request(f"{service.url}/api/v1/runs/{run_id}/log?follow=1")
    request.add_header("X-API-Key", TOKEN)
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=viewer.LIMIT_S)
    return answer


def can_follow(service: Service, run_id: int) -> bool:
    try:
        followed(service, run_id).close()
    except urllib.error.HTTPError:
        return False
    return True


def threads_of(service: Service) -> int:
    return len(list(Path(f"/proc/{service.web_pid()}/task").iterdir()))

"""URL triggers of a real Tempo: by curl's way, through the socket, to the end of the run."""

import hashlib
import hmac
import http.client
import itertools
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tempo_site.web.bounded_request import MAX_UNPROVEN_BODIES
from tests.service import Service, wait_for

pytestmark = pytest.mark.slow

SECRET = "It's a Secret to Everybody"
CALLERS = 100
READ_PAYLOAD = """
import hashlib, json, os, pathlib
body = pathlib.Path(os.environ["TEMPO_PAYLOAD"]).read_bytes()
print(hashlib.sha256(body).hexdigest(), len(body))
print(json.loads(os.environ["TEMPO_PAYLOAD_HEADERS"]).get("X-GitHub-Event"))
"""
WAIT_FOR_FILE = """
import pathlib, time
while not pathlib.Path("go").exists():
    time.sleep(0.01)
print("gone")
"""


class Answer:
    """An answer, whole."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def run(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads(self.body)["run"]
        return run


@pytest.fixture(scope="module")
def tempo(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for all of these."""
    folder = tmp_path_factory.mktemp("triggers") / "data"
    with Service.copy_of(prepared, folder, PYSCHED_RATE_LIMIT_ENABLED="false") as running:
        yield running


def trigger_of(tempo: Service, name: str, code: str, **changes: object) -> tuple[str, str]:
    """A script with its trigger on: the slug and a key."""
    slug = tempo.make_script(name, code)
    status, told = tempo.call("PUT", f"/scripts/{slug}/trigger", {"enabled": True, **changes})
    assert status == 200, told
    return slug, str(tempo.post(f"/scripts/{slug}/trigger/keys")["key"])


def send(
    tempo: Service, path: str, body: bytes = b"", *, method: str = "POST", **headers: str
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", tempo.port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, f"/trigger/{path}", body, named)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def signature(body: bytes) -> str:
    return f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"


def let_go(tempo: Service, slug: str) -> None:
    """Let the run that waits for a file go on."""
    (tempo.data / "scripts" / slug / "files" / "go").touch()


def test_a_webhook_of_githubs_reaches_the_script_byte_for_byte(tempo: Service) -> None:
    slug, _ = trigger_of(tempo, "Webhook", READ_PAYLOAD, scheme="github", secret=SECRET)
    body = json.dumps({"ref": "refs/heads/main", "text": "é" * 100_000}).encode()
    assert len(body) > 500_000
    answer = send(
        tempo,
        f"{slug}?wait=60&output=1",
        body,
        X_Hub_Signature_256=signature(body),
        X_GitHub_Event="push",
        Content_Type="application/json",
    )
    digest = hashlib.sha256(body).hexdigest()
    assert (answer.status, answer.body.decode()) == (200, f"{digest} {len(body)}\npush\n")
    assert answer.headers["Tempo-Status"] == "succeeded"
    wait_for(lambda: not list(tempo.data.glob("runs/*/*/payload")), what="the payload to go")


def test_a_large_body_is_read_of_nobody_unknown(tempo: Service) -> None:
    slug, key = trigger_of(tempo, "Large", "")
    body = b"a" * 200_000
    refused = send(tempo, slug, body, Authorization="Bearer tempo_t_wrong")
    unknown = send(tempo, "nothing", body)
    small = send(tempo, "nothing")
    assert refused.status == unknown.status == 404
    assert refused.body == unknown.body == small.body
    assert send(tempo, slug, body, Authorization=f"Bearer {key}").status == 202
    calls = tempo.get(f"/scripts/{slug}/trigger/calls")["items"]
    assert [call["status"] for call in calls] == [202, 404]


def test_four_large_bodies_at_a_time_wait_for_their_check(tempo: Service) -> None:
    slug, _ = trigger_of(tempo, "Unproven", "", scheme="github", secret=SECRET)
    held = []
    for _ in range(MAX_UNPROVEN_BODIES):
        connection = http.client.HTTPConnection("127.0.0.1", tempo.port, timeout=60)
        connection.putrequest("POST", f"/trigger/{slug}")
        connection.putheader("Content-Length", "200000")
        connection.endheaders(b"a" * 100_000)
        held.append(connection)
    body = b"a" * 100_000

    def one_more() -> Answer:
        return send(tempo, slug, body, X_Hub_Signature_256=signature(body))

    wait_for(lambda: one_more().status == 503, what="the places to be taken")
    for connection in held:
        connection.close()
    wait_for(lambda: one_more().status == 202, what="a place to be free")


def test_a_hundred_calls_with_one_idempotency_key_are_one_run(tempo: Service) -> None:
    slug, key = trigger_of(tempo, "Once", "")
    together = threading.Barrier(CALLERS)

    def one(_: int) -> Answer:
        together.wait(30)
        return send(tempo, slug, b"{}", X_API_Key=key, Idempotency_Key="once")

    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(one, range(CALLERS)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert len(tempo.get(f"/runs?script={slug}")["items"]) == 1


def test_who_waits_for_the_end_keeps_nobody_else_waiting(tempo: Service) -> None:
    slug, key = trigger_of(tempo, "Patient", WAIT_FOR_FILE)
    waiters = 3 * 8  # three for each thread that answers requests
    body = b""
    first = send(tempo, slug, body, X_API_Key=key, Idempotency_Key="all")
    with ThreadPoolExecutor(waiters) as callers:
        waiting = [
            callers.submit(
                send, tempo, f"{slug}?wait=60", body, X_API_Key=key, Idempotency_Key="all"
            )
            for _ in range(waiters)
        ]
        calls = f"/scripts/{slug}/trigger/calls"
        wait_for(lambda: len(tempo.get(calls)["items"]) > waiters, what="all to wait")
        assert not any(each.done() for each in waiting)
        assert send(tempo, f"{slug}?wait=0", X_API_Key="tempo_t_wrong").status == 404
        let_go(tempo, slug)
        ended = [each.result(60) for each in waiting]
    assert {answer.status for answer in ended} == {200}
    assert {answer.run["status"] for answer in ended} == {"succeeded"}
    assert {answer.run["id"] for answer in ended} == {first.run["id"]}


def test_whoever_waits_in_vain_is_told_that_it_still_runs(tempo: Service) -> None:
    slug, key = trigger_of(tempo, "Slow", WAIT_FOR_FILE)
    answer = send(tempo, f"{slug}?wait=1", X_API_Key=key)
    assert (answer.status, answer.run["status"]) == (202, "running")
    let_go(tempo, slug)
    assert tempo.finished(answer.run["id"])["status"] == "succeeded"


def test_one_at_a_time_however_a_run_is_started(tempo: Service) -> None:
    slug, key = trigger_of(tempo, "Alone", WAIT_FOR_FILE)
    assert tempo.call("PATCH", f"/scripts/{slug}", {"one_at_a_time": True})[0] == 200
    first = send(tempo, slug, X_API_Key=key).run
    second = send(tempo, slug, X_API_Key=key).run
    third = tempo.post(f"/scripts/{slug}/runs")
    assert [second["status"], third["status"]] == ["queued", "queued"]
    queue = {item["run"]: item["waits_for"] for item in tempo.get("/queue")["items"]}
    assert queue[second["id"]] == f"It waits for run #{first['id']} of its script to end."
    let_go(tempo, slug)
    ended = [tempo.finished(run["id"]) for run in (first, second, third)]
    assert [run["status"] for run in ended] == ["succeeded"] * 3
    for before, after in itertools.pairwise(ended):
        assert before["finished_at"] <= after["started_at"]


def test_a_key_in_the_address_is_written_down_nowhere(tempo: Service) -> None:
    slug, key = trigger_of(tempo, "Written", READ_PAYLOAD, key_in_url=True, get=True)
    answer = send(tempo, f"{slug}?key={key}", method="GET")
    assert answer.status == 202
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert send(tempo, f"nothing?key={key}").status == 404
    assert send(tempo, f"{slug}?key={key}&wait=x").status == 400
    assert tempo.finished(answer.run["id"])["status"] == "succeeded"
    tempo.get(f"/scripts/{slug}/trigger/calls")
    secret = key.removeprefix("tempo_t_")[10:]
    found = [path for path in tempo.data.rglob("*") if path.is_file() and holds(path, secret)]
    assert found == []


def holds(path: Path, text: str) -> bool:
    return re.search(re.escape(text).encode(), path.read_bytes()) is not None

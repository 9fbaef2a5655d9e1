"""A real Tempo tells a real receiver: of a failure, of a recovery, and of everything that fails while processes die."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clock import Clock
from tests.notifications_app.sending.receivers import Received, Reply, WebReceiver, closed_port
from tests.service import LIMIT_S, Service, manage, wait_for

pytestmark = pytest.mark.slow

CODE = """
import os, sys
print("some output")
sys.exit(int(os.path.exists("bad")))
"""
CHANNEL = """
from notifications_app.channels import channels
from notifications_app.models import Channel, Rule
from notifications_app.rules import rules
fields = {{"name": "hook", "kind": "webhook", "group_interval_s": 0}}
channel = channels.save(Channel(), fields, url={url!r}, gets_default_rule=False)
rules.save(Rule(channel=channel), {{"events": ["failed", "recovered"], "every": 1}})
"""
SEED = 16
KILLS_IN_SUITE = 6
KILLS = 200  # as promised, by `make chaos`: an hour
RUNS_A_KILL = 5
CHILDREN_KILLED = 3  # one in so many; a message whose child was killed twice waits a minute
TOLD_S = 15  # for each kill: a message whose child was killed three times waits five minutes


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebReceiver]:
    """Takes what it is sent."""
    with WebReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    """The time of the service."""
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def telling(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory, receiver: WebReceiver, clock: Clock
) -> Iterator[Service]:
    """A Tempo with a webhook that is told of every failure."""
    data = tmp_path_factory.mktemp("telling") / "data"
    service = Service.copy_of(prepared, data, **clock.variables)
    manage(service.data, "shell", "-c", CHANNEL.format(url=receiver.url))
    with service:
        yield service


def told_of(receiver: WebReceiver, path: str = "/") -> dict[int, set[str]]:
    """The ids of the messages about each run, by the run."""
    found = defaultdict(set)
    for request in receiver.to(path):
        for item in request.json.get("items", [request.json]):
            found[item["run"]["id"]].add(request.headers["webhook-id"])
    return found


def runs_of(service: Service, slug: str) -> list[int]:
    """The ids of all runs of a script, newest first."""
    found: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = service.get(f"/runs?script={slug}&limit=200&cursor={cursor}")
        found += [run["id"] for run in page["items"]]
        cursor = page["next_cursor"]
    return found


def message_about(receiver: WebReceiver, run: int) -> Received:
    wait_for(lambda: run in told_of(receiver), what=f"a message about run {run}")
    return next(each for each in receiver.to("/") if each.json["run"]["id"] == run)


def test_a_failure_and_a_recovery_reach_the_receiver(
    telling: Service, receiver: WebReceiver
) -> None:
    slug = telling.make_script("Backup", CODE)
    bad = telling.data / "scripts" / slug / "files" / "bad"
    bad.parent.mkdir(exist_ok=True)
    bad.touch()
    failed = telling.run(slug)
    first = message_about(receiver, failed["id"]).json
    assert (first["event"], first["streak"]) == ("failed", 1)
    assert first["run"]["output_tail"] == "some output"
    bad.unlink()
    recovered = telling.run(slug)
    second = message_about(receiver, recovered["id"]).json
    assert second["event"] == "recovered"


def test_a_receiver_that_says_nothing_keeps_no_run_from_its_end_and_no_other_from_hearing(
    telling: Service, receiver: WebReceiver
) -> None:
    slug = telling.make_script("Waits", "raise SystemExit(3)")
    other = make_channel(telling, f"{receiver.url}/other")
    go_on = threading.Event()

    def wait(_: Received) -> Reply:
        go_on.wait(LIMIT_S)
        return receiver.ok

    receiver.replies["/"] = wait
    try:
        runs = [telling.run(slug) for _ in range(3)]
        ids = {run["id"] for run in runs}
        wait_for(lambda: told_of(receiver, "/other").keys() >= ids, what="the other messages")
        assert not told_of(receiver).keys() & (ids - {runs[0]["id"]})
    finally:
        go_on.set()
        del receiver.replies["/"]
        telling.call("DELETE", f"/channels/{other}")
    for run in runs:
        message_about(receiver, run["id"])


def test_a_receiver_that_was_down_for_an_hour_gets_everything_in_order(
    telling: Service, clock: Clock
) -> None:
    with closed_port() as port:
        slug = telling.make_script("Unheard", "raise SystemExit(3)")
        channel = make_channel(telling, f"http://127.0.0.1:{port}/", script=slug)
        runs = [telling.run(slug)["id"] for _ in range(3)]
        deliveries = f"/deliveries?channel={channel}"
        wait_for(
            lambda: telling.get(deliveries)["items"][-1]["attempts"],
            what="the first message to be refused",
        )
        clock.move(hours=1)
    with WebReceiver(port=port) as back:
        wait_for(lambda: len(back.received) == len(runs), what="all messages")
    assert [request.json["run"]["id"] for request in back.received] == runs


@pytest.mark.parametrize("kills", [KILLS_IN_SUITE, pytest.param(KILLS, marks=pytest.mark.chaos)])
def test_every_failure_is_told_though_web_and_the_child_are_killed_again_and_again(
    telling: Service, receiver: WebReceiver, kills: int
) -> None:
    slug = telling.make_script("Fails", "raise SystemExit(3)")
    chance = random.Random(SEED)
    runs = RUNS_A_KILL * kills
    for number in range(runs):
        wait_for(lambda: starts(telling, slug), what="a run to be accepted")
        point, rest = divmod(number, RUNS_A_KILL)
        if rest == 0:
            time.sleep(chance.uniform(0, 0.3))  # wherever its telling stands
            kill(telling, of_child=point % CHILDREN_KILLED == 0)
    telling.wait_until_healthy()
    failed = runs_of(telling, slug)
    assert len(failed) >= runs  # a run whose answer was lost with `web` is asked for again
    assert {telling.finished(run)["status"] for run in failed} == {"failed"}
    wait_for(
        lambda: told_of(receiver).keys() >= set(failed),
        what="every failure to be told",
        limit_s=LIMIT_S + TOLD_S * kills,
    )
    # Told again where nobody knows whether it was: then under the id that it had.
    assert {len(told_of(receiver)[run]) for run in failed} == {1}


def test_a_stop_leaves_no_mark_of_a_crash(telling: Service) -> None:
    mark = telling.data / "run" / "at-work"
    wait_for(mark.exists, what="the mark of an engine at work")
    assert telling.stop() == 0
    assert not mark.exists()


def make_channel(service: Service, url: str, **scope: str) -> int:
    """A webhook that is told of every failure, each alone; returns its id."""
    hook = {"name": url, "kind": "webhook", "url": url, "group_interval_s": 0}
    channel = int(service.post("/channels", hook)["id"])
    service.post("/rules", {"channel": channel, "events": ["failed"], "every": 1, **scope})
    return channel


def starts(service: Service, slug: str) -> bool:
    try:
        return service.call("POST", f"/scripts/{slug}/runs", {})[0] == 202
    except OSError:  # web was killed with this request in its hands
        return False


def kill(service: Service, *, of_child: bool) -> None:
    """Kill `web`, or the child that sends if there is one right now."""
    web = service.web_pid()
    victims = [web]
    if of_child:
        victims = [pid for pid, command in service.children(web) if "sending" in command]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

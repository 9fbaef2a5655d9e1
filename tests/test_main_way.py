"""The main job: a script with a package of its own runs on its schedule, and its output is watched live."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import local_index, processes, viewer
from tests.service import Service, wait_for

pytestmark = pytest.mark.slow

EVERY_S = 2
TURNS = 3

# The first run waits until it is let go; those after it end at once.
GREETING = """
import pathlib, time
import tempo_greeting
print(tempo_greeting.hello(), flush=True)
while not pathlib.Path("gate").exists():
    time.sleep(0.01)
print("done")
"""
HUMANIZE = GREETING.replace("tempo_greeting.hello()", "humanize.naturalsize(2_000_000)").replace(
    "tempo_greeting", "humanize"
)


def build_of(service: Service, slug: str) -> dict[str, Any]:
    """The run that built the environment of the only script."""
    assert service.get(f"/scripts/{slug}")["environment"]["state"] == "ready"
    (build,) = service.get("/runs?kind=build")["items"]
    assert isinstance(build, dict)
    return build


def served(service: Service, slug: str) -> list[dict[str, Any]]:
    """The runs of a script, oldest first."""
    return list(reversed(service.get(f"/runs?script={slug}&limit=200")["items"]))


def follow(service: Service, slug: str, run_id: int, *, first_line: str) -> list[str]:
    """Watch a run to its end, letting it go on when its first line has come; the lines that were shown."""
    lines: list[str] = []
    with viewer.open_run(service, run_id) as socket:
        for frame in viewer.frames(socket):
            lines += [record.split(" ", 3)[3] for record in frame.body.splitlines()]
            if lines == [first_line]:
                wait_for(
                    lambda: service.get(f"/runs/{run_id}")["status"] == "running", what="its status"
                )
                (service.data / "scripts" / slug / "files" / "gate").touch()
    return lines


def assert_main_way(service: Service, *, package: str, code: str, first_line: str) -> None:
    """From the trigger to the history, through the API alone."""
    slug = service.make_script("Main way", code, requirements=package)
    build = build_of(service, slug)
    assert (build["status"], build["trigger"]) == ("succeeded", "build")
    assert package in service.call("GET", f"/runs/{build['id']}/log")[1]

    schedule = service.post(f"/scripts/{slug}/schedules", {"kind": "interval", "every_s": EVERY_S})
    first = wait_for(lambda: served(service, slug), what="the first due moment")[0]
    assert follow(service, slug, first["id"], first_line=first_line) == [first_line, "done"]
    assert processes.log_of(service, first["id"]).count(b"\n") == 2

    def is_enough() -> bool:
        return len([run for run in served(service, slug) if run["status"] == "succeeded"]) >= TURNS

    wait_for(is_enough, what=f"{TURNS} turns")
    runs = served(service, slug)
    dues = [datetime.fromisoformat(run["due_at"]) for run in runs]
    begin = datetime.fromisoformat(schedule["next_at"])
    assert dues == [begin + number * timedelta(seconds=EVERY_S) for number in range(len(runs))]
    assert {(run["schedule"], run["trigger"]) for run in runs} == {(schedule["id"], "schedule")}


@pytest.fixture(scope="module")
def own_index(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Tempo with a package index of its own."""
    folder = tmp_path_factory.mktemp("own_index")
    with (
        local_index.served(folder / "index") as index,
        Service.copy_of(prepared, folder / "service", PYSCHED_PACKAGE_INDEX=index) as service,
    ):
        yield service


def test_a_script_with_a_package_runs_every_two_seconds_and_is_watched(own_index: Service) -> None:
    assert_main_way(
        own_index,
        package="tempo-greeting",
        code=GREETING,
        first_line="hello from tempo-greeting 1.1",
    )


def test_a_failed_build_is_told_by_the_script_and_its_run(own_index: Service) -> None:
    script = {"name": "Typo", "code": "print(1)", "requirements": "tempo-greting"}
    slug = own_index.post("/scripts", script)["slug"]
    run = own_index.run(slug)
    environment = own_index.get(f"/scripts/{slug}")["environment"]
    assert (run["status"], run["reason"]) == ("failed", "environment")
    assert environment["state"] == "failed"
    assert "tempo-greting" in environment["message"]


@pytest.mark.network
def test_it_works_with_the_real_package_index(service: Service) -> None:
    assert_main_way(service, package="humanize", code=HUMANIZE, first_line="2.0 MB")

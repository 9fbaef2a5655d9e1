"""A script that closes, replaces or fills its run's folder ends all the same, and nobody else waits for it."""

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.service import TOKEN, Service, wait_for

pytestmark = pytest.mark.slow

PLACES = 2
# As anybody else is: who may do anything reads what is closed as well.
POWERLESS = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
GRADES = ["", "landlock"]  # what the launcher does without: Good by Landlock, and Basic
BEGIN = """
import contextlib, os, pathlib, sys, time
folder = pathlib.Path(os.environ["TEMPO_RUN_FOLDER"])
print("begun", flush=True)
"""
CLOSE = "os.chmod(folder, 0)\n"
CLOSE_ALL = """
names = ["lock", "claim", "spec.json", "state.json", "output.log", "output.idx", "exit.json.tmp"]
for path in (*map(folder.joinpath, names), folder, folder.parent):
    with contextlib.suppress(OSError):
        os.chmod(path, 0)
"""
STAY = "time.sleep(600)\n"
# Only Basic lets a script do these.
REPLACE_LOG = """
(folder / "output.log").unlink()
os.mkfifo(folder / "output.log")
"""
REPLACE_FILES = """
for name in ("lock", "state.json", "exit.json", "exit.json.tmp", "output.idx"):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
"""
REPLACE_BY_FIFO = """
folder.rename(folder.with_name("elsewhere"))
os.mkfifo(folder)
"""
REPLACE_BY_LINK = """
folder.rename(folder.with_name("elsewhere-too"))
folder.symlink_to("/etc")
"""


@pytest.fixture(scope="module", params=GRADES, ids=["landlock", "basic"])
def service(
    request: pytest.FixtureRequest, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    yield from opened(request.param, prepared, tmp_path_factory.mktemp("spoilt"))


@pytest.fixture(scope="module")
def basic(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from opened("landlock", prepared, tmp_path_factory.mktemp("basic"))


def opened(without: str, prepared: Path, folder: Path) -> Iterator[Service]:
    extra = {"PYSCHED_MAX_CONCURRENT_RUNS": str(PLACES), "TEMPO_WITHOUT": without}
    service = Service.copy_of(prepared, folder / "service", **extra)
    service.prefix = POWERLESS
    with service:
        yield service


def make_script(service: Service, name: str, code: str) -> str:
    return service.make_script(name, BEGIN + code)


def start(service: Service, slug: str) -> int:
    body = {"confirm": True}
    return int(service.post(f"/scripts/{slug}/runs", body)["id"])


def read(service: Service, path: str) -> bytes:
    request = urllib.request.Request(f"{service.url}/api/v1{path}")
    request.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


def test_closing_its_folder_takes_no_place_for_ever(service: Service) -> None:
    hello = make_script(service, "Hello", "")
    for name, code in (("Close", CLOSE), ("Close all", CLOSE_ALL)):
        slug = make_script(service, name, code)
        for _ in range(PLACES + 1):  # one by one: they close the folder of the month to each other
            run_id = start(service, slug)
            run = service.finished(run_id)
            assert run["status"] == "succeeded", (run, read(service, f"/runs/{run_id}/log"))
            assert b"begun" in read(service, f"/runs/{run_id}/log")
        assert service.finished(start(service, hello))["status"] == "succeeded"


def test_a_run_with_a_closed_folder_is_found_again_and_cancelled(service: Service) -> None:
    run_id = start(service, make_script(service, "Stay", CLOSE_ALL + STAY))
    wait_for(lambda: service.get(f"/runs/{run_id}")["status"] == "running", what="its begin")
    processes.kill_launcher(service)
    service.start()
    assert service.get(f"/runs/{run_id}")["status"] == "running"
    service.post(f"/runs/{run_id}/cancel")
    assert service.finished(run_id)["status"] == "cancelled"
    assert not processes.of_runs(service)


def test_whatever_stands_in_the_place_of_its_folder_or_files_others_go_on(basic: Service) -> None:
    spoilt = {
        start(basic, make_script(basic, name, code)): status
        for name, code, status in (
            ("Log", REPLACE_LOG, "succeeded"),
            ("Files", REPLACE_FILES, "lost"),
            ("Fifo", REPLACE_BY_FIFO + STAY, "lost"),
            ("Link", REPLACE_BY_LINK + STAY, "lost"),
        )
    }
    hello = make_script(basic, "Hello", "")
    for run_id, status in spoilt.items():
        run = basic.finished(run_id)
        assert run["status"] == status, run
        assert status == "succeeded" or "not known" in run["message"]
    assert basic.finished(start(basic, hello))["status"] == "succeeded"
    wait_for(lambda: not processes.of_runs(basic), what="the end of all their processes")
    for run_id in spoilt:
        for path in ("log", "output", "samples", "log?download=1"):
            read(basic, f"/runs/{run_id}/{path}")
    assert basic.stop() == 0
    basic.start()
    assert {run_id: basic.get(f"/runs/{run_id}")["status"] for run_id in spoilt} == spoilt
    assert basic.finished(start(basic, hello))["status"] == "succeeded"


def test_a_retry_dies_with_its_script(basic: Service) -> None:
    slug = make_script(basic, "Failing", "sys.exit(3)\n")
    rhythm = {"kind": "interval", "every_s": 1, "retries": 5, "retry_delay_s": 3600}
    schedule = basic.post(f"/scripts/{slug}/schedules", rhythm)

    def retries() -> list[int]:
        queued = [item["run"] for item in basic.get("/queue")["items"]]
        return [run for run in queued if basic.get(f"/runs/{run}")["trigger"] == "retry"]

    retry = wait_for(retries, what="a retry")[0]
    basic.call("PATCH", f"/schedules/{schedule['id']}", {"enabled": False})
    run = basic.finished(retry, limit_s=20)
    assert run["status"] in ("cancelled", "skipped"), "skipped where the next moment came first"
    assert basic.get("/queue")["items"] == []

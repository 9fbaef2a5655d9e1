"""On a real Tempo: parallel saves of a draft lose nothing, and a run executes one exact version."""

import inspect
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from runs_app.api.runs import read_run
from tests.benchmarks.clients import Browser
from tests.service import Service, manage, wait_for

PEOPLE = 50
TELLS_ITSELF = """
import inspect, pathlib, sys, time
print("began", flush=True)
give_up = time.monotonic() + 60
while not pathlib.Path("go").exists() and time.monotonic() < give_up:
    time.sleep(0.01)
print(inspect.getsource(sys.modules["__main__"]).splitlines()[-1])
# version {}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One Tempo for all tests here: each makes a script of its own. Fifty who write at once may wait."""
    data = tmp_path_factory.mktemp("drafts") / "data"
    with Service.copy_of(prepared, data, TEMPO_DATABASE_TIMEOUT_S="25") as running:
        yield running


def test_web_alone_has_no_docstrings_and_the_api_is_described_all_the_same(
    service: Service,
) -> None:
    command = Path(f"/proc/{service.web_pid()}/cmdline").read_bytes().split(b"\0")
    assert b"-OO" in command
    document = json.loads(Browser(service).open("/api/v1/openapi.json"))
    described = document["paths"]["/api/v1/runs/{run_id}"]["get"]["description"]
    assert described == inspect.getdoc(read_run)
    code = "import os, sys\nprint(sys.flags.optimize, os.environ.get('PYTHONOPTIMIZE'))\n"
    run = service.run(service.make_script("Flags", code))
    assert service.get(f"/runs/{run['id']}/log").split() == ["0", "None"]


def put(service: Service, slug: str, code: str, revision: int, **headers: str) -> tuple[int, Any]:
    """Save a draft made from a revision; returns (status, answer)."""
    text = {"code": code, "requirements": "", "python_version": ""}
    return service.call("PUT", f"/scripts/{slug}/draft", text, If_Match=f'"{revision}"', **headers)


def test_of_fifty_saves_at_once_one_is_stored_and_each_other_gets_both_texts(
    service: Service,
) -> None:
    slug = str(service.post("/scripts", {"name": "Shared", "code": "# v1\n"})["slug"])
    together = Barrier(PEOPLE)

    def save(number: int) -> tuple[int, Any]:
        together.wait()
        return put(service, slug, f"# {number}\n", 0)

    with ThreadPoolExecutor(PEOPLE) as people:
        answers = list(people.map(save, range(PEOPLE)))
    (winner,) = (number for number, (status, _) in enumerate(answers) if status == 200)
    assert service.get(f"/scripts/{slug}/draft")["code"] == f"# {winner}\n"
    for number, (status, answer) in enumerate(answers):
        if number != winner:
            assert (status, answer["draft"]["code"], answer["yours"]["code"]) == (
                412,
                f"# {winner}\n",
                f"# {number}\n",
            )


def test_fifty_people_who_put_theirs_on_top_of_the_others_lose_no_line(service: Service) -> None:
    slug = str(service.post("/scripts", {"name": "Growing", "code": "# v1\n"})["slug"])
    # Together they come more often than the holder of one key may.
    keys = [manage(service.data, "createkey", f"key {number}").strip() for number in range(3)]
    together = Barrier(PEOPLE)

    def save(number: int) -> int:
        """Add a line until it is stored; returns how often somebody else was faster."""
        key = keys[number % len(keys)]
        together.wait()
        text, conflicts = service.get(f"/scripts/{slug}/draft"), 0
        while True:
            code = f"{text['code']}# {number}.\n"
            status, answer = put(
                service, slug, code, text["revision"], Authorization=f"Bearer {key}"
            )
            if status == 200:
                return conflicts
            assert status == 412, answer
            text, conflicts = answer["draft"], conflicts + 1

    with ThreadPoolExecutor(PEOPLE) as people:
        conflicts = list(people.map(save, range(PEOPLE)))
    stored = service.get(f"/scripts/{slug}/draft")
    assert sorted(stored["code"].splitlines()[1:]) == sorted(
        f"# {number}." for number in range(PEOPLE)
    )
    assert (stored["revision"], sum(conflicts) > 0) == (PEOPLE, True)


def test_editing_during_a_run_changes_nothing_for_it(service: Service) -> None:
    slug = service.make_script("Told", TELLS_ITSELF.format(1))
    run = service.post(f"/scripts/{slug}/runs")["id"]
    wait_for(lambda: "began" in service.get(f"/runs/{run}/log"), what="the run to begin")
    assert service.call("PATCH", f"/scripts/{slug}", {"code": TELLS_ITSELF.format(2)})[0] == 200
    assert put(service, slug, "half typed", 1)[0] == 200
    assert (service.data / "scripts" / slug / "main.py").read_text().endswith("# version 2\n")
    (service.data / "scripts" / slug / "files" / "go").touch()
    ended = service.finished(run)
    assert (ended["status"], ended["version"]) == ("succeeded", 1)
    assert service.get(f"/runs/{run}/log").endswith("# version 1\n")
    assert service.get(f"/scripts/{slug}/versions/{ended['version']}")[
        "code"
    ] == TELLS_ITSELF.format(1)

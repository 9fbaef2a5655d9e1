"""What is promised when an environment breaks under a running Tempo: it is named and built anew, and nothing waits."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import local_index
from tests.service import Service, wait_for

pytestmark = pytest.mark.slow

CODE = "import tempo_greeting; print(tempo_greeting.hello())"
HELLO = "hello from tempo-greeting 1.1\n"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a package index."""
    with (
        pytest.MonkeyPatch.context() as variables,
        local_index.served(tmp_path_factory.mktemp("health") / "index") as url,
    ):
        variables.setenv("NO_PROXY", "127.0.0.1")
        yield url


@pytest.fixture(scope="module")
def tempo(
    prepared: Path, index: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A Tempo with a script that has run once with a package; each test finds it whole and leaves it so."""
    folder = tmp_path_factory.mktemp("health") / "service"
    with Service.copy_of(prepared, folder, PYSCHED_PACKAGE_INDEX=index) as service:
        service.make_script("Hello", CODE, requirements="tempo-greeting")
        assert service.run("hello")["status"] == "succeeded"
        yield service


def folder_of(service: Service) -> Path:
    """The folder of the environment in use."""
    with sqlite3.connect(service.data / "tempo.sqlite3") as database:
        query = "SELECT e.digest FROM scripts_app_script s JOIN scripts_app_environment e ON e.id = s.environment_id"
        (digest,) = database.execute(f"{query} WHERE s.slug = 'hello'").fetchone()
    database.close()
    return service.data / "envs" / str(digest)


def module_of(folder: Path) -> Path:
    (module,) = folder.glob("lib/python*/site-packages/tempo_greeting.py")
    return module


def environment_of(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/environments")["items"][-1]
    return found


def wait_until_rebuilt(service: Service, before: Path) -> None:
    wait_for(
        lambda: environment_of(service)["state"] == "ready" and folder_of(service) != before,
        what="the environment to be built anew",
        limit_s=60,
    )


def test_a_run_without_its_environment_says_so_and_the_next_one_has_it_again(
    tempo: Service,
) -> None:
    before, lock = folder_of(tempo), environment_of(tempo)["lock"]
    shutil.rmtree(before)
    run = tempo.run("hello")
    assert (run["status"], run["reason"]) == ("failed", "environment")
    assert run["message"].startswith("Its environment is broken: its folder is gone.")
    again = tempo.run("hello", limit_s=60)
    assert again["status"] == "succeeded"
    assert tempo.get(f"/runs/{again['id']}/log") == HELLO
    assert environment_of(tempo)["lock"] == lock


def test_a_lost_file_is_found_after_the_start_and_mended_while_all_goes_on(tempo: Service) -> None:
    before = folder_of(tempo)
    tempo.stop()
    module_of(before).unlink()
    tempo.start()
    wait_until_rebuilt(tempo, before)
    run = tempo.run("hello")
    assert tempo.get(f"/runs/{run['id']}/log") == HELLO
    builds = tempo.get("/runs?kind=build")["items"]
    assert [build["status"] for build in builds] == ["succeeded"] * len(builds)
    assert environment_of(tempo)["fault"] == ""


def test_where_the_operator_says_so_it_is_named_and_left(
    prepared: Path, tmp_path: Path, index: str
) -> None:
    choices = {"PYSCHED_PACKAGE_INDEX": index, "PYSCHED_REBUILD_BROKEN": "false"}
    with Service.copy_of(prepared, tmp_path / "service", **choices) as service:
        service.make_script("Hello", CODE, requirements="tempo-greeting")
        assert service.run("hello")["status"] == "succeeded"
        shutil.rmtree(folder_of(service))
        for _ in range(2):
            assert "Its environment is broken" in service.run("hello")["message"]
        assert environment_of(service)["fault"] == "its folder is gone"
        service.post(f"/environments/{environment_of(service)['id']}/rebuild")
        assert service.run("hello", limit_s=60)["status"] == "succeeded"

"""What is promised when the building of an environment goes wrong: a clear end, the old one in use, nothing left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import local_index, mounts, processes
from tests.service import Service, wait_for

pytestmark = pytest.mark.slow

BUILD_LIMIT_S = 10  # the least there is
CODE = "import tempo_greeting; print(tempo_greeting.hello())"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder of a package index and its address."""
    folder = tmp_path_factory.mktemp("index")
    with pytest.MonkeyPatch.context() as patch, local_index.served(folder) as url:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield folder, url


@pytest.fixture(scope="module")
def shared(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory, index: tuple[Path, str]
) -> Iterator[Service]:
    """A Tempo that installs from that index."""
    data = tmp_path_factory.mktemp("tempo") / "data"
    with Service.copy_of(prepared, data, PYSCHED_PACKAGE_INDEX=index[1]) as service:
        yield service


@pytest.fixture
def tempo(shared: Service) -> Service:
    return shared.started()


@pytest.fixture(scope="module")
def impatient(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory, index: tuple[Path, str]
) -> Iterator[Service]:
    """One that gives builds a few seconds."""
    limit = {"PYSCHED_BUILD_TIMEOUT": str(BUILD_LIMIT_S), "PYSCHED_GRACE": "1"}
    data = tmp_path_factory.mktemp("impatient") / "data"
    with Service.copy_of(prepared, data, PYSCHED_PACKAGE_INDEX=index[1], **limit) as service:
        yield service


def environment_of(service: Service, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = service.get(f"/scripts/{slug}")["environment"]
    return found


def ask_for(service: Service, slug: str, requirements: str, **other: object) -> None:
    status, answer = service.call(
        "PATCH", f"/scripts/{slug}", {"requirements": requirements, **other}
    )
    assert status == 200, answer


def failure(service: Service, slug: str) -> str:
    """Wait for a build to fail and return what is said of it."""
    wait_for(
        lambda: environment_of(service, slug)["state"] == "failed", what="the end of the build"
    )
    return str(environment_of(service, slug)["message"])


def still_runs(service: Service, slug: str) -> bool:
    """Whether a run has the packages that the script had before."""
    run = service.run(slug)
    log = str(service.get(f"/runs/{run['id']}/log"))
    return run["status"] == "succeeded" and log.startswith("hello from")


def build_under_way(service: Service) -> int:
    """Wait until a driver is at work in a folder of its own; returns its pid."""

    def find() -> int | None:
        drivers = [pid for pid in processes.of_runs(service) if is_driver(pid)]
        return drivers[0] if drivers and leftovers(service) else None

    return wait_for(find, what="a build")


def is_driver(pid: int) -> bool:
    try:
        return b"environments/drivers/" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # ended meanwhile
        return False


def leftovers(service: Service) -> list[str]:
    """Work folders of builds."""
    return [path.name for path in (service.data / "envs").glob(".tmp-*")]


def test_a_build_that_is_killed_fails_alone(tempo: Service) -> None:
    slug = tempo.make_script("Greeting", CODE, requirements="tempo-greeting")
    ask_for(tempo, slug, local_index.SILENT)
    os.kill(build_under_way(tempo), signal.SIGKILL)
    assert failure(tempo, slug)
    assert still_runs(tempo, slug)
    tempo.stop()
    tempo.start()
    assert leftovers(tempo) == []


def test_a_build_that_is_killed_with_all_of_tempo_is_begun_again(tempo: Service) -> None:
    slug = tempo.make_script("Greeting", CODE, requirements="tempo-greeting")
    ask_for(tempo, slug, local_index.SILENT)
    build_under_way(tempo)
    processes.kill_everything(tempo)
    assert leftovers(tempo)
    tempo.start()
    again = build_under_way(tempo)
    assert len(leftovers(tempo)) == 1
    os.kill(again, signal.SIGTERM)
    assert failure(tempo, slug)
    wait_for(lambda: not leftovers(tempo), what="the work folder to go")


def test_an_index_that_is_endlessly_slow_ends_with_the_time_of_the_build(
    impatient: Service,
) -> None:
    slug = impatient.make_script("Greeting", CODE, requirements="tempo-greeting")
    ask_for(impatient, slug, local_index.SLOW)
    assert f"{BUILD_LIMIT_S} s" in failure(impatient, slug)
    assert still_runs(impatient, slug)
    wait_for(lambda: not leftovers(impatient), what="the work folder to go")


def test_a_package_whose_build_hangs_ends_with_the_time_of_the_build(
    impatient: Service, index: tuple[Path, str]
) -> None:
    local_index.add_source(index[0], "tempo-stuck", "1.0", act="import time; time.sleep(60)")
    slug = impatient.make_script("Greeting", CODE, requirements="tempo-greeting")
    ask_for(impatient, slug, "tempo-stuck", allow_source=True)
    assert f"{BUILD_LIMIT_S} s" in failure(impatient, slug)
    assert still_runs(impatient, slug)
    wait_for(lambda: not leftovers(impatient), what="the work folder to go")


def test_building_from_source_reaches_neither_the_secret_key_nor_other_scripts(
    tempo: Service, index: tuple[Path, str]
) -> None:
    act = f"open({str(tempo.data / 'secret_key')!r}).read()"
    local_index.add_source(index[0], "tempo-spy", "1.0", act=act)
    local_index.add_source(index[0], "tempo-source", "1.0")
    slug = tempo.make_script("Spy", "", requirements="tempo-source", allow_source=True)
    ask_for(tempo, slug, "tempo-spy")
    assert "Permission denied" in failure(tempo, slug)


def test_an_index_that_is_away_is_named(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    away = "http://ann:s3cret@127.0.0.1:9/simple"
    with Service.copy_of(prepared, tmp_path / "service", PYSCHED_PACKAGE_INDEX=away) as tempo:
        slug = tempo.make_script("Plain", "print('hello from nobody')")
        ask_for(tempo, slug, "tempo-greeting")
        build = wait_for(
            lambda: tempo.get("/runs?kind=build&status=running")["items"], what="the build"
        )[0]
        assert (
            "s3cret"
            not in processes.folder_of(tempo, build["id"]).joinpath("spec.json").read_text()
        )
        message = failure(tempo, slug)
        assert "127.0.0.1:9/simple" in message and "s3cret" not in message
        assert still_runs(tempo, slug)
        assert "s3cret" not in tempo.get(f"/runs/{build['id']}/log")
        assert "s3cret" not in tempo.log.read_text()
        assert leftovers(tempo) == []


def test_a_full_disk_is_told_and_the_old_environment_stays(
    prepared: Path, tmp_path: Path, index: tuple[Path, str]
) -> None:
    local_index.add_wheel(index[0], "tempo-heavy", "1.0", ballast_mb=200)
    with (
        mounts.small_disk(tmp_path / "disk", 96) as disk,
        Service.copy_of(prepared, disk / "service", PYSCHED_PACKAGE_INDEX=index[1]) as tempo,
    ):
        slug = tempo.make_script("Greeting", CODE, requirements="tempo-greeting")
        ask_for(tempo, slug, "tempo-heavy")
        message = failure(tempo, slug)
        assert "o space left on device" in message or "disk" in message
        wait_for(lambda: not leftovers(tempo), what="the work folder to go")
        assert still_runs(tempo, slug)

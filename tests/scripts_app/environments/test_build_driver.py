"""The driver that builds environments: real processes, the real uv, an index of our own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import uv
from django.conf import LazySettings

from scripts_app.environments import builds
from scripts_app.environments.drivers import install, start_program
from scripts_app.environments.drivers.build_config import CONFIG, BuildConfig, BuildResult
from scripts_app.packages import index as packages_index
from scripts_app.packages import interpreters
from tempo_site.lib import paths
from tests import building, local_index

LIMIT_S = 60


@pytest.fixture
def index(
    tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder of a served index that builds use."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with local_index.served(tmp_path / "index") as settings.PACKAGE_INDEX:
        yield tmp_path / "index"


def config_of(requirements: str, folder: Path, **other: Any) -> BuildConfig:
    environments = paths.environments()
    config: dict[str, Any] = {
        "uv": uv.find_uv_bin(),
        "interpreter": str(interpreters.own().path),
        "requirements": requirements,
        "lock": "",
        "refresh": False,
        "work": str(building.work(folder.name)),
        "existing": [place.name for place in environments.glob("[!.]*")],
        "result": str(folder / builds.RESULT),
        "progress": str(folder / builds.PROGRESS),
        "link_mode": "copy",
        "allows_source": False,
        "renew": False,
    }
    return cast(BuildConfig, config | other)


def prepare(requirements: str, *, name: str = "run", **other: Any) -> Path:
    """Fill the folders of a build; returns its config."""
    folder = paths.data() / name
    folder.mkdir(exist_ok=True)
    (folder / builds.RESULT).unlink(missing_ok=True)
    content = config_of(requirements, folder, **other)
    work = Path(content["work"])
    shutil.rmtree(work, ignore_errors=True)
    (work / "source").mkdir(parents=True)
    own = {**content, "result": str(work / "source" / builds.RESULT)}
    (work / "source" / CONFIG).write_text(json.dumps(own))
    (folder / CONFIG).write_text(json.dumps(content))
    return folder / CONFIG


def start(requirements: str, *, name: str = "run", **other: Any) -> subprocess.Popen[str]:
    """Start the first step alone."""
    config = prepare(requirements, name=name, **other)
    return subprocess.Popen(
        building.steps(config)[0],
        env=building.variables(config),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def build(requirements: str, **other: Any) -> tuple[int, str]:
    """Build an environment and move it in."""
    config = prepare(requirements, **other)
    answer = building.run_drivers(config)
    digest = result(config.parent.name).get("digest")
    work = Path(json.loads(config.read_text())["work"])
    if digest:
        builds.move_in(work / "environment", digest)
    shutil.rmtree(work)
    return answer.returncode, answer.stdout


def result(name: str = "run") -> BuildResult:
    own, source = paths.data() / name / "built.json", building.work(name) / "source" / "built.json"
    answer: BuildResult = json.loads((own if own.exists() else source).read_text())
    return answer


def built(requirements: str, *, name: str = "run", **other: Any) -> Path:
    status, output = build(requirements, name=name, **other)
    assert status == 0, output
    return paths.environments() / result(name)["digest"]


def names_in_environments() -> list[str]:
    return sorted(path.name for path in paths.environments().iterdir())


def say_hello(place: Path) -> str:
    program = "import tempo_greeting as g; print(g.hello(), g.hello.__code__.co_filename)"
    argv = [str(place / "bin" / "python"), "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.usefixtures("index")
def test_its_environment_has_the_packages_asked_for() -> None:
    place = built("tempo-greeting<1.1")
    assert say_hello(place).startswith(f"hello from tempo-greeting 1.0 {place}")


@pytest.mark.usefixtures("index")
def test_it_prints_each_step_and_what_uv_says() -> None:
    _, output = build("tempo-greeting")
    expected = [
        "Resolving 1 requirement for Python",
        "+ tempo-greeting==1.1",
        "Checking",
        "Ready: 1 package, ",
    ]
    assert [text for text in expected if text not in output] == []


@pytest.mark.usefixtures("index")
def test_its_lock_pins_every_package_with_hashes() -> None:
    built("tempo-greeting")
    assert result()["lock"].startswith("tempo-greeting==1.1 \\\n    --hash=sha256:")
    assert result()["packages"] == ["tempo-greeting==1.1"]


@pytest.mark.usefixtures("index")
def test_it_says_how_far_it_is() -> None:
    told: set[str] = set()
    config = prepare("tempo-greeting")
    with ThreadPoolExecutor() as pool:
        drivers = pool.submit(building.run_drivers, config)
        while not drivers.done():
            if progress := builds.progress(paths.data() / "run"):
                told.add(progress.step)
    last = builds.progress(paths.data() / "run")
    assert last == builds.BuildProgress(step="checking", done=1, total=1)
    assert "resolving" in told


@pytest.mark.usefixtures("index")
def test_a_lock_is_installed_as_it_is() -> None:
    built("tempo-greeting<1.1")
    lock = result()["lock"]
    status, output = build("tempo-greeting", lock=lock, existing=[])
    assert (status, result()["packages"]) == (0, ["tempo-greeting==1.0"]), output


@pytest.mark.usefixtures("index")
def test_hard_links_share_the_files_of_the_cache() -> None:
    module = "lib/python*/site-packages/tempo_greeting.py"
    counts = [
        next(built("tempo-greeting", name=name, link_mode=mode, renew=True).glob(module))
        .stat()
        .st_nlink
        for name, mode in (("one", "copy"), ("two", "hardlink"), ("three", "hardlink"))
    ]
    assert counts == [1, 2, 3]


def test_what_logs_in_at_the_index_is_never_printed(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages_index, "RETRIES", 0)
    for login in ("ann:s3cr%20et@", "t0ken@"):
        settings.PACKAGE_INDEX = f"http://{login}127.0.0.1:9/simple/"
        status, output = build("tempo-greeting")
        told = output + json.dumps(result())
        assert status == 1 and "127.0.0.1:9" in told
        assert not any(secret in told for secret in ("s3cr", "ann:", "t0ken"))


def test_it_follows_what_packages_require(index: Path) -> None:
    local_index.add_wheel(index, "tempo-party", "2.0", requires="tempo-greeting<1.1")
    built("tempo-party")
    assert result()["packages"] == ["tempo-greeting==1.0", "tempo-party==2.0"]


def test_it_refuses_a_package_that_is_not_what_the_index_promised(index: Path) -> None:
    local_index.add_wheel(index, "tempo-forged", "1.0", advertised_sha256="0" * 64)
    status, output = build("tempo-forged")
    assert (status, names_in_environments()) == (1, [])
    assert "Hash mismatch" in output


def test_it_refuses_a_package_that_would_have_to_be_built_from_source(index: Path) -> None:
    local_index.add_link(index, "tempo-source", "/files/tempo_source-1.0.tar.gz#sha256=" + "0" * 64)
    status, output = build("tempo-source")
    assert status == 1
    assert "no usable wheels" in output


def test_it_builds_from_source_for_who_may_and_shares_that_with_nobody(index: Path) -> None:
    local_index.add_source(index, "tempo-source", "1.0")
    place = built("tempo-source", allows_source=True)
    program = "import tempo_source; print(tempo_source.hello())"
    done = subprocess.run([place / "bin" / "python", "-c", program], capture_output=True, text=True)
    assert done.stdout == "built from source\n"
    assert not any((paths.cache() / "uv").glob("sdists-*/*/*/tempo-source"))
    status, _ = build("tempo-source")
    assert status == 1


def test_a_package_cannot_replace_what_the_environment_itself_consists_of(index: Path) -> None:
    data = {"tempo_greedy-1.0.data/data/CACHEDIR.TAG": "mine"}
    local_index.add_wheel(index, "tempo-greedy", "1.0", extra=data)
    status, _ = build("tempo-greedy")
    assert (status, names_in_environments()) == (1, [])
    assert result()["error"] == "A package replaces CACHEDIR.TAG, which is the environment's own"


def test_a_package_cannot_bring_the_mark_of_a_whole_environment(index: Path) -> None:
    mark = {"tempo_whole-1.0.data/data/READY": "{}"}
    local_index.add_wheel(index, "tempo-whole", "1.0", extra=mark)
    assert build("tempo-whole")[0] == 1
    assert result()["error"] == "A package brings READY, which is the environment's own"


def test_what_is_built_from_source_is_nobody_elses_even_with_the_same_lock(index: Path) -> None:
    local_index.add_source(index, "tempo-source", "1.0")
    places = [built("tempo-source", name=name, allows_source=True) for name in ("one", "two")]
    assert places[0] != places[1] and result("one")["lock"] == result("two")["lock"]


def built_from_source(index: Path) -> Path:
    """The config of a build from source whose first step has been done, by the code of packages."""
    local_index.add_source(index, "tempo-source", "1.0")
    config = prepare("tempo-source", allows_source=True)
    first = building.steps(config)[0]
    subprocess.run(first, env=building.variables(config), check=True, capture_output=True)
    return config


def completed(config: Path) -> int:
    """The status of the second step, Tempo's own."""
    second = building.steps(config)[1]
    done = subprocess.run(
        second, env=building.variables(config), capture_output=True, timeout=LIMIT_S
    )
    return done.returncode


@pytest.mark.parametrize("line", ["-r /etc/passwd", "--index-url https://example.org", "a==1 --x"])
def test_a_lock_that_the_code_of_packages_wrote_holds_packages_alone(
    line: str, index: Path
) -> None:
    config = built_from_source(index)
    with (building.work("run") / "source" / "lock.txt").open("a") as lock:
        lock.write(f"{line}\n")
    assert completed(config) == 1
    assert result()["error"] == "The lock that the build has left is none"


@pytest.mark.parametrize("trap", ["link", "pipe", "lock"])
def test_what_was_built_from_source_is_taken_over_without_following_a_link(
    trap: str, index: Path
) -> None:
    config = built_from_source(index)
    source = building.work("run") / "source"
    (module,) = source.glob("environment/lib/*/site-packages/tempo_source.py")
    target = source / "lock.txt" if trap == "lock" else module
    target.unlink()
    (paths.data() / "private").write_text("private")
    if trap == "pipe":
        os.mkfifo(target)
    else:
        target.symlink_to(paths.data() / "private")
    assert completed(config) == 1 and "error" in result()
    taken = (building.work("run") / "environment").rglob("*.py")
    assert "private" not in result()["error"]
    assert not [path for path in taken if path.read_text() == "private"]


@pytest.mark.usefixtures("index")
def test_byte_code_is_there_from_the_beginning() -> None:
    assert list(
        built("tempo-greeting").glob("lib/*/site-packages/__pycache__/tempo_greeting.*.pyc")
    )


def test_without_packages_it_has_the_byte_code_of_the_program_that_starts_scripts() -> None:
    (start,) = built("").glob("lib/*/site-packages/_tempo_main.py")
    assert start_program.byte_code_of(start)


@pytest.mark.usefixtures("index")
def test_its_files_are_read_only_copies() -> None:
    files = [
        path
        for path in built("tempo-greeting").rglob("*")
        if path.is_file() and not path.is_symlink()
    ]
    states = [path.stat() for path in files if path.name != "READY"]
    assert {state.st_nlink for state in states} == {1}
    assert {stat.S_IMODE(state.st_mode) & 0o222 for state in states} == {0}


@pytest.mark.usefixtures("index")
def test_equal_locks_share_one_folder() -> None:
    first = built("tempo-greeting").stat().st_ino
    second = built("tempo-greeting==1.1").stat().st_ino
    assert (first, len(names_in_environments())) == (second, 1)


@pytest.mark.usefixtures("index")
def test_a_renewal_gets_a_folder_of_its_own() -> None:
    first = built("tempo-greeting")
    renewed = built("tempo-greeting", renew=True)
    assert (first / "READY").exists() and renewed != first


@pytest.mark.usefixtures("index")
def test_a_shared_folder_counts_as_asked_for_just_now() -> None:
    ready = built("tempo-greeting") / "READY"
    os.utime(ready, (1, 1))
    built("tempo-greeting")
    assert ready.stat().st_mtime > 1


@pytest.mark.usefixtures("index")
def test_a_configuration_of_uv_nearby_does_not_count() -> None:
    (paths.data() / "uv.toml").write_text("no-index = true\n")
    assert built("tempo-greeting")


@pytest.mark.usefixtures("index")
def test_different_locks_have_different_folders() -> None:
    assert built("tempo-greeting==1.0") != built("tempo-greeting==1.1")


@pytest.mark.usefixtures("index")
def test_two_builds_of_one_lock_at_once_both_succeed() -> None:
    configs = [prepare("tempo-greeting", name=name) for name in ("one", "two")]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(building.run_drivers, configs))
    assert [answer.returncode for answer in answers] == [0, 0], answers
    for config in configs:
        work = Path(json.loads(config.read_text())["work"])
        assert builds.move_in(work / "environment", result(config.parent.name)["digest"])
        shutil.rmtree(work)
    assert names_in_environments() == [result("one")["digest"]] == [result("two")["digest"]]


@pytest.mark.usefixtures("index")
def test_an_index_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages_index, "READ_TIMEOUT_S", 1)
    monkeypatch.setattr(packages_index, "RETRIES", 0)
    status, _ = build(local_index.SILENT)
    assert (status, names_in_environments()) == (1, [])
    assert "timed out" in result()["error"]


def test_no_requirements_need_no_index() -> None:
    assert (built("") / "bin" / "python").exists()
    assert result()["packages"] == []


@pytest.mark.usefixtures("index")
def test_a_package_that_does_not_exist_leaves_nothing_behind() -> None:
    status, output = build("tempo-greeting\ntempo-nonsense")
    assert (status, names_in_environments()) == (1, [])
    assert "tempo-nonsense was not found" in output
    assert "tempo-nonsense was not found" in result()["error"]


@pytest.mark.usefixtures("index")
def test_an_environment_without_a_living_python_is_replaced() -> None:
    place = built("tempo-greeting")
    (place / "bin" / "python").unlink()
    (place / "bin" / "python").symlink_to("/nonexistent/python")
    built("tempo-greeting", existing=[])
    assert say_hello(place)
    assert names_in_environments() == [place.name]


def test_an_interpreter_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = interpreters.Interpreter(version="3.12.1", path=tmp_path / "python")
    monkeypatch.setattr(interpreters, "own", lambda: gone)
    status, output = build("")
    assert status == 1
    assert f"Python `{gone.path}` does not start" in output


def test_a_terminated_build_leaves_nothing_behind(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(LIMIT_S)
        settings.PACKAGE_INDEX = f"http://127.0.0.1:{silent.getsockname()[1]}/simple/"
        process = start("tempo-greeting")
        connection, _ = silent.accept()  # uv waits for an answer now
        with contextlib.closing(connection):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=LIMIT_S)
    assert (process.returncode, names_in_environments()) == (128 + signal.SIGTERM, [".tmp-run"])
    assert not (paths.data() / "run" / builds.RESULT).exists()


ASKED_FOR_ITS_STACK = """
import os, signal
def hang():
    os.kill(os.getpid(), signal.SIGRTMAX)
    print("goes on")
hang()
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment without packages, made by the driver's own step."""
    folder = tmp_path_factory.mktemp("bare") / "environment"
    install.make_bare(config_of("", folder.parent), folder)
    return folder / "bin" / "python"


def test_its_python_can_be_asked_where_it_is_and_goes_on(bare: Path) -> None:
    done = subprocess.run([bare, "-c", ASKED_FOR_ITS_STACK], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert 'File "<string>", line 4 in hang' in done.stderr


def test_a_python_without_any_stderr_starts_as_quietly_as_ever(bare: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {bare} -c 'print(1)' 2>&-"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_asking_for_the_stack_costs_no_import_of_the_standard_library(bare: Path) -> None:
    program = "import sys; print('enum' in sys.modules, 'signal' in sys.modules)"
    assert (
        subprocess.run([bare, "-c", program], capture_output=True, text=True).stdout
        == "False False\n"
    )


KILLS_ITSELF = "#!/bin/sh\nkill -9 $$\n"


def test_a_uv_that_is_killed_is_told_in_words(tmp_path: Path) -> None:
    dying = tmp_path / "uv"
    dying.write_text(KILLS_ITSELF)
    dying.chmod(0o700)
    status, _ = build("tempo-greeting", uv=str(dying))
    assert status != 0
    assert "died with <Signals.SIGKILL: 9>" in result()["error"]
    installing = builds.driver_argv("install_python", dying, "3.12", tmp_path, tmp_path / "said")
    subprocess.run(installing, timeout=LIMIT_S, check=False)
    assert "'uv' died with <Signals.SIGKILL: 9>" in (tmp_path / "said").read_text()


@pytest.mark.network
def test_it_builds_from_the_ordinary_index() -> None:
    python = str(built("humanize") / "bin" / "python")
    argv = [python, "-c", "import humanize; print(humanize.intcomma(12345))"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "12,345\n"

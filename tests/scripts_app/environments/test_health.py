"""The health of environments: really built ones, broken by hand."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from scripts_app import scripts
from scripts_app.environments import builds, cleanup, disk_usage, environments, health
from scripts_app.environments.health import Unclear
from scripts_app.models import Environment, Script
from scripts_app.packages import interpreters
from tempo_site.lib import paths
from tests import building, local_index
from tests.factories import NOW

State = Environment.State

pytestmark = pytest.mark.django_db


def build(environment: Environment) -> Environment:
    """Really build an environment."""
    folder = paths.data() / f"build-{environment.pk}"
    folder.mkdir(exist_ok=True)
    building.run_drivers(building.begin(environment, folder))
    assert building.finish(environment, folder, succeeded=True)
    environment.refresh_from_db()
    return environment


def build_or_copy(environment: Environment, kept: Path) -> None:
    """Really build an environment, or give it a copy of what the first build has left in `kept`."""
    folder = paths.data() / f"build-{environment.pk}"
    folder.mkdir()
    config = building.begin(environment, folder)
    if not kept.exists():
        building.run_drivers(config)
        shutil.copytree(building.work(), kept / "work", symlinks=True)
        shutil.copy2(folder / builds.RESULT, kept)
    else:
        shutil.copytree(kept / "work", building.work(), symlinks=True, dirs_exist_ok=True)
        shutil.copy2(kept / builds.RESULT, folder)
    assert building.finish(environment, folder, succeeded=True)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An index with one package."""
    with local_index.served(tmp_path_factory.mktemp("index")) as url:
        yield url


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first build of the module is kept."""
    return tmp_path_factory.mktemp("kept") / "build"


@pytest.fixture
def script(
    index: str, kept: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> Script:
    """A script whose environment is built, with one package of an index that is served on."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.PACKAGE_INDEX = index
    script = scripts.create(name="Hello", requirements="tempo-greeting==1.0", by=None, now=NOW)
    assert script.wanted_environment
    build_or_copy(script.wanted_environment, kept)
    script.refresh_from_db()
    return script


@pytest.fixture
def environment(script: Script) -> Environment:
    assert script.environment
    return script.environment


def home(environment: Environment) -> Path:
    return environments.python_of(environment).parent.parent


def module(environment: Environment) -> Path:
    (found,) = home(environment).glob("lib/python*/site-packages/tempo_greeting.py")
    return found


def loosen(environment: Environment, path: Path) -> None:
    """Let an environment stand on a Python of its own, at `path`: a link to the one it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(environment.interpreter)
    python = environments.python_of(environment)
    python.unlink()
    python.symlink_to(path)
    Environment.objects.filter(pk=environment.pk).update(interpreter=str(path))
    environment.refresh_from_db()


# --- what is wrong -------------------------------------------------------------------------------------------------
def test_an_environment_that_was_just_built_is_healthy(environment: Environment) -> None:
    assert health.check_environment(environment, now=NOW) == ""
    environment.refresh_from_db()
    assert (environment.checked_at, environment.fault, environment.state) == (NOW, "", State.READY)


def test_a_deleted_file_is_found(environment: Environment) -> None:
    module(environment).unlink()
    fault = health.examine(environment)
    assert (
        fault
        == "1 file of the package tempo-greeting gone or changed, first of all tempo_greeting.py"
    )


def test_a_file_that_was_cut_is_found(environment: Environment) -> None:
    module(environment).chmod(0o644)
    module(environment).write_text("")
    assert "tempo_greeting.py" in health.examine(environment)


def test_a_package_that_was_removed_is_found(environment: Environment) -> None:
    (record,) = home(environment).glob("lib/python*/site-packages/tempo_greeting-*.dist-info")
    shutil.rmtree(record)
    assert health.examine(environment) == "the package tempo-greeting is gone"


@pytest.mark.parametrize("name", ["READY", "bin/python", "pyvenv.cfg"])
def test_a_lost_file_of_the_environment_itself_is_found(
    name: str, environment: Environment
) -> None:
    (home(environment) / name).unlink()
    assert health.examine(environment) == f"its file {name} is gone"


def test_a_lost_folder_is_found(environment: Environment) -> None:
    shutil.rmtree(home(environment))
    assert health.examine(environment) == "its folder is gone"


def replace_python(environment: Environment, python: Path, command: str) -> None:
    """Let an environment stand on a program of its own."""
    loosen(environment, python)
    python.unlink()
    python.write_text(f"#!/bin/sh\n{command}\n")
    python.chmod(0o755)


def test_a_python_that_does_not_start_is_found(environment: Environment, tmp_path: Path) -> None:
    replace_python(environment, tmp_path / "python3", "echo 'no library' >&2; exit 1")
    assert health.examine(environment) == "its Python does not start: no library"


def test_a_python_that_is_gone_is_named(environment: Environment, tmp_path: Path) -> None:
    loosen(environment, tmp_path / "python3.9")
    (tmp_path / "python3.9").unlink()
    assert (
        health.examine(environment)
        == f"Python {environment.python} at {tmp_path}/python3.9 is gone"
    )


def test_packages_that_do_not_fit_together_are_found(environment: Environment) -> None:
    (metadata,) = home(environment).glob(
        "lib/python*/site-packages/tempo_greeting-*.dist-info/METADATA"
    )
    metadata.chmod(0o644)
    text = metadata.read_text()
    (record,) = metadata.parent.glob("RECORD")
    metadata.write_text(text + "Requires-Dist: not-there\n")
    record.chmod(0o644)
    record.write_text(
        "\n".join(line for line in record.read_text().splitlines() if "METADATA" not in line)
    )
    assert "not-there" in health.examine(environment)


@pytest.mark.parametrize(
    "name", ["lib/python{minor}/site-packages/planted.pth", "bin/planted", "lib/planted.so.1"]
)
def test_code_that_no_package_brought_is_named(name: str, environment: Environment) -> None:
    path = home(environment) / name.format(minor=interpreters.minor_of(environment.python))
    path.write_text("import planted\n")
    assert (
        health.examine(environment) == "1 file of code that no package brought, first of all "
        f"{path.name if path.suffix == '.pth' else path.relative_to(home(environment))}"
    )


def test_what_a_library_keeps_beside_itself_is_no_fault(environment: Environment) -> None:
    site = module(environment).parent
    (site / "cache.json").write_text("{}")
    compiled = site / "__pycache__" / f"tempo_greeting.{sys.implementation.cache_tag}.opt-1.pyc"
    compiled.write_bytes(b"")
    assert health.examine(environment) == ""
    (site / "__pycache__" / f"planted.{sys.implementation.cache_tag}.pyc").write_bytes(b"")
    assert "planted" in health.examine(environment)


def test_an_environment_of_an_older_tempo_has_no_foreign_code(environment: Environment) -> None:
    ready = home(environment) / "READY"
    content = json.loads(ready.read_text())
    del content["unrecorded"]
    ready.unlink()
    ready.write_text(json.dumps(content))
    assert health.examine(environment) == ""
    compiled = f"_tempo_main.{sys.implementation.cache_tag}.pyc"
    (module(environment).parent / "__pycache__" / compiled).write_bytes(b"")
    assert health.examine(environment) == ""
    (module(environment).parent / "planted.py").write_text("")
    assert "planted.py" in health.examine(environment)


@pytest.mark.parametrize(("old", "new"), [(b"TEMPO_FILES", b"TEMPO_FILED"), (b"TEMPO_FILES", b"")])
def test_damaged_byte_code_of_the_program_that_starts_scripts_is_a_fault(
    environment: Environment, old: bytes, new: bytes
) -> None:
    name = f"__pycache__/_tempo_main.{sys.implementation.cache_tag}.pyc"
    compiled = module(environment).parent / name
    content = compiled.read_bytes()
    compiled.unlink()
    compiled.write_bytes(content.replace(old, new) if new else content[: content.index(old)])
    assert health.examine(environment) == f"its file {name} is damaged"


def test_a_damaged_mark_of_a_whole_environment_is_a_fault(
    script: Script, environment: Environment
) -> None:
    ready = home(environment) / "READY"
    ready.chmod(0o644)
    ready.write_text("")
    assert health.examine(environment) == "its file READY is damaged"
    assert not builds.move_in(paths.data() / "nothing", environment.digest)


def test_a_broken_environment_is_given_to_nobody_else(environment: Environment) -> None:
    assert builds._existing() == [environment.digest]
    Environment.objects.filter(pk=environment.pk).update(fault="it holds what is not its own")
    assert builds._existing() == []


def test_a_look_that_was_killed_leaves_nothing_for_good(environment: Environment) -> None:
    (paths.cache() / "health-killed").mkdir()
    cleanup.remove_temporary()
    assert not (paths.cache() / "health-killed").exists()


def test_a_look_runs_no_code_of_a_package(environment: Environment, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    start = module(environment).parent / "start.pth"
    start.write_text(f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n")
    python = environments.python_of(environment)
    subprocess.run([python, "-c", ""], check=True)
    assert ran.exists(), "the file is sound"
    ran.unlink()
    assert "start.pth" in health.examine(environment)
    start.rename(start.with_name("_tempo_stack.pth"))  # a name that is known
    assert health.examine(environment) == ""
    assert not ran.exists()


# --- what is not its fault -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "trouble",
    [
        "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
        "echo 'MemoryError' >&2; exit 1",
        "kill -KILL $$",
        "sleep 60",
    ],
)
def test_trouble_of_the_machine_is_no_fault(
    trouble: str, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "TIMEOUT_S", 3.0 if trouble != "sleep 60" else 0.5)
    replace_python(environment, tmp_path / "python3", trouble)
    with pytest.raises(Unclear):
        health.check_environment(environment, now=NOW + timedelta(days=1))
    environment.refresh_from_db()
    assert (environment.fault, environment.state, environment.checked_at) == ("", State.READY, NOW)


def test_a_volume_that_is_away_says_nothing_of_the_environments_on_it(
    environment: Environment,
) -> None:
    paths.environments().rename(paths.data() / "away")
    with pytest.raises(Unclear):
        health.examine(environment)


# --- rebuilding ----------------------------------------------------------------------------------------------------
def test_a_broken_one_is_built_anew_from_its_lock(script: Script, environment: Environment) -> None:
    before, old_folder = environment.lock, environment.digest
    module(environment).unlink()
    assert health.check_environment(environment, now=NOW)
    environment.refresh_from_db()
    assert environments.next_wanted() == environment
    build(environment)
    assert (environment.lock, environment.fault) == (before, "")
    assert environment.digest != old_folder
    assert health.examine(environment) == ""


def test_the_lock_is_kept_even_where_the_index_has_something_newer(
    script: Script, environment: Environment
) -> None:
    Environment.objects.filter(pk=environment.pk).update(requirements="tempo-greeting")
    module(environment).unlink()
    health.check_environment(environment, now=NOW)
    environment.refresh_from_db()
    assert "tempo-greeting==1.0" in build(environment).lock


def test_rebuilding_by_itself_can_be_switched_off(
    environment: Environment, settings: LazySettings
) -> None:
    settings.REBUILD_BROKEN = False
    module(environment).unlink()
    assert health.check_environment(environment, now=NOW)
    environment.refresh_from_db()
    assert environment.is_broken
    assert environments.next_wanted() is None


def test_on_demand_it_is_rebuilt_then(
    script: Script, environment: Environment, settings: LazySettings
) -> None:
    settings.REBUILD_BROKEN = False
    module(environment).unlink()
    health.check_environment(environment, now=NOW)
    assert environments.rebuild(script).is_renewal
    assert health.examine(build(Environment.objects.get(pk=environment.pk))) == ""


def test_a_broken_one_that_no_script_uses_waits_as_a_lock(
    script: Script, environment: Environment
) -> None:
    scripts.update(script, by=None, now=NOW, requirements="")
    assert script.wanted_environment
    build(script.wanted_environment)
    module(environment).unlink()
    health.check_environment(environment, now=NOW)
    environment.refresh_from_db()
    assert (environment.state, bool(environment.lock)) == (State.STORED, True)


def test_what_was_repaired_by_hand_is_healthy_again(
    environment: Environment, settings: LazySettings
) -> None:
    settings.REBUILD_BROKEN = False
    lost = module(environment)
    lost.rename(paths.data() / "lost")
    health.check_environment(environment, now=NOW)
    (paths.data() / "lost").rename(lost)
    environment.refresh_from_db()
    assert health.check_environment(environment, now=NOW) == ""
    environment.refresh_from_db()
    assert not environment.is_broken


def test_a_folder_that_was_replaced_during_the_look_is_not_blamed(environment: Environment) -> None:
    seen = Environment.objects.get(pk=environment.pk)
    Environment.objects.filter(pk=environment.pk).update(digest="f" * 32)
    assert not health.record_check(seen, "its folder is gone", now=NOW)
    environment.refresh_from_db()
    assert environment.fault == ""


def test_an_environment_of_pypy_is_not_built_again_and_again(
    script: Script, environment: Environment, tmp_path: Path, settings: LazySettings
) -> None:
    pypy = tmp_path / "pypy3.9" / "bin" / "python3"
    pypy.parent.mkdir(parents=True)
    pypy.write_text("#!/bin/sh\necho 3.9.18 PyPy\n")
    pypy.chmod(0o755)
    settings.PYTHON_PATHS = [str(pypy)]
    Environment.objects.filter(pk=environment.pk).update(interpreter=str(pypy), python="3.9.18")
    environment.refresh_from_db()
    fault = health.check_environment(environment, now=NOW)
    assert fault == f"its Python at {pypy} is PyPy, which scripts do not run on"
    environment.refresh_from_db()
    assert (environment.state, environment.is_renewal) == (State.READY, False)
    script.refresh_from_db()
    assert script.wanted_environment
    assert script.wanted_environment.interpreter == str(interpreters.own().path)


def test_scripts_of_a_python_that_is_gone_get_another_of_the_same_release_and_their_lock(
    script: Script, environment: Environment, tmp_path: Path
) -> None:
    loosen(environment, tmp_path / "old" / "python3")
    (tmp_path / "old" / "python3").unlink()
    assert health.check_environment(environment, now=NOW)
    script.refresh_from_db()
    wanted = script.wanted_environment
    assert wanted and wanted != environment
    assert (wanted.interpreter, wanted.state) == (str(interpreters.own().path), State.WANTED)
    assert wanted.lock == environment.lock
    assert script.environment == environment


# --- whose turn it is ----------------------------------------------------------------------------------------------
def test_each_is_looked_at_once_after_the_start_and_once_a_day(environment: Environment) -> None:
    def due(now: datetime, *, started_at: datetime) -> Environment | None:
        return health.next_due(now=now, started_at=started_at)

    hour = timedelta(hours=1)
    assert due(NOW + hour, started_at=NOW - hour) is None
    assert due(NOW + hour, started_at=NOW + hour / 2) == environment
    assert due(NOW + 25 * hour, started_at=NOW - hour) == environment


def test_one_that_told_nothing_does_not_keep_the_others_waiting(environment: Environment) -> None:
    Environment.objects.filter(pk=environment.pk).update(checked_at=None)
    left = health.next_due(now=NOW, started_at=NOW, leave_out=frozenset({environment.pk}))
    assert left is None


# --- sizes ---------------------------------------------------------------------------------------------------------
def test_disk_use_counts_hard_links_once_and_says_what_is_shared(environment: Environment) -> None:
    twin = paths.environments() / ("e" * 32)
    shutil.copytree(home(environment), twin, symlinks=True, copy_function=os.link)
    big = paths.cache() / "big"
    big.write_bytes(b"x" * 10**6)
    assert disk_usage.measure(now=NOW)
    measured = disk_usage.read()
    assert measured and measured.measured_at == NOW
    size = measured.environments[environment.digest]
    assert size["all"] > size["own"] > 0  # its folders are its own
    assert measured.shared >= size["all"] - size["own"]
    assert measured.of_environments < 2 * size["all"]
    assert measured.cache >= 10**6
    environment.refresh_from_db()
    assert environment.size_bytes == size["all"]


def test_disk_use_is_measured_daily_and_when_environments_came_or_went(
    environment: Environment,
) -> None:
    assert disk_usage.is_due(now=NOW)
    disk_usage.measure(now=NOW)
    assert not disk_usage.is_due(now=NOW + timedelta(hours=1))
    assert disk_usage.is_due(now=NOW + timedelta(days=1))
    Environment.objects.filter(pk=environment.pk).update(digest="")
    assert disk_usage.is_due(now=NOW + timedelta(hours=1))


def test_a_damaged_measure_counts_as_none() -> None:
    paths.disk_use().write_text('{"total": 1')
    assert disk_usage.read() is None
    assert disk_usage.is_due(now=timezone.now())


def test_a_python_that_cannot_be_reached_is_not_there_and_stops_nobody(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(
        "x" * 300
    )  # to look there is an error, as it is below a folder that is closed to us
    with pytest.raises(OSError, match="too long"):
        python.stat()
    assert not environments.is_there(python)
    assert environments.is_there(Path(sys.executable))

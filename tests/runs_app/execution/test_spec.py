"""Specs: what a run gets to see and to work with."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from runs_app import launcher_client
from runs_app.execution import execution
from runs_app.models import Run
from runs_app.programs import build, driver, script
from runs_app.programs.program import NothingToRun
from runs_app.states import Kind, Status, Trigger
from scripts_app.models import Environment
from tempo_site.lib import network_access, paths
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db


def prepared(code: str = "print(1)\n", **fields: Any) -> tuple[Run, dict[str, Any]]:
    """A run whose folder is prepared, and its spec; `fields` are the script's."""
    script = make_script("Hello World", code=code, **fields)
    run = make_run(
        script,
        environment=script.environment,
        status=Status.STARTING,
        folder="2026-11/1-abcdef12",
        timeout_s=7,
        memory_mb=200,
    )
    execution.prepare_folder(run)
    return run, json.loads((paths.run_folder(run.folder) / "spec.json").read_text())


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCHED_SECRET_KEY", "do not leak me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nor me")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    _, spec = prepared()
    assert "leak me" not in json.dumps(spec) and "nor me" not in json.dumps(spec)
    assert set(spec["env"]) == {
        "HOME",
        "LANG",
        "PATH",
        "PYTHONFAULTHANDLER",
        "PYTHONIOENCODING",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "TEMPO_PARAMS_FILE",
        "TEMPO_FILES",
        "TEMPO_RUN_ID",
        "TEMPO_SCRIPT",
        "TMPDIR",
        "TZ",
        "VIRTUAL_ENV",
    } | {name for name in (*script.PASSED_ON, *network_access.NAMES) if name in spec["env"]}


def test_output_is_unbuffered_and_the_run_is_named() -> None:
    run, spec = prepared()
    env = spec["env"]
    assert (env["PYTHONUNBUFFERED"], env["TEMPO_RUN_ID"], env["TEMPO_SCRIPT"]) == (
        "1",
        str(run.pk),
        "hello-world",
    )


def test_a_run_works_in_the_scripts_files_with_its_own_code() -> None:
    run, spec = prepared("print('mine')\n")
    assert spec["cwd"] == str(paths.script_files("hello-world"))
    assert (paths.run_folder(run.folder) / "main.py").read_text() == "print('mine')\n"


def test_the_time_limit_is_the_one_of_the_trigger() -> None:
    assert prepared()[1]["timeout_s"] == 7


def test_its_limits_are_the_scripts_and_the_servers(settings: Settings) -> None:
    settings.OUTPUT_KILL_MB, settings.OPEN_FILES, settings.MIN_FREE_MB = 100, 256, 500
    _, spec = prepared(cpu_s=9, processes=8, output_mb=3, file_mb=70, nice=11)
    assert spec["limits"] == {
        "memory_mb": 200,
        "cpu_s": 9,
        "processes": 8,
        "output_bytes": 3 * 2**20,
        "output_kill_bytes": 100 * 2**20,
        "file_mb": 70,
        "open_files": 256,
        "nice": 11,
        "min_free_mb": 250,
    }


def test_a_bound_set_later_holds_for_what_was_stored_before(settings: Settings) -> None:
    settings.MAX_CPU_S = settings.MAX_FILE_MB = 0
    run, _ = prepared(cpu_s=0, file_mb=900)
    settings.MAX_CPU_S, settings.MAX_FILE_MB = 60, 100
    limits = script.script_limits(run)
    assert (limits["cpu_s"], limits["file_mb"]) == (60, 100)


def test_a_script_that_may_keep_much_is_not_stopped_before(settings: Settings) -> None:
    settings.OUTPUT_KILL_MB = 10
    run, _ = prepared(output_mb=50)
    assert script.script_limits(run)["output_kill_bytes"] == 50 * 2**20
    settings.OUTPUT_KILL_MB = 0
    assert script.script_limits(run)["output_kill_bytes"] == 0


def test_a_run_may_read_its_python_and_write_where_it_works(
    settings: Settings, tmp_path: Path
) -> None:
    real = tmp_path / "python3.12" / "bin" / "python3.12"
    environment = paths.environments() / ("0" * 32)
    real.parent.mkdir(parents=True)
    real.touch()
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(real)
    settings.EXTRA_READ_PATHS, settings.EXTRA_WRITE_PATHS = ["/mnt/media"], ["/srv/exports"]
    run, spec = prepared()
    temporary, inputs = (paths.run_folder(run.folder) / name for name in ("tmp", "params.json"))
    assert spec["isolation"]["read"] == [
        str(tmp_path / "python3.12"),
        str(environment),
        str(inputs),
        *network_access.certificate_paths(),
        "/mnt/media",
    ]
    assert spec["isolation"]["write"] == [
        str(paths.script_files("hello-world")),
        str(temporary),
        "/srv/exports",
    ]
    assert spec["isolation"]["closed"] == [str(paths.data()), str(settings.BASE_DIR)]


def test_a_run_is_the_user_of_its_script(settings: Settings) -> None:
    settings.REQUIRE_ISOLATION = "good"
    run, spec = prepared()
    assert run.script
    assert (spec["isolation"]["uid"], spec["isolation"]["uid_why"]) == (
        settings.SCRIPT_USERS[0] + run.script.pk - 1,
        "",
    )
    assert spec["isolation"]["require"] == "good"


def test_a_build_runs_the_driver_and_claims_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYSCHED_SECRET_KEY", "do not leak me")
    environment = Environment.objects.create(python="3.12.1", interpreter="/usr/bin/python3")
    run = make_run(
        kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12"
    )
    execution.prepare_folder(run)
    spec = json.loads((paths.run_folder(run.folder) / "spec.json").read_text())
    environment.refresh_from_db()
    assert environment.state == Environment.State.BUILDING
    assert spec["limits"]["memory_mb"] == driver.MEMORY_MB
    assert "environments/drivers/" in spec["argv"][3] and "leak me" not in json.dumps(spec)
    work = str(paths.environments() / ".tmp-1_abcdef12")
    cache, folder = str(paths.cache() / "uv"), str(paths.run_folder(run.folder))
    assert spec["isolation"]["write"] == [work, cache, folder]
    assert [step["isolation"]["write"] for step in spec["then"]] == [[work, folder]]


def test_code_of_packages_gets_a_user_and_a_folder_of_its_own_and_no_log_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = Environment.objects.create(
        python="3.12.1", interpreter="/usr/bin/python3", allows_source=True
    )
    run = make_run(
        kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12"
    )
    monkeypatch.setattr(build, "_launcher_isolation", lambda _: {"landlock": 6})
    execution.prepare_folder(run)
    spec = json.loads((paths.run_folder(run.folder) / "spec.json").read_text())
    source = paths.environments() / ".tmp-1_abcdef12" / "source"
    assert spec["isolation"]["write"] == [str(source), str(paths.run_folder(run.folder) / "tmp")]
    assert (spec["isolation"]["uid"], spec["isolation"]["require"]) == (
        settings.SCRIPT_USERS[-1],
        "confined",
    )
    assert build.variables(run).secrets == {}


@pytest.mark.parametrize(
    ("layers", "index", "reason"),
    [
        ({}, "", "neither a user of its own for it nor Landlock"),
        ({"landlock": 6}, "https://ann:s3cret@example.org/simple", "could read the log-in in"),
    ],
)
def test_code_of_packages_that_cannot_be_shut_in_is_not_run(
    layers: dict[str, int], index: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Environment.objects.create(
        python="3.12.1", interpreter="/usr/bin/python3", allows_source=True
    )
    run = make_run(
        kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12"
    )
    monkeypatch.setattr(settings, "PACKAGE_INDEX", index)
    monkeypatch.setattr(build, "_launcher_isolation", lambda _: layers)
    with pytest.raises(NothingToRun, match=reason):
        execution.prepare_folder(run)


def test_the_key_of_a_client_is_a_log_in_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Environment.objects.create(
        python="3.12.1", interpreter="/usr/bin/python3", allows_source=True
    )
    run = make_run(
        kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12"
    )
    monkeypatch.setenv("SSL_CLIENT_CERT", "/etc/ssl/private/client.pem")
    monkeypatch.setattr(build, "_launcher_isolation", lambda _: {"landlock": 6})
    with pytest.raises(NothingToRun, match="could read the log-in in SSL_CLIENT_CERT"):
        execution.prepare_folder(run)


def test_a_build_that_an_older_tempo_handed_over_and_nobody_began_is_written_anew() -> None:
    environment = Environment.objects.create(python="3.12.1", interpreter="/usr/bin/python3")
    run = make_run(
        kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12"
    )
    Environment.objects.filter(pk=environment.pk).update(state=Environment.State.BUILDING)
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    (folder / "build.json").write_text('{"requirements": ""}')
    (folder / "spec.json").write_text('{"v": 1, "argv": ["/usr/bin/python3", "/gone/driver.py"]}')
    execution.prepare_folder(run)
    spec = json.loads((folder / "spec.json").read_text())
    assert all(Path(part).exists() for part in spec["argv"] if part.endswith(".py"))
    assert "work" in json.loads((folder / "build.json").read_text())
    inode = (folder / "spec.json").stat().st_ino
    execution.prepare_folder(run)
    assert (folder / "spec.json").stat().st_ino == inode


def test_a_build_from_source_waits_for_a_launcher_that_does_not_answer() -> None:
    environment = Environment.objects.create(
        python="3.12.1", interpreter="/usr/bin/python3", allows_source=True
    )
    run = make_run(
        kind=Kind.BUILD, environment=environment, trigger=Trigger.BUILD, folder="2026-11/1-abcdef12"
    )
    with pytest.raises(launcher_client.LauncherError):
        execution.prepare_folder(run)
    environment.refresh_from_db()
    assert environment.state == Environment.State.WANTED

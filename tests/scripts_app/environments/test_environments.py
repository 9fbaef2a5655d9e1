"""Environments: rows are asked for, claimed, finished, shared and cleared away."""

import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone

from runs_app import tasks
from runs_app.states import Status
from scripts_app import scripts
from scripts_app.environments import builds, cleanup, environments
from scripts_app.environments.drivers.build_config import CONFIG
from scripts_app.models import Environment, Script, Version
from scripts_app.packages import interpreters
from scripts_app.packages import requirements as packages_requirements
from tempo_site.lib import paths
from tests import building, local_index
from tests.factories import NOW, make_run, make_schedule

State = Environment.State

pytestmark = pytest.mark.django_db


def make_script(name: str = "Hello", *, requirements: str = "") -> Script:
    return scripts.create(name=name, requirements=requirements, by=None, now=NOW)


def change(script: Script, requirements: str) -> None:
    scripts.update(script, by=None, now=NOW, requirements=requirements)


def wanted(script: Script) -> Environment:
    script.refresh_from_db()
    assert script.wanted_environment
    return script.wanted_environment


def pretend_built(environment: Environment, *, digest: str = "d" * 32) -> None:
    """What a successful build leaves behind, without a build."""
    building.begin(environment)
    python = paths.environments() / digest / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    result = {
        "digest": digest,
        "lock": "humanize==4.0\n",
        "python": "3.11.7",
        "packages": ["humanize==4.0"],
        "size": 1,
    }
    (paths.data() / "built.json").write_text(json.dumps(result))
    (python.parent.parent / "READY").write_text(json.dumps(result))
    building.finish(environment, succeeded=True)


def pretend_failed(environment: Environment, *, message: str = "It was cancelled.") -> None:
    building.begin(environment)
    building.finish(environment, succeeded=False, message=message)


def minor_of(version: str) -> str:
    return version.rpartition(".")[0]


def age(path: Path) -> None:
    old = (timezone.now() - timedelta(days=2)).timestamp()
    for touched in (path / "READY", path):
        if touched.exists():
            os.utime(touched, (old, old))


def forget(environment: Environment) -> None:
    """Make a row older than what the garbage collector spares."""
    Environment.objects.filter(pk=environment.pk).update(created_at=NOW - timedelta(days=2))


# --- asking --------------------------------------------------------------------------------------------------------
def test_a_new_script_asks_for_its_environment() -> None:
    environment = wanted(make_script(requirements="Humanize >= 4\n# a comment\nattrs"))
    assert (environment.state, environment.requirements) == (State.WANTED, "attrs\nhumanize>=4")


def test_equal_specs_share_a_row() -> None:
    first, second = make_script(requirements="b\nA"), make_script(requirements="a  # why\n\nb")
    assert wanted(first) == wanted(second)


def test_an_environment_that_is_ready_is_used_at_once() -> None:
    pretend_built(wanted(make_script()))
    script = make_script()
    assert script.environment == script.wanted_environment


def test_a_failed_environment_is_tried_again_when_the_script_is_saved() -> None:
    script = make_script()
    pretend_failed(wanted(script))
    change(script, "")
    assert wanted(script).state == State.WANTED


def test_an_environment_whose_folder_has_gone_is_asked_for_again() -> None:
    script = make_script()
    pretend_built(wanted(script))
    environments.python_of(wanted(script)).unlink()
    change(script, "")
    assert wanted(script).state == State.WANTED


def test_another_python_at_the_same_path_asks_for_the_environment_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = make_script()
    pretend_built(wanted(script))
    newer = interpreters.Interpreter(version="3.99.1", path=interpreters.own().path)
    monkeypatch.setattr(interpreters, "own", lambda: newer)
    change(script, "")
    assert (wanted(script).state, wanted(script).python) == (State.WANTED, "3.99.1")


def test_an_environment_that_works_stays_in_use_when_its_python_is_updated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = make_script()
    environment = wanted(script)
    pretend_built(environment)
    newer = interpreters.Interpreter(
        version=f"{minor_of(environment.python)}.99", path=interpreters.own().path
    )
    Environment.objects.update(python=environment.python)
    monkeypatch.setattr(interpreters, "own", lambda: newer)
    change(script, "")
    assert (wanted(script).state, script.environment, environments.next_wanted()) == (
        State.READY,
        environment,
        None,
    )


def test_asking_again_asks_for_what_the_newest_version_needs() -> None:
    script = make_script()
    stale = Script.objects.select_related("version").get(pk=script.pk)
    change(script, "humanize")
    environments.request(stale)
    assert wanted(script).requirements == "humanize"


def test_a_version_saved_while_a_python_is_looked_for_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = make_script()
    choose, later = interpreters.choose, iter(["humanize"])

    def choose_slowly(python_version: str) -> interpreters.Interpreter:
        for requirements in later:
            change(Script.objects.get(pk=script.pk), requirements)
        return choose(python_version)

    monkeypatch.setattr(interpreters, "choose", choose_slowly)
    environments.request(script)
    assert wanted(script).requirements == "humanize"


def test_asking_again_keeps_what_a_build_has_switched_over_meanwhile() -> None:
    script = make_script()
    stale = Script.objects.get(pk=script.pk)
    environment = wanted(script)
    pretend_built(environment)
    Environment.objects.update(state=State.FAILED)
    environments.request(stale)
    assert Script.objects.get(pk=script.pk).environment == environment


@pytest.mark.django_db(transaction=True)
def test_pythons_are_looked_for_and_requirements_read_outside_transactions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    within: list[bool] = []
    normalise, choose = packages_requirements.normalise, interpreters.choose

    def note(act: Callable[[str], Any]) -> Callable[[str], Any]:
        def noted(text: str) -> Any:
            within.append(connection.in_atomic_block)
            return act(text)

        return noted

    monkeypatch.setattr(packages_requirements, "normalise", note(normalise))
    monkeypatch.setattr(interpreters, "choose", note(choose))
    script = make_script()
    change(script, "humanize")
    environments.request(script)
    assert within == [False] * 6


def test_a_never_built_environment_has_no_python() -> None:
    with pytest.raises(ValueError, match="never built"):
        environments.python_of(wanted(make_script()))


def test_the_lock_is_kept_with_each_version_that_asked_for_it() -> None:
    script = make_script(requirements="humanize")
    pretend_built(wanted(script))
    change(script, "attrs")
    locks = [
        version.environment and version.environment.lock
        for version in script.versions.order_by("number")
    ]
    assert locks == ["humanize==4.0\n", ""]


def test_another_build_takes_the_packages_of_the_lock() -> None:
    script = make_script(requirements="humanize")
    pretend_built(wanted(script))
    environments.rebuild(script)
    building.begin(wanted(script))
    assert json.loads((paths.data() / CONFIG).read_text())["lock"] == "humanize==4.0\n"


def test_another_minor_python_at_the_same_path_gets_packages_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = make_script(requirements="humanize")
    pretend_built(wanted(script))
    newer = interpreters.Interpreter(version="3.99.1", path=interpreters.own().path)
    monkeypatch.setattr(interpreters, "own", lambda: newer)
    change(script, "humanize")
    assert (wanted(script).state, wanted(script).lock) == (State.WANTED, "")


def test_what_may_be_built_from_source_is_an_environment_of_its_own() -> None:
    script, other = make_script(requirements="humanize"), make_script(requirements="humanize")
    scripts.update(script, by=None, now=NOW, allow_source=True)
    assert (wanted(script).allows_source, wanted(other).allows_source) == (True, False)
    assert wanted(script) != wanted(other)
    builds.begin(
        wanted(script),
        config_path=paths.data() / CONFIG,
        work=building.work(),
        isolation_support={"landlock": 6},
    )
    config = json.loads((paths.data() / CONFIG).read_text())
    assert (config["allows_source"], config["link_mode"]) == (True, "copy")


@pytest.mark.parametrize(
    ("isolation_support", "user", "mode"),
    [
        ({"landlock": 6}, 0, "hardlink"),
        ({"landlock": 0, "own_users": True, "keeps_modes": True}, 1000, "hardlink"),
        ({"landlock": 0, "own_users": True, "keeps_modes": True}, 0, "copy"),
        ({"landlock": 0, "own_users": True, "keeps_modes": False}, 1000, "copy"),
        ({"landlock": 0, "own_users": False, "keeps_modes": True}, 1000, "copy"),
        ({}, 1000, "copy"),
    ],
)
def test_files_are_shared_with_the_cache_only_where_scripts_cannot_write_to_them(
    isolation_support: dict[str, Any], user: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert builds.link_mode(isolation_support, allows_source=False) == mode


# --- building ------------------------------------------------------------------------------------------------------
def test_the_oldest_wanted_environment_is_next() -> None:
    first = wanted(make_script(requirements="a"))
    make_script(requirements="b")
    assert environments.next_wanted() == first


def test_what_is_due_first_is_next_and_what_a_run_waits_for_before_that() -> None:
    never, later, soon = (make_script(requirements=name) for name in "abc")
    make_schedule(later, every_s=3600)
    make_schedule(soon, every_s=60)
    assert environments.next_wanted() == wanted(soon)
    assert environments.next_wanted(of_runs=[wanted(never).pk]) == wanted(never)
    Environment.objects.filter(pk=wanted(soon).pk).update(state=Environment.State.READY)
    assert environments.next_wanted() == wanted(later)


def test_nothing_is_next_while_one_is_being_built() -> None:
    first = wanted(make_script(requirements="a"))
    make_script(requirements="b")
    building.begin(first)
    assert environments.next_wanted() is None


def test_an_environment_that_no_script_needs_any_more_is_not_built() -> None:
    script = make_script(requirements="tyop")
    change(script, "typo")
    upcoming = environments.next_wanted()
    assert upcoming and upcoming.requirements == "typo"


def test_the_environment_of_a_deleted_script_is_not_built() -> None:
    scripts.delete(make_script(), now=NOW)
    assert environments.next_wanted() is None


def test_only_one_of_two_can_begin_a_build() -> None:
    environment = wanted(make_script())
    config = paths.data() / CONFIG
    begun = [builds.begin(environment, config_path=config, work=building.work()) for _ in range(2)]
    assert begun == [True, False]


def test_all_waiting_scripts_switch_over_when_the_build_succeeds() -> None:
    waiting = [make_script(), make_script()]
    pretend_built(wanted(waiting[0]))
    environment = wanted(waiting[0])
    assert [Script.objects.get(pk=script.pk).environment for script in waiting] == [
        environment,
        environment,
    ]
    assert (environment.state, environment.ready_at, environment.lock) == (
        State.READY,
        NOW,
        "humanize==4.0\n",
    )


def test_a_ready_environment_is_built_anew_when_a_person_asks_for_that() -> None:
    script = make_script()
    pretend_built(wanted(script))
    assert environments.rebuild(script).state == State.WANTED
    environment = wanted(script)
    pretend_built(environment, digest="e" * 32)
    environment.refresh_from_db()
    config = json.loads((paths.data() / CONFIG).read_text())
    assert (config["renew"], environment.digest, environment.is_renewal) == (True, "e" * 32, False)


def test_one_that_cannot_be_built_anew_stays_in_use_and_says_why() -> None:
    script = make_script()
    pretend_built(wanted(script))
    environments.rebuild(script)
    pretend_failed(wanted(script), message="The index is away.")
    environment = wanted(script)
    assert (environment.state, environment.is_renewal) == (State.READY, False)
    assert (
        environment.message
        == "It could not be built anew, so it stays as it was:\nThe index is away."
    )


def test_a_failed_build_leaves_the_old_environment_in_use() -> None:
    script = make_script()
    pretend_built(wanted(script))
    old = wanted(script)
    change(script, "nonsense")
    pretend_failed(wanted(script))
    assert (wanted(script).state, script.environment) == (State.FAILED, old)


def test_a_failure_is_explained_by_the_driver_first() -> None:
    environment = wanted(make_script())
    building.begin(environment)
    (paths.data() / "built.json").write_text('{"error": "no such package"}')
    building.finish(environment, succeeded=False, message="Exit code 1.")
    environment.refresh_from_db()
    assert environment.message == "no such package"


def test_a_failure_without_a_result_is_explained_by_the_caller() -> None:
    environment = wanted(make_script())
    pretend_failed(environment, message="It was cancelled.")
    environment.refresh_from_db()
    assert environment.message == "It was cancelled."


def test_a_build_that_was_interrupted_is_asked_for_again() -> None:
    environment = wanted(make_script())
    building.begin(environment)
    building.finish(environment, succeeded=False, is_interrupted=True)
    assert environments.next_wanted() == environment


def test_a_build_that_was_cancelled_before_it_began_is_not_started_again() -> None:
    environment = wanted(make_script())
    building.finish(environment, succeeded=False, message="Cancelled.")
    assert environments.next_wanted() is None


def test_success_without_a_folder_counts_as_a_failure() -> None:
    environment = wanted(make_script())
    building.begin(environment)
    assert not building.finish(environment, succeeded=True)
    environment.refresh_from_db()
    assert environment.state == State.FAILED


def test_a_script_runs_with_what_was_really_built(
    tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    script = make_script(requirements="tempo-greeting")
    with local_index.served(tmp_path / "index") as settings.PACKAGE_INDEX:
        building.run_drivers(building.begin(wanted(script), tmp_path))
    assert building.finish(wanted(script), tmp_path, succeeded=True)
    script.refresh_from_db()
    assert script.environment
    argv = [
        str(environments.python_of(script.environment)),
        "-c",
        "import tempo_greeting; print(tempo_greeting.hello())",
    ]
    assert (
        subprocess.run(argv, capture_output=True, text=True).stdout
        == "hello from tempo-greeting 1.1\n"
    )


# --- starting up ---------------------------------------------------------------------------------------------------
def test_an_interrupted_build_is_asked_for_again() -> None:
    environment = wanted(make_script())
    building.begin(environment)
    environments.reset_interrupted()
    assert environments.next_wanted() == environment


def test_a_build_that_outlived_the_restart_is_left_alone() -> None:
    environment = wanted(make_script())
    building.begin(environment)
    environments.reset_interrupted(building=[environment.pk])
    environment.refresh_from_db()
    assert environment.state == State.BUILDING


def test_a_ready_environment_without_a_folder_is_asked_for_at_start_up() -> None:
    environment = wanted(make_script())
    pretend_built(environment)
    environment.refresh_from_db()
    environments.python_of(environment).unlink()
    assert environments.reset_interrupted() == 1
    assert environments.next_wanted() == environment


def test_the_work_folder_of_a_killed_build_is_removed() -> None:
    folder = paths.environments() / ".tmp-killed"
    (folder / "environment").mkdir(parents=True)
    cleanup.remove_temporary()
    assert not folder.exists()


def test_the_work_folder_of_a_living_build_is_kept() -> None:
    folder = paths.environments() / ".tmp-living"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    cleanup.remove_temporary()
    os.close(descriptor)
    assert folder.exists()


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "gone"])
def test_what_is_no_work_folder_does_not_end_the_start(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, killed, elsewhere = (
        paths.environments() / name for name in (".tmp-a", ".tmp-b", "elsewhere")
    )
    killed.mkdir()
    elsewhere.mkdir()
    if kind == "file":
        odd.touch()
    elif kind == "gone":
        monkeypatch.setattr(Path, "glob", lambda *_: iter([odd, killed]))
    else:
        odd.symlink_to(elsewhere if kind == "link" else "nowhere")
    cleanup.remove_temporary()
    assert (killed.exists(), elsewhere.exists()) == (False, True)


# --- clean-up ------------------------------------------------------------------------------------------------------
def make_unused() -> Environment:
    """An environment that was built, is old, and that no script uses any more."""
    script = make_script()
    environment = wanted(script)
    pretend_built(environment)
    change(script, "other")
    pretend_built(wanted(script), digest="e" * 32)
    Version.objects.filter(environment=environment).update(environment=None)
    forget(environment)
    age(paths.environments() / ("d" * 32))
    return environment


def test_an_environment_that_nobody_uses_is_deleted() -> None:
    environment = make_unused()
    assert cleanup.collect(timezone.now()) == 1
    assert not Environment.objects.filter(pk=environment.pk).exists()
    assert [folder.name for folder in paths.environments().iterdir()] == ["e" * 32]


def test_an_environment_of_a_run_under_way_is_kept() -> None:
    environment = make_unused()
    assert cleanup.collect(timezone.now(), in_use=[environment.pk]) == 0
    assert environments.is_usable(Environment.objects.get(pk=environment.pk))


def test_the_lock_of_a_run_in_the_history_is_kept_without_its_folder() -> None:
    environment = make_unused()
    run = make_run(Script.objects.get(), status=Status.SUCCEEDED, environment=environment)
    tasks.collect_environments()
    run.refresh_from_db()
    assert run.environment and run.environment.state == Environment.State.STORED
    run.delete()
    tasks.collect_environments()
    assert not Environment.objects.filter(pk=environment.pk).exists()


@pytest.mark.parametrize("place", ["command line", "variables"])
def test_a_folder_that_a_process_still_uses_is_kept(place: str) -> None:
    make_unused()
    home = str(paths.environments() / ("d" * 32))
    argv = ["/bin/sh", "-c", "read x", home] if place == "command line" else ["/bin/cat"]
    variables = {"VIRTUAL_ENV": home} if place == "variables" else {}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, env=variables):
        assert cleanup.collect(timezone.now()) == 0
    assert cleanup.collect(timezone.now()) == 1


def test_a_link_to_nowhere_does_not_keep_the_rest_from_being_removed() -> None:
    make_unused()
    (paths.environments() / "a-link").symlink_to("nowhere")
    assert cleanup.collect(timezone.now()) == 1


def test_a_folder_that_was_asked_for_within_the_day_is_kept() -> None:
    make_unused()
    (paths.environments() / ("d" * 32) / "READY").touch()
    assert cleanup.collect(timezone.now()) == 0


def test_a_script_deleted_long_ago_keeps_its_lock_and_no_folder() -> None:
    script = make_script()
    environment = wanted(script)
    pretend_built(environment)
    age(paths.environments() / ("d" * 32))
    scripts.delete(script, now=timezone.now() - timedelta(days=2))
    assert cleanup.collect(timezone.now()) == 1
    environment.refresh_from_db()
    assert (environment.state, environment.lock, environment.digest) == (
        State.STORED,
        "humanize==4.0\n",
        "",
    )


def make_outdated(*, saved: timedelta) -> tuple[Script, Environment]:
    """A script with new requirements, and the environment of its version before, which was saved so long ago."""
    script = make_script()
    environment = wanted(script)
    pretend_built(environment)
    change(script, "other")
    pretend_built(wanted(script), digest="e" * 32)
    Version.objects.filter(environment=environment).update(created_at=timezone.now() - saved)
    age(paths.environments() / ("d" * 32))
    return script, environment


def test_the_folder_of_an_old_version_goes_and_its_lock_stays() -> None:
    _, environment = make_outdated(saved=timedelta(days=31))
    assert cleanup.collect(timezone.now()) == 1
    environment.refresh_from_db()
    assert (environment.state, environment.lock) == (State.STORED, "humanize==4.0\n")


def test_the_folder_of_a_recent_version_stays() -> None:
    _, environment = make_outdated(saved=timedelta(days=29))
    assert cleanup.collect(timezone.now()) == 0
    environment.refresh_from_db()
    assert environments.is_usable(environment)


def test_how_long_is_the_operators_choice(settings: LazySettings) -> None:
    settings.KEEP_ENVIRONMENT_DAYS = 2
    make_outdated(saved=timedelta(days=3))
    assert cleanup.collect(timezone.now()) == 1


def test_a_restored_version_has_its_environment_built_from_its_lock(tmp_path: Path) -> None:
    script, environment = make_outdated(saved=timedelta(days=31))
    cleanup.collect(timezone.now())
    change(script, "")
    assert wanted(script) == environment
    assert environments.next_wanted() == environment
    building.begin(environment, tmp_path)
    assert json.loads((tmp_path / CONFIG).read_text())["lock"] == "humanize==4.0\n"


def test_a_stored_lock_goes_with_the_last_version_that_names_it() -> None:
    script, environment = make_outdated(saved=timedelta(days=31))
    cleanup.collect(timezone.now())
    Version.objects.filter(script=script, environment=environment).delete()
    forget(environment)
    cleanup.collect(timezone.now())
    assert not Environment.objects.filter(pk=environment.pk).exists()

"""The Pythons of the machine: listed with their state, missed by their scripts, installed by the staff."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from uv import find_uv_bin

from runs_app.execution import finish
from runs_app.execution import spec as execution_spec
from runs_app.models import Run
from runs_app.programs.program import NothingToRun
from runs_app.states import Kind, Status
from runs_app.triggers import builds
from scripts_app import pythons
from scripts_app.environments import python_installation
from scripts_app.models import Environment, Script
from scripts_app.packages import interpreters
from scripts_app.scripts import ScriptError
from tempo_site.lib import paths
from tests.factories import make_run, make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Tempo's own Python alone; the folder of the operator's Pythons."""
    monkeypatch.setenv("PATH", f"{tmp_path}/path:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings.PYTHON_PATHS = [str(tmp_path / "pythons")]
    return tmp_path / "pythons"


def add(folder: Path, version: str) -> Path:
    """A program that answers like a Python of this version, and reads code like Tempo's own."""
    path = folder / version / "bin" / "python3"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *python_version*) echo {version};; *) exec {interpreters.own().path} "$@";; esac\n'
    )
    path.chmod(0o755)
    return path


def test_pypy_and_places_without_a_python_are_shown(
    machine: Path, settings: LazySettings, browser: Client, program: Client
) -> None:
    pypy = add(machine, "3.9.18 PyPy")
    settings.PYTHON_PATHS = [str(machine), "/nowhere"]
    assert (state_of(pypy), state_of(Path("/nowhere"))) == ("other", "unused")
    page = browser.get("/environments/").content.decode()
    assert "PyPy 3.9.18" in page and "scripts run on CPython only" in page
    assert "named in PYSCHED_PYTHON_PATHS" in page and "no Python is there" in page
    items = program.get("/api/v1/pythons").json()["items"]
    assert {"other", "unused"} <= {item["state"] for item in items}


def state_of(path: Path) -> str:
    return {python.path: python.state for python in pythons.listing()}[str(path)]


def make_missing(machine: Path, *names: str, version: str = "3.9.2") -> Path:
    """Scripts of a Python that is gone since."""
    path = add(machine, version)
    for name in names:
        make_script(name, python_version="3.9")
    path.unlink()
    return path


# --- listing -------------------------------------------------------------------------------------------------------
def test_all_are_listed_with_path_state_and_scripts(machine: Path) -> None:
    path = add(machine, "3.9.2")
    make_script("A", python_version="3.9")
    make_script("B")
    found = {python.path: python for python in pythons.listing()}
    assert (found[str(path)].version, found[str(path)].state, found[str(path)].scripts) == (
        "3.9.2",
        "ok",
        1,
    )
    own = found[str(interpreters.own().path)]
    assert (own.state, own.origin, own.scripts) == ("ok", pythons.OWN, 1)


def test_one_that_does_not_answer_is_listed_as_broken(machine: Path) -> None:
    path = add(machine, "3.9.2")
    path.write_text("#!/bin/sh\nexit 1\n")
    assert state_of(path) == "broken"


def test_one_that_is_gone_is_listed_for_the_scripts_that_miss_it(machine: Path) -> None:
    path = make_missing(machine, "A")
    assert state_of(path) == "gone"
    Script.objects.update(deleted_at=timezone.now())
    assert str(path) not in [python.path for python in pythons.listing()]


def test_those_that_tempo_installed_are_found(machine: Path) -> None:
    path = add(paths.pythons(), "3.10.5").rename(paths.pythons() / "3.10.5" / "bin" / "python")
    assert interpreters.choose("3.10").path == path
    assert pythons.origin_of(str(path)) == pythons.INSTALLED


# --- gone ----------------------------------------------------------------------------------------------------------
def test_a_missing_python_marks_its_scripts_and_nobody_elses(
    machine: Path, browser: Client
) -> None:
    make_missing(machine, "Old")
    make_script("New")
    page = browser.get("/scripts/").content.decode()
    assert page.count("is gone</span>") == 1
    assert "Python 3.9.2 is gone" in browser.get("/scripts/old/edit/").content.decode()
    assert "is gone" not in browser.get("/scripts/new/edit/").content.decode()
    assert "at <bdi>" in browser.get("/environments/").content.decode()


def test_one_act_moves_its_scripts_and_nobody_elses(
    machine: Path, client: Client, staff: User
) -> None:
    path = make_missing(machine, "A", "B")
    add(machine, "3.10.1")
    other = make_script("Other")
    before = other.version_id
    client.force_login(staff)
    client.post("/environments/pythons/move/", {"from": str(path), "to": "3.10"})
    moved = Script.objects.filter(name__in="AB").select_related("version", "wanted_environment")
    assert [(s.version.python_version, s.version.number) for s in moved if s.version] == [
        ("3.10", 2),
        ("3.10", 2),
    ]
    assert {s.wanted_environment.python for s in moved if s.wanted_environment} == {"3.10.1"}
    other.refresh_from_db()
    assert other.version_id == before


def test_a_script_without_a_python_of_its_own_only_gets_its_environment_anew(machine: Path) -> None:
    script = make_script()
    gone = machine / "gone"
    Environment.objects.update(interpreter=str(gone))
    moved = pythons.move(source=str(gone), target="", by=None, now=timezone.now())
    script.refresh_from_db()
    assert moved.done == [script]
    assert script.wanted_environment
    assert script.wanted_environment.interpreter == str(interpreters.own().path)
    assert script.versions.count() == 1


def test_a_move_can_name_the_version(machine: Path) -> None:
    make_missing(machine, "A")
    assert len(pythons.move(source="3.9.2", target="", by=None, now=timezone.now()).done) == 1


@pytest.mark.parametrize(
    ("source", "target", "field"), [("/nowhere", "", "from"), ("3.9.2", "3.8", "to")]
)
def test_a_move_from_or_to_nowhere_is_refused(
    source: str, target: str, field: str, machine: Path
) -> None:
    make_missing(machine, "A")
    with pytest.raises(ScriptError) as refusal:
        pythons.move(source=source, target=target, by=None, now=timezone.now())
    assert refusal.value.field == field
    assert Script.objects.get().versions.count() == 1


def test_the_api_lists_and_moves(machine: Path, client: Client, key: str) -> None:
    path = make_missing(machine, "A")
    headers = {"x-api-key": key}
    listed = client.get("/api/v1/pythons", headers=headers).json()["items"]
    assert {
        "version": "3.9.2",
        "path": str(path),
        "state": "gone",
        "origin": "",
        "scripts": 1,
    } in listed
    body = {"from": str(path), "to": ""}
    answer = client.post(
        "/api/v1/pythons/move", body, content_type="application/json", headers=headers
    )
    assert answer.json() == {"moved": ["a"], "refused": []}


# --- installing ----------------------------------------------------------------------------------------------------
def install(version: str = "3.12") -> Run:
    return builds.install_python(version, by="root", now=timezone.now())


def test_installing_is_a_run_of_one_command(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "file:///mnt/my%20mirror")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", "/mnt/lists/pythons.json")
    run = install()
    assert (run.kind, run.environment, run.status, run.installs) == (
        Kind.INSTALL,
        None,
        Status.QUEUED,
        "3.12",
    )
    folder = paths.runs() / "2026-11" / "1-a"
    (folder / "tmp").mkdir(parents=True)
    spec = execution_spec.write_spec(run, folder, {})
    assert spec["argv"][-3:] == ["3.12", str(paths.pythons()), str(folder / "installed.txt")]
    assert spec["env"]["UV_PYTHON_DOWNLOADS"] == "manual"
    assert {"/mnt/my mirror", "/mnt/lists"} < set(spec["isolation"]["read"])


def test_one_at_a_time_is_installed() -> None:
    assert install() == install()
    assert install("3.13") != install()


@each_row(
    "version",
    ["", "3.7", "3.15", "3", "latest", "3.12 --reinstall", "pypy3.10", "3.12\n3.13", "../x"],
)
def test_what_is_no_python_from_3_8_to_3_14_is_refused(version: str) -> None:
    with pytest.raises(ScriptError):
        install(version)
    assert not Run.objects.exists()


def test_without_a_source_it_fails_with_the_words_of_uv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", (tmp_path / "nothing").as_uri())
    run = install()
    run.folder, run.status = "2026-11/1-a", Status.RUNNING
    run.save()
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    done = subprocess.run(
        python_installation.argv("3.12", folder),
        env=python_installation.variables(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    finish.end(run, Status.FAILED, now=timezone.now())
    run.refresh_from_db()
    assert run.message
    assert run.message in done.stdout
    assert "3.12" in run.message


def test_what_was_installed_can_be_started_by_the_users_of_scripts(tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text(
        "#!/bin/sh\numask 077\nhome=$5/cpython-$6.1-linux\nmkdir -p $home/bin\n"
        f"printf '#!/bin/sh\\nexec {interpreters.own().path} \"$@\"\\n' > $home/bin/python\n"
        "chmod 700 $home/bin/python\ntouch $home/bin/notes\n"
    )
    uv.chmod(0o755)
    argv = python_installation.argv("3.12", tmp_path)
    argv[argv.index(find_uv_bin())] = str(uv)
    subprocess.run(argv, check=True, timeout=60)
    home = paths.pythons() / "cpython-3.12.1-linux"
    modes = {path.name: path.stat().st_mode & 0o777 for path in [home, *home.rglob("*")]}
    assert modes == {home.name: 0o755, "bin": 0o755, "python": 0o755, "notes": 0o644}


def test_a_success_has_the_environments_without_a_python_looked_at_soon(machine: Path) -> None:
    make_script()
    Environment.objects.update(fault="Python 3.9.2 at /x is gone", checked_at=timezone.now())
    run = install()
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING)
    finish.end(run, Status.SUCCEEDED, now=timezone.now())
    assert Environment.objects.get().checked_at is None


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("/environments/pythons/install/", {"version": "3.12"}),
        ("/environments/pythons/move/", {"from": "x", "to": ""}),
        ("/environments/1/rebuild/", {}),
    ],
)
def test_only_staff_may_act(address: str, data: dict[str, Any], browser: Client) -> None:
    assert browser.post(address, data).status_code == 403
    assert not Run.objects.exists()


def test_ordinary_users_may_not_install_by_the_api(browser: Client) -> None:
    answer = browser.post("/api/v1/pythons", {"version": "3.12"}, content_type="application/json")
    assert answer.status_code == 403
    assert not Run.objects.exists()


def test_staff_installs_by_a_plain_form(client: Client, staff: User) -> None:
    client.force_login(staff)
    answer = client.post("/environments/pythons/install/", {"version": "3.12"})
    run = Run.objects.get()
    assert (answer.headers["Location"], run.by) == (f"/runs/{run.pk}/", "root")
    assert "Python 3.12" in client.get(f"/runs/{run.pk}/").content.decode()
    assert "Python 3.12" in client.get("/runs/?kind=build").content.decode()
    Run.objects.update(
        status=Status.FAILED, message="error: <no> route", finished_at=timezone.now()
    )
    assert "error: &lt;no&gt; route" in client.get("/environments/").content.decode()


# --- the page ------------------------------------------------------------------------------------------------------
def test_the_page_shows_environments_with_their_fault_and_a_way_to_rebuild(
    client: Client, staff: User
) -> None:
    make_script("Hello", requirements="humanize\nattrs")
    Environment.objects.update(fault="its folder is gone", size_bytes=2048)
    client.force_login(staff)
    page = client.get("/environments/").content.decode()
    assert "its folder is gone" in page
    assert "humanize" in page
    client.post(f"/environments/{Environment.objects.get().pk}/rebuild/")
    assert Environment.objects.get().is_renewal


def test_its_queries_do_not_grow_with_the_environments(
    browser: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_script(f"S{number}", requirements=f"humanize=={number}")
    with django_assert_max_num_queries(12):
        browser.get("/environments/")


def test_a_broken_environment_is_named_on_the_dashboard_and_in_the_list(browser: Client) -> None:
    make_script("Hello")
    make_script("Fine", requirements="humanize")
    Environment.objects.filter(requirements="").update(fault="its folder is gone")
    assert "its folder is gone" in browser.get("/").content.decode()
    page = browser.get("/scripts/?state=broken").content.decode()
    assert "environment broken: rebuild" in page
    assert "/scripts/fine/" not in page


def test_the_api_tells_the_fault(client: Client, key: str) -> None:
    make_script()
    Environment.objects.update(fault="its folder is gone")
    items = client.get("/api/v1/environments", headers={"x-api-key": key}).json()["items"]
    assert [item["fault"] for item in items] == ["its folder is gone"]
    assert (
        client.get("/api/v1/environments/disk-use", headers={"x-api-key": key}).json()["total"]
        is None
    )


def test_a_run_of_a_broken_environment_is_told_why() -> None:
    script = make_script()
    Environment.objects.update(fault="its folder is gone")
    script.refresh_from_db()
    run = make_run(
        script, environment=Environment.objects.get(), status=Status.STARTING, folder="2026-11/1-a"
    )
    with pytest.raises(NothingToRun, match="Its environment is broken: its folder is gone"):
        execution_spec.write_spec(run, paths.run_folder(run.folder), {})

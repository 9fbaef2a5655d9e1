"""Finding the Pythons of this machine; the ones found here are shell scripts which say a version."""

import os
import platform
import stat
import subprocess
from pathlib import Path

import pytest
from django.conf import LazySettings

from scripts_app.packages import interpreters
from scripts_app.packages.interpreters import InterpreterMissing
from tests.rows import each_row


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Tempo's own Python and nothing else; the folder of the operator's Pythons."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings.PYTHON_PATHS = [str(tmp_path / "pythons")]
    return tmp_path / "pythons"


def add(path: Path, version: str, *, says: str = "") -> Path:
    """A program at `path` which answers like a Python of this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says or f'echo {version}'}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def found() -> list[Path]:
    return [
        interpreter.path
        for interpreter in interpreters.discover()
        if interpreter != interpreters.own()
    ]


def test_the_default_is_the_python_tempo_runs_on() -> None:
    chosen = interpreters.choose("")
    assert chosen.version == platform.python_version()
    assert not (chosen.path.parent.parent / "pyvenv.cfg").exists()


def test_a_minor_version_means_its_newest_release(machine: Path) -> None:
    add(machine / "a" / "bin" / "python3", "3.12.9")
    newest = add(machine / "b" / "bin" / "python3", "3.12.11")
    assert interpreters.choose("3.12").path == newest


def test_a_full_version_means_exactly_that(machine: Path) -> None:
    exact = add(machine / "a" / "bin" / "python3", "3.12.9")
    add(machine / "b" / "bin" / "python3", "3.12.11")
    assert interpreters.choose("3.12.9").path == exact


def test_a_minor_version_is_no_prerelease(machine: Path) -> None:
    add(machine / "a" / "bin" / "python3", "3.14.0rc1")
    with pytest.raises(InterpreterMissing):
        interpreters.choose("3.14")


def test_a_missing_version_is_refused_with_those_that_are_there(machine: Path) -> None:
    add(machine / "a" / "bin" / "python3", "3.12.9")
    with pytest.raises(
        InterpreterMissing, match=r"Python 3\.8 is not on this machine\nhint: there is .*3\.12\.9"
    ):
        interpreters.choose("3.8")


@each_row("text", ["3", "latest", "3.12.", "2.7", ">=3.9", "3.x", "３.12"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InterpreterMissing, match="is no Python version"):
        interpreters.choose(text)


def test_the_newest_comes_first(machine: Path) -> None:
    old = add(machine / "a" / "bin" / "python3.9", "3.9.20")
    new = add(machine / "b" / "bin" / "python3.14", "3.14.2")
    assert found() == [new, old]


@pytest.mark.parametrize(
    "place",
    [
        "path/python3.12",
        "home/.pyenv/versions/3.12.1/bin/python",
        "home/.local/share/uv/python/cpython-3.12/bin/python",
        "pythons/python3.12",
        "pythons/bin/python3.12",
    ],
)
def test_known_places_are_searched(place: str, tmp_path: Path) -> None:
    python = add(tmp_path / place, "3.12.1")
    assert found() == [python]


def test_a_single_file_may_be_configured(tmp_path: Path, settings: LazySettings) -> None:
    python = add(tmp_path / "my-python", "3.12.1")
    settings.PYTHON_PATHS = [str(python)]
    assert found() == [python]


def test_links_to_one_python_count_once(machine: Path) -> None:
    python = add(machine / "a" / "bin" / "python3.12", "3.12.1")
    (machine / "a" / "bin" / "python3").symlink_to(python)
    assert found() == [python]


def test_a_shim_is_left_out(tmp_path: Path) -> None:
    add(tmp_path / "home" / ".pyenv" / "shims" / "python3.12", "3.12.1")
    (tmp_path / "path").symlink_to(tmp_path / "home" / ".pyenv" / "shims")
    assert found() == []


def test_a_python_2_of_pyenv_is_not_asked(tmp_path: Path) -> None:
    old = add(
        tmp_path / "home" / ".pyenv" / "versions" / "2.7.18" / "bin" / "python2.7",
        "",
        says="touch $0.asked",
    )
    (old.parent / "python").symlink_to(old)

    assert (found(), old.with_name("python2.7.asked").exists()) == ([], False)


def test_a_virtual_environment_is_left_out(machine: Path) -> None:
    add(machine / "venv" / "bin" / "python3", "3.12.1")
    (machine / "venv" / "pyvenv.cfg").touch()
    assert found() == []


@pytest.mark.parametrize("says", ["exit 1", "echo nonsense", "kill -9 $$"])
def test_a_broken_python_is_left_out(says: str, machine: Path) -> None:
    add(machine / "a" / "bin" / "python3", "", says=says)
    assert found() == []


def test_a_python_that_hangs_is_left_out(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "PROBE_TIMEOUT_S", 0.05)
    add(machine / "a" / "bin" / "python3", "", says="exec /bin/sleep 20")
    assert found() == []


@pytest.mark.parametrize("version", ["3.7.16", "3.15.0", "2.7.18"])
def test_an_unsupported_version_is_left_out(version: str, machine: Path) -> None:
    add(machine / "a" / "bin" / "python3", version)
    assert found() == []


def test_a_python_is_asked_once_until_its_file_changes(machine: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    python = add(machine / "a" / "bin" / "python3", "", says=f"echo 3.12.1; echo x >>{asked}")
    found()
    found()
    assert asked.read_text() == "x\n"
    os.utime(python, (1, 1))
    found()
    assert asked.read_text() == "x\nx\n"


def test_a_user_without_a_home_still_has_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert interpreters.own() in interpreters.discover()


def test_a_configured_place_that_cannot_be_looked_at_hides_no_other(
    machine: Path, settings: LazySettings
) -> None:
    python = add(machine / "a" / "bin" / "python3", "3.12.9")
    raises_os_error = str(machine / ("x" * 300))  # as a closed folder does
    settings.PYTHON_PATHS = [raises_os_error, str(machine)]
    assert found() == [python]


def test_a_python_that_was_not_heard_in_time_is_asked_again(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "PROBE_TIMEOUT_S", 0.3)
    python = add(
        machine / "a" / "bin" / "python3",
        "",
        says=f"[ -e {machine}/calm ] || exec /bin/sleep 30\necho 3.12.9",
    )
    assert found() == []
    (machine / "calm").touch()
    monkeypatch.setattr(interpreters, "PROBE_TIMEOUT_S", 30)
    assert found() == [python]


# --- other Pythons, and places without one --------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["PyPy", "GraalVM", "free-threaded CPython"])
def test_another_kind_of_python_is_told_apart_and_not_chosen(kind: str, machine: Path) -> None:
    pypy = add(machine / "pypy" / "bin" / "python3", f"3.9.18 {kind}")
    assert found() == []
    assert [(one.kind, one.version, one.path) for one in interpreters.others()] == [
        (kind, "3.9.18", pypy)
    ]
    with pytest.raises(InterpreterMissing, match=f"; {pypy} is {kind}, which scripts do not run"):
        interpreters.choose("3.9")


def test_a_cpython_of_the_same_release_is_chosen_beside_it(machine: Path) -> None:
    add(machine / "a" / "bin" / "python3", "3.9.20 PyPy")
    cpython = add(machine / "b" / "bin" / "python3", "3.9.1")
    assert interpreters.choose("3.9").path == cpython


def test_a_real_python_says_what_it_is(tmp_path: Path) -> None:
    pretends = tmp_path / "pretends"
    pretends.mkdir()
    (pretends / "sitecustomize.py").write_text(
        "import platform\nplatform.python_implementation = lambda: 'PyPy'\n"
    )
    answers = [
        subprocess.run(
            [interpreters.own().path, *flags, "-c", interpreters._PROBE],
            env={"PYTHONPATH": str(pretends)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for flags in (["-I"], [])
    ]
    version = platform.python_version()
    assert answers == [version, f"{version} PyPy"]


def test_a_configured_place_without_a_python_is_said(machine: Path, settings: LazySettings) -> None:
    python = add(machine / "a" / "bin" / "python3", "3.12.9")
    empty = machine / "empty"
    empty.mkdir()
    settings.PYTHON_PATHS = [str(machine), str(python), str(empty), "/nowhere/python3.13"]
    assert interpreters.unused_places() == [
        (str(empty), "holds no Python"),
        ("/nowhere/python3.13", "is not there"),
    ]
    with pytest.raises(
        InterpreterMissing, match=r"; `/nowhere/python3\.13` of PYSCHED_PYTHON_PATHS is not there"
    ):
        interpreters.choose("3.13")

"""Script templates that call programs on projects: git mirror, nightly tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts_app.script_template_files.conftest import Running

IDENTITY = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
UNITTEST = "python -m unittest"
PASSING = "import unittest\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(1, 1)\n"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder; what it wrote."""
    command = ["git", *IDENTITY, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with two commits' worth of a test that passes."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "test_it.py").write_text(PASSING)
    commit(folder)
    git(folder, "branch", "old")
    return folder


def commit(folder: Path) -> None:
    """Commit all there is."""
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "More")


# --- git mirror -----------------------------------------------------------------------------------------------------
def test_a_mirror_follows_its_repository(
    run: Running, project: Path, files: Path, tmp_path: Path
) -> None:
    done = run("git_mirror", repositories=project)
    assert done.code == 0 and "mirrors/project.git: 2 branches, 0 tags" in done.said, done.said
    (project / "more").touch()
    commit(project)
    git(project, "tag", "v1")
    git(project, "branch", "--delete", "old")
    done = run("git_mirror", repositories=project)
    assert done.code == 0 and "mirrors/project.git: 1 branches, 1 tags" in done.said
    restored = tmp_path / "restored"
    git(tmp_path, "clone", "--quiet", str(files / "mirrors" / "project.git"), str(restored))
    assert (restored / "more").exists()


def test_one_repository_that_is_gone_does_not_stop_the_others(
    run: Running, project: Path, files: Path
) -> None:
    done = run("git_mirror", repositories=f"{project}-gone, {project}")
    assert (
        done.code == 1
        and f"{project}-gone is not up to date: git ended with exit code 128" in done.said
    )
    assert [path.name for path in (files / "mirrors").iterdir()] == ["project.git"]


def test_a_copy_is_never_replaced_by_another_repository(
    run: Running, project: Path, tmp_path: Path
) -> None:
    run("git_mirror", repositories=project)
    other = tmp_path / "other" / "project"
    other.parent.mkdir()
    project.rename(other)
    done = run("git_mirror", repositories=other)
    assert done.code == 1 and f"is the copy of another repository, {project}" in done.said


def test_a_copy_that_was_left_half_way_is_made_anew(
    run: Running, project: Path, files: Path
) -> None:
    (files / "mirrors" / "project.unfinished").mkdir(parents=True)
    assert run("git_mirror", repositories=project).code == 0
    assert [path.name for path in (files / "mirrors").iterdir()] == ["project.git"]


def test_a_password_in_an_address_is_refused_and_not_shown(run: Running, tmp_path: Path) -> None:
    done = run("git_mirror", repositories="https://ann:hush@example.org/project.git")
    assert done.code == 1 and "use GIT_TOKEN instead" in done.said and "hush" not in done.said
    assert "the parameter `repositories` is empty" in run("git_mirror").said
    assert "git is not on this machine" in run("git_mirror", repositories="x", PATH=tmp_path).said


def test_the_token_reaches_git_and_no_one_else(run: Running, tmp_path: Path) -> None:
    (tmp_path / "git").write_text(
        "#!/bin/sh\nenv | grep ^GIT_CONFIG >&2; echo arguments: $* >&2; exit 7\n"
    )
    (tmp_path / "git").chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = run("git_mirror", repositories="https://example.org/a.git", GIT_TOKEN="hush", PATH=path)
    assert "GIT_CONFIG_KEY_0=http.https://example.org/a.git.extraHeader" in done.said
    assert "eC1hY2Nlc3MtdG9rZW46aHVzaA==" in done.said and "hush" not in done.said
    (arguments,) = (line for line in done.said.splitlines() if line.startswith("arguments"))
    assert (
        arguments == "arguments: clone --mirror -- https://example.org/a.git mirrors/a.unfinished"
    )
    assert (
        "GIT_CONFIG"
        not in run(
            "git_mirror", repositories="git@example.org:a.git", GIT_TOKEN="hush", PATH=path
        ).said
    )


def test_a_repository_that_takes_too_long_is_given_up(run: Running, tmp_path: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "git").chmod(0o755)
    done = run(
        "git_mirror",
        repositories="https://example.org/a.git",
        timeout_s=1,
        PATH=f"{tmp_path}:/usr/bin:/bin",
    )
    assert done.code == 1 and "git took more than 1 s" in done.said


# --- nightly tests --------------------------------------------------------------------------------------------------
def test_what_is_new_about_a_result_is_said(run: Running, project: Path) -> None:
    expected = [
        (True, "The tests pass."),
        (False, "BROKEN"),
        (False, "as they did last time"),
        (True, "FIXED"),
    ]
    for passes, sentence in expected:
        (project / "test_it.py").write_text(
            PASSING if passes else PASSING.replace("(1, 1)", "(1, 2)")
        )
        done = run("nightly_tests", folder=project, command=UNITTEST, PYTHONDONTWRITEBYTECODE=1)
        assert done.code == (0 if passes else 1) and sentence in done.said, done.said
        assert "Ran 1 test" in done.said


def test_the_newest_state_is_fetched_first(run: Running, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "--quiet", str(project), str(copy))
    (project / "test_more.py").write_text(PASSING)
    commit(project)
    done = run("nightly_tests", folder=copy, command=UNITTEST, pull=True)
    assert done.code == 0 and "Ran 2 tests" in done.said
    # which has nothing to pull from
    done = run("nightly_tests", folder=project, command=UNITTEST, pull=True)
    assert done.code == 2 and "`git` ended with exit code" in done.said


def test_pytest_runs_them_unless_another_command_is_named(
    run: Running, python: str, project: Path
) -> None:
    """In the environment that its requirements make; here Tempo's own Python alone has one."""
    if python != sys.executable:
        done = run("nightly_tests", folder=project)
        assert done.code in (0, 1) and "-m pytest -q" in done.said
        return
    assert "1 passed" in run("nightly_tests", folder=project).said
    (project / "test_it.py").unlink()
    done = run("nightly_tests", folder=project)
    assert done.code == 2 and f"There are no tests in {project}." in done.said


def test_tests_that_cannot_be_run_are_no_result(run: Running, project: Path, files: Path) -> None:
    wrong: dict[str, dict[str, object]] = {
        "has to be the full path of a folder": {"folder": project / "gone"},
        "There is no command": {"folder": project, "command": " "},
        "`nothing-there` cannot be run: No such file": {
            "folder": project,
            "command": "nothing-there -x",
        },
        "was ended after 0.01 minutes": {"folder": project, "command": "sleep 30", "minutes": 0.01},
    }
    for sentence, given in wrong.items():
        done = run("nightly_tests", **given)
        assert done.code == 2 and sentence in done.said
    assert list(files.iterdir()) == []

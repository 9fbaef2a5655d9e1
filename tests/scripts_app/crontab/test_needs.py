"""What is read beside a file of Python, and what is not."""

import os
from pathlib import Path

import pytest

from scripts_app.crontab import needs, neighbours, virtual_environments
from scripts_app.crontab.needs import Needs
from scripts_app.crontab.source_files import NoSources, Sources
from scripts_app.crontab.wrappers import Found
from tempo_site.lib import paths


def needs_of(code: str, folder: Path) -> Needs:
    return needs.of_file(
        f"{folder}/main.py",
        code,
        program="python3",
        folder=str(folder),
        found=Found(known={}),
        sources=Sources(),
    )


def test_modules_packages_and_data_come_along_and_what_they_use(tmp_path: Path) -> None:
    for path, text in {
        "one.py": "import two\nopen('in.csv')",
        "two.py": "",
        "package/__init__.py": "from package import deep",
        "package/deep/a.py": "",
        "in.csv": "1",
        "unused.py": "",
        "unused.csv": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = needs_of("import one, package, json", tmp_path)
    assert set(found.files) == {
        "one.py",
        "two.py",
        "package/__init__.py",
        "package/deep/a.py",
        "in.csv",
    }


@pytest.mark.parametrize("kind", ["link", "pipe", "large", "env", "above"])
def test_data_that_is_no_ordinary_file_beside_it_stays_where_it_is(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    name = {"env": ".env", "above": "../x.json"}.get(kind, "x.json")
    path = tmp_path / "app" / name
    (tmp_path / "app").mkdir()
    if kind == "link":
        path.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "large":
        path.write_bytes(b"1" * (1024 * 1024 + 1))
    else:
        path.write_text("secret")
    assert needs_of(f"open({name!r})", tmp_path / "app").files == {}


def test_nothing_is_copied_out_of_tempos_data_folder() -> None:
    (paths.data() / "x.json").write_text("{}")
    assert needs_of("open('x.json')", paths.data()).files == {}


def test_nothing_is_looked_for_where_files_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("")
    found = needs.of_file(
        f"{tmp_path}/main.py",
        "import one",
        program="python3",
        folder=str(tmp_path),
        found=Found(known={}, environment=str(tmp_path)),
        sources=NoSources(),
    )
    assert found.files == {} and found.packages == []


def test_packages_come_from_the_imports_where_nothing_lists_them(tmp_path: Path) -> None:
    found = needs_of("import yaml, requests, json, nobody_knows_it", tmp_path)
    assert sorted(found.packages) == ["pyyaml", "requests"]
    assert any("`nobody_knows_it`" in note for note in found.notes)
    assert (
        needs_of("# /// script\n# dependencies = ['six']\n# ///\nimport yaml", tmp_path).packages
        == []
    )


def test_the_file_of_requirements_beside_it_is_believed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six>=1  # old\n-r other.txt\n")
    found = needs_of("import yaml", tmp_path)
    assert found.packages == ["six>=1"]
    assert any("`-r other.txt` is left out" in note for note in found.notes)


def test_a_virtual_environment_offers_what_nothing_else_in_it_asks_for(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for name, more in {
        "requests": "Requires-Dist: idna\n",
        "idna": "",
        "pip": "",
        "mine": "",
    }.items():
        folder = site / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}"
        )
    (site / "mine-1.0.dist-info/direct_url.json").write_text("{}")
    (site / "trap-1.0.dist-info").mkdir()
    os.mkfifo(site / "trap-1.0.dist-info/METADATA")
    assert virtual_environments.installed_in(str(tmp_path)) is None  # no pyvenv.cfg: it is none
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.4\n")
    found = virtual_environments.installed_in(str(tmp_path))
    assert found and (found.requirements, found.python) == (["requests==1.0"], "3.11")
    assert "`mine` did not come from the package index" in found.notes[0]


def test_no_more_than_200_files_come_along(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for number in range(neighbours.MAX_FILES + 20):
        (tmp_path / "package" / f"m{number}.py").write_text("")
    found = needs_of("import package", tmp_path)
    assert len(found.files) == neighbours.MAX_FILES
    assert any("the rest is not copied" in note for note in found.notes)

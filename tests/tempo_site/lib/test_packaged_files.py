"""Files that pages take from Python packages."""

import json
import posixpath
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tempo_site.lib.packaged_files import FOLDERS, PackagedFilesFinder
from tests.service import ROOT, environment

IMPORT = re.compile(r'(?:from|import)\s*"(\.[^"]+)"')


@pytest.mark.parametrize("name", ["ace/ace.js", "ace/css/ace.css"])
def test_a_page_finds_them_by_the_name_of_their_folder(name: str) -> None:
    found = finders.find(name)
    assert isinstance(found, str) and Path(found).is_file()


def test_what_is_not_on_the_list_is_not_offered() -> None:
    assert finders.find("ace/mode-haxe.js") is None


def test_every_name_on_the_list_is_still_in_its_package() -> None:
    finder = PackagedFilesFinder()
    for folder, patterns in FOLDERS.items():
        location = Path(finder.storages[folder].location)
        assert [pattern for pattern in patterns if not any(location.glob(pattern))] == []


def test_their_package_is_not_loaded() -> None:
    code = "import sys, django; django.setup(); print('django_ace' in sys.modules)"
    env = {**environment(Path("/nonexistent")), "DJANGO_SETTINGS_MODULE": "tempo_site.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.slow
def test_modules_import_each_other_by_their_hashed_names(prepared: Path) -> None:
    """`prepared` has collected the static files as a real start does."""
    collected = ROOT / "staticfiles"
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    modules = [hashed for name, hashed in names.items() if name.startswith("js/")]
    imported = {
        posixpath.normpath(posixpath.join(posixpath.dirname(module), name))
        for module in modules
        for name in IMPORT.findall((collected / module).read_text())
    }
    assert imported, "no module imports another: the pattern is wrong"
    assert imported <= set(names.values())


@pytest.mark.slow
@pytest.mark.usefixtures("prepared")
def test_a_style_sheet_is_one_file_with_those_that_it_imports() -> None:
    collected = ROOT / "staticfiles"
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    sheets = {
        name: (collected / hashed).read_text()
        for name, hashed in names.items()
        if name.startswith("css/")
    }
    assert not [name for name, text in sheets.items() if "@import" in text]
    assert (ROOT / "static/css/site/tokens.css").read_text() in sheets["css/site.css"]

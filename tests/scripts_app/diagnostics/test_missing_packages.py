"""Imports that nothing brings, with the lines that would."""

import pytest

from scripts_app.diagnostics import check, missing_packages
from scripts_app.diagnostics.missing_packages import KnownModules, known_modules
from scripts_app.diagnostics.models import Problem
from scripts_app.files import store
from scripts_app.models import Environment
from tempo_site.lib import paths
from tests.factories import make_script
from tests.rows import each_row

BLOCK = '# /// script\n# dependencies = ["rich>=13"]\n# ///\nimport yaml\nprint(yaml)\n'
YAML = "import yaml\nprint(yaml)\n"
OURS = "import our_own_tools\nprint(our_own_tools)\n"


def missing(
    code: str, requirements: str = "", python_version: str = "", known: KnownModules | None = None
) -> list[Problem]:
    found = check.find_problems(
        code=code, requirements=requirements, python_version=python_version, known=known
    )
    return [problem for problem in found if problem.code == missing_packages.MISSING]


def test_a_missing_package_is_named_with_its_place_and_what_to_add() -> None:
    [found] = missing("import os\n\ndef f():\n    from yaml.nodes import Node, os\n")
    assert (found.line, found.column, found.end_column) == (4, 10, 14)
    assert found.message == "`yaml` is missing: the package `pyyaml` brings it"
    assert (found.severity, found.adds) == ("warning", ("pyyaml",))


@each_row(
    "code",
    [
        "import os.path, sys\nprint(os, sys)\n",
        "from . import yaml\n",
        "try:\n    import yaml\nexcept ImportError:\n    yaml = None\n",
        "import typing\nif typing.TYPE_CHECKING:\n    import yaml\n",
        "import yaml, (\n",
        "import our_own_tools\n",
    ],
)
def test_what_is_pythons_own_guarded_or_unknown_is_none(code: str) -> None:
    assert missing(code) == []


def test_an_import_of_the_main_part_and_one_that_is_never_caught_count() -> None:
    code = "if __name__ == '__main__':\n    import yaml\ntry:\n    import bs4\nfinally:\n    pass\n"
    assert [found.adds for found in missing(code)] == [("pyyaml",), ("beautifulsoup4",)]


@pytest.mark.parametrize("requirements", ["PyYAML", "pyyaml>=6 # for the settings\n", "pyyaml[x]"])
def test_a_package_that_is_required_is_not_missing(requirements: str) -> None:
    assert missing(YAML, requirements) == []


def test_what_the_code_s_block_names_goes_along() -> None:
    assert missing(BLOCK)[0].adds == ("rich>=13", "pyyaml")
    assert missing(BLOCK, "requests")[0].adds == ("pyyaml",)


def test_each_python_knows_its_own_modules() -> None:
    code = "import distutils.core\nprint(distutils)\n"
    assert missing(code, python_version="3.11") == []
    assert [each.adds for each in missing(code, python_version="3.13")] == [("setuptools",)]


@pytest.mark.django_db
def test_files_and_the_environment_of_a_script_bring_modules() -> None:
    script = make_script()
    store.save(script, "our_own_tools.py", [b""])
    site = paths.environments() / "d1" / "lib/python3.11/site-packages"
    (site / "yaml").mkdir(parents=True)
    environment = Environment(
        state=Environment.State.READY, digest="d1", requirements="", python="3.11.7"
    )
    script.wanted_environment = environment
    known = known_modules(script)
    assert (known.requirements, {"our_own_tools", "yaml"} <= known.names) == ("", True)
    assert missing(YAML + OURS, known=known) == []


def test_a_module_of_nobody_is_told_once_all_modules_are_known() -> None:
    [found] = missing(OURS, known=KnownModules(requirements=""))
    assert (found.adds, "no package of this script brings it" in found.message) == ((), True)
    assert missing(OURS, "acme", known=KnownModules(requirements="")) == []

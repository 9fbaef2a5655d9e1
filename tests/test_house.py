"""How the code reads is measured: planted projects whose figures are known by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import house
from tests.house import ROOT, Project, Row

TOKENS, TERNARIES = "tokens per code line", "ternaries per 1,000 statements"
COMPREHENSIONS = "comprehensions per 1,000 statements"
FUNCTIONS, DOCSTRINGS = "public functions with docstring, %", "docstring lines, % of lines"
PRONOUNS = "pronouns, % of docstring words"
WIDE = {"template": "templates/page.html", "CSS": "static/css/page.css", "JS": "static/js/page.js"}


def plant(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def measured(root: Path, files: dict[str, str], *packages: str) -> dict[str, Row]:
    plant(root, {"app/__init__.py": "", **files})
    return {row.title: row for row in house.rows(Project(root, list(packages or ["app"])))}


def counted(root: Path, source: str, title: str) -> str:
    return measured(root, {"app/one.py": source})[title].source


def run_house(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command without site-packages, as on a tree whose packages are not installed."""
    command = [sys.executable, "-S", "-m", "tests.house", "--root", str(root), *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


# --- folders ---------------------------------------------------------------------------------------------------------
def test_modules_of_a_folder_are_counted_without_its_init(tmp_path: Path) -> None:
    figures = measured(tmp_path, {"app/one.py": "", "app/two.py": "", "app/inner/three.py": ""})
    assert figures["modules in app"].value == "2"
    assert figures["modules in app/inner"].value == "1"


def test_the_three_fullest_folders_are_named(tmp_path: Path) -> None:
    sizes = {"a": 2, "b": 5, "c": 3, "d": 4}
    files = {
        f"app/{folder}/m{number}.py": "" for folder, size in sizes.items() for number in range(size)
    }
    folders = [title for title in measured(tmp_path, files) if title.startswith("modules in")]
    assert folders == ["modules in app/b", "modules in app/d", "modules in app/c"]


@pytest.mark.parametrize(("modules", "is_reached"), [(20, True), (21, False)])
def test_twenty_modules_side_by_side_are_fine(
    tmp_path: Path, modules: int, is_reached: bool
) -> None:
    files = {f"app/m{number}.py": "" for number in range(modules)}
    assert measured(tmp_path, files)["modules in app"].reached is is_reached


def test_several_packages_are_counted_together(tmp_path: Path) -> None:
    figures = measured(
        tmp_path, {"app/one.py": "a = 1\n", "other/two.py": "b = 2\n"}, "app", "other"
    )
    assert figures[TERNARIES].source == "0 / 2"


@pytest.mark.parametrize("folder", ["migrations", "script_template_files", "tests"])
def test_migrations_script_template_files_and_tests_are_left_out(
    tmp_path: Path, folder: str
) -> None:
    figures = measured(
        tmp_path, {"app/one.py": "a = 1\n", f"app/{folder}/two.py": "b = 1 if a else 2\n"}
    )
    assert figures[TERNARIES].source == "0 / 1"


def test_a_project_below_a_folder_of_tests_is_not_left_out(tmp_path: Path) -> None:
    assert counted(tmp_path / "tests", "a = 1\n", TERNARIES) == "0 / 1"


# --- tokens ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = 1\n", "3 / 1"),
        ("a = 1\n\n\nb = 2\n", "6 / 2"),
        ("# why\na = 1  # and how\n", "3 / 1"),
        ('"""A module."""\n\na = 1\n', "3 / 1"),
        ('def f():\n    """Return\n\n    nothing."""\n    return\n', "6 / 2"),
        ("a = (\n    1,\n)\n", "6 / 3"),
        ('a = """one\ntwo\n"""\n', "3 / 3"),
        ("print(f'{a} and {b!r}')\n", "4 / 1"),
        ("print(f'{a:{width}}' + 'c')\n", "6 / 1"),
        ('a = f"""one\n{two}\n"""\n', "3 / 3"),
    ],
)
def test_tokens_are_counted_on_the_lines_that_bear_them(
    tmp_path: Path, source: str, expected: str
) -> None:
    assert counted(tmp_path, source, TOKENS) == expected


@pytest.mark.parametrize(("source", "is_reached"), [("a(b, c)\n", True), ("a(b, cd) + 1\n", False)])
def test_seven_tokens_a_line_are_fine(tmp_path: Path, source: str, is_reached: bool) -> None:
    line = measured(tmp_path, {"app/one.py": source})[TOKENS]
    assert line.reached is is_reached


# --- statements ------------------------------------------------------------------------------------------------------
def test_ternaries_are_counted_nested_ones_too(tmp_path: Path) -> None:
    assert (
        counted(tmp_path, "a = 1 if b else 2 if c else 3\nif a:\n    b = 1\n", TERNARIES) == "2 / 3"
    )


def test_all_four_comprehensions_are_counted(tmp_path: Path) -> None:
    source = (
        "a = [x for x in b]\na = {x for x in b}\na = {x: x for x in b}\na = sum(x for x in b)\n"
    )
    assert counted(tmp_path, source, COMPREHENSIONS) == "4 / 4"


def test_docstrings_are_no_statements(tmp_path: Path) -> None:
    source = '''
"""A module."""
class A:
    """A class."""
    def f(self):
        """A method."""
        return 1
'''
    assert counted(tmp_path, source, TERNARIES) == "0 / 3"


def test_a_text_that_is_no_docstring_is_a_statement(tmp_path: Path) -> None:
    assert counted(tmp_path, 'a = 1\n"a note"\n', TERNARIES) == "0 / 2"


def test_a_rate_is_per_thousand_statements(tmp_path: Path) -> None:
    figures = measured(tmp_path, {"app/one.py": "a = 1 if b else 2\n" + "c = 1\n" * 7})
    assert figures[TERNARIES].value == "125.00"


@pytest.mark.parametrize(("ternaries", "is_reached"), [(15, True), (16, False)])
def test_fifteen_ternaries_are_fine(tmp_path: Path, ternaries: int, is_reached: bool) -> None:
    source = "a = 1 if b else 2\n" * ternaries + "c = 1\n" * (1_000 - ternaries)
    assert measured(tmp_path, {"app/one.py": source})[TERNARIES].reached is is_reached


# --- docstrings ------------------------------------------------------------------------------------------------------
def test_public_functions_with_a_docstring_are_counted_private_ones_are_not(tmp_path: Path) -> None:
    source = '''
def a():
    """Return 1."""

async def b():
    return 1

def _c():
    """Return 2."""

class D:
    def e(self):
        """Return 3."""

    def __init__(self):
        """Start."""
'''
    assert counted(tmp_path, source, FUNCTIONS) == "2 / 3"
    assert measured(tmp_path, {})[FUNCTIONS].reached is None


def test_lines_of_docstrings_are_a_share_of_all_that_are_not_blank(tmp_path: Path) -> None:
    source = '"""A module.\n\nMore.\n"""\n\n# why\na = 1\n\n\ndef f():\n    """Return 1."""\n    return 1\n'
    assert counted(tmp_path, source, DOCSTRINGS) == "4 / 8"


def test_pronouns_are_counted_among_the_words_of_docstrings(tmp_path: Path) -> None:
    source = '"""What it says, to whoever asks."""\n\n# it\na = "it"\n'
    assert counted(tmp_path, source, PRONOUNS) == "3 / 6"


def test_the_value_none_that_and_this_are_no_pronouns(tmp_path: Path) -> None:
    assert counted(tmp_path, '"""None of that, or none of this."""\n', PRONOUNS) == "1 / 7"


def test_a_word_with_a_pronoun_in_it_is_none(tmp_path: Path) -> None:
    assert counted(tmp_path, '"""Item: a visit of `theirs`, some onez."""\n', PRONOUNS) == "0 / 7"


# --- width -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "path"), WIDE.items())
def test_lines_over_120_characters_are_counted(tmp_path: Path, kind: str, path: str) -> None:
    figures = measured(tmp_path, {path: "ü" * 120 + "\n\n" + "b" * 121 + "\nc\n\n"})
    assert figures[f"{kind} lines over 120, %"].source == "1 / 3"
    assert figures[f"{kind} lines over 120, %"].reached is False
    assert figures[f"longest {kind} line"].value == "121"
    assert figures[f"longest {kind} line"].reached is False


@pytest.mark.parametrize(("kind", "path"), WIDE.items())
def test_120_characters_are_fine(tmp_path: Path, kind: str, path: str) -> None:
    figures = measured(tmp_path, {path: "a" * 120 + "\n"})
    assert figures[f"{kind} lines over 120, %"].reached is True
    assert figures[f"longest {kind} line"].reached is True


def test_templates_of_a_package_are_counted_minified_files_are_not(tmp_path: Path) -> None:
    wide = "a" * 121
    figures = measured(
        tmp_path,
        {"app/templates/page.html": wide, "static/lib.min.js": wide, "static/a.min.css": wide},
    )
    assert figures["template lines over 120, %"].source == "1 / 1"
    assert figures["JS lines over 120, %"].source == "0 / 0"
    assert figures["CSS lines over 120, %"].source == "0 / 0"


# --- the command -----------------------------------------------------------------------------------------------------
def test_the_command_needs_no_packages_and_prints_every_figure(tmp_path: Path) -> None:
    plant(tmp_path, {"app/one.py": "a = 1\n"})
    answer = run_house(tmp_path, "app")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert [
        row.title
        for row in house.rows(Project(tmp_path, ["app"]))
        if row.title not in answer.stdout
    ] == []
    assert "left out: minified files and what lies in migrations, " in answer.stdout


@pytest.mark.parametrize(
    ("source", "arguments", "status"),
    [
        ("a = 1\n", ["--check"], 0),
        ("a = 1 if b else 2\n", ["--check"], 1),
        ("a = 1 if b else 2\n", [], 0),
    ],
)
def test_a_missed_goal_fails_where_it_is_checked(
    tmp_path: Path, source: str, arguments: list[str], status: int
) -> None:
    plant(tmp_path, {"app/one.py": source})
    assert run_house(tmp_path, "app", *arguments).returncode == status


def test_a_package_that_is_not_there_is_said(tmp_path: Path) -> None:
    answer = run_house(tmp_path, "app")
    assert answer.returncode == 2
    assert f"there is no folder `app` in {tmp_path}\nhint: " in answer.stderr


def test_packages_without_a_module_are_refused_not_praised(tmp_path: Path) -> None:
    plant(tmp_path, {"app/tests/one.py": "a = 1\n"})
    answer = run_house(tmp_path, "app", "--check")
    assert answer.returncode == 2
    assert answer.stderr.startswith("there is nothing to measure")


def test_the_worst_files_come_first_and_those_within_the_goal_not_at_all(tmp_path: Path) -> None:
    two, one = "a = 1 if b else 2 if c else 3\n", "a = 1 if b else 2\nc = 1\n"
    plant(tmp_path, {"app/one.py": one, "app/two.py": two, "app/none.py": "a = 1\n"})
    text = "\n".join(house.worst(Project(tmp_path, ["app"]), 10))
    section = text.partition(TERNARIES)[2].partition("\n\n")[0]
    assert section.index("app/two.py") < section.index("app/one.py")
    assert "app/none.py" not in text


def test_only_so_many_of_the_worst_files_are_named(tmp_path: Path) -> None:
    plant(tmp_path, {f"app/m{number}.py": "a = 1 if b else 2\n" for number in range(5)})
    text = "\n".join(house.worst(Project(tmp_path, ["app"]), 2))
    assert text.partition(TERNARIES)[2].count(".py") == 2

"""What the documentation says is what the code does, as far as a program can tell."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rows import each_row

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = re.compile(r"PYSCHED_\w+|SMTP_\w+|FROM_EMAIL")
ROW = re.compile(r"^\| `(\w+)` \| (?:`([^`]*)`|empty) \| (\S.*) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def variables_of(source: str) -> dict[str, str]:
    """Each variable that a settings module reads through `env`, with its default as a person would type it."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (name := variable_in(node)):
            default = next(
                (given.value for given in node.keywords if given.arg == "default"), ast.Constant("")
            )
            found[name] = typed(default)
    return found


def variable_in(call: ast.Call) -> str:
    """The variable that a call names first, or ""; whatever the call is named, so that a reader of our own counts."""
    first = call.args[0] if call.args else None
    value = first.value if isinstance(first, ast.Constant) else None
    return value if isinstance(value, str) and VARIABLE.fullmatch(value) else ""


def typed(default: ast.expr) -> str:
    """A default in the operator's spelling: `true`, `300`, "" for nothing; of an expression its last text."""
    try:
        value = ast.literal_eval(default)
    except ValueError:
        value = [part.value for part in ast.walk(default) if isinstance(part, ast.Constant)][-1]
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def documented_in(text: str) -> dict[str, str]:
    """Each variable of the tables, with its default; "" where they say `empty`."""
    return {name: default for name, default, _ in ROW.findall(text)}


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(found)


def dead_links(document: Path) -> list[str]:
    """Links to files that are not there."""
    targets = [target.partition("#")[0] for target in LINK.findall(document.read_text())]
    return [
        target
        for target in targets
        if target and not re.match(r"[a-z]+:", target) and not (document.parent / target).exists()
    ]


def test_the_configuration_page_lists_what_the_settings_read() -> None:
    read = variables_of((ROOT / "tempo_site" / "settings.py").read_text())
    assert documented_in((ROOT / "docs" / "configuration.md").read_text()) == read


def test_no_variable_is_listed_twice() -> None:
    names = [name for name, _, _ in ROW.findall((ROOT / "docs" / "configuration.md").read_text())]
    assert len(names) == len(set(names))


def test_variables_are_read_in_the_settings_alone() -> None:
    readers = [path for path in ROOT.glob("*_*/**/*.py") if "= Env(" in path.read_text()]
    assert readers == [ROOT / "tempo_site" / "settings.py"]


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_readmes_commands_are_in_the_makefile(target: str) -> None:
    assert f"make {target}" in (ROOT / "README.md").read_text()
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_make_command_named_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for path in documents()
        for target in re.findall(r"`make ([a-z-]+)", path.read_text())
    }
    assert named <= targets


@each_row("document", documents())
def test_a_link_leads_to_a_file_that_is_there(document: Path) -> None:
    assert dead_links(document) == []


def test_every_pinned_package_has_its_reason() -> None:
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert pinned and [name for name in pinned if f"`{name}`" not in text] == []


def test_the_changelog_has_a_place_for_what_is_to_come() -> None:
    assert re.search(r"^## \[Unreleased\]$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


# --- the checks see what they are for ------------------------------------------------------------------------------
@each_row(
    ("source", "read"),
    [
        ('X = env.int("PYSCHED_A", default=3)', {"PYSCHED_A": "3"}),
        ('X = env.bool("PYSCHED_A", default=False)', {"PYSCHED_A": "false"}),
        ('X = env.list("PYSCHED_A", default=[])', {"PYSCHED_A": ""}),
        (
            'X = Path(env.str("PYSCHED_A", default=str(BASE / "data"))).absolute()',
            {"PYSCHED_A": "data"},
        ),
        ('X = env("SMTP_SERVER", default="")', {"SMTP_SERVER": ""}),
        ('X = env("FROM_EMAIL")', {"FROM_EMAIL": ""}),
        ('X = os.environ.get("TEMPO_INNER", "20")', {}),
    ],
)
def test_a_variable_is_found_with_its_default(source: str, read: dict[str, str]) -> None:
    assert variables_of(source) == read


def test_a_row_of_the_table_is_read() -> None:
    assert documented_in("| `A` | `3` | Three. |\n| `B` | empty | Nothing. |\n") == {
        "A": "3",
        "B": "",
    }


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#part) [b](gone.md) [c](https://example.org/x) [d](#part)")
    assert dead_links(page) == ["gone.md"]


PLACE = re.compile(r"`((?:tempo_site|scripts_app|runs_app|tests|templates|static)/[\w./-]*)`")


def test_files_and_folders_that_documents_name_are_there() -> None:
    named = [(path, place) for path in documents() for place in PLACE.findall(path.read_text())]
    assert len(named) > 50, "the pattern is wrong"
    missing = [f"{path.name}: {place}" for path, place in named if not (ROOT / place).exists()]
    assert not missing


# --- what people are told to type ----------------------------------------------------------------------------------
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text()
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TROUBLESHOOTING, flags=re.DOTALL))
CALLS = [text for text in INLINE if re.fullmatch(r"[\w.]+\(.+\)", text)]
COMMANDS = [
    text
    for text in INLINE
    if re.match(r"(apt|chmod|curl|docker|ls|make|pip|ssh-keygen|ssh-keyscan) |PYSCHED_\w+=", text)
]


def test_troubleshooting_has_commands_and_calls() -> None:
    assert len(CALLS) >= 5 and len(COMMANDS) >= 8, (CALLS, COMMANDS)


@each_row("call", CALLS)
def test_a_call_in_troubleshooting_is_python(call: str) -> None:
    assert isinstance(ast.parse(call, mode="eval").body, ast.Call)


@each_row("command", [*COMMANDS, *re.findall(r"^  RUN (.+)$", TROUBLESHOOTING, re.M)])
def test_a_command_in_troubleshooting_is_read_by_a_shell(command: str) -> None:
    assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


def test_the_script_of_troubleshooting_tells_what_it_sees(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TROUBLESHOOTING, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert str(tmp_path) in done.stdout and "uid=" in done.stdout

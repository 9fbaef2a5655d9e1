"""The width and the length of templates, style sheets and scripts of pages: what their formatters cannot hold."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.rows import each_row

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 120
CEILINGS = {".html": 200, ".css": 400, ".js": 300}
MODULES_OF_A_FOLDER = 20
FILES = sorted(
    path
    for folder in ("templates", "static")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in CEILINGS
)
SECOND_DECLARATION = re.compile(r";[ \t]*[\w-]+:[^;{}]*;|\{[ \t]*[\w-]+:[^{}]*;")
# What a text field holds is a person's text: an indent before it would become part of it.
INDENTED_TEXT = re.compile(r"<textarea(?:[^>{]|\{[{%].*?[%}]\})*>\n[ \t]+")


def wide_lines(path: str, text: str) -> Iterator[str]:
    """Lines of more than 120 characters."""
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > WIDTH:
            yield f"{path}:{number} has {len(line)} characters, the ceiling is {WIDTH}"


def long_files(path: str, text: str) -> Iterator[str]:
    """Files above the ceiling of their kind."""
    lines, ceiling = len(text.splitlines()), CEILINGS[Path(path).suffix]
    if lines > ceiling:
        yield f"{path}:{lines} has {lines} lines, the ceiling is {ceiling}"


def shared_lines(path: str, text: str) -> Iterator[str]:
    """Lines of a style sheet with a second declaration, or with a declaration beside its selector."""
    if Path(path).suffix != ".css":
        return
    for number, line in enumerate(without_strings(text).splitlines(), start=1):
        if SECOND_DECLARATION.search(line):
            yield f"{path}:{number} holds more than one declaration"


def indented_texts(path: str, text: str) -> Iterator[str]:
    """Text fields whose text would be indented."""
    for found in INDENTED_TEXT.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield f"{path}:{line} indents the text of a field: put {{# fmt:off #}} before it"


def without_strings(text: str) -> str:
    """A style sheet without its comments and strings, its lines kept."""
    return re.sub(
        r'/\*.*?\*/|"(?:[^"\\]|\\.)*"',
        lambda found: "\n" * found[0].count("\n"),
        text,
        flags=re.DOTALL,
    )


Check = Callable[[str, str], Iterator[str]]
CHECKS: list[Check] = [wide_lines, long_files, shared_lines, indented_texts]


@each_row("check", CHECKS)
def test_templates_style_sheets_and_scripts_keep(check: Check) -> None:
    assert FILES, "no files found: the pattern is wrong"
    found = [
        line for path in FILES for line in check(str(path.relative_to(ROOT)), path.read_text())
    ]
    assert not found, "\n".join(found)


def test_no_folder_of_scripts_holds_more_than_one_can_look_over() -> None:
    folders = [path for path in (ROOT / "static/js").rglob("*") if path.is_dir()]
    sizes = {
        folder.name: len(list(folder.glob("*.js"))) for folder in [ROOT / "static/js", *folders]
    }
    assert not {name: size for name, size in sizes.items() if size > MODULES_OF_A_FOLDER}


@each_row(
    ("check", "path", "text"),
    [
        (wide_lines, "templates/a.html", "é" * (WIDTH + 1)),
        (wide_lines, "static/js/a.js", "let a;\n" + "x" * (WIDTH + 1)),
        (long_files, "templates/a.html", "\n" * 201),
        (long_files, "static/css/a.css", "\n" * 401),
        (long_files, "static/js/a.js", "\n" * 301),
        (shared_lines, "static/css/a.css", "a {\n  color: red; margin: 0;\n}"),
        (shared_lines, "static/css/a.css", "a { color: red; }"),
        (indented_texts, "templates/a.html", '<textarea name="a">\n  {{ text }}</textarea>'),
        (
            indented_texts,
            "templates/a.html",
            '<textarea{% if a > 1 %} hidden{% endif %}\n  rows="2">\n\tx</textarea>',
        ),
    ],
)
def test_a_check_catches(check: Check, path: str, text: str) -> None:
    assert len(list(check(path, text))) == 1


@each_row(
    ("check", "path", "text"),
    [
        (wide_lines, "templates/a.html", "é" * WIDTH),
        (long_files, "static/js/a.js", "\n" * 300),
        (
            shared_lines,
            "static/css/a.css",
            '@import "./b.css";\na::before {\n  content: "a: b; c: d;";\n}',
        ),
        (shared_lines, "static/css/a.css", "a {\n  /* color: red; margin: 0; */\n  color: red;\n}"),
        (shared_lines, "static/js/a.js", "x = { a: 1 }; y: 2;"),
        (indented_texts, "templates/a.html", "  <textarea>\n{{ text }}</textarea>"),
    ],
)
def test_a_check_lets_pass(check: Check, path: str, text: str) -> None:
    assert not list(check(path, text))

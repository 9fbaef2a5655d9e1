"""Inline metadata: what a text says of itself, however it was written."""

import time

from scripts_app.packages import inline_metadata
from tests.rows import each_row

BLOCK = """\
#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "requests<3",
#   "rich",
# ]
#
# [tool.tempo.parameters]
# days = {type = "int", default = 7}
# ///
# a comment that goes on
print("hello")
"""


def block(*lines: str) -> str:
    """A text whose block says these lines."""
    return "\n".join(["# /// script", *(f"# {line}" for line in lines), "# ///", ""])


def test_it_reads_requirements_python_and_parameters() -> None:
    found = inline_metadata.read(BLOCK)
    assert (found.requirements, found.requires_python) == (("requests<3", "rich"), ">=3.11")
    assert (found.parameters, found.problems) == ({"days": {"type": "int", "default": 7}}, ())
    assert (
        found.line,
        found.line_of("dependencies"),
        found.line_of("days"),
        found.line_of("gone"),
    ) == (2, 4, 10, 2)


def test_line_ends_of_windows_change_nothing() -> None:
    assert inline_metadata.read(BLOCK.replace("\n", "\r\n")) == inline_metadata.read(BLOCK)


@each_row(
    "code", ["", "print()\n", "x = '''\n  # /// script\n'''\n", "# /// pyproject\n# a = 1\n# ///\n"]
)
def test_a_text_without_a_block_says_nothing(code: str) -> None:
    assert inline_metadata.read(code) == inline_metadata.Metadata()


def test_a_block_that_names_no_requirements_is_not_one_that_wants_none() -> None:
    assert inline_metadata.read(block("")).requirements is None
    assert inline_metadata.read(block("dependencies = []")).requirements == ()


@each_row(
    ("code", "line", "sentence"),
    [
        (BLOCK + block("dependencies = []"), 14, "second"),
        ("\n" + block("a = 1", "b = "), 4, "no TOML"),
        (block("a = [1"), 2, "no TOML"),
        ("# /// script\n# a = 1\nprint()\n", 1, "no end"),
        (block("x = 1", 'dependencies = "requests"'), 3, "list of texts"),
        (block("dependencies = [1]"), 2, "list of texts"),
        (block('requires-python = "three"'), 2, ">=3.11"),
        (block("requires-python = 3.11"), 2, ">=3.11"),
        (block("[tool.tempo]", "parameters = 5"), 3, "table"),
        (block("a = " + "[" * 3000), 1, "no TOML"),
        (block("a" + ".a" * 300 + " = 1"), 2, "dots"),
        (block("a = '" + "x" * 5000 + "'"), 2, "4000 characters"),
        ("# /// script\n" + "# a\n" * 20_000 + "# ///\n", 1, "longer than"),
        (block("a = 1") + "#" * 2**20, 1, "too many"),
        (block("a = '\0'"), 2, "no TOML"),
        (block("a = '\ud800'"), 0, ""),
    ],
)
def test_what_is_wrong_has_its_line(code: str, line: int, sentence: str) -> None:
    problems = inline_metadata.read(code).problems
    assert [at for at, _ in problems] == ([line] if line else [])
    assert sentence in "".join(why for _, why in problems) and all(
        len(why) <= 300 for _, why in problems
    )


@each_row(
    "code", [BLOCK, block("tool = 1"), block("tool.tempo = []"), block('"a]" = 1', "[x.'days']")]
)
def test_other_tables_are_nobodys_business(code: str) -> None:
    assert inline_metadata.read(code).problems == ()


HOSTILE = [
    "# /// script\n" + "# \n" * 349_000,
    "# /// script\n" * 80_000,
    "# /// script\n" + "#\n" * 500_000 + "x",
    block(*(("a" + ".a" * 150 + f".b{number} = 1") for number in range(90))),
    block(*(("x" + ".a" * 99 + f".b{number}" + ".a" * 99 + " = 1") for number in range(70))),
    block("a = " + "{a=" * 1300),
    block(*(f"[a{number}]" for number in range(3000))),
]


@each_row("code", HOSTILE)
def test_a_hostile_text_is_read_in_no_time(code: str) -> None:
    began = time.process_time()
    inline_metadata.read(code)
    assert time.process_time() - began < 5  # two orders of magnitude above what it takes

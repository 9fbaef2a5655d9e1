"""Measures how the code reads, beside the goals of the house style: `python -m tests.house [--root DIR] [PACKAGE ...]`.

Needs the standard library alone and no network. Measures other Django projects too, by their root and packages.

How the figures are counted:
- Left out are folders named like one of LEFT_OUT, minified files, and Python outside the packages. The scripts that
  people get lie in `script_template_files`.
- Templates, CSS and JS are looked for in the packages and in `templates` and `static` of the root.
- Modules of a folder are the `.py` files directly in the folder, without `__init__.py`.
- A code line is a physical line that bears a counted token; inner lines of a long string do. Comments, docstrings,
  line ends and indents are no tokens; an f-string is one token in every version of Python.
- A statement is a node of `ast.stmt`, docstrings apart. Comprehensions make lists, sets, dicts or generators.
- A public function is any `def`, nested ones and methods too, whose name does not begin with an underscore.
- A docstring's lines are physical lines, quotes and all. Every share is one of the lines that are not blank.
- A word of a docstring is a run of letters, names in backticks too; pronouns are the words of PRONOUNS, `None` apart.
  `that` and `this` are left out: a program cannot tell the pronoun from the conjunction or the article.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tempo_site", "scripts_app", "runs_app", "notifications_app")
LEFT_OUT = frozenset({"migrations", "script_template_files", "tests", "tests_e2e", "node_modules"})
KINDS = {"template": ".html", "CSS": ".css", "JS": ".js"}

WIDTH = 120
MODULES_GOAL = 20
FULLEST_FOLDERS = 3

PRONOUNS = frozenset(
    {
        "it",
        "its",
        "itself",
        "they",
        "them",
        "their",
        "themselves",
        "those",
        "these",
        "one",
        "ones",
        "none",
    }
    | {"what", "whatever", "which", "whichever", "who", "whom", "whose", "whoever"}
    | {"nobody", "somebody", "anybody", "everybody", "someone", "anyone", "everyone"}
    | {"nothing", "something", "anything", "everything"}
)
WORD = re.compile("[A-Za-z]+")
UNCOUNTED = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)

Counts = Counter[str]
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A figure that is one count for every `scale` of another; a goal is the highest rate that is fine."""

    title: str
    count: str
    base: str
    scale: int
    goal: float | None = None

    def value(self, counts: Counts) -> float:
        if not counts[self.base]:
            return 0.0
        return self.scale * counts[self.count] / counts[self.base]

    def excess(self, counts: Counts) -> float:
        """Return by how many the count is above what the goal allows; without a goal, 0."""
        if self.goal is None:
            return 0.0
        return counts[self.count] - self.goal * counts[self.base] / self.scale


RATES = (
    Rate(title="tokens per code line", count="tokens", base="code lines", scale=1, goal=7),
    Rate(
        title="ternaries per 1,000 statements",
        count="ternaries",
        base="statements",
        scale=1_000,
        goal=15,
    ),
    Rate(
        title="comprehensions per 1,000 statements",
        count="comprehensions",
        base="statements",
        scale=1_000,
        goal=20,
    ),
    Rate(
        title="public functions with docstring, %",
        count="documented",
        base="public functions",
        scale=100,
    ),
    Rate(
        title="docstring lines, % of lines",
        count="docstring lines",
        base="lines",
        scale=100,
        goal=5,
    ),
    Rate(title="pronouns, % of docstring words", count="pronouns", base="words", scale=100, goal=4),
    Rate(
        title="template lines over 120, %",
        count="wide template lines",
        base="template lines",
        scale=100,
        goal=0,
    ),
    Rate(
        title="CSS lines over 120, %", count="wide CSS lines", base="CSS lines", scale=100, goal=0
    ),
    Rate(title="JS lines over 120, %", count="wide JS lines", base="JS lines", scale=100, goal=0),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table; `source` holds the two counts behind a rate, `reached` is None without a goal."""

    title: str
    value: str
    source: str = ""
    goal: str = ""
    reached: bool | None = None


# --- counting one file -----------------------------------------------------------------------------------------------
def count_python(source: str) -> Counts:
    """Return the counts of a module's text, by the names that RATES uses."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = list(docstrings_of(nodes))
    lines = source.split("\n")
    return (
        count_nodes(nodes, docstrings)
        + count_functions(nodes)
        + count_docstrings(docstrings, lines)
        + count_tokens(source, docstrings)
        + Counter({"lines": len(filled(lines))})
    )


def docstrings_of(nodes: list[ast.AST]) -> Iterator[ast.Constant]:
    for node in nodes:
        if isinstance(node, Documented) and ast.get_docstring(node) is not None:
            first = node.body[0]
            assert isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            yield first.value


def count_nodes(nodes: list[ast.AST], docstrings: list[ast.Constant]) -> Counts:
    counts = Counts()
    for node in nodes:
        counts["statements"] += isinstance(node, ast.stmt)
        counts["ternaries"] += isinstance(node, ast.IfExp)
        counts["comprehensions"] += isinstance(node, Comprehension)
    counts["statements"] -= len(docstrings)
    return counts


def count_functions(nodes: list[ast.AST]) -> Counts:
    counts = Counts()
    for node in nodes:
        if isinstance(node, Function) and not node.name.startswith("_"):
            counts["public functions"] += 1
            counts["documented"] += ast.get_docstring(node) is not None
    return counts


def count_docstrings(docstrings: list[ast.Constant], lines: list[str]) -> Counts:
    counts = Counts()
    for docstring in docstrings:
        counts["docstring lines"] += len(filled(lines[docstring.lineno - 1 : docstring.end_lineno]))
        for word in WORD.findall(str(docstring.value)):
            counts["words"] += 1
            counts["pronouns"] += word != "None" and word.lower() in PRONOUNS
    return counts


def count_tokens(source: str, docstrings: list[ast.Constant]) -> Counts:
    starts = {(docstring.lineno, docstring.col_offset) for docstring in docstrings}
    code_lines: set[int] = set()
    tokens = 0
    for token in whole_strings(tokenize.generate_tokens(io.StringIO(source).readline)):
        if token.type not in UNCOUNTED and token.start not in starts:
            tokens += 1
            code_lines.update(range(token.start[0], token.end[0] + 1))
    return Counter({"tokens": tokens, "code lines": len(code_lines)})


def whole_strings(tokens: Iterator[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """Yield an f-string as one token. Python 3.12 and later cut it into parts, between a start and an end."""
    outermost: list[tokenize.TokenInfo] = []
    for token in tokens:
        name = tokenize.tok_name[token.type]
        if name.endswith("STRING_START"):
            outermost.append(token)
        elif name.endswith("STRING_END"):
            start = outermost.pop().start
            if not outermost:
                yield token._replace(type=tokenize.STRING, start=start)
        elif not outermost:
            yield token


def count_text(kind: str, text: str) -> Counts:
    counts = Counts()
    for line in filled(text.split("\n")):
        counts[f"{kind} lines"] += 1
        counts[f"wide {kind} lines"] += len(line) > WIDTH
    return counts


def filled(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip()]


# --- counting a project ----------------------------------------------------------------------------------------------
class Project:
    """The files of a Django project that are measured, with their counts by path."""

    def __init__(self, root: Path, packages: list[str]) -> None:
        self.root = root
        self.packages = [root / package for package in packages]
        self.modules = self._find(self.packages, ".py")
        self.counts: dict[Path, Counts] = {}
        for path in self.modules:
            self.counts[path] = count_python(path.read_text())
        for kind, suffix in KINDS.items():
            for path in self.files_of(suffix):
                self.counts[path] = count_text(kind, path.read_text())

    def files_of(self, suffix: str) -> list[Path]:
        """Return the templates, style sheets or JS modules."""
        return self._find([self.root / "templates", self.root / "static", *self.packages], suffix)

    def total(self) -> Counts:
        total = Counts()
        for counts in self.counts.values():
            total.update(counts)
        return total

    def fullest_folders(self) -> list[tuple[str, int]]:
        """Return the folders with the most modules, each with their number."""
        folders = Counts()
        for path in self.modules:
            folder = path.parent.relative_to(self.root)
            folders[str(folder)] += path.name != "__init__.py"
        return folders.most_common(FULLEST_FOLDERS)

    def _find(self, folders: list[Path], suffix: str) -> list[Path]:
        found: list[Path] = []
        for folder in folders:
            found.extend(sorted(folder.rglob(f"*{suffix}")))
        return list(filter(self._is_measured, found))

    def _is_measured(self, path: Path) -> bool:
        is_left_out = LEFT_OUT.intersection(path.relative_to(self.root).parts)
        return not is_left_out and ".min." not in path.name


def longest_line(paths: list[Path]) -> int:
    longest = 0
    for path in paths:
        lines = path.read_text().split("\n")
        longest = max(longest, *map(len, lines))
    return longest


# --- the table -------------------------------------------------------------------------------------------------------
def rows(project: Project) -> Iterator[Row]:
    """Yield the fullest folders, the rates, then the longest lines."""
    for folder, modules in project.fullest_folders():
        yield row_with_limit(f"modules in {folder}", modules, MODULES_GOAL)
    total = project.total()
    for rate in RATES:
        yield row_of_rate(rate, total)
    for kind, suffix in KINDS.items():
        yield row_with_limit(f"longest {kind} line", longest_line(project.files_of(suffix)), WIDTH)


def row_with_limit(title: str, value: int, goal: int) -> Row:
    return Row(title=title, value=str(value), goal=str(goal), reached=value <= goal)


def row_of_rate(rate: Rate, counts: Counts) -> Row:
    value = f"{rate.value(counts):.2f}"
    source = f"{counts[rate.count]} / {counts[rate.base]}"
    if rate.goal is None:
        return Row(title=rate.title, value=value, source=source)
    is_reached = rate.excess(counts) <= 0
    return Row(
        title=rate.title, value=value, source=source, goal=f"{rate.goal:g}", reached=is_reached
    )


def table(measured: list[Row]) -> Iterator[str]:
    marks = {True: "reached", False: "missed", None: ""}
    yield f"{'figure':<40} {'now':>8}  {'counted':>16} {'goal':>5}"
    for row in measured:
        yield f"{row.title:<40} {row.value:>8}  {row.source:>16} {row.goal:>5}  {marks[row.reached]}".rstrip()
    yield f"left out: minified files and what lies in {', '.join(sorted(LEFT_OUT))}"


def worst(project: Project, most: int) -> Iterator[str]:
    """Yield for each goal the files that cost most, by how far their count is above what the goal allows."""
    for rate in RATES:
        files = costliest(project, rate)
        if files:
            yield f"\n{rate.title}, goal {rate.goal:g}: too many, rate, file"
        for path in files[:most]:
            counts = project.counts[path]
            name = path.relative_to(project.root)
            yield f"{rate.excess(counts):8.1f} {rate.value(counts):8.2f}  {name}"


def costliest(project: Project, rate: Rate) -> list[Path]:
    excess: dict[Path, float] = {}
    for path, counts in project.counts.items():
        if rate.excess(counts) > 0:
            excess[path] = rate.excess(counts)
    return sorted(excess, key=lambda path: excess[path], reverse=True)


# --- the command -----------------------------------------------------------------------------------------------------
def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measures how the code reads, beside the goals of the house style."
    )
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help="folders with the product's Python"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument(
        "--worst",
        type=int,
        nargs="?",
        const=10,
        metavar="N",
        help="name the N (10) costliest files of a figure",
    )
    options = parser.parse_args()
    options.root = options.root.resolve()
    options.packages = options.packages or list(PACKAGES)
    for package in options.packages:
        if not (options.root / package).is_dir():
            parser.error(
                f"there is no folder `{package}` in {options.root}\nhint: name the project's packages"
            )
    return options


def refuse_nothing(project: Project) -> None:
    """Exit with 2 where no module was found: a goal is no goal where nothing is measured."""
    if not project.modules:
        sys.stderr.write(
            "there is nothing to measure: no module lies in the packages\nhint: see what is left out\n"
        )
        sys.exit(2)


def main() -> int:
    """Print the table; 1 when goals were to be checked and one is missed."""
    options = parsed()
    project = Project(options.root, options.packages)
    refuse_nothing(project)
    measured = list(rows(project))
    lines = list(table(measured))
    if options.worst:
        lines.extend(worst(project, options.worst))
    sys.stdout.write("\n".join(lines) + "\n")
    is_missed = any(row.reached is False for row in measured)
    return int(options.check and is_missed)


if __name__ == "__main__":
    sys.exit(main())

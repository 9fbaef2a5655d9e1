"""The product's and the tests' modules, read for the tests of how they are written."""

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tempo_site", "scripts_app", "runs_app", "notifications_app")


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file of Python: its dotted name, its path below the root, its text and tree."""

    name: str
    path: str
    source: str

    @classmethod
    def of(cls, path: str, source: str) -> "Module":
        """Name a file's text; `path` is relative to the root."""
        parts = Path(path).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return cls(name=name, path=path, source=source)

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text: not before it is asked for, since each process that collects the tests imports this."""
        return ast.parse(self.source)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All parts of the tree: each of many rules looks at them, and walking costs more than looking."""
        return list(ast.walk(self.tree))

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        return self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]

    def at(self, node: ast.stmt | ast.expr, sentence: str) -> str:
        """A violation, as file:line and what is wrong there."""
        return f"{self.path}:{node.lineno} {sentence}"


def load(pattern: str) -> list[Module]:
    """The files of a pattern below the root, migrations apart: Django writes those."""
    files = sorted(path for path in ROOT.glob(pattern) if "migrations" not in path.parts)
    return [Module.of(str(path.relative_to(ROOT)), path.read_text()) for path in files]


PRODUCT = [module for package in PACKAGES for module in load(f"{package}/**/*.py")]
TESTS = load("tests/**/*.py")
NAMES = frozenset(module.name for module in PRODUCT)

"""The local modules and the data that a Python file uses, found in its text: copied into the script's folder."""

import ast
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts_app.crontab.parser import printable
from scripts_app.crontab.source_files import UnreadableFile

MAX_FILES = 200
MAX_NAME = 200  # characters of a text that may name a file
_DATA_SUFFIXES = """
    .json .yaml .yml .toml .ini .cfg .conf .csv .tsv .txt .xml .html .htm .j2 .jinja .sql .md .tpl .xlsx
"""
_DATA = frozenset(_DATA_SUFFIXES.split())
_TOO_SECRET = frozenset({".env", ".pem", ".key", ".netrc", ".pgpass"})

ReadBytes = Callable[[str], bytes]


@dataclass(kw_only=True)
class Neighbours:
    """Files by their path in the script's folder, the names of modules that lie elsewhere, and notes."""

    files: dict[str, bytes] = field(default_factory=dict)
    foreign_modules: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def of_code(code: str, places: list[str], read: ReadBytes) -> Neighbours:
    """Return what a code uses of the files in these folders: the file's own first, then the one it worked in."""
    found = Neighbours()
    _follow(code, places, read, found)
    return found


def of_package(name: str, place: str, read: ReadBytes) -> Neighbours:
    """Return the files of a module or package in a folder, with what they use."""
    found = Neighbours()
    _take_module(name, [place], read, found)
    return found


def _follow(code: str, places: list[str], read: ReadBytes, found: Neighbours) -> None:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        for name in _imported(node):
            if name and not _take_module(name, places, read, found):
                found.foreign_modules.add(name)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            _take_data(node.value, places, read, found)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield (node.module or "").partition(".")[0]


# Whether one of the folders has the module; the standard library's names are never theirs.
def _take_module(name: str, places: list[str], read: ReadBytes, found: Neighbours) -> bool:
    if name in sys.stdlib_module_names:
        return True
    for place in places:
        folder = Path(place, name)
        if folder.with_suffix(".py").is_file():
            _take(f"{name}.py", place, places, read, found)
            return True
        if folder.is_dir() and any(folder.glob("*.py")):
            _take_folder(name, place, places, read, found)
            return True
    return False


def _take_folder(
    name: str, place: str, places: list[str], read: ReadBytes, found: Neighbours
) -> None:
    for folder, folders, names in os.walk(Path(place, name), followlinks=False):
        folders[:] = [each for each in folders if not each.startswith((".", "__pycache__"))]
        for file in sorted(names):
            if Path(file).suffix in _DATA | {".py"}:
                path = os.path.relpath(Path(folder, file), place)
                _take(path, place, places, read, found)


def _take_data(text: str, places: list[str], read: ReadBytes, found: Neighbours) -> None:
    if not text or len(text) > MAX_NAME or "\0" in text or "\n" in text or text.startswith("/"):
        return
    path = Path(text)
    if ".." in path.parts or not path.parts:
        return
    if path.suffix in _TOO_SECRET or path.name in _TOO_SECRET:
        if any(Path(place, path).is_file() for place in places):
            found.note(
                f"`{printable(text, 80)}` is not copied: its values belong into the script's secrets"
            )
        return
    for place in places:
        if path.suffix in _DATA and Path(place, path).is_file():
            _take(str(path), place, places, read, found)
            return
        if path.suffix and Path(place, path).is_file():
            found.note(f"`{printable(text, 80)}` is not copied: upload it on the Files tab")
            return


def _take(path: str, place: str, places: list[str], read: ReadBytes, found: Neighbours) -> None:
    if path in found.files:
        return
    if len(found.files) >= MAX_FILES:
        found.note(f"more than {MAX_FILES} files lie beside it: the rest is not copied")
        return
    try:
        data = read(str(Path(place, path)))
    except UnreadableFile as reason:
        found.note(f"`{printable(path, 80)}` {reason}")
        return
    found.files[path] = data
    if path.endswith(".py"):
        _follow(data.decode(errors="replace"), places, read, found)


def is_of_python(name: str) -> bool:
    """Return whether a module belongs to the standard library."""
    return name in sys.stdlib_module_names

"""Reading Python files and folders of them: each file is a script, a folder with a `main.py` is one as a whole."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from scripts_app.exchange.items import CODE, REQUIREMENTS, Item, Row
from scripts_app.exchange.texts import read_text
from scripts_app.packages import inline_metadata
from tempo_site.lib import humanize

SUFFIX, PACKAGE = ".py", "__init__.py"
HAS_MODULE = "`{name}` came along, as its code imports it"
Files = Mapping[str, Path]


def items(files: Files) -> list[Item]:
    """Return the scripts among files; modules that a script imports come along as files of its own."""
    found = []
    with_code = _folders_of(path for path in files if PurePosixPath(path).name == CODE)
    whole = [folder for folder in with_code if not _is_in(folder, with_code)]
    for folder in whole:
        found.append(_of_folder(folder, files))
    rest = {path: files[path] for path in files if not _is_in(path, whole)}
    for folder in _folders_of(rest):
        found += _of_files(folder, rest)
    return found


def _folders_of(paths: Iterable[str]) -> list[str]:
    return sorted({str(PurePosixPath(path).parent) for path in paths})


def _is_in(path: str, folders: Collection[str]) -> bool:
    return any(str(above) in folders for above in PurePosixPath(path).parents)


# The files of a folder and of those in it, by their paths from there.
def _below(folder: str, files: Files) -> Files:
    prefix = "" if folder == "." else f"{folder}/"
    return {path[len(prefix) :]: files[path] for path in files if path.startswith(prefix)}


def _of_folder(folder: str, files: Files) -> Item:
    own = _below(folder, files)
    name = PurePosixPath(folder).name or "main"
    beside = {path: place for path, place in own.items() if path not in (CODE, REQUIREMENTS)}
    return _item(name, own[CODE], folder=_above(folder), listed=own.get(REQUIREMENTS), files=beside)


def _of_files(folder: str, files: Files) -> Iterator[Item]:
    here = _below(folder, files)
    if PACKAGE in here:
        return
    codes = {name: here[name] for name in sorted(here) if _is_code(name)}
    uses = {name: _used_by(codes[name], here) for name in codes}
    modules = {path for name in codes for path in uses[name] if path != name}
    for name in codes:
        if name in modules:
            continue
        beside = sorted(_with_theirs(uses[name], uses) - {name})
        yield _item(
            name.removesuffix(SUFFIX),
            codes[name],
            folder="" if folder == "." else folder,
            listed=here.get(REQUIREMENTS),
            files={path: here[path] for path in beside},
            notes=[HAS_MODULE.format(name=path) for path in beside],
        )


def _is_code(name: str) -> bool:
    return name.endswith(SUFFIX) and "/" not in name


# The paths of modules and packages beside a code that it imports.
def _used_by(code: Path, here: Files) -> set[str]:
    names = imported(read_text(code))
    return {path for path in here if path.partition("/")[0].removesuffix(SUFFIX) in names}


def _with_theirs(paths: set[str], uses: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = set(paths)
    while left:
        path = left.pop()
        found.add(path)
        left |= uses.get(path, set()) - found
    return found


def imported(code: str) -> set[str]:
    """Return the names of the modules at the top that a code imports; none for a code that cannot be read."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def _item(
    name: str,
    code: Path,
    *,
    folder: str,
    listed: Path | None,
    files: Files,
    notes: Sequence[str] = (),
) -> Item:
    settings: Row = {"name": name}
    if folder:
        settings["folder"] = folder
    text = read_text(code)
    more = list(notes)
    if inline_metadata.read(text).line:
        more.append("packages, Python and inputs stand in the block of its code")
    return Item(
        slug=humanize.safe_name(name) or "script",
        settings=settings,
        code=text,
        requirements=read_text(listed) if listed else None,
        files=files,
        notes=more,
    )


def _above(folder: str) -> str:
    above = str(PurePosixPath(folder).parent)
    return "" if above == "." else above

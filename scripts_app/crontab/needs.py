"""What a command needs beside its code: packages, local modules, data, a Python. Read, never run."""

import posixpath
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from scripts_app.crontab import neighbours, virtual_environments, wrappers
from scripts_app.crontab.command_list import ListedCommand
from scripts_app.crontab.neighbours import Neighbours
from scripts_app.crontab.parser import printable
from scripts_app.crontab.source_files import Sources, UnreadableFile
from scripts_app.crontab.virtual_environments import Installed
from scripts_app.crontab.wrappers import Found
from scripts_app.packages import inline_metadata, requirements
from scripts_app.packages.suggestions import PACKAGES_BY_IMPORT, POPULAR_PACKAGES
from scripts_app.validation import ScriptError

_PYTHON = re.compile(r"(?:.*/)?python[23]?(?:\.[0-9]{1,2})?")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Packages as requirement lines, files by their path in the script's folder, and notes on the rest."""

    packages: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    python: str = ""  # the version of the virtual environment
    program: str = ""  # to be called in place of one that lies in a virtual environment
    source: str = ""
    notes: list[str] = field(default_factory=list)


def of_file(
    path: str, code: str, *, program: str, folder: str, found: Found, sources: Sources
) -> Needs:
    places = [posixpath.dirname(path)] if path else []
    if folder and folder not in places:
        places.append(folder)
    places = [place for place in places if place.startswith("/")]
    beside = Neighbours()
    if sources.may_read:
        beside = neighbours.of_code(code, places, sources.data)
    beside.files.pop(posixpath.basename(path), None)
    has_block = inline_metadata.read(code).requirements is not None
    return _needs(
        beside,
        places,
        program=program,
        folder=folder,
        found=found,
        sources=sources,
        is_complete=has_block,
    )


def of_module(name: str, *, program: str, folder: str, found: Found, sources: Sources) -> Needs:
    top = name.partition(".")[0]
    beside = Neighbours()
    places = [folder] if folder.startswith("/") else []
    if sources.may_read and places:
        beside = neighbours.of_package(top, folder, sources.data)
    if not beside.files and not neighbours.is_of_python(top):
        beside.foreign_modules.add(top)
    needs = _needs(beside, places, program=program, folder=folder, found=found, sources=sources)
    source = posixpath.join(folder, top) if beside.files else ""
    return replace(needs, source=source)


def of_program(program: str, *, folder: str, found: Found, sources: Sources) -> Needs:
    environment = wrappers.environment_of(posixpath.join(folder, program)) if "/" in program else ""
    if not environment and not found.environment and not found.packages and not found.is_project:
        return Needs()
    needs = _needs(
        Neighbours(), [folder], program=program, folder=folder, found=found, sources=sources
    )
    if environment and needs.packages:
        return replace(needs, program=posixpath.basename(program))
    return needs


def of_shell(
    commands: Sequence[ListedCommand], *, folder: str, found: Found, sources: Sources
) -> tuple[Needs, list[ListedCommand]]:
    """Return what the Python files of a command list need, and the list with these files called where they will lie."""
    all_needs = Needs(packages=list(found.packages))
    written = []
    for command in commands:
        target = _python_target(command, found)
        if target is None or not sources.may_read:
            written.append(command)
            continue
        words, path, place = target
        path = posixpath.join(folder, path)
        try:
            code = sources.code(path)
        except UnreadableFile as reason:
            all_needs.notes.append(f"`{printable(path, 80)}` {reason}")
            written.append(command)
            continue
        own = of_file(path, code, program=words[0], folder=folder, found=found, sources=sources)
        name = posixpath.basename(path)
        all_needs.files.update({**own.files, name: code.encode()})
        all_needs.notes.extend(note for note in own.notes if note not in all_needs.notes)
        all_needs.packages.extend(each for each in own.packages if each not in all_needs.packages)
        raw = [*command.words[:place], "python", f'"$HOME"/{name}', *command.words[place + 2 :]]
        written.append(replace(command, words=raw, text=" ".join([*raw, *command.redirections])))
    return all_needs, written


# The literal words from a Python on, the file that it runs and the place of the Python among the words.
def _python_target(command: ListedCommand, found: Found) -> tuple[list[str], str, int] | None:
    if command.is_compound:
        return None
    literals = [found.literal(raw) or "" for raw in command.words]
    for place, word in enumerate(literals[:-1]):
        if _PYTHON.fullmatch(word) and literals[place + 1].endswith(".py"):
            return literals[place:], literals[place + 1], place
    return None


def _needs(
    beside: Neighbours,
    places: Sequence[str],
    *,
    program: str,
    folder: str,
    found: Found,
    sources: Sources,
    is_complete: bool = False,
) -> Needs:
    notes = list(beside.notes)
    lines = list(filter(None, found.packages))
    python = ""
    environment = _environment(program, folder, found)
    installed = _installed(environment, folder, sources)
    if installed is not None:
        lines += installed.requirements
        python = installed.python
        notes += installed.notes
    elif not is_complete:
        listed = _listed(places, sources, is_project=found.is_project)
        if listed is None:
            listed = list(_packages_of_imports(beside.foreign_modules, notes))
        lines += listed
    packages = list(_valid(lines, notes))
    if packages:
        notes.append(f"its packages: {printable(', '.join(packages), 200)}")
    if beside.files:
        notes.append(f"copied into its folder: {printable(', '.join(sorted(beside.files)), 200)}")
    return Needs(packages=packages, files=beside.files, python=python, notes=notes)


def _environment(program: str, folder: str, found: Found) -> str:
    environment = found.environment or wrappers.environment_of(posixpath.join(folder, program))
    if found.is_project and not environment:
        return ".venv"
    return environment


def _installed(environment: str, folder: str, sources: Sources) -> Installed | None:
    if not sources.may_read or not environment:
        return None
    return virtual_environments.installed_in(posixpath.join(folder, environment))


# The packages that a file beside the code lists, or None without such a file.
def _listed(places: Iterable[str], sources: Sources, *, is_project: bool) -> list[str] | None:
    for place in places:
        if is_project and (text := _text(posixpath.join(place, "pyproject.toml"), sources)):
            return _project_packages(text)
        if text := _text(posixpath.join(place, "requirements.txt"), sources):
            return [
                line.strip()
                for line in text.splitlines()
                if line.strip() and line.strip()[0] != "#"
            ]
    return None


def _text(path: str, sources: Sources) -> str:
    if not sources.may_read:
        return ""
    try:
        return sources.data(path).decode(errors="replace")
    except UnreadableFile:
        return ""


def _project_packages(text: str) -> list[str]:
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    listed = table.get("project", {}).get("dependencies")
    if isinstance(listed, list):
        return [str(each) for each in listed]
    poetry = table.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return [_of_poetry(name, wish) for name, wish in poetry.items() if name != "python"]


# `^1.2` and `~1.2` become lower bounds with the bound above that they mean.
def _of_poetry(name: str, wish: object) -> str:
    text = wish.get("version", "*") if isinstance(wish, dict) else str(wish)
    match = re.fullmatch(r"[\^~]?([0-9]+)(\.[0-9]+)*", str(text))
    if text == "*" or match is None:
        return name if text == "*" else f"{name}{text}"
    if text[0] == "^" and match[1] != "0":
        return f"{name}>={text[1:]},<{int(match[1]) + 1}"
    if text[0] in "^~":
        return f"{name}~={text[1:]}" if "." in text else f"{name}>={text[1:]}"
    return f"{name}=={text}"


def _packages_of_imports(modules: Iterable[str], notes: list[str]) -> Iterable[str]:
    for name in sorted(modules):
        package = PACKAGES_BY_IMPORT.get(name.lower(), name.lower().replace("_", "-"))
        if package in POPULAR_PACKAGES or name.lower() in PACKAGES_BY_IMPORT:
            yield package
        else:
            notes.append(
                f"it imports `{printable(name, 80)}`: name its package under Packages, or bring its file"
            )


def _valid(lines: Iterable[str], notes: list[str]) -> Iterable[str]:
    for line in dict.fromkeys(lines):
        try:
            requirements.normalise(line)
            Requirement(line.partition(" #")[0].strip())
        except (ScriptError, InvalidRequirement):
            notes.append(
                f"`{printable(line, 80)}` is left out of its packages: Tempo does not take such a line"
            )
        else:
            yield line.partition(" #")[0].strip()

"""Writing scripts as plain files: the tree of an export, in a fixed order and without a date."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from django.db.models import QuerySet

from scripts_app import bulk, folders, lookup
from scripts_app.exchange import toml_rows, toml_text, version_files
from scripts_app.exchange.items import (
    CODE,
    EXPORT,
    FILES,
    FORMAT,
    LOCK,
    REQUIREMENTS,
    SCRIPTS,
    SETTINGS,
    VERSIONS,
    Item,
    Row,
)
from scripts_app.exchange.parts import parts
from scripts_app.exchange.programs import portable
from scripts_app.files import store
from scripts_app.files.store import NoSuchFile
from scripts_app.limits import LIMITS
from scripts_app.models import Environment, Script, Version
from scripts_app.packages import interpreters
from scripts_app.scripts import SET_BY_STAFF
from scripts_app.validation import ScriptError
from tempo_site.audit import trail
from tempo_site.lib import humanize

CHUNK = 256 * 1024
PLAIN = ("name", "description", "tags", "enabled", "one_at_a_time", *LIMITS)
READ_LATER = ("version__code", "version__environment__lock", "wanted_environment__lock")
CLOSED_FOLDER = ".ssh"  # keys are in no export


@dataclass(frozen=True, kw_only=True)
class ExportEntry:
    """A file of an export. `read` yields its bytes as it is written; it may raise ScriptError, OSError."""

    path: str
    read: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Export:
    """Everything that an export holds; `left_out` are the files of scripts that are in no export, with the reason."""

    entries: list[ExportEntry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    scripts: int = 0


def chosen(among: QuerySet[Script], *, folder: str = "", slug: str = "") -> QuerySet[Script]:
    """Return all of these scripts, those in a folder and below, or one. Raise Http404 for one that is not there."""
    if folder:
        among = among.filter(folders.within(lookup.folder_at(folder).path, field="folder__path"))
    if slug:
        among = among.filter(slug=slug)
        if not among.exists():
            raise lookup.no_script(slug)
    return among


def export(scripts: QuerySet[Script], *, with_versions: bool = False) -> Export:
    """Return the export of these scripts; code, locks and files are read when they are written."""
    related = scripts.select_related("folder", "version__environment", "wanted_environment")
    rows = list(related.defer(*READ_LATER).order_by("slug"))
    found = Export(scripts=len(rows))
    slugs = {script.slug for script in rows}
    items = items_of(rows, with_texts=False)
    for script in rows:
        place = f"{_place_of(script, slugs)}/{script.slug}"
        found.entries.extend(_texts(place, script, items[script.pk]))
        if with_versions:
            found.entries.extend(_versions(place, script))
        for path, problem in _files_of(script):
            if problem:
                found.left_out.append(f"{script.slug}: {path} {problem}")
            else:
                whole = f"{place}/{FILES}/{path}"
                found.entries.append(ExportEntry(path=whole, read=partial(_file, script, path)))
    head: Row = {"format": FORMAT}
    if found.left_out:
        head["left_out"] = found.left_out
    found.entries.append(_text(EXPORT, toml_text.written(head)))
    found.entries.sort(key=lambda entry: entry.path)
    trail.record("exported", kind="scripts", name=bulk.count_of_scripts(len(rows)))
    return found


def present(found: Export) -> Iterator[tuple[ExportEntry, Iterator[bytes]]]:
    """Yield each entry with its bytes; a file that its script has removed meanwhile is passed over."""
    for entry in found.entries:
        data = entry.read()
        try:
            first = next(data, b"")
        except NoSuchFile:
            continue
        yield entry, itertools.chain([first], data)


def items_of(rows: list[Script], *, with_texts: bool = True) -> dict[int, Item]:
    """Return scripts as items by their key, without their files, in the same number of queries for any number.

    Without texts they lack code and lock, of which a thousand are more than the memory of `web` is for.
    """
    keys = [script.pk for script in rows]
    schedules = toml_rows.schedules_of(keys)
    variables = toml_rows.variables_of(keys)
    of_parts = {name: part.read(keys) for name, part in parts.items()}
    locked = set(Environment.objects.exclude(lock="").values_list("pk", flat=True))
    found = {}
    for script in rows:
        version = script.version
        environment = _environment_of(script)
        if environment is not None and environment.pk not in locked:
            environment = None
        rows_of_parts = {name: read.get(script.pk, []) for name, read in of_parts.items()}
        found[script.pk] = Item(
            slug=script.slug,
            settings=_settings(script),
            code=version.code if version and with_texts else "",
            requirements=version.requirements if version else "",
            lock=environment.lock if environment and with_texts else "",
            locked_for=interpreters.minor_of(environment.python) if environment else "",
            schedules=schedules.get(script.pk, []),
            variables=variables.get(script.pk, []),
            for_staff={name: True for name in SET_BY_STAFF if getattr(script, name)},
            parts={name: found_rows for name, found_rows in rows_of_parts.items() if found_rows},
        )
    return found


def table_of(item: Item) -> Row:
    table: Row = {**item.settings, **item.for_staff}
    if item.locked_for:
        table["locked_for"] = item.locked_for
    table["schedules"] = list(item.schedules or ())
    table["variables"] = list(item.variables)
    for name, rows in item.parts.items():
        table[name] = list(rows)
    return {name: value for name, value in table.items() if value != []}


def files_of(script: Script) -> list[str]:
    """Return the paths of the files that an export of a script holds."""
    return [path for path, problem in _files_of(script) if not problem]


def _settings(script: Script) -> Row:
    settings: Row = {name: getattr(script, name) for name in PLAIN}
    if script.folder:
        settings["folder"] = script.folder.path
    if script.version and script.version.python_version:
        settings["python_version"] = script.version.python_version
    settings["parameters"] = script.parameters
    return {name: value for name, value in settings.items() if value not in ("", [])}


def _environment_of(script: Script) -> Environment | None:
    if script.wanted_environment is not None:
        return script.wanted_environment
    return script.version.environment if script.version else None


def _texts(place: str, script: Script, item: Item) -> Iterator[ExportEntry]:
    yield ExportEntry(path=f"{place}/{CODE}", read=partial(_code_of, script.version_id))
    if item.requirements:
        yield _text(f"{place}/{REQUIREMENTS}", item.requirements)
    environment = _environment_of(script)
    if item.locked_for and environment is not None:
        yield ExportEntry(path=f"{place}/{LOCK}", read=partial(_lock_of, environment.pk))
    yield _text(f"{place}/{SETTINGS}", toml_text.written(table_of(item)))


def _versions(place: str, script: Script) -> Iterator[ExportEntry]:
    rows = Version.objects.filter(script=script).order_by("number")
    for version in rows.defer("code"):
        stem = f"{place}/{VERSIONS}/{version.number:04}"
        yield ExportEntry(path=f"{stem}.py", read=partial(_code_of, version.pk))
        if version.requirements:
            yield _text(f"{stem}.requirements.txt", version.requirements)
        facts = version_files.facts_of(version)
        yield _text(f"{stem}.toml", toml_text.written(facts))


def _text(path: str, text: str) -> ExportEntry:
    return ExportEntry(path=path, read=lambda: iter([text.encode()]))


# One at a time: all texts of all scripts are more than the memory of `web` is for.
def _code_of(version: int | None) -> Iterator[bytes]:
    for code in Version.objects.filter(pk=version or 0).values_list("code", flat=True):
        yield code.encode()


def _lock_of(environment: int) -> Iterator[bytes]:
    yield Environment.objects.values_list("lock", flat=True).get(pk=environment).encode()


def _file(script: Script, path: str) -> Iterator[bytes]:
    with closing(store.opened(script, path)) as file:
        while data := file.read(CHUNK):
            yield data


# A folder's name where every system takes it, else its safe form; never the name of a script, whose files would be
# among the folder's.
def _place_of(script: Script, slugs: set[str]) -> str:
    path = script.folder.path if script.folder else ""
    places = [SCRIPTS]
    for part in filter(None, path.split("/")):
        name = part
        if portable.problem_of(part) or set(part) & set('<>:"|?*'):
            name = humanize.safe_name(part) or "folder"
        places.append(f"{name}_" if name.casefold() in slugs else name)
    return "/".join(places)


# Each with the reason why it is in no export; "" for one that is.
def _files_of(script: Script) -> Iterator[tuple[str, str]]:
    taken = portable.Taken()
    for path, problem in _files_below(script, ""):
        other = "" if problem else taken.add(path)
        yield path, f"cannot lie beside {other} on every system" if other else problem


def _files_below(script: Script, folder: str) -> Iterator[tuple[str, str]]:
    after = ""
    while True:
        try:
            listing = store.listing(script, folder, after=after)
        except ScriptError:
            yield folder, "cannot be read"
            return
        for entry in listing.entries:
            problem = _problem_of(entry)
            if problem:
                yield entry.path, problem
            elif entry.kind == "folder":
                yield from _files_below(script, entry.path)
            else:
                yield entry.path, ""
        after = listing.following
        if not after:
            return


def _problem_of(entry: store.FileEntry) -> str:
    if not entry.has_readable_name:
        return "has a name that is no UTF-8"
    if entry.kind not in ("file", "folder"):
        return "is no file"
    if entry.name == CLOSED_FOLDER:
        return "may hold keys"
    if portable.is_passed_over(entry.name):
        return "is left to the tool that made it"
    return portable.problem_of(entry.path)


def write(found: Export, target: Path) -> None:
    """Write all of an export, or nothing, into a folder that is empty or not there yet. Raise ScriptError, OSError."""
    is_new = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise ScriptError(f"`{target}` is not empty\nhint: name a new folder", field="folder")
    try:
        for entry, data in present(found):
            path = target / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.writelines(data)
    except BaseException:
        _empty(target)
        if is_new:
            target.rmdir()
        raise


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

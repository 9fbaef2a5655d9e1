"""Folders of scripts: made, renamed and moved with all that is below them; each is a row that bears its whole path."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from scripts_app import validation
from scripts_app.models import Folder, Script
from scripts_app.validation import ScriptError


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A folder in the tree; `count` is of the scripts in it and below, `is_empty` says that nothing at all is."""

    pk: int
    path: str
    count: int
    is_empty: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def depth(self) -> int:
        """How many folders are above it; what lies deeper than the fifth level is drawn at it."""
        return min(self.path.count("/"), 4)


def ensure(path: object, *, field: str = "folder") -> Folder | None:
    """Return the folder of a path, made with those above it where they are missing; None for "". Raises ScriptError."""
    plain = validation.folder_path(path, field=field)
    folder = None
    for above in _lines_of_descent(plain):
        folder = Folder.objects.get_or_create(path=above)[0]
    return folder


def create(path: object) -> Folder:
    """Make a folder, and those above it. Raises ScriptError for a path that cannot be one, or is one already."""
    plain = validation.folder_path(path, field="path")
    if not plain:
        raise ScriptError("A folder needs a name", field="path")
    with transaction.atomic():
        _refuse_taken(plain)
        folder = ensure(plain, field="path")
    assert folder is not None
    return folder


def move(folder: Folder, *, path: object) -> Folder:
    """Give a folder another path: another name, another place, or both. What is below it comes along.

    Raises ScriptError: a path that is taken or lies within the folder itself, or becomes too long below.
    """
    plain = validation.folder_path(path, field="path")
    with transaction.atomic():
        folder.refresh_from_db()
        if plain == folder.path:
            return folder
        _check_target(folder, plain)
        old, above = folder.path, plain.rpartition("/")[0]
        ensure(above, field="path")
        for row in Folder.objects.filter(within(old, field="path")):
            Folder.objects.filter(pk=row.pk).update(path=_moved(row.path, old, plain))
        for script in (
            Script.objects.restorable()
            .filter(within(old, field="deleted_from"))
            .only("deleted_from")
        ):
            Script.objects.filter(pk=script.pk).update(
                deleted_from=_moved(script.deleted_from, old, plain)
            )
        folder.refresh_from_db()
    return folder


def within(path: str, *, field: str) -> Q:
    """The rows whose path, in `field`, is this one or lies below it."""
    # 0 follows /
    return Q(**{field: path}) | Q(**{f"{field}__gt": f"{path}/", f"{field}__lt": f"{path}0"})


def scripts_in(folder: Folder) -> QuerySet[Script]:
    return Script.objects.present().filter(within(folder.path, field="folder__path"))


def tree() -> list[Branch]:
    """Every folder, each before what is below it, whatever their number in two queries."""
    rows = sorted(
        Folder.objects.values_list("path", "pk"),
        key=lambda row: [part.casefold() for part in _parts(row[0])],
    )
    counts = Counter[str]()
    for path in (
        Script.objects.present().exclude(folder=None).values_list("folder__path", flat=True)
    ):
        counts.update(_lines_of_descent(str(path)))
    parents = {path.rpartition("/")[0] for path, _ in rows}
    return [
        Branch(
            pk=pk, path=path, count=counts[path], is_empty=not counts[path] and path not in parents
        )
        for path, pk in rows
    ]


def _lines_of_descent(path: str) -> Iterator[str]:
    parts = _parts(path)
    return ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _parts(path: str) -> list[str]:
    if path:
        return path.split("/")
    return []


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :]


def _check_target(folder: Folder, path: str) -> None:
    if not path:
        raise ScriptError("A folder needs a name", field="path")
    if path.startswith(f"{folder.path}/"):
        raise ScriptError(f"`{path}` lies within `{folder.path}` itself", field="path")
    _refuse_taken(path)
    longest = max(
        len(found)
        for found in Folder.objects.filter(within(folder.path, field="path")).values_list(
            "path", flat=True
        )
    )
    length = longest - len(folder.path) + len(path)
    if length > validation.MAX_FOLDER:
        raise ScriptError(
            f"A folder below it would get a path of {length} characters; {validation.MAX_FOLDER} is the most",
            field="path",
        )


def _refuse_taken(path: str) -> None:
    if Folder.objects.filter(path=path).exists():
        raise ScriptError(f"There is a folder `{path}` already", field="path")

"""Folders of scripts: made, renamed and moved with all folders below; each row holds the whole path."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet

from scripts_app import validation
from scripts_app.models import Folder, Script
from scripts_app.validation import ScriptError
from tempo_site.audit import trail


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A folder in the tree; `count` is the number of scripts inside and below; `is_empty`: no script and no folder."""

    pk: int
    path: str
    count: int
    is_empty: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def depth(self) -> int:
        """Return the number of folders above, at most 4: deeper folders are drawn on the fifth level."""
        return min(self.path.count("/"), 4)


def ensure(path: object, *, field: str = "folder") -> Folder | None:
    """Return the folder of a path, or None for ""; missing folders are made. Raise ScriptError."""
    plain = validation.folder_path(path, field=field)
    folder = None
    for ancestor in with_ancestors(plain):
        folder, _ = Folder.objects.get_or_create(path=ancestor)
    return folder


def create(path: object) -> Folder:
    """Make a folder with all missing folders above. Raise ScriptError for a path that is invalid or taken."""
    plain = validation.folder_path(path, field="path")
    if not plain:
        raise ScriptError("A folder needs a name", field="path")
    with transaction.atomic():
        _refuse_taken(plain)
        folder = ensure(plain, field="path")
        trail.record("created", folder)
    assert folder is not None
    return folder


def move(folder: Folder, *, path: object) -> Folder:
    """Give a folder another path: another name, another place, or both. All folders below move along.

    Raise ScriptError: a path that is taken or lies within the folder itself, or becomes too long below.
    """
    plain = validation.folder_path(path, field="path")
    with transaction.atomic():
        folder.refresh_from_db()
        if plain == folder.path:
            return folder
        _check_target(folder, plain)
        old = folder.path
        ensure(plain.rpartition("/")[0], field="path")
        for row in Folder.objects.filter(within(old, field="path")):
            row.path = _moved(row.path, old, plain)
            row.save(update_fields=["path"])  # with its signal: rules on folders are kept in memory
        deleted = Script.objects.restorable().filter(within(old, field="deleted_from"))
        for script in deleted.only("deleted_from"):
            deleted_from = _moved(script.deleted_from, old, plain)
            Script.objects.filter(pk=script.pk).update(deleted_from=deleted_from)
        folder.refresh_from_db()
        trail.record("moved", folder, changes={"path": [old, plain]})
    return folder


def within(path: str, *, field: str) -> Q:
    """Return a filter for rows whose path, in `field`, is this path or lies below."""
    # The character behind `/` is `0`.
    return Q(**{field: path}) | Q(**{f"{field}__gt": f"{path}/", f"{field}__lt": f"{path}0"})


def scripts_in(folder: Folder) -> QuerySet[Script]:
    return Script.objects.present().filter(within(folder.path, field="folder__path"))


def tree() -> list[Branch]:
    """Return every folder, each before the folders below, in two queries."""
    folders = sorted(Folder.objects.all(), key=lambda folder: folder.path.casefold().split("/"))
    counts = _count_scripts()
    parents = {folder.path.rpartition("/")[0] for folder in folders}
    branches = []
    for folder in folders:
        count = counts[folder.path]
        is_empty = not count and folder.path not in parents
        branches.append(Branch(pk=folder.pk, path=folder.path, count=count, is_empty=is_empty))
    return branches


# By path, with the scripts of all folders below.
def _count_scripts() -> Counter[str]:
    counts = Counter[str]()
    scripts = Script.objects.present().exclude(folder=None)
    for path in scripts.values_list("folder__path", flat=True):
        counts.update(with_ancestors(str(path)))
    return counts


def with_ancestors(path: str) -> Iterator[str]:
    """Yield `a`, `a/b`, `a/b/c` for the last of them; nothing for ""."""
    if not path:
        return
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :]


def _check_target(folder: Folder, path: str) -> None:
    if not path:
        raise ScriptError("A folder needs a name", field="path")
    if path.startswith(f"{folder.path}/"):
        raise ScriptError(f"`{path}` lies within `{folder.path}` itself", field="path")
    _refuse_taken(path)
    rows = Folder.objects.filter(within(folder.path, field="path"))
    longest = max(map(len, rows.values_list("path", flat=True)))
    length = longest - len(folder.path) + len(path)
    if length > validation.MAX_FOLDER:
        raise ScriptError(
            f"A folder below it would get a path of {length} characters; {validation.MAX_FOLDER} is the most",
            field="path",
        )


def _refuse_taken(path: str) -> None:
    if Folder.objects.filter(path=path).exists():
        raise ScriptError(f"There is a folder `{path}` already", field="path")

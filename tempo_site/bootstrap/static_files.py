"""Static files: copied, hashed and compressed when any source has changed."""

import filecmp
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command

from tempo_site.lib import files
from tempo_site.lib.static_storage import HashedStaticFilesStorage

Say = Callable[[str], None]

STAMP = ".stamp"
LOCK = ".lock"


def collect(say: Say) -> None:
    """Collect the static files when a source has changed. Of two processes that start at once, one collects.

    Where the folder is not writable, the files collected before have to do. Raises CommandError without such files.
    """
    digest = _digest_of_sources()
    if settings.DEBUG or _is_collected(digest):
        return
    if not _may_collect():
        _use_what_is_there(say)
        return
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    with files.locked(settings.STATIC_ROOT / LOCK):
        if _is_collected(digest):
            return
        before = _names_in_manifest()
        _remove_changed()
        call_command("collectstatic", verbosity=0, interactive=False)
        # Open pages may still ask for the files of the release before.
        _prune(kept=before | _names_in_manifest())
        _open_to_all(settings.STATIC_ROOT)
        files.write_atomic(settings.STATIC_ROOT / STAMP, digest, mode=0o644)
    say("Static files are collected.")


def _use_what_is_there(say: Say) -> None:
    root, uid = settings.STATIC_ROOT, os.geteuid()
    if not _names_in_manifest():
        raise CommandError(
            f"The static files cannot be written to {root} by user {uid}.\n"
            "hint: run `manage.py prepare` once as the user that folder belongs to"
        )
    say(f"Static files are older than their sources: user {uid} may not write to {root}.")


def is_collected_by_root() -> bool:
    """Whether the folder of the static files is root's, like the code beside it."""
    return _nearest_folder().stat().st_uid == 0


def _may_collect() -> bool:
    return os.access(_nearest_folder(), os.W_OK | os.X_OK)


def _nearest_folder() -> Path:
    # The folder of the collected files, or the nearest folder above that exists.
    folder: Path = settings.STATIC_ROOT
    while not folder.exists():
        folder = folder.parent
    return folder


def _digest_of_sources() -> str:
    lines = []
    for name, path in _sources():
        status = path.stat()
        # Whole seconds: images and archives keep no others.
        lines.append(f"{name} {status.st_size} {int(status.st_mtime)}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _is_collected(digest: str) -> bool:
    try:
        return bool((settings.STATIC_ROOT / STAMP).read_text() == digest)
    except OSError:
        return False


def _sources() -> Iterator[tuple[str, Path]]:
    for finder in get_finders():
        for name, storage in finder.list([]):
            yield name, Path(storage.path(name))


def _names_in_manifest() -> set[str]:
    # Names of the files collected last, with a hash and without.
    names: dict[str, str] = HashedStaticFilesStorage().load_manifest()[0]
    return {*names, *names.values()}


def _prune(kept: set[str]) -> None:
    # Otherwise every release would leave its files behind for ever.
    kept = kept | {HashedStaticFilesStorage.manifest_name, STAMP, LOCK}
    for path in settings.STATIC_ROOT.rglob("*"):
        name = str(path.relative_to(settings.STATIC_ROOT))
        is_kept = name in kept or name.removesuffix(".gz") in kept
        if not is_kept and path.is_file():
            path.unlink()


def _remove_changed() -> None:
    # Collecting goes by the times of files, and those of an unpacked release may be older than the collected ones.
    for name, path in _sources():
        collected = settings.STATIC_ROOT / name
        if collected.is_file() and not filecmp.cmp(path, collected, shallow=False):
            collected.unlink()


def _open_to_all(root: Path) -> None:
    # Every visitor gets these files anyway, and the web process may be another user than the one who collects.
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)

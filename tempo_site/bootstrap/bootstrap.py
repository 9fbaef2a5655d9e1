"""The data folder of a service before its start: folders, database, static files, the first admin."""

import os
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from tempo_site import auth
from tempo_site.bootstrap import first_script, first_start, static_files
from tempo_site.lib import paths

Say = Callable[[str], None]


def prepare(say: Say) -> None:
    """Do each step that was not done before; `say` gets a line for each step that is done. Raises CommandError."""
    os.umask(0o077)
    paths.make_all()
    for notice in (settings.SECRET_KEY_NOTICE, settings.TIME_ZONE_NOTICE):
        if notice:
            say(notice)
    migrate(say)
    static_files.collect(say)
    create_admin(say)
    notice = auth.ensure_default_key()
    if notice:
        say(notice)


def migrate(say: Say) -> None:
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    call_command("migrate", verbosity=0, interactive=False)
    say("Database is up to date.")


def collect_static(say: Say) -> None:
    """Copy, hash and compress the static files when any of them changed. Of two that start at once, one does it.

    Where their folder is not this user's to write in, those that are there have to do. Raises CommandError without any.
    """
    stamp = settings.STATIC_ROOT / ".stamp"
    digest = _digest_of_sources()
    if settings.DEBUG or _is_collected(stamp, digest):
        return
    if not _may_collect():
        if not _names_in_manifest():
            raise CommandError(
                f"The static files cannot be written to {settings.STATIC_ROOT} by user {os.geteuid()}.\n"
                "hint: run `manage.py prepare` once as the user that folder belongs to"
            )
        say(
            f"Static files are older than their sources: user {os.geteuid()} may not write to {settings.STATIC_ROOT}."
        )
        return
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(stamp.with_name(".lock")):
        if _is_collected(stamp, digest):
            return
        before = _names_in_manifest()
        _remove_changed()
        call_command("collectstatic", verbosity=0, interactive=False)
        # open pages may still ask for those of the release before
        _prune(kept=before | _names_in_manifest())
        _open_to_all(settings.STATIC_ROOT)
        files.write_atomic(stamp, digest, mode=0o644)
    say("Static files are collected.")


def is_collected_by_root() -> bool:
    """Whether the folder of the static files is root's, like the code it belongs to."""
    return _collection_folder().stat().st_uid == 0


def _may_collect() -> bool:
    return os.access(_collection_folder(), os.W_OK | os.X_OK)


def _collection_folder() -> Path:
    """Where static files are collected, or what of the way there exists."""
    folder: Path = settings.STATIC_ROOT
    while not folder.exists():
        folder = folder.parent
    return folder


def _digest_of_sources() -> str:
    """Whole seconds: images and archives keep no others."""
    facts = (
        f"{name} {path.stat().st_size} {int(path.stat().st_mtime)}"
        for name, path in _static_sources()
    )
    return hashlib.sha256("\n".join(sorted(facts)).encode()).hexdigest()


def _open_to_all(root: Path) -> None:
    """Everybody who can reach Tempo gets these files anyway, and web may be another user than who collects them."""
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _is_collected(stamp: Path, digest: str) -> bool:
    try:
        return stamp.read_text() == digest
    except OSError:
        return False


def _static_sources() -> Iterator[tuple[str, Path]]:
    for finder in get_finders():
        for name, storage in finder.list([]):
            yield name, Path(storage.path(name))


def _names_in_manifest() -> set[str]:
    """Names below STATIC_ROOT of the files collected last, with a hash and without; none when nothing was."""
    names: dict[str, str] = HashedStaticFilesStorage().load_manifest()[0]
    return {*names, *names.values()}


def _prune(kept: set[str]) -> None:
    """Without it every release would leave its files behind for ever."""
    own = {HashedStaticFilesStorage.manifest_name, ".stamp", ".lock"}
    for path in settings.STATIC_ROOT.rglob("*"):
        name = str(path.relative_to(settings.STATIC_ROOT))
        if (
            path.is_file()
            and name not in own
            and name not in kept
            and name.removesuffix(".gz") not in kept
        ):
            path.unlink()


def _remove_changed() -> None:
    """Collecting goes by the times of files, and those of an unpacked release may be older than what is there."""
    for name, path in _static_sources():
        collected = settings.STATIC_ROOT / name
        if collected.is_file() and not filecmp.cmp(path, collected, shallow=False):
            collected.unlink()


def create_admin(say: Say) -> None:
    """Make the admin named by PYSCHED_ADMIN_USER and PYSCHED_ADMIN_PASSWORD, unless there is an admin."""
    name, password = settings.ADMIN_USER, settings.ADMIN_PASSWORD
    if first_start.has_admin():
        first_start.close()
        return
    if not name or not password:
        say("There is no admin yet.")
        return
    try:
        validate_password(password)
    except ValidationError as error:
        say(f"PYSCHED_ADMIN_PASSWORD was refused: {' '.join(error.messages)}")
        return
    if User.objects.filter(username=name).exists():
        say(f"PYSCHED_ADMIN_USER: there is a user `{name}` who is no admin; nobody was changed.")
        return
    user = User.objects.create_superuser(name, "", password)
    first_start.close()
    first_script.create(by=user, now=timezone.now())
    say(f"Admin `{name}` was created.")

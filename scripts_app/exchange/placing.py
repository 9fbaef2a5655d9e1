"""The files of an import, put into the folders of their scripts when its rows are stored: also behind a crash."""

import logging

from django.db import DatabaseError, transaction

from scripts_app.exchange import staging
from scripts_app.files import store
from scripts_app.models import Script, UnplacedFiles
from scripts_app.validation import ScriptError
from tempo_site.lib import paths

logger = logging.getLogger(__name__)


def finish_all() -> int:
    """At the start: place what an import that was interrupted has left; return the number of such imports."""
    rows = list(UnplacedFiles.objects.all())
    return sum(finish(row) for row in rows)


def finish(row: UnplacedFiles) -> bool:
    """Place the files of an import and forget it; False where a file cannot be placed now. May be repeated."""
    folder = paths.imports() / row.token
    scripts = Script.objects.present().in_bulk([key for key, _, _ in row.files])
    for key, source, path in row.files:
        if key not in scripts:  # deleted meanwhile
            continue
        try:
            store.place(scripts[key], path, folder / source)
        except (ScriptError, OSError) as error:
            logger.error("imported file not placed script=%s path=%s: %s", key, path, error)
            return False
    try:
        with transaction.atomic():
            row.delete()
    except DatabaseError as error:
        logger.error("import %s placed, and to be placed again: %s", row.token, error)
        return False
    staging.discard(row.token)
    return True

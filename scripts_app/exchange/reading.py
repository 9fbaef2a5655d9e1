"""What was handed in, as items: which format it is, and the module that reads it."""

from scripts_app.exchange import tempo_tree
from scripts_app.exchange.formats import command_items, cronicle, python_files, qinglong
from scripts_app.exchange.items import ExchangeError, Item
from scripts_app.exchange.staging import Staged
from scripts_app.exchange.texts import MAX_LIST_BYTES, read_text

UNKNOWN = (
    "There is no script in it\n"
    "hint: read are an export of Tempo, Python files, a crontab, an export of Cronicle, a backup of QingLong"
)
MAX_ITEMS = 1000


def items(staged: Staged) -> list[Item]:
    """Return the scripts in it. Raise ExchangeError."""
    found = _items(staged)
    if not found:
        raise ExchangeError(UNKNOWN)
    if len(found) > MAX_ITEMS:
        raise ExchangeError(f"It holds {len(found):,} scripts\nhint: {MAX_ITEMS:,} is the most")
    return found


def _items(staged: Staged) -> list[Item]:
    if tempo_tree.is_one(staged.files):
        return tempo_tree.items(staged.files)
    database = qinglong.database_of(staged.files)
    if database:
        return qinglong.items(database, staged)
    if any(path.endswith(python_files.SUFFIX) for path in staged.files):
        return python_files.items(staged.files)
    if len(staged.files) == 1:
        (path,) = staged.files.values()
        return _of_text(read_text(path, max_bytes=MAX_LIST_BYTES), staged)
    return []


def _of_text(text: str, staged: Staged) -> list[Item]:
    events, known = cronicle.events(text)
    if events:
        return cronicle.items(events, known)
    return command_items.of_crontab(text, staged)

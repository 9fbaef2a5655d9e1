"""What was handed in, as items: which format it is, and the module that reads it."""

from scripts_app.exchange import tempo_tree
from scripts_app.exchange.items import ExchangeError, Item
from scripts_app.exchange.staging import Staged

UNKNOWN = (
    "There is no script in it\n"
    "hint: an export of Tempo, Python files, an export of Cronicle, or a backup of QingLong are read"
)


def items(staged: Staged) -> list[Item]:
    """Return the scripts in it. Raise ExchangeError."""
    found: list[Item] = []
    if tempo_tree.is_one(staged.files):
        found = tempo_tree.items(staged.files)
    if not found:
        raise ExchangeError(UNKNOWN)
    return found

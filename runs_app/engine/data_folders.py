"""The folders that every run needs: where somebody deleted `runs/` or `run/`, they are made anew at once."""

import logging
from pathlib import Path

from runs_app.launcher import locks
from tempo_site.lib import paths

logger = logging.getLogger(__name__)


def heal() -> str:
    """Make what is missing in the data folder; return a sentence on what cannot be made, or ""."""
    missing = [folder for folder in (paths.runs(), paths.bells()) if not folder.is_dir()]
    if not missing:
        return ""
    names = " and ".join(f"`{folder.name}/`" for folder in missing)
    # A disk that was unmounted leaves an empty folder behind, which is not the data folder.
    if not paths.environments().is_dir():
        return f"the data folder is not there: `{paths.data()}` is empty, was its disk unmounted?"
    try:
        paths.make_passable(paths.runs())
        paths.make_closed(paths.bells())
    except OSError as error:
        return f"{names} in the data folder cannot be made: {error.strerror}"
    logger.warning("%s in the data folder was gone and was made anew", names)
    return ""


def hold_again(lock: int, path: Path) -> str:
    """Hold a lock under its name again, where that was deleted; return a sentence if another has it, or "". OSError."""
    if locks.hold_again(lock, str(path)):
        return ""
    return f"another engine works on {paths.data()}: stop one of them"

"""Where everything lies in the data folder; nobody else builds such a path."""

from datetime import datetime
from pathlib import Path

from django.conf import settings


def data() -> Path:
    """The data folder (`PYSCHED_DATA_PATH`)."""
    return Path(settings.DATA_PATH)


def runs() -> Path:
    """All run folders, one sub-folder a month."""
    return data() / "runs"


def run_folder(name: str) -> Path:
    """The folder of one run; `name` is `<yyyy-mm>/<id>-<random>` as stored with the row."""
    return runs() / name


def month(moment: datetime) -> str:
    """The sub-folder of `runs/` for a moment: `2026-11`."""
    return f"{moment:%Y-%m}"


def script(slug: str) -> Path:
    """A script's folder: `main.py` and `requirements.txt` (readable copies) and `files/`."""
    return data() / "scripts" / slug


def script_files(slug: str) -> Path:
    """The lasting working folder of a script."""
    return script(slug) / "files"


def environments() -> Path:
    """All environments, one folder each, named by their digest."""
    return data() / "envs"


def cache() -> Path:
    """uv's cache; on the same volume as the environments, so that packages are hard links."""
    return data() / "cache"


def bells() -> Path:
    """Sockets and locks of the running service."""
    return data() / "run"


def engine_lock() -> Path:
    """Held by the one engine of this data folder."""
    return bells() / "engine.lock"


def service_lock() -> Path:
    """Held by the one launcher of this data folder."""
    return bells() / "service.lock"


def setup_token() -> Path:
    """The one-time token of the set-up address; there until the first admin is."""
    return data() / "setup_token"


def make_all() -> None:
    """Create the data folder and its parts, closed to other users."""
    for folder in (data(), data() / "scripts", environments(), cache(), runs(), bells()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

"""The installation of another Python: its command and its result. `runs_app` makes a run of the command."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import uv

from scripts_app.environments import builds
from scripts_app.models import Environment
from scripts_app.packages import index, interpreters
from scripts_app.validation import ScriptError
from tempo_site.lib import files, paths

RESULT = "installed.txt"
MAX_MESSAGE = 2000
MAX_BYTES = 64 * 1024
_VERSION = re.compile(r"3\.(\d{1,2})(\.\d{1,2})?", re.ASCII)
# The operator of a machine without internet sets these: a folder, and a list of files that lie beside it.
_FOLDER, _LIST = "UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL"


def check(version: str) -> str:
    """Return a version that uv can install: `3.12` (the newest release) or `3.12.1`. Raises ScriptError."""
    match = _VERSION.fullmatch(version.strip())
    if match is None or not interpreters.OLDEST <= (3, int(match[1])) <= interpreters.NEWEST:
        hint = "name a Python from 3.8 to 3.14, as `3.12` or `3.12.1`"
        message = f"`{version[:20]}` cannot be installed\nhint: {hint}"
        raise ScriptError(message, field="version")
    return match[0]


def argv(version: str, folder: Path) -> list[str]:
    arguments = [uv.find_uv_bin(), version, paths.pythons(), folder / RESULT]
    return builds.driver_argv("install_python", *arguments)


def variables() -> dict[str, str]:
    """Return the variables of the command: the variables of a build, with downloads of Pythons allowed."""
    mirrors = {name: os.environ[name] for name in (_FOLDER, _LIST) if name in os.environ}
    return index.variables() | {"UV_PYTHON_DOWNLOADS": "manual"} | mirrors


def local_places() -> list[Path]:
    """Return the folders of this machine that the mirrors name, which the installation has to read."""
    folder, list_of_files = _local_path(_FOLDER), _local_path(_LIST)
    places = (folder, list_of_files and list_of_files.parent)
    return [place for place in places if place]


def _local_path(name: str) -> Path | None:
    address = os.environ.get(name, "")
    if address.startswith("file://"):
        return Path(unquote(urlsplit(address).path))
    if address.startswith("/"):
        return Path(address)
    return None


def message(folder: Path) -> str:
    try:
        said = files.read_regular(folder / RESULT, max_bytes=MAX_BYTES)
        return said.decode(errors="replace")[-MAX_MESSAGE:]
    except OSError:
        return ""


def note_success() -> None:
    """Have all broken environments checked soon: the new Python may be the missing one."""
    Environment.objects.exclude(fault="").update(checked_at=None)

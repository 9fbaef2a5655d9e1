"""Installing another Python: the command of it, and what became of that. `runs_app` makes a run of it."""

import os
import re
import sys
from pathlib import Path

import uv

from scripts_app.environments.drivers import install_python
from scripts_app.models import Environment
from scripts_app.packages import index, interpreters
from scripts_app.validation import ScriptError
from tempo_site.lib import paths

RESULT = "installed.txt"
MAX_MESSAGE = 2000
_VERSION = re.compile(r"3\.(\d{1,2})(\.\d{1,2})?", re.ASCII)
# Where a Python is downloaded from, as the operator of a machine without internet sets it.
_MIRRORS = ("UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL")


def check(version: str) -> str:
    """Return a version that can be asked for: `3.12` (its newest release) or `3.12.1`. Raises ScriptError."""
    found = _VERSION.fullmatch(version.strip())
    if found is None or not interpreters.OLDEST <= (3, int(found[1])) <= interpreters.NEWEST:
        raise ScriptError(
            f"`{version[:20]}` cannot be installed\nhint: name a Python from 3.8 to 3.14, as `3.12` or `3.12.1`",
            field="version",
        )
    return found[0]


def argv(version: str, folder: Path) -> list[str]:
    """The command line that installs it; `folder` is that of its run."""
    program = str(Path(install_python.__file__).absolute())
    return [
        sys.executable,
        "-I",
        "-S",
        program,
        uv.find_uv_bin(),
        version,
        str(paths.pythons()),
        str(folder / RESULT),
    ]


def variables() -> dict[str, str]:
    """The variables of that command: those of a build, to which downloads of a Python are allowed."""
    mirrors = {name: os.environ[name] for name in _MIRRORS if name in os.environ}
    return index.variables() | {"UV_PYTHON_DOWNLOADS": "manual"} | mirrors


def message(folder: Path) -> str:
    """What uv said when it failed, as the run's folder has it; "" without that."""
    try:
        return (folder / RESULT).read_text(errors="replace")[-MAX_MESSAGE:]
    except OSError:
        return ""


def note_success() -> None:
    """Have the environments whose Python was gone looked at soon: this may be the one their scripts ask for."""
    Environment.objects.exclude(fault="").update(checked_at=None)

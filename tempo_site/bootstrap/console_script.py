"""Writes `tempo` beside this Python, so that people type a word and not a path: `python -m ...console_script`.

Tempo is not installed as a package: what is written names this folder. Standard library only.
"""

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CONTENT = """#!/bin/sh
# Written by Tempo's set-up: `tempo runs` is `manage.py listruns`.
TEMPO_CALLED_AS=tempo exec {python} {manage} "$@"
"""


def write(folder: Path, *, python: str, root: Path = ROOT) -> Path:
    """Write the console script of the Tempo in `root` into a folder of programs and return its path."""
    path = folder / "tempo"
    manage = str(root / "manage.py")
    path.write_text(CONTENT.format(python=shlex.quote(python), manage=shlex.quote(manage)))
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    write(Path(sys.executable).parent, python=sys.executable)

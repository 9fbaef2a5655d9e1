"""Which files of a traceback are the script's own: its code and the modules beside it, not Python's and packages'."""

import os
from collections.abc import Iterable

from runs_app.failures.traceback_reader import StackFrame
from runs_app.models import Run
from tempo_site.lib import paths

_PACKAGES = ("site-packages", "dist-packages")


class OwnCode:
    """The folders of a script; a file of its own is named as the script's pages name it: `main.py`, `lib/report.py`."""

    def __init__(self, *folders: str) -> None:
        self.prefixes = tuple(f"{folder.rstrip('/')}/" for folder in folders)

    def name(self, file: str) -> str:
        """Return the name of a file of the script; "" for all other files."""
        if not file.startswith(self.prefixes) or any(folder in file for folder in _PACKAGES):
            return ""
        for prefix in self.prefixes:
            if file.startswith(prefix):
                return file.removeprefix(prefix)
        return ""

    def frames(self, frames: Iterable[StackFrame]) -> list[StackFrame]:
        """Return the script's own frames, with the names of its files."""
        found = []
        for frame in frames:
            name = self.name(frame.file)
            if name:
                found.append(
                    StackFrame(file=name, line=frame.line, function=frame.function, code=frame.code)
                )
        return found


def own_code_of_run(run: Run) -> OwnCode:
    folders = []
    if run.script is not None:
        folders.append(str(paths.script_files(run.script.slug)))
    if run.folder:
        folders.append(str(paths.run_folder(run.folder)))
    return OwnCode(*folders, *map(os.path.realpath, folders))

"""Data folders that take minutes to fill: filled once, and copied for each benchmark that needs one."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import seed
from tests.benchmarks.setting import Setting
from tests.service import ROOT, Service, environment

VARIABLE = "TEMPO_BENCHMARK_FILLED"
ALONE = {"PYSCHED_BACKUP_DAILY": "false"}  # a backup would be made up for, at the start
SEEDED = 1_000  # runs that are made one by one, and copied then
LENGTHEN = "from tests.benchmarks import scale_filling; scale_filling.lengthen({runs})"
KEEP_ALL = "from tests.benchmarks import scale_filling; scale_filling.keep_all()"
WRITE_LOGS = (
    "from tests.benchmarks import search_filling; search_filling.fill({runs}, lines={lines})"
)


def history(setting: Setting, *, scripts: int, runs: int) -> Path:
    """A filled folder with so many runs over 300 days, the oldest tenth of them with a small log, all indexed.

    Who changes nothing may start a Tempo on it, `ALONE`; others on a copy, which takes a while: of a million
    runs it has 200,000 files.
    """

    def fill(data: Path) -> None:
        seed.fill(data, scripts=scripts, runs=SEEDED)
        worked(data, LENGTHEN.format(runs=runs))

    return filled_folder(setting, f"history-of-{runs}-runs-of-{scripts}-scripts", fill)


@contextmanager
def service_with_history(
    setting: Setting, *, scripts: int, runs: int, **extra: str
) -> Iterator[Service]:
    """A running Tempo on a copy of such a folder, removed at the end."""
    with copy_of(history(setting, scripts=scripts, runs=runs), **extra) as service, service:
        yield service


@contextmanager
def service_with_logs(
    setting: Setting, *, runs: int, lines: int, **extra: str
) -> Iterator[Service]:
    """A Tempo that is not started yet, with runs that have logs of so many lines, none of them indexed."""

    def fill(data: Path) -> None:
        worked(data, KEEP_ALL)
        worked(data, WRITE_LOGS.format(runs=runs, lines=lines))

    filled = filled_folder(setting, f"logs-of-{runs}-runs-of-{lines}-lines", fill)
    with copy_of(filled, **extra) as service:
        yield service


def filled_folder(setting: Setting, name: str, fill: Callable[[Path], None]) -> Path:
    """A folder filled by the first who needs it: kept to the end, or for ever in the folder of the variable."""
    kept = Path(os.environ.get(VARIABLE) or setting.prepared.parent).resolve()
    filled = kept / name
    if not filled.exists():
        being_filled = kept / f"{name}-{os.getpid()}"
        shutil.copytree(setting.prepared, being_filled, symlinks=True)
        fill(being_filled)
        being_filled.rename(filled)
    return filled


@contextmanager
def copy_of(filled: Path, **extra: str) -> Iterator[Service]:
    """A Tempo on a copy of a filled folder, not started yet; the copy is removed at the end."""
    # Beside the filled folder, where a log can be had by a hard link.
    with tempfile.TemporaryDirectory(prefix="tempo-benchmark-", dir=filled.parent) as folder:
        data = Path(folder) / "data"
        shutil.copytree(filled, data, symlinks=True, copy_function=_linked_log)
        yield Service(data, **ALONE, **extra)


def worked(data: Path, code: str) -> str:
    """What Python code prints that is run in a process with these data, however long that takes."""
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "-v", "0", "-c", code]
    done = subprocess.run(
        command, env=environment(data), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def _linked_log(source: str, target: str) -> None:
    # Tempo replaces and removes logs of runs that have ended, and never writes into one.
    if Path(source).name in ("output.log", "run.json"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)

# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Log rotation"
# description = "Compresses log files that have grown too large and keeps the newest few of each."
# cron = "15 * * * *"
#
# [tool.tempo.parameters]
# folder = {type = "text", required = true, help = "The folder with the logs, as a full path: /srv/app/logs."}
# pattern = {type = "text", default = "*.log", required = true, help = "Which files in it are logs."}
# megabytes = {type = "float", default = 10, min = 0, help = "A log is rotated when it has at least this size."}
# keep = {type = "int", default = 5, min = 1, max = 1000, help = "How many old ones stay of each log."}
# method = {type = "choice", choices = ["copy", "rename"], default = "copy", help = "See the text of the script."}
# ///
"""Rotate logs: app.log becomes app.log.1.gz, that one app.log.2.gz... Exit code 0: done. 1: something went wrong.

copy: the log is copied, then emptied. For programs that keep it open; a line written in that very moment can be lost.
rename: the log is taken away. For programs that open it anew for each line; nothing is lost.
"""

import gzip
import os
import shutil
import sys
from pathlib import Path


def main() -> None:
    folder = Path(os.environ.get("TEMPO_PARAM_FOLDER", "")).expanduser()
    pattern = os.environ.get("TEMPO_PARAM_PATTERN", "*.log")
    limit = float(os.environ.get("TEMPO_PARAM_MEGABYTES", "10")) * 1e6
    if not folder.is_absolute() or not folder.is_dir():
        sys.exit(f"`folder` has to be the full path of a folder, like /srv/logs, not `{folder}`.")
    try:
        logs = sorted(path for path in folder.iterdir() if path.match(pattern) and path.is_file())
    except OSError as error:
        sys.exit(f"{folder} cannot be read: {error}")
    logs = [log for log in logs if log.suffix not in (".gz", ".taken")]  # those are made below
    if not logs:
        sys.exit(f"No file in {folder} is like `{pattern}`.")
    problems = []
    for log in logs:
        size = log.stat().st_size
        print(f"{log.name}: {size / 1e6:,.2f} MB")
        if size and size >= limit:
            try:
                rotate(log)
            except OSError as error:  # the other logs get their turn all the same
                problems.append(f"{log.name} was not rotated: {error}")
    if problems:
        sys.exit("\n".join(problems))


def rotate(log: Path) -> None:
    """Move the old ones up by one, then make the log number 1."""
    keep = int(os.environ.get("TEMPO_PARAM_KEEP", "5"))
    is_rename = os.environ.get("TEMPO_PARAM_METHOD", "copy") == "rename"
    compressed = log.with_name(f"{log.name}.new.gz")
    taken = log.with_name(f"{log.name}.taken") if is_rename else log
    if is_rename and not taken.exists():  # it exists when a run ended half way: that one first
        log.rename(taken)
    compress(taken, compressed)
    # from the oldest on: each takes the place of the one before
    for number in range(keep - 1, 0, -1):
        if old(log, number).exists():
            old(log, number).replace(old(log, number + 1))
    compressed.replace(old(log, 1))
    if is_rename:
        taken.unlink()
    else:
        os.truncate(log, 0)
    print(f"{log.name} was rotated")


def old(log: Path, number: int) -> Path:
    """The name of the log as it was `number` rotations ago."""
    return log.with_name(f"{log.name}.{number}.gz")


def compress(source: Path, target: Path) -> None:
    """Write a compressed copy; what is not whole does not stay."""
    try:
        with source.open("rb") as plain, gzip.open(target, "wb") as packed:
            shutil.copyfileobj(plain, packed)
    except OSError:
        if target.exists():
            target.unlink()
        raise


if __name__ == "__main__":
    main()

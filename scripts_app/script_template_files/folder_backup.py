# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Folder backup with rotation"
# description = "Packs a folder into a dated archive, checks that it can be read, and keeps the newest few."
# cron = "30 2 * * *"
#
# [tool.tempo.parameters]
# source = {type = "text", required = true, help = "The folder to back up, as a full path: /srv/photos."}
# target = {type = "text", default = "backups", help = "The folder for the archives; it is made if needed."}
# keep = {type = "int", default = 7, min = 1, max = 1000, help = "How many archives stay."}
# ///
"""Back up a folder as a .tar.gz and delete the oldest archives. Exit code 0: done. 1: no backup was made.

An archive gets its name when it is whole and was read once; old ones are deleted only after that.
"""

import os
import sys
import tarfile
from datetime import datetime
from pathlib import Path


def main() -> None:
    source = Path(os.environ.get("TEMPO_PARAM_SOURCE", "")).expanduser()
    target = Path(os.environ.get("TEMPO_PARAM_TARGET", "backups")).expanduser().resolve()
    keep = int(os.environ.get("TEMPO_PARAM_KEEP", "7"))
    if not source.is_absolute() or not source.is_dir():
        sys.exit(f"`source` has to be the full path of a folder, like /srv/photos, not `{source}`.")
    source = source.resolve()
    if source == target or source in target.parents:
        sys.exit(
            f"The archives would lie in the folder that is backed up: choose a `target` outside of {source}."
        )
    try:
        target.mkdir(parents=True, exist_ok=True)
        archive = pack(source, target)
    except (OSError, tarfile.TarError) as error:
        sys.exit(f"No backup was made: {error}")
    print(f"{archive}: {archive.stat().st_size / 1e6:,.1f} MB")
    rotate(target, f"{source.name}-*.tar.gz", keep)


def pack(source: Path, target: Path) -> Path:
    """Write the archive under another name, read it once, then give it its own name."""
    archive = target / f"{source.name}-{datetime.now():%Y-%m-%d-%H%M%S}.tar.gz"
    unfinished = archive.with_suffix(".unfinished")
    try:
        with tarfile.open(unfinished, "w:gz") as packed:
            packed.add(source, arcname=source.name)
        with tarfile.open(unfinished) as packed:
            print(f"{sum(1 for _ in packed):,} files and folders")
        unfinished.replace(archive)
    finally:
        if unfinished.exists():
            unfinished.unlink()
    return archive


def rotate(folder: Path, pattern: str, keep: int) -> None:
    """Delete all but the newest archives; their names begin with the date, so that sorting puts the oldest first."""
    archives = sorted(folder.glob(pattern))
    for old in archives[:-keep]:
        old.unlink()
        print(f"deleted {old.name}")
    print(f"{min(len(archives), keep)} of at most {keep} archives are kept")


if __name__ == "__main__":
    main()

"""The files of an environment: those of its packages by their RECORDs, and those of nobody."""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from scripts_app.environments.drivers import uv_program
from scripts_app.environments.drivers.build_config import READY, BuildError

RECORDS = "lib/python*/site-packages/*.dist-info/RECORD"
METADATA = ("METADATA", "WHEEL", "RECORD")
UV_FOUND_CONFLICTS = 1  # status of `uv pip check`; 2 is an error of uv itself
MAX_RECORD_BYTES = 64 * 1024**2
_BYTE_CODE = re.compile(r"(.*)__pycache__/([^/]+?)\.[^./]+(?:\.opt-[0-9a-z]+)?\.pyc", re.DOTALL)


class DamagedRecord(BuildError):
    """A RECORD that cannot be read; str() names it."""


def recorded(home: Path) -> dict[str, list[tuple[str, str]]]:
    """Return each package's files: names relative to `home`, and their sizes as written. Raises Damaged, OSError."""
    return {record.parent.name: list(_rows(record, home)) for record in sorted(home.glob(RECORDS))}


def _rows(record: Path, home: Path) -> Iterator[tuple[str, str]]:
    if record.stat().st_size > MAX_RECORD_BYTES:
        raise DamagedRecord(f"{record.parent.name}/RECORD")
    site = os.path.relpath(record.parent.parent, home)
    try:
        with record.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for row in csv.reader(file):
                if len(row) == 3:
                    yield os.path.normpath(os.path.join(site, row[0])), row[2]
    except csv.Error as error:
        raise DamagedRecord(f"{record.parent.name}/RECORD") from error


def unrecorded(home: Path, known: set[str]) -> list[str]:
    """Return the files, sorted, that are not `known`, byte code of known files apart."""
    return sorted(
        name for name in files(home) if name not in known and not _is_byte_code(name, known)
    )


def files(home: Path) -> Iterator[str]:
    """Yield the names of all files and links, relative to `home`; READY, which comes last, apart."""
    for parent, folders, names in os.walk(home):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in (*names, *links):
            path = os.path.relpath(os.path.join(parent, name), home)
            if path != READY:
                yield path


def _is_byte_code(name: str, known: set[str]) -> bool:
    match = _BYTE_CODE.fullmatch(name)
    return match is not None and f"{match[1]}{match[2]}.py" in known


def conflict(uv: str, interpreter: str, home: Path, work: Path) -> str:
    """Return uv's words on packages that do not fit together, or "". Fills the folder `work`. Raises BuildError."""
    # uv starts the Python it is asked about, and a package may have a say in that start. So it is asked about a
    # Python that has the packages' descriptions alone.
    shadow = work / "shadow"
    shutil.rmtree(shadow, ignore_errors=True)
    venv = [uv, "venv", "--quiet", "--no-project", "--python", interpreter, str(shadow)]
    uv_program.run(venv, cwd=work)
    for site in shadow.glob("lib/python*/site-packages"):
        for record in home.glob(RECORDS):
            described = site / record.parent.name
            described.mkdir()
            for name in METADATA:
                if (record.parent / name).is_file():
                    shutil.copyfile(record.parent / name, described / name)
    check = [uv, "pip", "check", "--python", str(shadow / "bin" / "python")]
    try:
        uv_program.run(check, cwd=work)
    except BuildError as error:
        if error.status != UV_FOUND_CONFLICTS:
            raise
        return str(error)
    return ""

"""Backups of every version there was can be restored, for ever: `tests/data/backups/` has one of each kind."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tempo_site.backups.archive import manifest, unpacking
from tempo_site.backups.versions import newer
from tests.service import ROOT
from tests.tempo_site.backups.conftest import PASSPHRASE

BACKUPS = sorted((ROOT / "tests" / "data" / "backups").iterdir())


@pytest.mark.parametrize("path", BACKUPS, ids=lambda path: path.name)
def test_it_is_read_and_this_version_understands_it(path: Path, tmp_path: Path) -> None:
    is_sealed = path.suffix == ".sealed"
    found = unpacking.unpack(path, tmp_path, passphrase=PASSPHRASE if is_sealed else "")
    assert newer(found["migrations"]) is None
    assert found["has_secret_key"] == is_sealed == (tmp_path / "secret_key").exists()
    assert (tmp_path / "scripts" / "nightly" / "main.py").read_text() == "print(1)\n"
    with closing(sqlite3.connect(tmp_path / "tempo.sqlite3")) as database:
        assert database.execute("SELECT slug FROM scripts_app_script").fetchall() == [("nightly",)]
        assert database.execute("SELECT status FROM runs_app_run").fetchall() == [("succeeded",)]


def test_there_is_a_sealed_one_and_a_plain_one() -> None:
    beginnings = {
        path.read_bytes()[: len(manifest.SEALED_MAGIC)] == manifest.SEALED_MAGIC for path in BACKUPS
    }
    assert beginnings == {True, False}

"""A small data folder, and backups of it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tempo_site.backups.archive import creation, sealing
from tempo_site.backups.archive.creation import BackupOrder

PASSPHRASE = "correct horse battery"
KEY = "the-secret-key-of-the-old-machine"


class Source:
    """A data folder with a database, a script's files and a log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backups = folder / "backups"
        self.files = folder / "scripts" / "hello" / "files"

    def back_up(self, name: str = "made", *, passphrase: str = "", **order: object) -> Path:
        """Make a backup and return its path."""
        out = self.backups / name
        whole = {"data": str(self.folder), "folder": str(self.backups), "out": str(out)}
        rest = {"facts": f"{out}.json", "tempo": "1.2.3", "kind": "zst", "logs": False}
        complete: BackupOrder = {**whole, **rest, "max_file_mb": 1, **order}  # type: ignore[typeddict-item]
        creation.create(complete, passphrase=passphrase, secret_key=KEY)
        return out


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(sealing, "COST", 2**10)  # a real key takes a fifth of a second
    for name in ("sync", "fsync"):  # only a power cut would tell
        monkeypatch.setattr(os, name, lambda *_: None)
    made = Source(tmp_path / "source")
    made.files.mkdir(parents=True)
    made.backups.mkdir()
    (made.files / "data.txt").write_text("some text")
    run = made.folder / "runs" / "2026-11" / "1-abc"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "output.log").write_text("1 O F hello\n")
    with closing(sqlite3.connect(made.folder / "tempo.sqlite3")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE django_migrations (app, name)")
        database.execute("INSERT INTO django_migrations VALUES ('tempo_site', '0003_x')")
        database.execute("CREATE TABLE runs_app_run (id INTEGER PRIMARY KEY, text)")
        database.executemany("INSERT INTO runs_app_run (text) VALUES (?)", [("x",)] * 5)
        database.commit()
    return made

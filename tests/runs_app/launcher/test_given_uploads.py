"""Uploads into files that are the script's already: given to its user at the start of its next run."""

import os
import stat
from pathlib import Path

from tests.runs_app.launcher.confined import SCRIPT_USER, SERVICE_USER
from tests.runs_app.launcher.test_giving import WEB, Folders, is_as_made, needs_root

pytestmark = needs_root


def test_later_uploads_become_the_scripts_and_what_it_chose_stays(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    (folders.files / "closed").mkdir()
    os.chown(folders.files / "closed", *WEB)
    folders.give_files()
    (folders.files / "closed").chmod(0o700)
    first = folders.make(folders.files / "closed/first", SERVICE_USER)
    folders.give_files()
    assert first.stat().st_uid == SERVICE_USER  # nobody said that there is something new

    note = folders.make(folders.files.parent / "uploaded", SERVICE_USER)
    folders.give_files()

    assert (first.stat().st_uid, note.exists()) == (SCRIPT_USER, False)
    assert stat.S_IMODE((folders.files / "closed").stat().st_mode) == 0o700
    assert stat.S_IMODE(folders.files.stat().st_mode) == 0o2770


def test_a_note_that_is_a_folder_or_a_link_harms_nobody(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    note = folders.files.parent / "uploaded"
    note.mkdir()
    folders.give_files()
    note.rmdir()
    note.symlink_to(folders.precious)
    folders.give_files()

    assert is_as_made(folders.precious) and folders.files.stat().st_uid == SCRIPT_USER

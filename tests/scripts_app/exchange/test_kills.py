"""kill -9 at any moment of an import: nothing of it is there, or all of it behind the next start."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.service import ROOT, environment, manage, prepared_data

KILLS = 100
SCRIPTS = 20
LOOK = """
import json
from scripts_app.exchange import placing
from scripts_app.models import Script, UnplacedFiles
from tempo_site.lib import paths
placing.finish_all()
placed = [script.slug for script in Script.objects.all() if (paths.script_files(script.slug) / "a.txt").exists()]
print(json.dumps([Script.objects.count(), len(placed), UnplacedFiles.objects.count()]))
"""

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


def make_tree(tree: Path, turn: int) -> Path:
    """An export of scripts with a file each, whose names no other turn has."""
    for number in range(SCRIPTS):
        folder = tree / "scripts" / f"script-{turn}-{number}"
        (folder / "files").mkdir(parents=True)
        (folder / "main.py").write_text("print(1)\n")
        (folder / "script.toml").write_text(f'name = "Script {turn} {number}"\n')
        (folder / "files" / "a.txt").write_text("a")
    return tree


def test_an_import_is_whole_or_nothing_at_any_kill(tmp_path: Path) -> None:
    data = tmp_path / "of-tempo"
    data.mkdir()
    prepared_data(data)
    before = json.loads(manage(data, "shell", "--no-imports", "-c", LOOK))[0]
    seen = set()
    began_at = time.monotonic()
    manage(data, "import", str(make_tree(tmp_path / "first", -1)))
    usual_s = time.monotonic() - began_at
    for turn in range(KILLS):
        tree = make_tree(tmp_path / f"tree-{turn}", turn)
        begun = subprocess.Popen(
            [sys.executable, "manage.py", "import", str(tree)],
            cwd=ROOT,
            env=environment(data),
            stdout=subprocess.DEVNULL,
        )
        try:
            begun.wait(timeout=random.uniform(0.2, 1.2) * usual_s)
        except subprocess.TimeoutExpired:
            os.kill(begun.pid, signal.SIGKILL)
        begun.wait()
        rows, placed, left = json.loads(manage(data, "shell", "--no-imports", "-c", LOOK))
        assert (rows - before) % SCRIPTS == 0 and placed == rows - before and left == 0
        seen.add(rows)
    assert 1 < len(seen) <= KILLS, "the kills came too early, or too late"

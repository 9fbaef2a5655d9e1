"""The lines of tests/corpus/crontab.toml: what each becomes, and that none of them ends as a false success."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from scripts_app.crontab import importer, parser, source_files
from scripts_app.crontab.importer import Proposal
from scripts_app.files import store
from scripts_app.timing.rule import Timing
from tests.factories import NOW
from tests.rows import each_row

pytestmark = pytest.mark.django_db

HOME = "/home/ann"
CORPUS = Path(__file__).parents[2] / "corpus" / "crontab.toml"
LINES: list[dict[str, Any]] = tomllib.loads(CORPUS.read_text(encoding="utf-8"))["line"]
FAILS = "import json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(3)\n"
MAIN = "import json, sys\nimport tools\nopen('conf.json').close()\nprint(json.dumps(sys.argv[1:]))\nsys.exit(3)\n"
FAILED = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the corpus."""
    home = tmp_path_factory.mktemp("home")
    site = "app/venv/lib/python3.11/site-packages"
    files = {
        "backup.py": FAILS,
        "bin/report": f"#!/usr/bin/env python3\n{FAILS}",
        "count.sh": "#!/bin/sh\nexit 3\n",
        "app/main.py": MAIN,
        "app/ok.py": "",
        "app/tools.py": "",
        "app/conf.json": "{}",
        "app/pkg/__init__.py": "",
        "app/pkg/__main__.py": FAILS,
        "app/pyproject.toml": "[project]\nname = 'app'\ndependencies = ['requests>=2.31']\n",
        "app/venv/pyvenv.cfg": "version = 3.99.1\n",
        f"{site}/six-1.17.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: six\nVersion: 1.17.0\n",
        f"{site}/pip-24.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: pip\nVersion: 24.0\n",
    }
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    return home


def proposed(line: dict[str, Any], home: Path) -> Proposal:
    """What the last entry of a line's text becomes; the folder's name is that of the corpus again."""
    table = parser.parse_crontab(line["text"].replace(HOME, str(home)))
    assert len(table.commented) == line.get("commented", 0)
    return importer.propose(table, now=NOW, sources=source_files.Sources(), home=str(home))[0]


def outcome(proposal: Proposal) -> str:
    if proposal.problem:
        return "refused"
    if proposal.is_python:
        return "python"
    return "shell" if any("a shell runs it" in note for note in proposal.notes) else "program"


@each_row("line", LINES)
def test_a_line_becomes_what_the_corpus_says(line: dict[str, Any], home: Path) -> None:
    proposal = proposed(line, home)
    assert outcome(proposal) == line["becomes"], proposal.problem or proposal.notes
    said = "\n".join([*proposal.all_notes, proposal.problem, proposal.no_schedule])
    assert line.get("says", "") in said.replace(str(home), HOME)
    assert bool(proposal.no_schedule) == line.get("no_schedule", False)
    assert_settings(line, proposal)
    if not proposal.problem:
        assert_script(line, proposal, home)


def assert_settings(line: dict[str, Any], proposal: Proposal) -> None:
    timing = proposal.timing or Timing(kind="")
    found = {
        "cron": timing.cron,
        "kind": timing.kind,
        "every_s": timing.every_s,
        "jitter_s": timing.jitter_s,
        "zone": timing.timezone,
        "rhythm": proposal.rhythm,
        "delay_s": proposal.delay_s,
        "overlap": proposal.overlap,
        "mail_to": proposal.mail_to,
        "timeout_s": proposal.settings.get("timeout_s"),
        "nice": proposal.settings.get("nice"),
        "name": proposal.name,
        "user": proposal.entry.user,
        "packages": ", ".join(proposal.requirements.splitlines()),
    }
    expected = {name: value for name, value in line.items() if name in found}
    assert {name: found[name] for name in expected} == expected
    if "zone" not in line and not proposal.problem and not proposal.entry.zone:
        assert timing.timezone == "UTC"


def assert_script(line: dict[str, Any], proposal: Proposal, home: Path) -> None:
    compile(proposal.code, "main.py", "exec")
    assert line.get("has", "") in proposal.code
    if "lacks" in line:
        assert line["lacks"] not in proposal.code.replace(line["text"].splitlines()[-1], "")
    assert set(line.get("files", "").split()) <= proposal.files.keys()
    assert line.get("source", "") in proposal.source.replace(str(home), HOME)


# Every file of the corpus that fails has to make its run fail, whatever stands around it in the line.
@pytest.mark.parametrize(
    "line",
    [line for line in LINES if line.get("runs", line["becomes"] == "python" or "exit" in line)],
    ids=lambda line: line["text"],
)
def test_a_run_ends_as_the_program_of_its_line(
    line: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    proposal = proposed(line, home)
    for path, data in proposal.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "main.py").write_text(proposal.code)
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env={"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == line.get("exit", FAILED), done.stderr
    if "prints" in line:
        assert done.stdout.strip().replace(str(home), HOME) == line["prints"]


def test_files_and_settings_arrive_with_the_script(home: Path) -> None:
    text = f"MAILTO=ann@example.org\n*/5 * * * * cd {home}/app && flock -n /l timeout 60 nice python3 main.py"
    (proposal,) = importer.propose(
        parser.parse_crontab(text), now=NOW, sources=source_files.Sources(), home=str(home)
    )
    script = importer.make(proposal, by=None, now=NOW)
    schedule = script.schedules.get()
    assert (script.timeout_s, script.nice, schedule.overlap) == (60, 10, "skip")
    assert schedule.mail_to == "ann@example.org" and schedule.cron_line == text.splitlines()[1]
    with store.opened(script, "conf.json") as file:
        assert file.read() == b"{}"


def test_the_corpus_has_200_lines_and_every_daemon() -> None:
    daemons = {line["daemon"] for line in LINES}
    assert len(LINES) >= 200
    assert {"Debian", "cronie", "busybox", "bcron", "systemd-cron"} <= daemons

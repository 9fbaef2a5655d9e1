"""What the lines of a crontab become: code, schedules, and what is said about them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from scripts_app.crontab import importer, parser, source_files
from scripts_app.crontab.importer import Proposal
from scripts_app.models import Schedule, Script
from scripts_app.schedules import schedules
from scripts_app.scripts import ScriptError
from scripts_app.timing.rule import TimingError
from tempo_site.lib import paths
from tests.factories import NOW, make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db

SAYS = "import os, sys\nprint(sys.argv[1:], os.environ.get('KEY'), sys.stdin.read() if len(sys.argv) == 1 else '')\n"


def proposed(text: str, *, home: str = "", **options: Any) -> list[Proposal]:
    """What a crontab becomes for somebody who may have files read."""
    table = parser.parse_crontab(text, **options)
    return importer.propose(table, now=NOW, sources=source_files.Sources(), home=home)


def only(text: str, **options: Any) -> Proposal:
    """What a crontab of one line becomes."""
    (proposal,) = proposed(text, **options)
    return proposal


def printed(code: str, folder: Path) -> str:
    """What a script prints."""
    run = [sys.executable, "-c", code]
    return subprocess.run(
        run, cwd=folder, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside of the data folder, with a Python file."""
    (tmp_path / "backup.py").write_text(SAYS)
    return tmp_path


# --- files of Python -------------------------------------------------------------------------------------------------
def test_a_python_file_is_copied_as_it_is(folder: Path) -> None:
    proposal = only(f"30 2 * * * /usr/bin/python3 -u {folder}/backup.py >> /var/log/x.log 2>&1")
    assert (proposal.name, proposal.code, proposal.source) == (
        "backup",
        SAYS,
        f"{folder}/backup.py",
    )
    assert proposal.notes == [
        "`>> /var/log/x.log` is left out: what it prints is kept with the run"
    ]


def test_it_gets_its_arguments_variables_and_input_from_a_head(folder: Path) -> None:
    with_arguments = only(f"KEY='a\"b'\n@daily cd {folder} && ./backup.py --all 'a b'")
    assert printed(with_arguments.code, folder) == "['--all', 'a b'] a\"b \n"
    assert f"os.chdir({str(folder)!r})" in with_arguments.code
    with_input = only(f"@daily {folder}/backup.py%one%two")
    assert printed(with_input.code, folder) == "[] None one\ntwo\n\n"


def test_the_head_stands_below_what_has_to_stay_on_top(folder: Path) -> None:
    top = '#!/usr/bin/python3\n# coding: utf-8\n"""Doc\nstring."""\n\nfrom __future__ import (\n  annotations,\n)\n'
    (folder / "backup.py").write_text(f"{top}print(__doc__, __import__('sys').argv[1:])\n")
    code = only(f"@daily {folder}/backup.py 1").code
    assert code.startswith(top)
    assert printed(code, folder) == "Doc\nstring. ['1']\n"


@pytest.mark.parametrize(
    "broken", ["'''", "def f(:\n", "\tx\n y", "from", "(", "#", "", "\x0c", "'a' 'b'; x=1"]
)
def test_code_that_is_broken_is_copied_all_the_same(folder: Path, broken: str) -> None:
    (folder / "backup.py").write_text(broken)
    code = only(f"@daily {folder}/backup.py 1").code
    assert broken in code and "sys.argv[1:] = ['1']" in code


def test_code_in_another_encoding_becomes_utf_8(folder: Path) -> None:
    (folder / "backup.py").write_bytes("# coding: latin-1\nprint('é')\n".encode("latin-1"))
    assert only(f"@daily {folder}/backup.py").code == "# coding: utf-8\nprint('é')\n"


def test_a_path_is_relative_to_the_home_folder_as_for_cron(folder: Path) -> None:
    assert only("@daily python3 backup.py", home=str(folder)).source == f"{folder}/backup.py"
    assert only(f"HOME={folder}\n@daily python3 ~/backup.py").source == f"{folder}/backup.py"
    assert "HOME=" in only("@daily python3 backup.py").notes[0]


def test_a_python_that_is_here_is_kept_and_others_are_told(folder: Path) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert only(f"@daily python{here} {folder}/backup.py").python_version == here
    assert "not on this machine" in only(f"@daily python3.99 {folder}/backup.py").notes[0]
    assert "Python 2" in only(f"@daily python2 {folder}/backup.py").notes[0]


# --- files that are not read -----------------------------------------------------------------------------------------
def make_unreadable(kind: str, folder: Path) -> Path:
    """A path that ends in `.py`, and is not to be read."""
    path = folder / f"{kind}.py"
    if kind == "missing":
        return path
    if kind == "link":
        (folder / "secret").write_text("secret")
        path.symlink_to(folder / "secret")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"#" * (1024 * 1024 + 1))
    else:
        path.write_bytes(
            {"nul": b"secret\0", "binary": b"\xff\xfesecret", "codec": b"# coding: rot13\nsecret"}[
                kind
            ]
        )
    return path


@pytest.mark.parametrize(
    "kind", ["missing", "link", "pipe", "folder", "large", "nul", "binary", "codec"]
)
def test_what_is_no_ordinary_python_file_is_not_read_and_the_starter_says_so(
    folder: Path, kind: str
) -> None:
    proposal = only(f"@daily python3 {make_unreadable(kind, folder)}")
    assert proposal.is_python and not proposal.source and f"{kind}.py` " in proposal.notes[0]
    assert "secret" not in proposal.code and "is missing: paste it" in proposal.code
    compile(proposal.code, "starter", "exec")


def test_a_file_by_another_name_is_not_read(folder: Path) -> None:
    (folder / "backup").write_text("secret")
    assert "secret" not in only(f"@daily python3 {folder}/backup").code


@pytest.mark.parametrize("way", ["straight", "dots", "link"])
def test_nothing_is_read_out_of_tempos_data_folder(folder: Path, way: str) -> None:
    script = make_script(code="secret = 1\n")
    main = paths.script(script.slug) / "main.py"
    main.parent.mkdir(parents=True, exist_ok=True)
    main.write_text("secret = 1\n")
    (folder / "way").symlink_to(main.parent)
    path = {
        "straight": main,
        "dots": f"{folder}/way/../{script.slug}/main.py",
        "link": folder / "way" / "main.py",
    }[way]
    proposal = only(f"@daily python3 {path}")
    assert "secret" not in proposal.code and "data folder" in proposal.notes[0]


def test_no_more_than_20_mb_are_read_at_once(folder: Path) -> None:
    (folder / "backup.py").write_text("#" * 1_000_000)
    found = proposed(f"@daily python3 {folder}/backup.py\n" * 30)
    assert sum(bool(proposal.source) for proposal in found) == 21
    assert "20 MB" in found[-1].notes[0]


# --- others ----------------------------------------------------------------------------------------------------------
def test_another_program_gets_a_starter_that_calls_it_without_a_shell(folder: Path) -> None:
    (folder / "one").write_text("one\n")
    proposal = only(f"@daily cd {folder} && /bin/cat ./one - > /dev/null%in")
    assert not proposal.is_python and proposal.name == "cat"
    assert "COMMAND = ['/bin/cat', './one', '-']" in proposal.code
    assert printed(proposal.code, Path("/")) == "one\nin\n"
    assert printed(only("KEY=1\n@daily printenv KEY").code, folder) == "1\n"


def test_a_shell_within_gets_what_the_line_gave_it(folder: Path) -> None:
    proposal = only(f"KEY=1\n@daily cd {folder} && /bin/sh -c 'echo $KEY; pwd; cat' > /dev/null%in")
    assert printed(proposal.code, Path("/")) == f"1\n{folder}\nin\n"


def test_what_needs_a_shell_gets_one_and_the_reason_is_told(folder: Path) -> None:
    proposal = only(f"SHELL=/bin/bash\n@daily echo one two | wc -w > {folder}/count")
    assert printed(proposal.code, folder) == "" and (folder / "count").read_text().strip() == "2"
    assert "['/bin/bash', '-E', '-o', 'pipefail', '-c', COMMAND]" in proposal.code
    assert "because of `|`" in proposal.notes[0]


def test_a_file_that_a_program_writes_is_not_lost() -> None:
    assert "'pg_dump db > /backup/db.sql'" in only("@daily pg_dump db > /backup/db.sql").code


def test_a_starter_ends_as_the_program_did(folder: Path) -> None:
    for command, code in (("false", 1), ("/bin/sh -c 'kill -9 $$'", 137)):
        run = [sys.executable, "-c", only(f"@daily {command}").code]
        assert subprocess.run(run, cwd=folder, check=False).returncode == code


@pytest.mark.parametrize(
    "nasty", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "'''", '"', "\\", "\\N{BEL}", "#"]
)
def test_no_text_of_a_crontab_becomes_code(folder: Path, nasty: str) -> None:
    for line in (
        f"@daily run '{nasty}raise SystemExit(9)'",
        f"@daily python3 '/x{nasty}raise SystemExit(9).py' 1",
    ):
        proposal = only(line)
        code = proposal.code.replace("\r\n", "\n").replace("\r", "\n")  # as it is stored
        assert bool(code) != bool(proposal.problem)
        assert "\nraise SystemExit(9)" not in code
        compile(code, "starter", "exec")


# --- names and times -------------------------------------------------------------------------------------------------
def test_names_are_unique_among_themselves_and_all_others() -> None:
    make_script("Backup")
    lines = "@daily python3 /a/backup.py\n@daily python3 /b/backup.py\n@daily '/a/\u202e'\n"
    assert [proposal.name for proposal in proposed(lines)] == [
        "backup (2)",
        "backup (3)",
        "Command of a crontab",
    ]


@each_row(
    ("command", "name"),
    [
        ("cd /srv && (./tools/clean-up.sh | sort) > sorted.txt", "clean-up"),
        ("echo begun; perl -w ~/jobs/a.b/mail.it.pl >/dev/null", "mail.it"),
        ("echo x.pyc y.shell && exec ruby lib.d/rotate.rb || true", "rotate"),
    ],
)
def test_a_line_is_named_after_the_first_file_of_code_in_it(command: str, name: str) -> None:
    assert only(f"@daily {command}").name == name


def test_a_schedule_keeps_its_zone_or_gets_the_servers(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    first, second = proposed("0 5 * * * a\nCRON_TZ=Europe/Berlin\n0 5 * * * b")
    assert first.timing and first.timing.timezone == "Asia/Tokyo"
    assert second.timing and second.timing.timezone == "Europe/Berlin"
    assert second.next_at and second.next_at.isoformat() == "2026-11-24T04:00:00+00:00"


def test_reboot_means_the_start_of_tempo() -> None:
    proposal = only("@reboot a")
    assert (
        proposal.timing
        and proposal.timing.kind == Schedule.Kind.STARTUP
        and proposal.rhythm == "At start-up"
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("0 25 * * * a", "Hour 25"),
        ("0 0 30 2 * a", "never happens"),
        ("@fortnightly a", "not an alias"),
        ("CRON_TZ=Mars/Base\n0 5 * * * a", "Mars/Base"),
        (f"{'1,' * 50_000}1 * * * * a", "characters"),
    ],
)
def test_a_time_that_is_refused_is_told_and_the_script_made_without(text: str, word: str) -> None:
    proposal = only(text)
    assert proposal.timing is None and word in proposal.no_schedule
    importer.make(proposal, by=None, now=NOW)
    assert Script.objects.get().schedules.count() == 0


# --- making ----------------------------------------------------------------------------------------------------------
def test_proposing_stores_nothing(folder: Path) -> None:
    proposed(f"@daily {folder}/backup.py\n@daily other")
    assert not Script.objects.exists()


def test_the_script_is_made_enabled_and_its_schedule_switched_off(folder: Path) -> None:
    script = importer.make(only(f"@daily {folder}/backup.py --all"), by=None, now=NOW)
    schedule = script.schedules.get()
    assert (script.slug, script.enabled, schedule.enabled, schedule.cron) == (
        "backup",
        True,
        False,
        "@daily",
    )
    assert schedule.next_at is None
    assert script.version and "sys.argv[1:] = ['--all']" in script.version.code
    assert script.description == f"Moved in from cron: @daily {folder}/backup.py --all"


def test_a_script_is_not_left_without_its_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TimingError("cron", "refused")

    monkeypatch.setattr(schedules, "save", refuse)
    with pytest.raises(TimingError):
        importer.make(only("@daily a"), by=None, now=NOW)
    assert not Script.objects.exists()


def test_nothing_is_made_of_a_line_with_a_problem() -> None:
    with pytest.raises(ScriptError, match="no command"):
        importer.make(only("0 5 * * *"), by=None, now=NOW)


def test_code_that_would_be_too_large_is_a_problem_and_no_proposal() -> None:
    assert "1 MB" in only("@daily " + "\u202e" * 300_000).problem


def test_proposing_costs_the_same_for_one_line_and_many() -> None:
    with CaptureQueriesContext(connection) as one:
        proposed("@daily a")
    with CaptureQueriesContext(connection) as many:
        proposed("@daily a\n" * 100)
    assert len(one) == len(many) == 1

"""Importing beside scripts that are here: what is kept, replaced and copied, all of it or nothing."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications_app.models import Channel, Rule
from runs_app.url_triggers.models import UrlTrigger
from scripts_app import scripts
from scripts_app.exchange import applying, exporting, placing, preparing, preview, reading, staging
from scripts_app.exchange.items import ExchangeError
from scripts_app.exchange.staging import Staged
from scripts_app.files import store
from scripts_app.models import OpenPath, Schedule, Script, UnplacedFiles, Version
from scripts_app.variables import variables
from tempo_site.lib import paths
from tempo_site.models import AuditEntry
from tests.factories import NOW, make_schedule, make_script
from tests.scripts_app.exchange.test_round_trip import actions, exported, imported
from tests.scripts_app.management.test_script_commands import said

pytestmark = pytest.mark.django_db


FURTHER_STATEMENTS = 6  # for fifteen scripts more: some are split into several


class Killed(BaseException):
    """Ends an import as kill -9 does: nothing that comes behind is done."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An export of a script `a` with a schedule and a file, and of `b`, as people get it."""
    script = make_script("A", code="print('new')\n", folder="Ops")
    make_schedule(script, kind=Schedule.Kind.CRON, cron="30 2 * * *")
    store.save(script, "data.csv", [b"new"])
    make_script("B")
    exporting.write(exporting.export(Script.objects.all()), tmp_path / "tree")
    return tmp_path / "tree"


def change(script: Script) -> None:
    scripts.update(script, by=None, now=NOW, code="print('old')\n")
    store.save(script, "data.csv", [b"old"], replace=True)
    store.save(script, "own.csv", [b"own"])


def code_of(slug: str) -> str:
    version = Script.objects.get(slug=slug).version
    return version.code if version else ""


def text_of(slug: str, name: str = "data.csv") -> bytes:
    return (paths.script_files(slug) / name).read_bytes()


def take(tree: Path) -> tuple[Staged, list[preview.Planned]]:
    staged = staging.take_path(tree, owner="ann", now=timezone.now())
    return staged, preview.plan(reading.items(staged), on_conflict=preview.ItemChoice.REPLACE)


def test_what_differs_is_kept_unless_it_is_said(tree: Path) -> None:
    change(Script.objects.get(slug="a"))
    lines = said("import", str(tree)).splitlines()
    assert lines[1].split() == [
        "a",
        "keep",
        "the",
        "script",
        "here",
        "stays",
        "as",
        "it",
        "is;",
        "other:",
        "code,",
        "`files/data.csv`",
    ]
    assert lines[2].split()[:2] == ["b", "same"]
    assert code_of("a") == "print('old')\n" and text_of("a") == b"old"


def test_what_differs_is_replaced_and_its_own_things_stay(tree: Path) -> None:
    script = Script.objects.get(slug="a")
    change(script)
    schedule = Schedule.objects.get()
    variables.save(script, name="TOKEN", value="secret", is_secret=True, by="ann")
    said("import", str(tree), "--on-conflict", "replace", "--switch-on")
    assert code_of("a") == "print('new')\n" and text_of("a") == b"new"
    assert text_of("a", "own.csv") == b"own"
    assert Schedule.objects.get() == schedule
    assert variables.for_run(script).secrets == {"TOKEN": "secret"}
    assert Version.objects.filter(script=script).count() == 3


def test_schedules_that_stay_may_be_over(tree: Path) -> None:
    """Its moment has passed since the export: that is no reason to refuse the rest."""
    script = Script.objects.get(slug="b")
    make_schedule(script, kind=Schedule.Kind.ONCE, at=NOW + timedelta(hours=1))
    exporting.write(exporting.export(Script.objects.filter(slug="b")), tree.parent / "once")
    change(script)
    Schedule.objects.update(at=NOW)
    (settings,) = (tree.parent / "once").rglob("script.toml")
    settings.write_text(settings.read_text().replace("13:00", "12:00"))
    said("import", str(tree.parent / "once"), "--on-conflict", "replace", "--switch-on")
    assert code_of("b") == "print('hello')\n"


def test_what_differs_gets_a_copy_beside_it(tree: Path) -> None:
    change(Script.objects.get(slug="a"))
    said("import", str(tree), "--on-conflict", "copy")
    assert code_of("a") == "print('old')\n"
    assert code_of("a-copy") == "print('new')\n" and text_of("a-copy") == b"new"
    assert not Schedule.objects.get(script__slug="a-copy").enabled


def test_a_dry_run_says_it_and_does_nothing(program: Client) -> None:
    script = make_script("A")
    data = exported(program)
    scripts.update(script, by=None, now=NOW, code="print(2)\n")
    response = imported(program, data, dry_run="1", on_conflict="replace")
    (item,) = response.json()["items"]
    assert item["action"] == "replace" and item["reason"].endswith("other: code")
    assert code_of("a") == "print(2)\n" and list(paths.imports().iterdir()) == []


def test_trying_out_leaves_nothing_on_the_disk(tree: Path) -> None:
    Script.objects.filter(slug="a").update(slug="before")
    paths.script("a").rename(paths.script("before"))
    assert "create" in said("import", str(tree), "--dry-run")
    assert not paths.script("a").exists() and list(paths.imports().iterdir()) == []


def test_one_bad_script_and_nothing_is_imported(tree: Path) -> None:
    Script.objects.filter(slug="b").update(slug="gone")
    Script.objects.filter(slug="a").update(slug="gone-too")
    settings = tree / "scripts" / "b" / "script.toml"
    settings.write_text(settings.read_text() + 'python_version = "2.7"\n')
    with pytest.raises(CommandError, match=r"`b`: `2\.7` is no Python version"):
        said("import", str(tree))
    assert Script.objects.count() == 2 and list(paths.imports().iterdir()) == []
    assert "refuse" in said("import", str(tree), "--dry-run")


def test_what_gives_rights_is_named_and_left_to_staff(program: Client, browser: Client) -> None:
    script = make_script("A", as_service_user=True, allow_source=True)
    UrlTrigger.objects.create(script=script, enabled=True)
    OpenPath.objects.create(script=script, path="/srv", may_write=True, added_at=NOW)
    variables.save(script, name="TOKEN", value="secret", is_secret=True, by="ann")
    data = exported(program)
    for client in (program, browser):
        Script.objects.filter(slug="a").update(slug=f"before-{Script.objects.count()}")
        (item,) = imported(client, data).json()["items"]
        assert len(item["notes"]) == 5, item["notes"]
    made_ones = Script.objects.exclude(pk=script.pk)
    assert made_ones.count() == 2
    for made in made_ones:
        assert not made.as_service_user and not made.allow_source
        assert not hasattr(made, "url_trigger") and not made.open_paths.exists()
        with pytest.raises(variables.SecretUnreadable, match="no value yet"):
            variables.for_run(made)


@pytest.mark.parametrize("call", range(3))
def test_an_import_that_is_killed_is_done_later_or_not_at_all(
    tree: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Before its rows are stored, before its first file is placed, and behind that."""
    change(Script.objects.get(slug="a"))
    store.save(Script.objects.get(slug="b"), "more.csv", [b"x"])
    staged, planned = take(tree)
    names = {0: (UnplacedFiles.objects, "create"), 1: (store, "place"), 2: (staging, "discard")}
    place, name = names[call]

    def die(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(place, name, die)
        applying.apply(planned, staged, preparing.Import(by=None, now=NOW))
    placing.finish_all()
    expected = ("print('old')\n", b"old") if call == 0 else ("print('new')\n", b"new")
    assert (code_of("a"), text_of("a")) == expected
    assert not UnplacedFiles.objects.exists()


def test_a_file_in_the_place_of_a_folder_refuses_all(tree: Path) -> None:
    script = Script.objects.get(slug="a")
    change(script)
    store.delete(script, "data.csv")
    store.make_folder(script, "data.csv")
    with pytest.raises(CommandError, match=r"`data\.csv` is a folder"):
        said("import", str(tree), "--on-conflict", "replace")
    assert code_of("a") == "print('old')\n"


def test_further_scripts_hold_the_database_for_no_statement_each(tmp_path: Path) -> None:
    """Whatever they bring: runs that are due wait as long as all of an import is stored."""
    channel = Channel.objects.create(name="Mail", kind=Channel.Kind.MAIL)
    counts = []
    for count in (1, 16):
        for number in range(count):
            write_script(tmp_path / f"{count}", f"s-{count}-{number}", channel=channel.name)
        staged, planned = take(tmp_path / f"{count}")
        act = preparing.Import(by=None, now=NOW, switch_on=True)
        with CaptureQueriesContext(connection) as queries:
            made = applying.apply(planned, staged, act)
        assert len(made) == count
        assert Schedule.objects.exclude(alarm=None).filter(script__in=made).count() == count
        assert Rule.objects.filter(script__in=made).count() == count
        statements = [query["sql"] for query in queries]
        begun = [sql.startswith("SAVEPOINT") for sql in statements].index(True)
        counts.append(len(statements) - begun)
    assert counts[1] - counts[0] <= FURTHER_STATEMENTS, counts


def write_script(tree: Path, slug: str, *, channel: str) -> None:
    """Write a script with something of everything, and an environment of its own."""
    folder = tree / "scripts" / slug
    (folder / "versions").mkdir(parents=True)
    (folder / "main.py").write_text("print(2)\n")
    (folder / "versions" / "0001.py").write_text("print(1)\n")
    (folder / "requirements.txt").write_text(f"{slug}\n")
    (folder / "script.toml").write_text(
        f"name = '{slug}'\nfolder = 'Ops'\n\n"
        "[[schedules]]\nkind = 'cron'\ncron = '30 2 * * *'\n\n"
        "[[variables]]\nname = 'A'\nvalue = '1'\n\n[[variables]]\nname = 'B'\nsecret = true\n\n"
        f"[[rules]]\nchannel = '{channel}'\nevents = ['failed']\n"
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("name = 3", "has to be text"),
        ("timeout_s = 'soon'", "timeout_s"),
        ("[[schedules]]\nkind = 'cron'\ncron = '99 * * * *'", "99"),
        ("[[schedules]]\nkind = 'once'\nat = 'tomorrow'", "a time with its zone"),
        ("[[schedules]]\nnonsense = 1", "no field of a schedule"),
        ("[[variables]]\nname = 'PATH'\nvalue = '/tmp'", "PATH"),
        ("a.b = [", "no TOML"),
        (f"{'a.' * 300}a = 1", "dots"),
        ("schedules = 1", "no list of tables"),
    ],
)
def test_settings_that_say_nonsense_are_refused_in_words(
    tmp_path: Path, line: str, why: str
) -> None:
    settings = tmp_path / "script.toml"
    settings.write_text(f"{line}\n")
    staged = Staged(token="a", files={"hello/script.toml": settings})
    planned = preview.plan(reading.items(staged))
    (tried,) = applying.try_out(planned, preparing.Import(by=None, now=NOW))
    assert tried.action == preview.ItemAction.REFUSE and why in tried.reason


def test_an_export_of_a_later_format_is_not_guessed_at(tree: Path) -> None:
    (tree / "tempo.toml").write_text("format = 2\n")
    with pytest.raises(CommandError, match="says format 2"):
        said("import", str(tree))


def test_an_export_goes_into_no_folder_that_holds_something(tree: Path) -> None:
    with pytest.raises(CommandError, match="is not empty"):
        call_command("export", str(tree))


def test_a_command_exports_and_the_page_of_the_api_knows_it_again(
    tmp_path: Path, program: Client
) -> None:
    make_script("A")
    make_script("B", folder="Ops")
    target = tmp_path / "ops.zip"
    assert said("export", str(target), "--folder", "Ops") == f"Exported 1 script to {target}.\n"
    assert target.read_bytes() == exported(program, folder="Ops")
    assert actions(imported(program, target.read_bytes())) == {"b": "same"}
    rows = AuditEntry.objects.filter(kind="scripts").order_by("pk")
    assert [(row.actor, row.verb, row.object_name) for row in rows] == [
        ("command", "exported", "1 script"),
        ("key", "exported", "1 script"),
        ("key", "imported", "0 scripts"),
    ]


def test_what_nobody_came_back_for_goes(tree: Path) -> None:
    now = timezone.now()
    staged = staging.take_path(tree, owner="user 1", now=now)
    staging.discard_old(now=now + staging.KEPT_FOR / 2)
    assert staging.find(staged.token, owner="user 1") == staged
    for token, owner in ((staged.token, "user 2"), ("../a", "user 1"), ("a" * 32, "user 1")):
        with pytest.raises(ExchangeError, match="not here any more"):
            staging.find(token, owner=owner)
    staging.discard_old(now=now + staging.KEPT_FOR * 2)
    assert not staged.folder.exists()


def test_who_may_not_see_a_script_exports_none(program: Client, user: User) -> None:
    assert program.get("/api/v1/export?script=nothing").status_code == 404
    assert program.get("/api/v1/export?folder=nothing").status_code == 404

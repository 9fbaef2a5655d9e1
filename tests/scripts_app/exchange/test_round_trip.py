"""Export, import, export: the same bytes, and the scripts as they were."""

import io
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from notifications_app.models import Channel, Rule
from notifications_app.rules import rules
from scripts_app import scripts
from scripts_app.exchange import applying, exporting, preparing, preview, reading
from scripts_app.exchange.staging import Staged
from scripts_app.files import store
from scripts_app.models import Environment, Folder, Schedule, Script, Variable, Version
from scripts_app.variables import variables
from scripts_app.versions import settings_snapshot, versions
from tempo_site.lib import paths
from tests.factories import NOW, make_schedule, make_script

pytestmark = pytest.mark.django_db

LOCK = "requests==2.32.3 \\\n    --hash=sha256:" + "a" * 64 + "\n"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
DRAFT = {"code": "print(4)\n", "requirements": "rich\n", "python_version": ""}
PARAMETERS = [{"name": "days", "type": "int", "default": 7, "help": 'a "quoted" word'}]


def exported(program: Client, **query: str) -> bytes:
    response = program.get("/api/v1/export", query_params=query)
    assert response.status_code == 200, response.content
    return b"".join(response)


def imported(program: Client, data: bytes, name: str = "scripts.zip", **query: str) -> Any:
    file = SimpleUploadedFile(name, data)
    return program.post(
        f"/api/v1/import?{'&'.join(f'{k}={v}' for k, v in query.items())}", {"file": file}
    )


def actions(response: Any) -> dict[str, str]:
    assert response.status_code == 200, response.content
    return {item["slug"]: item["action"] for item in response.json()["items"]}


def contents(data: bytes) -> dict[str, str]:
    """The files of a zip, by path."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture
def rich() -> Script:
    """A script with something of everything that an export holds."""
    script = make_script(
        "Grüße: täglich",
        folder="Ops/Night: ly",
        code="print('é')\n",
        requirements="requests\n",
        description='Two "lines"\nwith a \\ and a tab\t.',
        tags=["db", "täglich"],
        timeout_s=77,
        one_at_a_time=True,
        parameters=PARAMETERS,
    )
    Environment.objects.update(lock=LOCK)
    make_schedule(
        script,
        kind=Schedule.Kind.CRON,
        cron="30 2 * * *",
        timezone="Europe/Berlin",
        params={"days": 3},
    )
    make_schedule(script, enabled=False, every_s=3600, start_at=NOW, retries=2, overlap="parallel")
    variables.save(script, name="PLAIN", value='a\r\nb = "c"\x1b'[:-1], is_secret=False, by="ann")
    variables.save(script, name="TOKEN", value="very secret", is_secret=True, by="ann")
    channel = Channel.objects.create(name="Mail", kind=Channel.Kind.MAIL)
    rules.save(Rule(channel=channel, script=script), {"events": ["failed"], "after": 3})
    store.save(script, "data/input.csv", [b"1;2\n"])
    return script


def forget(script: Script) -> None:
    """As if this Tempo had never had the script."""
    paths.script(script.slug).rename(paths.data() / "elsewhere")
    Variable.objects.all().delete()
    Rule.objects.all().delete()
    Schedule.objects.all().delete()
    Script.objects.update(version=None, environment=None, wanted_environment=None, folder=None)
    script.versions.all().delete()
    script.delete()
    Environment.objects.all().delete()
    Folder.objects.all().delete()


def test_export_import_export_is_the_same_to_the_byte(program: Client, rich: Script) -> None:
    first = exported(program)
    forget(rich)
    assert actions(imported(program, first, switch_on="1")) == {rich.slug: "create"}
    again = exported(program)
    assert contents(again) == contents(first)
    assert again == first
    assert actions(imported(program, first, switch_on="1")) == {rich.slug: "same"}
    script = Script.objects.get()
    assert script.name == "Grüße: täglich" and str(script.folder) == "Ops/Night: ly"
    assert [schedule.enabled for schedule in script.schedules.order_by("pk")] == [True, False]
    assert Schedule.objects.exclude(alarm=None).count() == 1
    environment = Environment.objects.get(waiting_scripts=script)
    assert (environment.lock, environment.state) == (LOCK, Environment.State.WANTED)


@pytest.fixture
def grown(rich: Script, user: User) -> Script:
    """The same script with a history: five versions by two people, one of them a draft that was kept."""
    scripts.update(rich, by=user, now=NOW, note='Say "two"', code="print(2)\n", requirements="")
    scripts.update(rich, by=None, now=NOW, code="print(3\n", python_version=PYTHON)
    Version.objects.filter(number=2).update(created_at=NOW.replace(microsecond=123456))
    versions.keep_draft(rich, versions.check_text(**DRAFT), author=user, note="Kept")
    return rich


def test_older_versions_come_along_to_the_byte(program: Client, grown: Script) -> None:
    first = exported(program, versions="1")
    forget(grown)
    assert actions(imported(program, first, switch_on="1")) == {grown.slug: "create"}
    assert contents(exported(program, versions="1")) == contents(first)
    rows = list(Version.objects.order_by("number"))
    assert [(row.number, row.saved_by, row.note, row.is_draft) for row in rows] == [
        (1, "", "", False),
        (2, "ann", 'Say "two"', False),
        (3, "", "", False),
        (4, "ann", "Kept", True),
    ]
    script = Script.objects.get()
    assert script.version == rows[2] and rows[2].syntax_error
    assert not settings_snapshot.changed_since_version(script) and rows[2].settings_hash
    scripts.update(script, by=None, now=NOW, code="print(5)\n")
    assert actions(imported(program, first, on_conflict="replace")) == {grown.slug: "replace"}
    assert Version.objects.count() == 6


def test_a_text_that_no_version_has_becomes_the_newest(
    program: Client, grown: Script, tmp_path: Path
) -> None:
    exporting.write(exporting.export(Script.objects.all(), with_versions=True), tmp_path / "tree")
    (main,) = tmp_path.rglob("main.py")
    main.write_text("print('by hand')\n")
    forget(grown)
    call_command("import", str(tmp_path / "tree"), stdout=io.StringIO())
    current = Script.objects.get().version
    assert current is not None and (current.number, current.code) == (5, "print('by hand')\n")


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("0002.toml", "saved_at = 2026-01-01\n", "`saved_at` of `versions/0002.toml`"),
        ("0002.toml", "saved_at = 0001-01-01T00:00:00Z\n", "a time with its zone"),
        ("0002.toml", f"note = '{'x' * 300}'\n", "`note` has 300 characters"),
        ("0002.toml", "saved_by = 3\n", "of another type"),
        ("0002.toml", "a = [\n", "no TOML"),
        ("0002.py", "\0", "NUL"),
        ("0002.requirements.txt", "x" * (2**20 + 1), "more than 1 MB"),
        ("00002.py", "", "twice"),
        ("0000.py", "", "twice, or too large"),
        ("9999999.py", "", "too large"),
    ],
)
def test_a_history_that_cannot_be_is_refused_in_words(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    files = {"main.py": "", "script.toml": "name = 'a'\n", "versions/0002.py": ""}
    for path, content in (files | {f"versions/{name}": text}).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    found = {f"a/{path.relative_to(tmp_path)}": path for path in tmp_path.rglob("*.*")}
    planned = preview.plan(reading.items(Staged(token="a", files=found)))
    (tried,) = applying.try_out(planned, preparing.Import(by=None, now=NOW))
    assert tried.action == preview.ItemAction.REFUSE and why in tried.reason


def test_the_tree_is_for_people(program: Client, rich: Script) -> None:
    store.save(rich, ".ssh/id_ed25519", [b"key"])
    data = exported(program)
    files = contents(data)
    place = f"scripts/Ops/night-ly/{rich.slug}"
    inside = ("files/data/input.csv", "main.py", "requirements.lock", "requirements.txt")
    assert list(files) == [f"{place}/{name}" for name in (*inside, "script.toml")] + ["tempo.toml"]
    table = files[f"{place}/script.toml"]
    assert ".ssh may hold keys" in files["tempo.toml"]
    assert 'cron = "30 2 * * *"' in table and 'channel = "Mail"' in table
    assert 'name = "TOKEN"\nsecret = true\n' in table
    assert b"very secret" not in data and "very secret" not in table


def test_an_export_holds_no_two_files_that_some_system_takes_for_one(program: Client) -> None:
    """Else it could not be imported, here or there."""
    script = make_script("A")
    for path in ("Data/a.csv", "data/A.csv", "data/b.csv", "data.csv"):
        store.save(script, path, [b"1"])
    data = exported(program)
    assert {path for path in contents(data) if "/files/" in path} == {
        "scripts/a/files/Data/a.csv",
        "scripts/a/files/data.csv",
        "scripts/a/files/data/b.csv",
    }
    assert "data/A.csv cannot lie beside Data/a.csv" in contents(data)["tempo.toml"]
    assert actions(imported(program, data)) == {"a": "same"}


def test_an_export_holds_one_text_in_memory_at_a_time() -> None:
    code = f"# {'x' * 10**6}\n"
    for number in range(8):
        make_script(f"Script {number}")
    Version.objects.update(code=code)
    tracemalloc.start()
    try:
        found = exporting.export(Script.objects.all())
        sizes = [len(b"".join(data)) for _, data in exporting.present(found)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sizes.count(len(code)) == 8
    assert peak < 5 * len(code)


def test_schedules_come_switched_off(program: Client, rich: Script) -> None:
    data = exported(program)
    forget(rich)
    imported(program, data)
    assert [row.enabled for row in Schedule.objects.all()] == [False, False]
    assert actions(imported(program, data)) == {rich.slug: "same"}

"""What other schedulers export, and plain Python files: the scripts that are made of it."""

import io
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from scripts_app.exchange import applying, preparing, preview, reading, staging
from scripts_app.exchange.items import ExchangeError, Item
from scripts_app.exchange.preview import ItemAction
from scripts_app.exchange.staging import Staged
from scripts_app.models import Schedule, Script
from tempo_site.lib import paths
from tests.factories import NOW
from tests.rows import each_row

DATA = Path(__file__).parents[2] / "data"
pytestmark = pytest.mark.django_db


def staged(tmp_path: Path, **files: str | bytes) -> Staged:
    """What was handed in, as the unpacking program leaves it."""
    found = {}
    for name, content in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found[name] = path
    return Staged(token="a", files=found)


def by_slug(items: list[Item]) -> dict[str, Item]:
    return {item.slug: item for item in items}


def test_an_export_of_cronicle_becomes_scripts(tmp_path: Path) -> None:
    """Written by Cronicle's own `storage-cli.js export` (0.9.129), with its log-ins and keys replaced."""
    text = (DATA / "cronicle" / "export.txt").read_text()
    found = by_slug(reading.items(staged(tmp_path, **{"backup.txt": text})))
    first = found["rebuild-indexes"]
    assert first.settings == {
        "name": "Rebuild Indexes",
        "description": "Database maintenance.",
        "folder": "Data Base",
        "timeout_s": 3600,
        "memory_mb": 256,
        "output_mb": 1,
    }
    assert "/usr/local/bin/db-reindex.pl" in first.code and "'/bin/bash'" in first.code
    assert first.schedules == [
        {
            "kind": "cron",
            "cron": "20,40 21 * * *",
            "timezone": "America/New_York",
            "enabled": True,
            "overlap": "skip",
            "missed": "all",
            "retries": 2,
            "retry_delay_s": 30,
        }
    ]
    assert found["greet-in-python"].code == "print('hello')\n"
    whole = found["post-a-form"].code
    assert all(word in whole for word in ("method='POST'", "b'a=1'", "timeout=120"))
    assert "data=None" in found["get-a-page"].code
    tried = applying.try_out(preview.plan(list(found.values())), preparing.Import(by=None, now=NOW))
    assert {each.action for each in tried} == {ItemAction.CREATE}, tried


@each_row(
    ("slug", "words"),
    [
        ("rebuild-indexes", "ops@example.org"),
        ("rebuild-indexes", "another event when it succeeded"),
        ("rebuild-indexes", "limit of CPU"),
        ("rebuild-indexes", "web hook"),
        ("rebuild-indexes", "servers of `Primary Group`"),
        ("post-a-form", "any certificate"),
        ("post-a-form", "`\\bOK\\b`"),
        ("post-a-form", "`[id]`"),
        ("post-a-form", "by hand"),
        ("get-a-page", "one is kept"),
        ("own-plugin", "`/opt/tools/vacuum --table`"),
        ("own-plugin", "took `table`"),
        ("own-plugin", "category was switched off"),
        ("friday-13th", "both its day and its weekday"),
        ("friday-13th", "several servers"),
    ],
)
def test_what_of_cronicle_is_not_taken_over_is_named(slug: str, words: str) -> None:
    source = Staged(token="a", files={"export.txt": DATA / "cronicle" / "export.txt"})
    notes = by_slug(reading.items(source))[slug].notes
    assert any(words in note for note in notes), notes


@pytest.mark.parametrize(
    ("slug", "row"),
    [
        ("greet-in-python", {"overlap": "parallel", "max_parallel": 20, "enabled": False}),
        ("get-a-page", {"overlap": "queue_one", "cron": "0,30 * * * *", "enabled": True}),
        ("own-plugin", {"cron": "0 0 0 1 1 * 2030", "enabled": False}),
        ("simulate", {"cron": "* * * * *"}),
    ],
)
def test_a_schedule_of_cronicle_says_the_same_here(slug: str, row: dict[str, Any]) -> None:
    source = Staged(token="a", files={"export.txt": DATA / "cronicle" / "export.txt"})
    (schedule,) = by_slug(reading.items(source))[slug].schedules or ()
    assert schedule.items() >= row.items()


def test_the_answer_of_cronicles_api_is_read_as_well(tmp_path: Path) -> None:
    answer = json.loads((DATA / "cronicle" / "schedule.json").read_text())
    event = answer["rows"][-1]
    for number, said in enumerate((answer, {"code": 0, "event": event}, [event])):
        source = staged(tmp_path / str(number), **{"events.json": json.dumps(said)})
        item = reading.items(source)[-1]
        assert item.name == "Rebuild Indexes" and "folder" not in item.settings
        assert any("`cdatabase` has no name" in note for note in item.notes)


JOBS: list[dict[str, Any]] = [
    {
        "name": "签到",
        "command": "task site/sign.py now",
        "schedule": "30 7 * * *",
        "labels": '["daily"]',
        "extra_schedules": '[{"schedule": "0 19 * * *"}]',
        "task_before": "export A=1",
        "work_dir": "site",
        "sub_id": 1,
        "allow_multiple_instances": 0,
    },
    {"name": "Beans", "command": "task beans.js", "schedule": "0 0 8 * * *", "isDisabled": 1},
    {"name": "Pull", "command": "ql repo https://example.org/a.git", "schedule": "nonsense"},
    {"name": "Hand", "command": "/ql/data/scripts/site/helper.py", "schedule": "@once"},
    {"name": "Boot", "command": "task site/helper.py", "schedule": "@boot"},
]


def database() -> bytes:
    """A database of QingLong: the tables are those that its own models make (`schema.sql`)."""
    made = sqlite3.connect(":memory:")
    made.executescript((DATA / "qinglong" / "schema.sql").read_text())
    rows: list[tuple[str, dict[str, Any]]] = [("Crontabs", job) for job in JOBS]
    rows += [
        ("Envs", {"name": "SITE_COOKIE", "value": "very secret"}),
        ("Dependences", {"name": "requests==2.32.3", "type": 1}),
        ("Dependences", {"name": "requests", "type": 0}),
        ("Subscriptions", {"id": 1, "name": "Signs", "pull_option": '{"private_key": "secret"}'}),
        ("Auths", {"type": "systemConfig", "info": '{"timezone": "Europe/Paris"}'}),
    ]
    for table, row in rows:
        names = ", ".join([*row, "createdAt", "updatedAt"])
        marks = ", ".join("?" for _ in [*row, 1, 1])
        values = [*row.values(), "2026-07-24", "2026-07-24"]
        made.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    made.commit()
    return made.serialize()


def backup() -> bytes:
    """A backup of QingLong, as its page gives it."""
    files = {
        "db/database.sqlite": database(),
        "scripts/site/sign.py": b"import os, requests, helper\nprint(os.environ['SITE_COOKIE'])\n",
        "scripts/site/helper.py": b"A = 1\n",
        "scripts/beans.js": b"console.log(1)\n",
        "node_modules/a.js": b"",
    }
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"data/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def test_a_backup_of_qinglong_becomes_scripts(tmp_path: Path) -> None:
    (tmp_path / "data.tgz").write_bytes(backup())
    source = staging.take_path(tmp_path / "data.tgz", owner="ann", now=timezone.now())
    items = reading.items(source)
    sign, beans, pull, hand, boot = items
    assert (sign.name, sign.settings["tags"]) == ("签到", ["daily"])
    assert sign.code.startswith("import os, requests") and list(sign.files) == ["helper.py"]
    assert sign.requirements == "requests==2.32.3\n"
    assert [row["cron"] for row in sign.schedules or ()] == ["30 7 * * *", "0 19 * * *"]
    assert {(row["overlap"], row["timezone"]) for row in sign.schedules or ()} == {
        ("replace", "Europe/Paris")
    }
    for word in ("SITE_COOKIE", "`export A=1`", "`site`", "`Signs`"):
        assert any(word in note for note in sign.notes), (word, sign.notes)
    assert "task beans.js" in beans.code
    assert [(row["cron"], row["enabled"]) for row in beans.schedules or ()] == [
        ("0 0 8 * * *", False)
    ]
    assert pull.schedules == [] and "time could not be read" in pull.notes[0]
    assert (hand.schedules, hand.code) == ([], "A = 1\n") and "by hand" in hand.notes[-1]
    assert [row["kind"] for row in boot.schedules or ()] == ["startup"]
    told = repr([(item.code, item.settings, item.notes) for item in items])
    assert "very secret" not in told and str(paths.data()) not in told
    planned = preview.plan(items)
    applying.apply(planned, source, preparing.Import(by=None, now=NOW))
    assert Script.objects.count() == 5 and not Schedule.objects.filter(enabled=True).exists()
    assert (paths.script_files(sign.slug) / "helper.py").read_text() == "A = 1\n"


def test_older_databases_of_qinglong_are_lines_of_json(tmp_path: Path) -> None:
    rows = [
        {"_id": "a", "name": "Old", "command": "task x.py", "schedule": "1 2 * * *"},
        {
            "_id": "a",
            "name": "New",
            "command": "task x.py",
            "schedule": "1 2 * * *",
            "isDisabled": 1,
        },
        {"_id": "b", "name": "Gone", "command": "task y.py", "schedule": "1 2 * * *"},
        {"_id": "b", "$$deleted": True},
    ]
    source = staged(tmp_path, **{"crontab.db": "\n".join(map(json.dumps, rows))})
    (item,) = reading.items(source)
    assert item.name == "New" and "is missing" in item.code


def test_a_folder_of_python_files_becomes_scripts(tmp_path: Path) -> None:
    source = staged(
        tmp_path,
        **{
            "a.py": "# /// script\n# dependencies = ['rich']\n# ///\nimport shared\n",
            "shared.py": "import deeper\n",
            "deeper/__init__.py": "",
            "deeper/part.py": "",
            "ops/b.py": "print(1)\n",
            "ops/requirements.txt": "requests\n",
            "whole/main.py": "import own\n",
            "whole/own.py": "",
            "whole/data/x.csv": "1",
            "whole/requirements.txt": "rich\n",
        },
    )
    found = by_slug(reading.items(source))
    assert set(found) == {"a", "b", "whole"}
    assert set(found["a"].files) == {"shared.py", "deeper/__init__.py", "deeper/part.py"}
    assert found["b"].settings == {"name": "b", "folder": "ops"}
    assert (found["b"].requirements, found["whole"].requirements) == ("requests\n", "rich\n")
    assert set(found["whole"].files) == {"own.py", "data/x.csv"}
    tried = applying.try_out(preview.plan(list(found.values())), preparing.Import(by=None, now=NOW))
    assert {each.action for each in tried} == {ItemAction.CREATE}


def test_a_crontab_is_read_and_no_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print('here')\n")
    source = staged(tmp_path, crontab=f"30 2 * * * python3 {tmp_path}/a.py --all\n")
    (item,) = reading.items(source)
    assert [row["cron"] for row in item.schedules or ()] == ["30 2 * * *"]
    assert "print(" not in item.code


@pytest.mark.parametrize(
    "text", ["", "hello\nworld\n", "{}", "[1]", "\0\xff", "# Cronicle Data Export v1"]
)
def test_what_is_none_of_these_is_refused_in_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExchangeError, match="There is no script in it"):
        reading.items(staged(tmp_path, **{"notes.txt": text}))

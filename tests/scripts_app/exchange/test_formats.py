"""What other schedulers export, and plain Python files: the scripts that are made of it."""

import io
import json
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from scripts_app.exchange import applying, preview, reading, staging
from scripts_app.exchange.items import ExchangeError, Item
from scripts_app.exchange.preview import Action
from scripts_app.exchange.staging import Staged
from scripts_app.models import Schedule, Script
from tempo_site.lib import paths
from tests.factories import NOW

pytestmark = pytest.mark.django_db

EVENT = {
    "id": "29bf12db",
    "enabled": 1,
    "title": "Rebuild Indexes",
    "category": "ad8190ff",
    "plugin": "shellplug",
    "params": {"script": "#!/bin/bash\n\n/usr/local/bin/db-reindex.pl\n", "annotate": 0},
    "target": "allgrp",
    "timing": {"hours": [21], "minutes": [20, 40]},
    "timezone": "America/New_York",
    "timeout": 3600,
    "retries": 2,
    "retry_delay": 30,
    "max_children": 1,
    "catch_up": 1,
    "memory_limit": 268435456,
    "notify_fail": "ops@example.org",
    "web_hook": "",
    "notes": "Database maintenance.",
}
PYTHON = {"script": "#!/usr/bin/env python3\nprint('hello')\n"}
ADDRESS = {"method": "POST", "url": 'https://example.org/"""', "headers": "X-A: 1", "data": "a=1"}


def staged(tmp_path: Path, **files: str | bytes) -> Staged:
    """What was handed in, as the unpacking program leaves it."""
    found = {}
    for name, content in files.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        found[name] = path
    return Staged(token="a", files=found)


def cronicle(*events: dict[str, Any]) -> str:
    """An export as `control.sh export` writes it."""
    pages = {
        "users/admin": {"username": "admin", "password": "hash"},
        "global/categories": {"page_size": 50, "first_page": 0, "last_page": 0, "length": 1},
        "global/categories/0": {"items": [{"id": "ad8190ff", "title": "Data/Base"}]},
        "global/schedule": {"page_size": 50, "first_page": 0, "last_page": 0, "length": 1},
        "global/schedule/0": {"type": "list_page", "items": list(events)},
        "global/api_keys/0": {"items": [{"key": "0095f5b6", "title": "key"}]},
    }
    lines = [f"{key} - {json.dumps(page)}" for key, page in pages.items()]
    return "\n".join(["# Cronicle Data Export v1.0", "# Format: KEY - JSON", "", *lines, ""])


def by_slug(items: list[Item]) -> dict[str, Item]:
    return {item.slug: item for item in items}


def test_an_export_of_cronicle_becomes_scripts(tmp_path: Path) -> None:
    events = [
        EVENT,
        {**EVENT, "title": "Python", "params": PYTHON, "timing": {"minutes": [5]}, "enabled": 0},
        {**EVENT, "title": "Ask", "plugin": "urlplug", "params": ADDRESS, "timing": False},
        {**EVENT, "title": "Both", "timing": {"days": [1], "weekdays": [1]}, "max_children": 9},
        {**EVENT, "title": "Other", "plugin": "pj8", "timing": {"years": [2030], "minutes": [0]}},
    ]
    source = staged(tmp_path, **{"backup.txt": cronicle(*events)})
    found = by_slug(reading.items(source))
    first = found["rebuild-indexes"]
    assert first.settings == {
        "name": "Rebuild Indexes",
        "description": "Database maintenance.",
        "folder": "Data Base",
        "timeout_s": 3600,
        "memory_mb": 256,
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
    assert any("ops@example.org" in note for note in first.notes)
    assert found["python"].code == "print('hello')\n"
    assert "method='POST'" in found["ask"].code and "b'a=1'" in found["ask"].code
    assert [len(found[slug].schedules or ()) for slug in ("ask", "both", "other")] == [0, 0, 1]
    tried = applying.try_out(preview.plan(list(found.values())), applying.Import(by=None, now=NOW))
    assert {each.action for each in tried} == {Action.CREATE}, tried


def test_the_answer_of_cronicles_api_is_read_as_well(tmp_path: Path) -> None:
    for number, answer in enumerate(({"code": 0, "rows": [EVENT]}, {"event": EVENT}, [EVENT])):
        source = staged(tmp_path / str(number), **{"events.json": json.dumps(answer)})
        assert [item.name for item in reading.items(source)] == ["Rebuild Indexes"]


def database() -> bytes:
    """A database of QingLong, made as its own code defines its tables."""
    made = sqlite3.connect(":memory:")
    made.executescript("""
        CREATE TABLE Crontabs (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255), command VARCHAR(255),
            schedule VARCHAR(255), timestamp VARCHAR(255), saved TINYINT(1), status NUMBER, isSystem NUMBER, pid NUMBER,
            isDisabled NUMBER, isPinned NUMBER, log_path VARCHAR(255), labels JSON, last_running_time NUMBER,
            last_execution_time NUMBER, sub_id NUMBER, extra_schedules JSON, task_before VARCHAR(255),
            task_after VARCHAR(255));
        CREATE TABLE Envs (id INTEGER PRIMARY KEY, value VARCHAR(255), timestamp VARCHAR(255), status NUMBER,
            position NUMBER, name VARCHAR(255), remarks VARCHAR(255));
        INSERT INTO Envs (name, value) VALUES ('SITE_COOKIE', 'very secret');
        INSERT INTO Crontabs (name, command, schedule, isDisabled, labels, extra_schedules) VALUES
            ('签到', 'task site/sign.py now', '30 7 * * *', 0, '["daily"]', '[{"schedule": "0 19 * * *"}]'),
            ('Beans', 'task beans.js', '0 0 8 * * *', 1, '[]', NULL),
            ('Pull', 'ql repo https://example.org/a.git', 'nonsense', 0, '[]', NULL);
    """)
    return made.serialize()


def backup() -> bytes:
    """A backup of QingLong, as its page gives it."""
    files = {
        "db/database.sqlite": database(),
        "scripts/site/sign.py": b"import os, helper\nprint(os.environ['SITE_COOKIE'])\n",
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
    sign, beans, pull = items
    assert (sign.name, sign.settings["tags"]) == ("签到", ["daily"])
    assert sign.code.startswith("import os, helper") and list(sign.files) == ["helper.py"]
    assert [row["cron"] for row in sign.schedules or ()] == ["30 7 * * *", "0 19 * * *"]
    assert any("SITE_COOKIE" in note for note in sign.notes)
    assert "task beans.js" in beans.code and beans.schedules is not None
    assert [row["enabled"] for row in beans.schedules] == [False]
    assert pull.schedules == []
    told = repr([(item.code, item.settings, item.notes) for item in items])
    assert "very secret" not in told and str(paths.data()) not in told
    planned = preview.plan(items)
    applying.apply(planned, source, applying.Import(by=None, now=NOW))
    assert Script.objects.count() == 3 and not Schedule.objects.filter(enabled=True).exists()
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
    tried = applying.try_out(preview.plan(list(found.values())), applying.Import(by=None, now=NOW))
    assert {each.action for each in tried} == {Action.CREATE}


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

"""Texts that would be misread, and the refusal that is the same at every door: pages, API, commands, files."""

import html
import io
import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from scripts_app import scripts
from scripts_app.models import Script, Version
from scripts_app.validation import ScriptError
from scripts_app.versions import working_copy
from tempo_site.lib import paths
from tests.factories import NOW, make_script
from tests.scripts_app.admin.test_scripts import SCRIPT

pytestmark = pytest.mark.django_db

REFUSED = {
    "# /// script\n# dependencies = ['rich']\nprint()\n": "Line 1: the `# /// script` block has no end",
    "# /// script\n# dependencies = ['rich']\n# /// \nprint()\n": "Line 3: a space behind `# ///`",
    "# /// script\ndependencies = []\n# ///\n": "Line 2: this line of the `# /// script` block",
    "# /// script\n# ///\n\n# /// script\n# ///\n": "Line 4: there is a second `# /// script` block",
    "#/// script\n# ///\n": "Line 1: `#/// script` does not begin a block",
    "#!/usr/bin/python3\n# coding: latin-1\nprint('é')\n": "Line 2: `latin-1` is not how this text",
    "# -*- coding: utf-7 -*-\nprint()\n": "Line 1: `utf-7` is not how this text",
}


@pytest.fixture(params=REFUSED, ids=list(REFUSED.values()))
def code(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def script() -> Script:
    script = make_script(code="print(1)\n")
    working_copy.write(script.pk)
    return script


def test_the_page_refuses_it(browser: Client, script: Script, code: str) -> None:
    text = {"code": code, "requirements": "", "python_version": "", "based_on": "0", "act": "save"}
    page = browser.post("/scripts/hello-world/edit/", text).content.decode()
    assert plain(REFUSED[code]) in plain(page)
    assert versions_of(script) == 1


def test_a_draft_keeps_it(browser: Client, script: Script, code: str) -> None:
    text = {"code": code, "requirements": "", "python_version": "", "based_on": "0", "act": "draft"}
    assert browser.post("/scripts/hello-world/edit/", text).status_code == 302
    assert script.draft.code == code


def test_the_api_refuses_it(program: Client, script: Script, code: str) -> None:
    answers = [
        program.post("/api/v1/scripts", {"name": "New", "code": code}, "application/json"),
        program.patch("/api/v1/scripts/hello-world", {"code": code}, "application/json"),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["error"]["fields"]["code"].startswith(REFUSED[code])
    assert Script.objects.count() == 1 and versions_of(script) == 1


def test_the_check_of_the_api_points_at_the_line(program: Client, code: str) -> None:
    answer = program.post("/api/v1/check", {"code": code}, "application/json")
    line = int(REFUSED[code].removeprefix("Line ").partition(":")[0])
    codes = ("block", "coding")
    assert line in [one["line"] for one in answer.json()["problems"] if one["code"] in codes]


def test_the_admin_refuses_it(client: Client, staff: User, code: str) -> None:
    client.force_login(staff)
    page = client.post("/admin/scripts_app/script/add/", SCRIPT | {"code": code}).content.decode()
    assert plain(REFUSED[code]) in plain(page)
    assert not Script.objects.exists()


def test_a_file_that_is_edited_outside_does_not_become_a_version(
    program: Client, script: Script, code: str
) -> None:
    (paths.script(script.slug) / "main.py").write_text(code)
    answer = program.post(
        "/api/v1/scripts/hello-world/outside-edit", {"take": True}, "application/json"
    )
    assert answer.status_code == 422
    assert json.dumps(REFUSED[code])[1:-1] in answer.content.decode()
    assert versions_of(script) == 1


def test_a_file_in_another_encoding_is_refused_as_such(program: Client, script: Script) -> None:
    text = "# coding: latin-1\nprint('é')\n"
    (paths.script(script.slug) / "main.py").write_bytes(text.encode("latin-1"))
    answer = program.get("/api/v1/scripts/hello-world/outside-edit").json()
    assert answer["problem"] == "`main.py` is no UTF-8 text: save it as UTF-8."


def test_the_import_from_cron_refuses_a_broken_block(tmp_path: Path) -> None:
    broken = "# /// script\n# dependencies = ['rich']\nprint()\n"
    (tmp_path / "report.py").write_text(broken)
    (tmp_path / "crontab").write_text(f"30 2 * * * python3 {tmp_path}/report.py\n")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("importcrontab", str(tmp_path / "crontab"), "--yes", stdout=out, stderr=out)
    assert "the `# /// script` block has no end" in out.getvalue()
    assert not Script.objects.exists()


def test_an_old_version_with_it_is_not_restored(script: Script, code: str) -> None:
    old = Version.objects.create(script=script, number=9, code=code)
    with pytest.raises(ScriptError) as refusal:
        scripts.restore_version(script, old, by=None, now=NOW)
    assert str(refusal.value).startswith(REFUSED[code])


def test_a_script_that_has_it_already_is_still_renamed_and_switched_off(
    script: Script, code: str
) -> None:
    Version.objects.filter(script=script).update(code=code)
    scripts.update(script, by=None, now=NOW, name="Other", enabled=False)
    assert (script.name, script.enabled) == ("Other", False)


def plain(text: str) -> str:
    """A page's words as a sentence has them: literals may be marked up."""
    return html.unescape(text).replace("<code>", "").replace("</code>", "").replace("`", "")


def versions_of(script: Script) -> int:
    return script.versions.count()

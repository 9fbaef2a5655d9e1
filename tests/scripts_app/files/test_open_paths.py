"""Paths that staff open to scripts: what is refused, to whom they are open, who may say so."""

import json
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from runs_app.launcher.identity import landlock
from runs_app.programs import script as program
from scripts_app.files import open_paths
from scripts_app.files.open_paths import Opened
from scripts_app.models import OpenPath, Script
from scripts_app.validation import ScriptError
from tempo_site.lib import paths
from tempo_site.models import AuditEntry
from tests.factories import NOW, make_run, make_script
from tests.rows import each_row

pytestmark = pytest.mark.django_db


def add(path: Path | str, *, may_write: bool = False, script: Script | None = None) -> OpenPath:
    return open_paths.add(str(path), may_write=may_write, script=script, by="root", now=NOW)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder of the machine."""
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def refused() -> list[str]:
    data = paths.data()
    return [
        *("/", "/proc", "/proc/1", "/sys", "/run", "/proc/../proc", "//proc"),
        *(str(data), str(data / "runs"), str(data.parent), f"{data}/../data"),
        *(str(settings.BASE_DIR), str(settings.BASE_DIR / "tempo_site"), sys.prefix),
        *(sys.base_prefix, f"{sys.base_prefix}/bin", str(Path(json.__file__).parent)),
    ]


def test_what_belongs_to_tempo_or_the_system_is_refused() -> None:
    for path in refused():
        with pytest.raises(ScriptError, match="cannot be opened"):
            add(path)
    assert not OpenPath.objects.exists()


def test_a_link_is_looked_through(tmp_path: Path) -> None:
    for name, path in enumerate(refused()):
        link = tmp_path / str(name)
        link.symlink_to(path)
        with pytest.raises(ScriptError, match="cannot be opened"):
            add(link)


def test_the_launcher_refuses_by_the_same_rule(share: Path) -> None:
    roots = [*open_paths.refused_roots(), *landlock.NEVER_SHARED]
    for path in refused():
        assert landlock.is_refused(str(Path(path).resolve()), roots), path
    assert not landlock.is_refused(str(share), roots)


@each_row(
    ("path", "words"),
    [
        ("", "whole path"),
        ("share", "whole path"),
        ("/nothing/is/here", "cannot be looked at"),
        ("/dev/null", "neither a folder nor a file"),
        ("/" + "x" * 600, "whole path"),
    ],
)
def test_what_is_no_path_of_the_machine_is_refused(path: str, words: str) -> None:
    with pytest.raises(ScriptError, match=words) as refusal:
        add(path)
    assert refusal.value.field == "path"


def test_a_path_is_open_to_one_script_or_to_all_from_the_next_run_on(share: Path) -> None:
    mine, other = make_script("Mine"), make_script("Other")
    own = share / "own"
    own.mkdir()
    add(share)
    add(own, may_write=True, script=mine)
    assert open_paths.open_to(mine) == Opened(read=[str(share)], write=[str(own)])
    assert open_paths.open_to(other) == Opened(read=[str(share)], write=[])
    run = make_run(mine)
    python = paths.environments() / "e" / "bin" / "python"
    spec = program.isolation(run, share, [], python=python, working=share)
    assert (spec["shared_read"], spec["shared_write"]) == ([str(share)], [str(own)])
    assert str(paths.data()) in spec["refused"]
    open_paths.remove(OpenPath.objects.get(script=None))
    assert open_paths.open_to(other) == Opened(read=[], write=[])


def test_a_path_that_is_opened_again_changes(share: Path) -> None:
    add(share)
    add(f"{share}/", may_write=True)
    assert OpenPath.objects.get().may_write


def test_staff_open_and_close_a_path_on_the_page(client: Client, staff: User, share: Path) -> None:
    client.force_login(staff)
    page = reverse("open-paths")
    script = make_script("Photos")
    data = {"path": str(share), "may_write": "1", "script": script.slug}
    assert f"<code>{share}</code>" in client.post(page, data, follow=True).content.decode()
    row = OpenPath.objects.get()
    assert (row.script, row.may_write, row.added_by) == (script, True, "root")
    assert "cannot be opened" in client.post(page, {**data, "path": "/"}).content.decode()
    tab = client.get(f"/scripts/{script.slug}/settings/").content.decode()
    assert f"<code>{share}</code>" in tab
    client.post(page, {"act": "close", "pk": row.pk})
    assert not OpenPath.objects.exists()
    assert [entry.verb for entry in AuditEntry.objects.filter(kind="open path")] == [
        "closed",
        "opened",
    ]


def test_a_path_that_leads_elsewhere_now_is_named(
    client: Client, staff: User, share: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(share)
    add(link)
    link.unlink()
    link.symlink_to(paths.data())
    client.force_login(staff)
    assert "Refused to runs" in client.get(reverse("open-paths")).content.decode()


def test_nobody_else_opens_a_path(browser: Client, program: Client, share: Path) -> None:
    data = {"path": str(share), "may_write": "0"}
    assert browser.post(reverse("open-paths"), data).status_code == 403
    assert program.post(reverse("open-paths"), data).status_code in (302, 403)
    make_script("Photos")
    for field in ("open_paths", "read_paths"):
        answer = program.patch(
            "/api/v1/scripts/photos", {field: [str(share)]}, content_type="application/json"
        )
        assert answer.status_code == 422
    assert not OpenPath.objects.exists()

"""The pages of folders, of deleted scripts, and the copy of one."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from scripts_app import folders, scripts
from scripts_app.models import Folder, Script
from tests.factories import make_script
from tests.rows import each_row

HOSTILE = '"><img src=x onerror=alert(1)>{{1234567*7}}'

pytestmark = pytest.mark.django_db


def told(browser: Client, answer: object) -> str:
    """What is said after an act."""
    page = browser.get(answer.headers["Location"])  # type: ignore[attr-defined]
    return " ".join(str(message) for message in page.context["messages"])


def paths() -> list[str]:
    return list(Folder.objects.values_list("path", flat=True))


def test_a_folder_is_made_and_opened(browser: Client) -> None:
    answer = browser.post(reverse("folder-new"), {"path": "Ops/Nightly"})
    assert (answer.headers["Location"], paths()) == (
        "/scripts/?folder=Ops%2FNightly",
        ["Ops", "Ops/Nightly"],
    )
    assert (
        "Rename, move or delete this folder"
        in browser.get(answer.headers["Location"]).content.decode()
    )


@each_row("path", ["", "..", "a//b", "x" * 301, "a\0b"])
def test_a_path_that_is_none_is_told_at_its_field(browser: Client, path: str) -> None:
    answer = browser.post(reverse("folder-new"), {"path": path})
    assert (list(answer.context["form"].errors), paths()) == (["path"], [])


def test_a_folder_is_renamed_with_what_is_below(browser: Client) -> None:
    script = make_script(folder="Ops/Nightly")
    answer = browser.post(
        reverse("folder-edit", args=[Folder.objects.get(path="Ops").pk]), {"path": "Work"}
    )
    assert "`Work`" in told(browser, answer)
    script.refresh_from_db()
    assert script.folder and script.folder.path == "Work/Nightly"


def test_one_that_holds_something_is_deleted_by_its_name_alone(browser: Client) -> None:
    make_script(folder="Ops")
    address = reverse("folder-delete", args=[Folder.objects.get().pk])
    assert "holds 1 script" in told(browser, browser.post(address, {"confirm": "Opz"}))
    assert (
        told(browser, browser.post(address, {"confirm": "Ops"}))
        == "Deleted the folder `Ops` with 1 script."
    )
    assert (paths(), Script.objects.present().count()) == ([], 0)


def test_an_empty_one_is_deleted_at_once(browser: Client) -> None:
    folder = folders.create("Ops")
    assert "It is empty" in browser.get(reverse("folder-edit", args=[folder.pk])).content.decode()
    assert (
        told(browser, browser.post(reverse("folder-delete", args=[folder.pk])))
        == "Deleted the folder `Ops`."
    )


def test_an_empty_folder_is_shown_in_the_tree(browser: Client) -> None:
    folders.create("Ops/Nightly")
    found = browser.get(reverse("script-list")).context["folders"]
    assert [(branch.path, branch.count) for branch in found] == [("Ops", 0), ("Ops/Nightly", 0)]


def test_hostile_paths_are_text(browser: Client) -> None:
    folder = folders.create(HOSTILE.replace("/", ""))
    scripts.delete(make_script(HOSTILE, folder=folder.path), now=timezone.now())
    for address in (
        reverse("folder-edit", args=[folder.pk]),
        reverse("deleted-scripts"),
        f"{reverse('script-list')}?folder={folder.path}",
        f"{reverse('folder-new')}?folder={folder.path}",
    ):
        text = browser.get(address).content.decode()
        assert "<img" not in text and "8641969" not in text


def test_a_deleted_script_is_listed_and_restored(browser: Client) -> None:
    script = make_script(folder="Ops")
    assert "There is none" in browser.get(reverse("deleted-scripts")).content.decode()
    browser.post(reverse("script-delete", args=[script.slug]))
    assert ">Deleted</a>" in browser.get(reverse("script-list")).content.decode()
    [(deleted, ends_at)] = browser.get(reverse("deleted-scripts")).context["rows"]
    assert ends_at - deleted.deleted_at == timedelta(days=30)
    answer = browser.post(reverse("script-restore", args=[script.slug]))
    assert told(browser, answer) == "Restored `Hello World`."
    assert browser.post(reverse("script-restore", args=[script.slug])).status_code == 404


def test_a_script_is_duplicated_from_its_settings(browser: Client) -> None:
    script = make_script()
    answer = browser.post(reverse("script-duplicate", args=[script.slug]), {"name": "Second"})
    assert answer.headers["Location"] == "/scripts/second/edit/"
    refused = browser.post(reverse("script-duplicate", args=[script.slug]), {"name": "..."})
    assert "no letter and no digit" in told(browser, refused)


def test_a_list_costs_the_same_for_one_script_and_for_hundreds(browser: Client) -> None:
    lists = ["/scripts/", "/deleted-scripts/", "/api/v1/scripts?limit=200", "/api/v1/folders"]

    def cost(address: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert browser.get(address).status_code == 200
        return len(queries)

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            script = make_script(
                f"Script {number}", folder=f"Folder {number % 40}/Inner {number % 3}"
            )
            if number % 2:
                scripts.delete(script, now=timezone.now())

    add(0, 4)
    for address in lists:
        browser.get(address)  # what is asked once and kept
    few = {address: cost(address) for address in lists}
    add(4, 304)
    assert {address: cost(address) for address in lists} == few

"""The pages of a script's files, and of what was edited on the disk."""

from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from scripts_app.files import store
from scripts_app.models import Script
from scripts_app.versions import working_copy
from tempo_site.lib import paths
from tests.factories import make_script

HOSTILE = ['"><img src=x onerror=alert(1)>', "{{7*7}}", "\u202egnp.exe", "a b&c=d#e?f%20", "日本語"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def script() -> Script:
    return make_script()


@pytest.fixture
def address(script: Script) -> str:
    return reverse("script-file-list", args=[script.slug])


def told(browser: Client, answer: object) -> str:
    """What is said after an act."""
    page = browser.get(answer.headers["Location"])  # type: ignore[attr-defined]
    return " ".join(str(message) for message in page.context["messages"])


def names(script: Script, folder: str = "") -> list[str]:
    return [entry.name for entry in store.listing(script, folder).entries]


def test_an_empty_folder_says_what_it_is_for(browser: Client, address: str) -> None:
    assert "There are no files yet" in browser.get(address).content.decode()


def test_files_are_uploaded_into_the_folder_that_is_open(
    browser: Client, script: Script, address: str
) -> None:
    store.make_folder(script, "data")
    sent = [SimpleUploadedFile("a", b"1"), SimpleUploadedFile("b", b"2")]
    answer = browser.post(f"{address}?folder=data", {"file": sent})
    assert answer.headers["Location"] == f"{address}?folder=data"
    assert (told(browser, answer), names(script, "data")) == ("Stored 2 files.", ["a", "b"])


def test_one_that_is_there_is_told_and_does_not_stop_the_others(
    browser: Client, script: Script, address: str
) -> None:
    store.save(script, "a", [b"old"])
    sent = [SimpleUploadedFile("a", b"new"), SimpleUploadedFile("b", b"2")]
    said = told(browser, browser.post(address, {"file": sent}))
    assert "There is a file `a` already" in said and "Stored 1 file." in said
    browser.post(address, {"file": [SimpleUploadedFile("a", b"new")], "replace": "1"})
    with store.opened(script, "a") as file:
        assert file.read() == b"new"


def test_a_folder_is_made_and_entered(browser: Client, script: Script, address: str) -> None:
    assert told(browser, browser.post(address, {"name": "data"})) == "Made the folder `data`."
    assert "This folder is empty" in browser.get(f"{address}?folder=data").content.decode()
    assert "`..`" in told(browser, browser.post(address, {"name": "../x"}))


def test_an_upload_of_nothing_is_told(browser: Client, address: str) -> None:
    assert told(browser, browser.post(address)) == "No file was chosen."


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_and_its_links_lead_to_it(
    browser: Client, script: Script, address: str, name: str
) -> None:
    store.save(script, name, [b"content"])
    text = browser.get(address).content.decode()
    assert (
        "<img" not in text and "<bdi>49</bdi>" not in text and f"<bdi>{escape(name)}</bdi>" in text
    )
    assert f"?path={quote(name, safe='')}" in text
    response = browser.get(f"{address}download/", {"path": name})
    assert b"".join(response) == b"content"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert "Delete “<bdi>" in browser.get(f"{address}delete/", {"path": name}).content.decode()
    browser.post(f"{address}delete/?path={quote(name, safe='')}")
    assert names(script) == []


@pytest.mark.parametrize("path", ["", "..", "../../secret_key", "/etc/passwd", "nothing", "a\0b"])
def test_nothing_else_is_downloaded(browser: Client, address: str, path: str) -> None:
    assert browser.get(f"{address}download/", {"path": path}).status_code == 404


@pytest.mark.parametrize("folder", ["..", "nothing", "a\0b", "x" * 2000])
def test_a_folder_that_is_none_leads_back(browser: Client, address: str, folder: str) -> None:
    assert browser.get(address, {"folder": folder}).status_code in (302, 404)


def test_a_refused_deletion_is_told(browser: Client, address: str) -> None:
    assert "There is no `nothing`" in told(browser, browser.post(f"{address}delete/?path=nothing"))


def test_many_files_have_pages(browser: Client, script: Script, address: str) -> None:
    folder = paths.script_files(script.slug)
    names(script)  # makes it
    for number in range(201):
        (folder / f"{number:03}").touch()
    assert "?after=199" in browser.get(address).content.decode()
    assert "200" in browser.get(address, {"after": "199"}).content.decode()


# --- edited on the disk --------------------------------------------------------------------------------------------
def test_an_edit_on_the_disk_is_offered_with_what_was_changed_and_taken(
    browser: Client, script: Script
) -> None:
    working_copy.write(script.pk)
    page = reverse("script-edit", args=[script.slug])
    assert "edited on the disk" not in browser.get(page).content.decode()
    (paths.script(script.slug) / "main.py").write_text("print('<b>')\n")
    overview = browser.get(reverse("script-overview", args=[script.slug])).content.decode()
    assert "Look at what was changed" in overview
    shown = browser.get(page)
    assert "edited on the disk" in shown.content.decode() and "&lt;b&gt;" in shown.content.decode()
    seen = shown.context["edit"].seen
    said = told(
        browser,
        browser.post(
            reverse("script-outside-edit", args=[script.slug]), {"seen": seen, "take": "1"}
        ),
    )
    assert said == "What was edited on the disk is v2 now."
    script.refresh_from_db()
    assert script.version and (script.version.code, script.version.saved_by) == (
        "print('<b>')\n",
        "ann",
    )


def test_one_that_is_another_by_now_is_refused(browser: Client, script: Script) -> None:
    working_copy.write(script.pk)
    (paths.script(script.slug) / "main.py").write_text("2")
    answer = browser.post(
        reverse("script-outside-edit", args=[script.slug]), {"seen": "0", "take": "0"}
    )
    assert "edited again" in told(browser, answer)


def test_one_that_is_no_text_is_told(browser: Client, script: Script) -> None:
    working_copy.write(script.pk)
    (paths.script(script.slug) / "main.py").write_bytes(b"\xff")
    assert (
        "is no UTF-8 text"
        in browser.get(reverse("script-edit", args=[script.slug])).content.decode()
    )


class TestEditing:
    """Texts in the editor."""

    @pytest.fixture
    def edit(self, script: Script) -> str:
        store.save(script, "lib/tools.py", [b"x = 1\n"])
        return f"{reverse('script-file-edit', args=[script.slug])}?path=lib/tools.py"

    def test_a_file_is_shown_saved_and_shown_again(self, browser: Client, edit: str) -> None:
        page = browser.get(edit)
        sent = {"text": "x = 2\r\n", "based_on": page.context["based_on"]}
        answer = browser.post(edit, sent)
        assert told(browser, answer) == "Saved `lib/tools.py`."
        assert browser.get(edit).context["text"] == "x = 2\n"

    def test_a_conflict_keeps_both_texts_and_saving_again_puts_mine_in_place(
        self, browser: Client, script: Script, edit: str
    ) -> None:
        seen = browser.get(edit).context["based_on"]
        store.save(script, "lib/tools.py", [b"<theirs>"], replace=True)
        answer = browser.post(edit, {"text": "<mine>", "based_on": seen})
        page = answer.content.decode()
        assert (answer.status_code, "&lt;mine&gt;" in page, "&lt;theirs&gt;" in page) == (
            409,
            True,
            True,
        )
        again = {"text": "<mine>", "based_on": answer.context["based_on"]}
        assert browser.post(edit, again).status_code == 302

    def test_a_new_file_is_written_in_the_folder_that_is_open(
        self, browser: Client, script: Script, address: str, edit: str
    ) -> None:
        asked = browser.post(f"{address}?folder=lib", {"name": "new.txt", "kind": "text"})
        place = asked.headers["Location"]
        assert "Not saved yet" in browser.get(place).content.decode()
        browser.post(place, {"text": "hello", "based_on": ""})
        assert names(script, "lib") == ["new.txt", "tools.py"]

    def test_what_is_no_text_is_left_to_a_download(
        self, browser: Client, script: Script, address: str, edit: str
    ) -> None:
        store.save(script, "photo.png", [b"\x89PNG\0"])
        answer = browser.get(edit.replace("lib/tools.py", "photo.png"))
        assert answer.headers["Location"] == address
        assert "no text in UTF-8" in told(browser, answer)

    @pytest.mark.parametrize("path", ["nothing.py", "lib", ""])
    def test_what_is_not_there_is_missing(self, browser: Client, edit: str, path: str) -> None:
        answer = browser.get(edit.replace("lib/tools.py", path))
        assert answer.status_code == (404 if path else 302)

    def test_a_text_that_cannot_be_stored_stays_on_the_page(
        self, browser: Client, edit: str
    ) -> None:
        seen = browser.get(edit).context["based_on"]
        answer = browser.post(edit, {"text": "a\0b", "based_on": seen})
        assert (answer.status_code, "NUL character" in answer.content.decode()) == (422, True)

    def test_the_files_stand_above_the_script_s_own_text(
        self, browser: Client, script: Script
    ) -> None:
        store.save(script, "tools.py", [b""])
        page = browser.get(reverse("script-edit", args=[script.slug])).content.decode()
        assert f"{reverse('script-file-edit', args=[script.slug])}?path=tools.py" in page

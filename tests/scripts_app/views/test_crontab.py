"""The page that moves people in from cron."""

import html
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from scripts_app.crontab import parser
from scripts_app.models import Schedule, Script

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A Python file of the server."""
    path = tmp_path / "backup.py"
    path.write_text("print('what it says')\n")
    return path


@pytest.fixture
def admin(client: Client, staff: User) -> Client:
    """Django's test client, logged in as somebody who may have files read."""
    client.force_login(staff)
    return client


def page(browser: Client, text: str) -> str:
    """The preview of a crontab."""
    return browser.post(
        reverse("crontab-import"), {"crontab": text, "act": "preview"}
    ).content.decode()


def keys(shown: str) -> list[str]:
    """What the boxes of a preview stand for."""
    return re.findall(r'name="line" value="([^"]+)"', shown)


def told(browser: Client, text: str, *ticked: str) -> list[str]:
    """What is said after the ticked lines were to be made."""
    answer = browser.post(
        reverse("crontab-import"), {"crontab": text, "act": "import", "line": ticked}, follow=True
    )
    return [str(message) for message in answer.context["messages"]]


def test_the_list_leads_to_it(browser: Client) -> None:
    address = f'href="{reverse("crontab-import")}"'
    # the head's and the empty list's
    assert browser.get(reverse("script-list")).content.decode().count(address) == 2
    assert '<textarea id="crontab"' in browser.get(reverse("crontab-import")).content.decode()


def test_its_address_is_no_scripts(browser: Client) -> None:
    assert not reverse("crontab-import").startswith(reverse("script-list"))


def test_a_preview_shows_everything_and_makes_nothing(admin: Client, file: Path) -> None:
    shown = page(
        admin, f"30 2 * * * python3 {file} >> log\n@reboot /bin/other | x\n61 * * * * y\nnonsense"
    )
    for words in (
        "At 02:30",
        "Its code, copied",
        "print(&#x27;what it says&#x27;)",
        "At start-up",
        "because of <code>|</code>",
        "Minute 61: use 0-59",
        "Nothing: no line of a crontab",
    ):
        assert words in shown
    assert len(keys(shown)) == 3 and not Script.objects.exists()


def test_what_is_ticked_is_made_in_the_users_name_and_switched_off(
    admin: Client, file: Path
) -> None:
    text = f"30 2 * * * python3 {file}\r\n@daily /bin/other\r\n"
    first, _ = keys(page(admin, text))
    assert told(admin, text, first)[0].startswith("Moved in: 1 script.")
    script = Script.objects.get()
    assert script.version and (script.slug, script.version.saved_by) == ("backup", "root")
    assert not Schedule.objects.get().enabled


def test_for_others_than_staff_no_file_is_read_or_looked_for(browser: Client, file: Path) -> None:
    there = page(browser, f"@daily python3 {file}")
    missing = page(browser, f"@daily python3 {file}".replace("backup", "nobody"))
    assert "Only staff may have Tempo read" in there and "what it says" not in there
    assert (
        re.sub("backup|nobody|[0-9a-f]{20}", "", there).split("csrf")[0]
        == re.sub("backup|nobody|[0-9a-f]{20}", "", missing).split("csrf")[0]
    )
    told(browser, f"@daily python3 {file}", *keys(there))
    version = Script.objects.get().version
    assert version and "is missing: paste it" in version.code and "what it says" not in version.code


def test_what_changed_after_the_preview_is_not_made(admin: Client, file: Path) -> None:
    text = f"@daily python3 {file}"
    shown = keys(page(admin, text))
    file.write_text("print('something else')\n")
    assert "1 of them changed since you saw them" in told(admin, text, *shown)[0]
    assert not Script.objects.exists()


def test_without_a_tick_it_says_what_to_do(admin: Client) -> None:
    assert "tick some" in told(admin, "@daily a")[0]


def test_a_crontab_that_starts_nothing_says_so(admin: Client) -> None:
    assert "No line of it starts anything." in page(admin, "# nothing")
    assert "No line of it starts anything." in page(admin, "")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("@daily x\0", "NUL"),
        ("#" * (parser.MAX_BYTES + 1), "1 MB"),
        ("@daily x\n" * 501, "More than 500 lines"),
    ],
)
def test_what_is_no_crontab_is_refused_in_words(admin: Client, text: str, word: str) -> None:
    shown = page(admin, text)
    assert word in shown and len(shown) < 100_000


def test_hostile_text_stays_text(admin: Client) -> None:
    nasty = '"><img src=x onerror=alert(1)>{{1234567*7}}`</textarea>'
    shown = page(
        admin,
        f"@daily {nasty}\n@daily '/bin/{nasty}'\nCRON_TZ={nasty}\n{nasty} * * * * x\n* * * * {nasty} x",
    )
    assert "<img" not in shown and html.escape(nasty) in shown and str(1234567 * 7) not in shown


def test_100000_characters_on_a_line_are_cut(admin: Client) -> None:
    text = f"@daily {'x' * 100_000}"
    assert len(page(admin, text)) < len(text) + 40_000  # the box holds the text


def test_a_preview_costs_the_same_for_one_line_and_many(admin: Client) -> None:
    def cost(count: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            page(admin, "@daily a\n" * count)
        return len(queries)

    assert cost(1) == cost(100)


# --- what is chosen for all lines -----------------------------------------------------------------------------------
def posted(browser: Client, text: str, act: str = "preview", **fields: object) -> str:
    """What the page says to a crontab and to what was chosen beside it."""
    data = {"crontab": text, "act": act, **fields}
    return browser.post(reverse("crontab-import"), data, follow=True).content.decode()


def test_folder_zone_and_limit_are_those_chosen_and_the_schedules_go_on(admin: Client) -> None:
    text = "0 5 * * * /bin/one\n0 6 * * * timeout 60 /bin/two\nCRON_TZ=Asia/Tokyo\n0 7 * * * /bin/three"
    chosen = {"folder": "Ops/Nightly", "zone": "Europe/Berlin", "timeout_s": "900"}
    lines = keys(posted(admin, text))
    said = posted(admin, text, "switch-on", line=lines, **chosen)
    assert "Moved in and switched on: 3 scripts" in said
    found = {
        row.script.name: (
            row.script.folder and row.script.folder.path,
            row.timezone,
            row.script.timeout_s,
        )
        for row in Schedule.objects.filter(enabled=True)
    }
    assert found == {
        "one": ("Ops/Nightly", "Europe/Berlin", 900),
        "two": ("Ops/Nightly", "Europe/Berlin", 60),
        "three": ("Ops/Nightly", "Asia/Tokyo", 900),
    }
    assert Schedule.objects.filter(alarm=None).count() == 0


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"zone": "Mars/Base"}, "no time zone"), ({"timeout_s": "soon"}, "a number of seconds")],
)
def test_a_wrong_choice_is_told(admin: Client, fields: dict[str, str], word: str) -> None:
    assert word in posted(admin, "@daily /bin/one", **fields)


def test_two_lines_with_one_command_are_one_script_with_two_schedules(admin: Client) -> None:
    text = "0 5 * * * /bin/one -v\n0 17 * * * /bin/one -v\n0 18 * * * /bin/one -q"
    shown = posted(admin, text)
    assert "A schedule more for the script of line 1" in shown
    told(admin, text, *keys(shown))
    rows = Schedule.objects.values_list("script__name", "cron")
    assert sorted(rows) == [("one", "0 17 * * *"), ("one", "0 5 * * *"), ("one (2)", "0 18 * * *")]


def test_a_line_that_was_imported_is_marked_and_not_ticked(admin: Client) -> None:
    text = "0 5 * * * /bin/one\n0 6 * * * /bin/two"
    first, _ = keys(posted(admin, text))
    told(admin, text, first)
    shown = posted(admin, text)
    assert shown.count("imported already") == 1
    assert len(re.findall(r'name="line"[^>]* checked', shown)) == 1


def test_lines_that_are_commented_out_are_mentioned(admin: Client) -> None:
    text = "# m h  dom mon dow   command\n#*/5 * * * * /bin/old\n# prose of 5 words here\n@daily /bin/one"
    shown = posted(admin, text)
    assert "commented out: 1 line." in shown and "/bin/old" in shown


def test_the_box_says_whether_a_user_stands_before_the_command(admin: Client) -> None:
    text = "0 5 * * * backups tool --all"
    assert "backups` ran it" not in posted(admin, text)
    assert "`backups` ran it" in posted(admin, text, system="1").replace("<code>", "`").replace(
        "</code>", "`"
    )
    by_form = "0 5 * * * backups /usr/bin/tool\n0 6 * * * deploy cd /srv && make"
    assert "a system crontab" in posted(admin, by_form)
    assert "a system crontab" not in posted(admin, by_form, **{"system-shown": "1"})


def test_the_address_of_the_mail_is_kept_and_shown(admin: Client) -> None:
    text = "MAILTO=ann@example.org\n0 5 * * * /bin/one"
    told(admin, text, *keys(posted(admin, text)))
    schedule = Schedule.objects.get()
    assert schedule.mail_to == "ann@example.org"
    page = admin.get(reverse("script-schedule", args=[schedule.script.slug])).content.decode()
    assert "ann@example.org" in page and "nothing is sent there now" in page

"""What stands in a message, and what never does."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from notifications_app.messages import compose, output_tail, plain
from notifications_app.models import Channel, Delivery, Event, Incident, Notice
from runs_app.failures import changes
from runs_app.models import Run
from runs_app.states import Reason, Status
from scripts_app import scripts
from scripts_app.variables import variables
from tempo_site.lib import paths
from tempo_site.stored_settings import general, store
from tests.factories import NOW, make_run, make_script
from tests.notifications_app.telling import make_channel, make_rule

pytestmark = pytest.mark.django_db

NASTY = "\x1b[31mred\x1b[0m \x00 \x07 <b>&amp; \u202egnp.exe 🎉"


def failed_run(output: str = "", *, errors: str = "", **fields: Any) -> Run:
    """A failed run of `Backup` whose log says this."""
    script = fields.pop("script", None) or make_script("Backup", folder="Ops")
    fields = {"status": Status.FAILED, "reason": Reason.EXIT_CODE, "exit_code": 3, **fields}
    run = make_run(script, started_at=NOW, duration_s=62.0, folder="2026-11/1-a", **fields)
    log = paths.run_folder(run.folder) / "output.log"
    log.parent.mkdir(parents=True)
    records = [b"1764072000000 O F %b\n" % line.encode() for line in output.split("\n")]
    records += [b"1764072000000 E F %b\n" % line.encode() for line in errors.split("\n")]
    log.write_bytes(b"".join(records))
    return run


def delivery(run: Run | None = None, **fields: Any) -> Delivery:
    fields = {"event": Event.FAILED, "title": "Backup failed", "facts": {"streak": 2}, **fields}
    script = run.script if run else None
    return Delivery(run=run, script=script, created_at=NOW, **fields)


def content(kind: str, *rows: Delivery) -> dict[str, Any]:
    return compose.content_of(
        Channel(kind=kind),
        rows,
        message_id="msg_1",
        from_email="Tempo <tempo@example.org>",
        now=NOW,
    )


def test_the_webhooks_body_is_as_it_is_documented(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tempo.example.org"
    run = failed_run("some output")
    body = json.loads(content("webhook", delivery(run))["body"])
    assert body == {
        "event": "failed",
        "at": NOW.isoformat(),
        "title": "Backup failed",
        "script": {"slug": "backup", "name": "Backup", "folder": "Ops"},
        "run": {
            "id": run.pk,
            "status": "failed",
            "reason": "exit_code",
            "exit_code": 3,
            "url": f"https://tempo.example.org/runs/{run.pk}/",
            "started_at": NOW.isoformat(),
            "duration_s": 62.0,
            "output_tail": "some output",
        },
        "streak": 2,
    }


def test_a_webhook_about_several_events_has_them_as_items() -> None:
    rows = [delivery(title="one"), delivery(title="two")]
    body = json.loads(content("webhook", *rows)["body"])
    assert [item["title"] for item in body["items"]] == ["one", "two"]
    assert body["title"] == "one" and "items" not in body["items"][0]


def test_a_text_tells_what_a_person_wants_to_know_first() -> None:
    run = failed_run("line 1\nline 2", errors="Traceback (most recent call last):\nValueError: no")
    text = content("apprise", delivery(run))["text"]
    assert text.startswith("Script: Backup (in Ops)\n")
    for words in (
        "failed",
        "Trigger: Manual",
        "Exit code 3.",
        "Took: 1 min 2 s",
        "Reason: ValueError: no",
        "line 2",
    ):
        assert words in text


def test_no_link_is_invented() -> None:
    mail = content("mail", delivery(failed_run()))
    assert "http" not in mail["text"] and "href" not in mail["html"]
    assert "List-Unsubscribe" not in mail["headers"]


def test_output_is_plain_and_its_last_thousand_characters() -> None:
    run = failed_run("begin\n" + "x" * 3000 + "\n" + NASTY)
    tail = output_tail.read(run)
    assert len(tail) == 1000 and tail.startswith("…x")
    assert tail.endswith("red   <b>&amp; �gnp.exe 🎉")


def test_a_progress_bar_is_shown_as_it_ended() -> None:
    assert output_tail.read(failed_run("10%\r50%\r100%\nrest")) == "100%\nrest"


def test_a_long_log_is_read_from_its_end_only() -> None:
    run = failed_run("\n".join(f"line {number}" for number in range(20_000)))
    assert output_tail.read(run).endswith("line 19998\nline 19999")


def test_a_message_without_a_log_is_written_all_the_same() -> None:
    run = make_run(make_script(), status=Status.LOST, folder="2026-11/9-gone")
    assert output_tail.read(run) == ""
    assert content("apprise", delivery(run))["text"]


def test_mail_is_safe_html_and_threads_by_its_incident() -> None:
    incident = Incident(kind=Event.FAILED)
    row = delivery(failed_run(NASTY), title="<script>alert(1)</script> failed", incident=incident)
    mail = content("mail", row)
    assert "<script>" not in mail["html"] and "&lt;b&gt;&amp;amp;" in mail["html"]
    assert mail["headers"] == {
        "Message-ID": "<msg_1@example.org>",
        "Date": "Mon, 23 Nov 2026 12:00:00 +0000",
        "Auto-Submitted": "auto-generated",
        "References": f"<incident-{incident.thread.hex}@example.org>",
    }


def test_a_digest_keeps_what_is_no_end_of_a_run_beside_the_last_end() -> None:
    run = failed_run()
    rows = [
        delivery(run, title="Backup did not run", event=Event.DID_NOT_RUN),
        delivery(run, title="A schedule was put aside", event=Event.SCHEDULE_SUSPENDED),
        delivery(run, title="Backup failed", pk=2),
        delivery(run, title="Backup recovered", event=Event.RECOVERED, pk=3),
    ]
    text = content("mail", *rows)["text"]
    assert text == "Backup did not run\nA schedule was put aside\nBackup recovered"


def test_a_webhook_gets_the_weekly_report_whole() -> None:
    row = delivery(event=Notice.WEEKLY_REPORT, facts={"lines": [["Failures", "none"]]})
    assert json.loads(content("webhook", row)["body"])["facts"] == {"Failures": "none"}


def test_a_mail_of_several_incidents_is_no_ones_thread() -> None:
    rows = [delivery(incident=Incident(kind=Event.FAILED)) for _ in range(2)]
    assert "References" not in content("mail", *rows)["headers"]


def test_unsubscribing_leads_to_the_page_of_the_rule(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://tempo.example.org"
    rule = make_rule(make_channel())
    headers = content("mail", delivery(rule=rule))["headers"]
    expected = f"<https://tempo.example.org/notifications/rules/{rule.pk}/>"
    assert headers["List-Unsubscribe"] == expected


@pytest.mark.parametrize(
    ("events", "level"),
    [
        ([Event.RECOVERED], "success"),
        ([Event.RECOVERED, Event.FAILED], "failure"),
        ([Event.RECOVERED, Event.DID_NOT_RUN], "warning"),
        ([Event.RESTARTED], "info"),
    ],
)
def test_a_message_is_as_bad_as_the_worst_in_it(events: list[Event], level: str) -> None:
    rows = [delivery(event=event) for event in events]
    assert content("apprise", *rows)["level"] == level


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\r\nBcc: two", "one Bcc: two"),
        ("a\x00b\x1b[1mc", "abc"),
        ("a\u2028b", "a b"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_a_line_is_fit_for_a_subject(text: str, expected: str) -> None:
    assert plain.line(text) == expected


def test_what_changed_since_the_last_good_run_is_told_by_names_only() -> None:
    script = make_script("Backup")
    make_run(script, status=Status.SUCCEEDED, created_at=NOW, started_at=NOW)
    scripts.update(script, by=None, now=NOW, code="print('other')\n")
    variables.save(script, name="TOKEN", value="very secret", is_secret=True, by="ann")
    bad = make_run(script, status=Status.FAILED, created_at=NOW + timedelta(days=3650))
    found = changes.changes_of_run(bad)
    assert found is not None
    assert found.names == ["main.py (v1 → v2)", "variable TOKEN"]


def test_the_title_of_a_message_begins_with_the_name_of_this_tempo() -> None:
    store.save({general.NAME: "Cellar"}, by="ann")
    assert content("mail", delivery())["subject"] == "[Cellar] Backup failed"
    assert content("apprise", delivery())["title"] == "[Cellar] Backup failed"

"""From the end of a run to the receiver, with a courier that sends nothing: what arrives, when, and what follows."""

import json
import re
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from notifications_app.channels import channels
from notifications_app.delivery import batches, trial
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.delivery.teller import Teller
from notifications_app.events import outbox
from notifications_app.models import Channel, Delivery, Event, Incident, Notice
from runs_app.states import Status
from tests.factories import NOW, make_script
from tests.notifications_app.telling import (
    FakeCourier,
    end_run,
    failing,
    make_channel,
    make_rule,
    make_scripts,
    sent,
    statuses,
    title_of,
    work,
    work_until,
)

WAITING, SENT = Delivery.Status.WAITING, Delivery.Status.SENT
FAILED, GIVEN_UP = Delivery.Status.FAILED, Delivery.Status.GIVEN_UP


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def mail(courier: FakeCourier) -> Channel:
    """A mail channel that hears of failures and recoveries of all scripts."""
    return make_rule(make_channel("mail", kind=Channel.Kind.MAIL)).channel


def make_delivery(channel: Channel, **fields: Any) -> Delivery:
    return Delivery.objects.create(channel=channel, event=Event.FAILED, created_at=NOW, **fields)


def fail(count: int, *, at: float = 0, apart_s: float = 1.0, name: str = "Script") -> None:
    """So many scripts fail, one after the other."""
    for number, script in enumerate(make_scripts(count, name)):
        end_run(script, at=after(at + number * apart_s))


def test_a_failure_alone_is_sent_at_once(mail: Channel, courier: FakeCourier) -> None:
    fail(1)
    work(NOW)
    assert courier.titles == ["Script 00 failed: Exit code 1."]
    assert statuses() == [SENT]


def test_fifty_failures_in_a_minute_are_three_messages_that_name_them_all(
    mail: Channel, courier: FakeCourier
) -> None:
    for second, script in enumerate(make_scripts(50)):
        end_run(script, at=after(second))
        if second % 5 == 0:
            work(after(second))
    work_until(after(360), since=after(50), every=timedelta(seconds=10))
    assert len(courier.letters) <= 3
    texts = "".join(
        letter.content["subject"] + letter.content["text"] for letter in courier.letters
    )
    assert len(set(re.findall(r"Script \d\d", texts))) == 50
    assert statuses() == [SENT] * 50


def test_a_digest_says_how_many_and_since_when(mail: Channel, courier: FakeCourier) -> None:
    fail(1, name="First")
    work(NOW)
    fail(5, at=1)
    work(after(20))
    assert len(courier.letters) == 1
    work(after(31))
    assert courier.titles[1] == "5 scripts failed since 12:00"
    assert courier.letters[1].content["text"].count("failed: Exit code 1.") == 5


def test_a_script_has_one_line_in_a_digest_and_what_happened_last_to_it(
    mail: Channel, courier: FakeCourier
) -> None:
    fail(1, name="First")
    work(NOW)
    script, other = make_script("Backup"), make_script("Other")
    end_run(script, at=after(1))
    end_run(other, at=after(2))
    end_run(script, Status.SUCCEEDED, at=after(3))
    work(after(40))
    lines = courier.letters[1].content["text"].splitlines()
    assert lines == ["Other failed: Exit code 1.", "Backup recovered after 2 s (1 failed run)"]


def test_an_ungrouped_channel_gets_every_event_alone_and_in_order(courier: FakeCourier) -> None:
    make_rule(make_channel(group_interval_s=0))
    fail(5)
    work(after(10))
    named = [json.loads(letter.content["body"])["script"]["name"] for letter in courier.letters]
    assert named == [f"Script {number:02}" for number in range(5)]


def test_beyond_the_cap_of_an_hour_one_digest_has_the_rest(courier: FakeCourier) -> None:
    make_rule(make_channel(kind=Channel.Kind.MAIL, group_interval_s=1, group_wait_s=0))
    Channel.objects.update(max_per_hour=3)
    for number, script in enumerate(make_scripts(6)):
        end_run(script, at=after(60 * number))
        work(after(60 * number))
    assert len(courier.letters) == 3
    work(after(3599))
    assert len(courier.letters) == 3
    work(after(3601))
    assert courier.titles[3] == "3 scripts failed since 12:03"


def test_quiet_hours_end_with_one_digest(mail: Channel, courier: FakeCourier) -> None:
    channels.save(mail, {"quiet_from": time(11), "quiet_until": time(13), "timezone": "UTC"})
    fail(3)
    work_until(after(3590), every=timedelta(minutes=10))
    assert courier.letters == []
    work(after(3600))
    assert courier.titles == ["3 scripts failed since 12:00"]


def test_what_a_receiver_does_not_take_comes_again_under_the_same_id(
    mail: Channel, courier: FakeCourier
) -> None:
    courier.answer = failing("retry", answer="451 later", status=451)
    fail(1)
    work(NOW)
    row = Delivery.objects.get()
    assert (row.status, row.attempts, row.answer) == (WAITING, 1, "451 later")
    courier.answer = sent
    work(after(4))
    assert len(courier.letters) == 1
    work(after(10))
    assert statuses() == [SENT]
    first, second = courier.letters
    assert first.id == second.id and first.content["text"] == second.content["text"]


def test_a_receiver_that_was_down_for_an_hour_gets_everything_in_order(
    courier: FakeCourier,
) -> None:
    make_rule(make_channel())
    courier.answer = failing("retry", answer="connection refused")
    scripts = make_scripts(20)
    for number, script in enumerate(scripts):
        end_run(script, at=after(180 * number))
        work(after(180 * number))
    tried = {letter.id for letter in courier.letters}
    assert len(tried) == 1  # what happened later waits behind it
    courier.letters.clear()
    courier.answer = sent
    work_until(after(4 * 3600), since=after(3600), every=timedelta(minutes=10))
    assert courier.letters[0].id in tried
    named = [script["name"] for letter in courier.letters for script in scripts_of(letter)]
    assert named == [script.name for script in scripts]
    assert statuses() == [SENT] * 20


def scripts_of(letter: Letter) -> list[dict[str, Any]]:
    body = json.loads(letter.content["body"])
    return [item["script"] for item in body.get("items", [body])]


def test_what_fails_while_a_receiver_says_nothing_is_told_by_the_others(
    courier: FakeCourier,
) -> None:
    for name in ("silent", "good"):
        make_rule(make_channel(name, group_interval_s=0, url=f"http://192.0.2.1/{name}"))
    first, second = make_scripts(2)
    end_run(first)

    def hear(letter: Letter) -> Answer | None:
        if letter.target["url"].endswith("good"):
            return sent(letter)
        end_run(second)
        return None

    courier.answer = hear
    work(NOW)
    urls = [letter.target["url"][-4:] for letter in courier.letters]
    assert sorted(urls) == ["good", "good", "lent"]  # which had no answer yet to its first


def test_a_clock_that_was_set_back_holds_nothing_up(mail: Channel, courier: FakeCourier) -> None:
    courier.answer = failing("retry")
    fail(1, at=3600)
    work(after(3600))
    courier.answer = sent
    work(after(0))
    assert statuses() == [SENT]
    fail(1, at=3601, name="Other")
    Channel.objects.update(last_message_at=None)
    work(after(1))
    assert statuses() == [SENT, SENT]


def test_an_error_of_the_database_leaves_nothing_under_way(
    mail: Channel, courier: FakeCourier
) -> None:
    def fail_to_store(letter: Letter) -> Answer:
        raise OperationalError("database is locked")

    fail(1)
    teller = Teller()
    courier.answer = fail_to_store
    with pytest.raises(OperationalError):
        teller.work(clock=lambda: NOW)
    courier.answer = sent
    teller.work(clock=lambda: after(1))
    assert statuses() == [SENT]
    assert courier.letters[0].id == courier.letters[1].id


def test_a_message_that_nobody_takes_is_given_up_and_the_next_one_goes_on(
    mail: Channel, courier: FakeCourier
) -> None:
    courier.answer = failing("retry", answer="down")
    fail(1)
    work_until(after(24 * 3600), every=timedelta(minutes=30))
    assert statuses() == [GIVEN_UP]
    assert Delivery.objects.get().attempts == 8
    courier.answer = sent
    fail(1, at=25 * 3600, name="Later")
    work(after(25 * 3600))
    assert statuses() == [GIVEN_UP, SENT]


def test_a_letter_without_an_answer_is_tried_again(mail: Channel, courier: FakeCourier) -> None:
    courier.answer = lambda letter: None
    fail(1)
    work(NOW)
    row = Delivery.objects.get()
    assert (row.status, row.attempts) == (WAITING, 1)


def test_a_refused_message_is_not_tried_again(mail: Channel, courier: FakeCourier) -> None:
    courier.answer = failing("refused", answer="552 too large", status=552)
    fail(1)
    work_until(after(3600), every=timedelta(minutes=10))
    assert statuses() == [FAILED] and len(courier.letters) == 1


def test_a_550_suspends_that_recipient_alone(courier: FakeCourier) -> None:
    channel = make_channel(kind=Channel.Kind.MAIL, to=["ann@example.org", "gone@example.org"])
    make_rule(channel)
    refused = {"outcome": "refused", "answer": "550 no such user"}
    fine = {"outcome": "sent", "answer": "250 ok"}
    recipients = {"gone@example.org": refused, "ann@example.org": fine}
    courier.answer = failing("sent", recipients=recipients)
    fail(1)
    work(NOW)
    channel.refresh_from_db()
    assert channel.is_usable
    assert channel.suspended_recipients == {"gone@example.org": "550 no such user"}
    fail(1, at=600, name="Later")
    work(after(600))
    assert courier.letters[1].target["to"] == ["ann@example.org"]


def test_a_channel_without_a_recipient_left_is_put_aside(
    mail: Channel, courier: FakeCourier
) -> None:
    refused = {"outcome": "refused", "answer": "550 no such user"}
    courier.answer = failing("refused", recipients={"ann@example.org": refused})
    fail(1)
    work(NOW)
    mail.refresh_from_db()
    assert not mail.is_usable
    assert mail.message == "Every recipient was refused: 550 no such user"


def test_only_those_who_have_not_got_it_get_it_again(courier: FakeCourier) -> None:
    make_rule(make_channel(kind=Channel.Kind.MAIL, to=["ann@example.org", "bob@example.org"]))
    later = {"outcome": "retry", "answer": "451 busy"}
    fine = {"outcome": "sent", "answer": "250 ok"}
    recipients = {"ann@example.org": fine, "bob@example.org": later}
    courier.answer = failing("retry", recipients=recipients)
    fail(1)
    work(NOW)
    work(after(10))
    assert courier.letters[1].target["to"] == ["bob@example.org"]


def test_a_channel_that_is_gone_is_put_aside_and_another_one_says_so(courier: FakeCourier) -> None:
    make_rule(make_channel("slack"))
    make_channel("mail", kind=Channel.Kind.MAIL)
    fail(1)
    courier.answer = lambda letter: (
        Answer(id=letter.id, outcome="gone", answer="404 no_service", status=404)
        if letter.kind == "webhook"
        else sent(letter)
    )
    work(NOW)
    work(NOW)
    assert not Channel.objects.get(name="slack").is_usable
    told = Delivery.objects.get(event=Notice.CHANNEL_SUSPENDED)
    assert (told.channel.name, told.status) == ("mail", SENT)
    assert told.title == "The channel slack was put aside: 404 no_service"


def test_what_waits_for_a_channel_that_was_switched_off_is_given_up(
    mail: Channel, courier: FakeCourier
) -> None:
    courier.answer = failing("retry")
    fail(1)
    work(NOW)
    channels.save(mail, {"enabled": False})
    work(after(1))
    assert statuses() == [GIVEN_UP]
    assert Delivery.objects.get().answer == batches.SWITCHED_OFF


def test_a_message_that_cannot_be_written_does_not_keep_the_others(courier: FakeCourier) -> None:
    make_rule(make_channel("damaged"))
    make_rule(make_channel("fine"))
    Channel.objects.filter(name="damaged").update(address="not encrypted")
    fail(1)
    work(NOW)
    assert statuses() == [FAILED, SENT]


def test_what_a_dead_engine_was_sending_goes_out_again_under_the_same_id(
    mail: Channel, courier: FakeCourier
) -> None:
    def die(letter: Letter) -> Answer:
        raise SystemExit

    courier.answer = die
    fail(1)
    with pytest.raises(SystemExit):
        work(NOW)
    assert statuses() == [Delivery.Status.SENDING]
    courier.answer = sent
    batches.free_interrupted(now=after(1))
    work(after(1))
    assert statuses() == [SENT]
    assert courier.letters[0].id == courier.letters[1].id


def test_a_delivery_that_is_sent_again_is_a_message_of_its_own(
    mail: Channel, courier: FakeCourier
) -> None:
    fail(1)
    work(NOW)
    outbox.send_again(Delivery.objects.get(), now=after(1))
    work(after(600))
    first, second = courier.letters
    assert first.id != second.id and title_of(first) == title_of(second)


def test_a_child_that_ends_costs_no_try_of_messages_whose_turn_had_not_come(
    mail: Channel, courier: FakeCourier
) -> None:
    channels.save(mail, {"group_interval_s": 0})
    fail(2, apart_s=0)
    calls = 0

    def ends(letter: Letter) -> Answer | None:
        nonlocal calls
        calls += 1
        if calls == 2:
            courier.untouched = {letter.id}
        return sent(letter) if calls > 2 else None

    courier.answer = ends
    work(NOW)
    attempts = Delivery.objects.order_by("pk").values_list("attempts", flat=True)
    assert list(attempts) == [1, 0]
    work(after(10))
    assert statuses() == [SENT, SENT]
    assert [letter.id for letter in courier.letters[:2]] == [
        letter.id for letter in courier.letters[2:]
    ]


def test_what_is_sent_again_goes_alone_and_at_once(mail: Channel, courier: FakeCourier) -> None:
    fail(1)
    work(NOW)
    fail(2, at=5, name="Other")  # they wait for their digest
    outbox.send_again(Delivery.objects.earliest("pk"), now=after(7))
    work(after(7))
    assert [title_of(letter) for letter in courier.letters] == [
        "Script 00 failed: Exit code 1."
    ] * 2


@pytest.mark.parametrize("status", [WAITING, Delivery.Status.SENDING])
def test_what_is_on_its_way_is_not_sent_twice(mail: Channel, status: str) -> None:
    row = make_delivery(mail, status=status, message_id="msg_1")
    assert not outbox.send_again(row, now=NOW)
    row.refresh_from_db()
    assert (row.status, row.message_id) == (status, "msg_1")


def test_two_rules_for_the_same_event_and_channel_tell_it_once(
    mail: Channel, courier: FakeCourier
) -> None:
    make_rule(mail, events=["failed", "slow"])
    fail(1)
    work(NOW)
    assert courier.titles == ["Script 00 failed: Exit code 1."]
    assert statuses() == [SENT]


def test_what_is_tried_again_goes_at_once_when_the_channel_works(
    mail: Channel, courier: FakeCourier
) -> None:
    fail(1)
    courier.answer = failing("retry", status=535)
    for seconds in (0, 10, 100, 500):
        work(after(seconds))
    courier.answer = sent
    trial.send_test_mail("ann@example.org", now=after(600))
    work(after(601))
    assert statuses() == [SENT]
    assert courier.letters[-1].id == courier.letters[0].id


def test_a_report_that_comes_with_other_news_says_all_it_has_to(
    mail: Channel, courier: FakeCourier
) -> None:
    fail(1)
    work(NOW)
    lines = [("Failures", "Backup (3)")]
    outbox.tell(Notice.WEEKLY_REPORT, "The week", {mail: None}, now=after(5), lines=lines)
    fail(1, at=6, name="Other")
    work(after(600))
    assert "Failures: Backup (3)" in courier.letters[-1].content["text"]
    assert "Other 00 failed" in courier.letters[-1].content["text"]


def test_deliveries_and_incidents_that_are_over_go_after_thirty_days(
    mail: Channel, courier: FakeCourier
) -> None:
    script = make_script("Backup")
    end_run(script)
    work(NOW)
    end_run(script, Status.SUCCEEDED, at=after(600))
    work(after(600))
    failing_one = make_script("Other")
    end_run(failing_one, at=after(700))
    work(after(700))
    work(after(31 * 86_400))
    assert [row.title for row in Delivery.objects.all()] == ["Other failed: Exit code 1."]
    assert [row.script for row in Incident.objects.all()] == [failing_one]
    end_run(failing_one, Status.SUCCEEDED, at=after(40 * 86_400))
    work(after(40 * 86_400))
    assert Delivery.objects.filter(event=Event.RECOVERED).exists()

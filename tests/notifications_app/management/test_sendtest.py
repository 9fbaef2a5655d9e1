"""`manage.py sendtest`: by a channel's name or number, or to an address."""

import io

import pytest
from django.core.management import CommandError, call_command

from tests.notifications_app.telling import FakeCourier, failing, make_channel

pytestmark = pytest.mark.django_db


def sent(*words: str) -> str:
    out = io.StringIO()
    call_command("sendtest", *words, stdout=out)
    return out.getvalue()


def test_it_sends_by_a_channels_name_or_number(courier: FakeCourier) -> None:
    channel = make_channel("Team chat")
    for named in ("Team chat", str(channel.pk)):
        assert sent(named) == "The test was sent. The receiver's answer: ok\n"
    assert [letter.kind for letter in courier.letters] == ["webhook", "webhook"]


def test_it_sends_a_mail_to_an_address(courier: FakeCourier) -> None:
    sent("--to", "ann@example.org")
    (letter,) = courier.letters
    assert (letter.kind, letter.target["to"]) == ("mail", ["ann@example.org"])


def test_what_was_not_sent_is_an_error_with_the_receivers_words(courier: FakeCourier) -> None:
    courier.answer = failing("refused", answer="535: authentication failed")
    with pytest.raises(CommandError, match="535: authentication failed"):
        sent("--to", "ann@example.org")


def test_an_unknown_channel_and_a_wrong_address_are_named(courier: FakeCourier) -> None:
    make_channel("Team chat")
    with pytest.raises(CommandError, match=r"no channel `Chat`.\nhint: channels are `Team chat`"):
        sent("Chat")
    with pytest.raises(CommandError, match="`nobody` is no mail address"):
        sent("--to", "nobody")
    assert courier.letters == []

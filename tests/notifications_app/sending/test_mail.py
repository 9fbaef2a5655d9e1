"""Mail, in real conversations with a mail server: encryption, passwords, refusals, silence."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifications_app.channels import mail_servers
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import mail
from tests.certificates import make_certificate
from tests.notifications_app.sending.mail_receiver import (
    PASSWORD,
    USERNAME,
    MailReceiver,
    mail_server,
)
from tests.notifications_app.sending.receivers import closed_port
from tests.rows import each_row

Certificate = tuple[Path, ssl.SSLContext]
HEADERS = {
    "Message-ID": "<1@example.org>",
    "Auto-Submitted": "auto-generated",
    "References": "<0@example.org>",
    "List-Unsubscribe": "<https://tempo.example.org/rules/1/>",
}


SECURITIES: list[tuple[str, int, str]] = [
    *(("auto", port, "ssl") for port in (465, 8465, 443)),
    *(("auto", port, "starttls") for port in (25, 80, 587, 2525, 8025)),
    ("none", 465, "none"),
    ("ssl", 2525, "ssl"),
    ("starttls", 465, "starttls"),
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def servers(certificate: Certificate) -> Iterator[dict[str, MailReceiver]]:
    """One server for each kind of security."""
    with (
        mail_server() as plain,
        mail_server(certificate=certificate[1], security="starttls") as starttls,
        mail_server(certificate=certificate[1], security="ssl") as over_ssl,
    ):
        yield {"none": plain, "starttls": starttls, "ssl": over_ssl}


@pytest.fixture(autouse=True)
def trusted(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, servers: dict[str, MailReceiver]
) -> None:
    """The system trusts the certificate, as if its authority were a company's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    for server in servers.values():
        server.letters.clear()
        server.passwords.clear()
        server.recipients.clear()
        server.end = "250 kept"


@pytest.fixture
def plain(servers: dict[str, MailReceiver]) -> MailReceiver:
    return servers["none"]


def sent(
    port: int, *, security: str = "none", to: tuple[str, ...] = ("ann@example.org",), **changed: Any
) -> Answer:
    target = {
        "server": "127.0.0.1",
        "port": port,
        "security": security,
        "username": USERNAME,
        "password": PASSWORD,
        "from_email": "Tempo <tempo@example.org>",
        "to": list(to),
    }
    content = {
        "subject": "backup failed",
        "text": "It failed.\n",
        "html": "<p>It failed.</p>",
        "headers": HEADERS,
    }
    target |= {name: value for name, value in changed.items() if name in target}
    content |= {name: value for name, value in changed.items() if name in content}
    return mail.send(Letter(id="1", kind="mail", target=target, content=content))


# --- encryption ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("security", ["none", "starttls", "ssl"])
def test_a_mail_is_taken_with_the_password_over(
    security: str, servers: dict[str, MailReceiver]
) -> None:
    answer = sent(servers[security].port, security=security)
    assert (answer.outcome, answer.answer) == ("sent", "accepted")
    assert answer.recipients == {"ann@example.org": {"outcome": "sent", "answer": ""}}
    assert servers[security].passwords == [(PASSWORD.encode(), security != "none")]
    assert len(servers[security].letters) == 1


def test_without_starttls_nothing_is_said_in_clear(plain: MailReceiver) -> None:
    answer = sent(plain.port, security="starttls")
    assert answer.outcome == "retry"
    assert "STARTTLS" in answer.answer
    assert (plain.passwords, plain.letters) == ([], [])


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    security: str, servers: dict[str, MailReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    answer = sent(servers[security].port, security=security)
    assert answer.outcome == "retry"
    assert "CERTIFICATE_VERIFY_FAILED" in answer.answer
    assert (servers[security].passwords, servers[security].letters) == ([], [])


@each_row(("security", "port", "expected"), SECURITIES)
def test_auto_goes_by_the_port(security: str, port: int, expected: str) -> None:
    assert mail_servers.security_of(security, port) == expected


def test_the_ports_of_smtp2go_get_the_security_they_want() -> None:
    starttls, over_ssl = (2525, 8025, 587, 80, 25), (465, 8465, 443)
    assert {mail_servers.security_of("auto", port) for port in starttls} == {"starttls"}
    assert {mail_servers.security_of("auto", port) for port in over_ssl} == {"ssl"}


# --- what a server says ----------------------------------------------------------------------------------------------
def test_a_wrong_password_is_told_in_the_servers_words_without_it(plain: MailReceiver) -> None:
    answer = sent(plain.port, password="not-the-password")
    assert (answer.outcome, answer.status) == ("retry", 535)
    assert "535" in answer.answer
    assert "not-the-password" not in answer.answer


def test_a_server_that_wants_a_password_is_for_later(plain: MailReceiver) -> None:
    answer = sent(plain.port, username="")
    assert (answer.outcome, answer.status) == ("retry", 530)


def test_one_recipient_that_is_refused_takes_nothing_from_the_others(plain: MailReceiver) -> None:
    plain.recipients = {
        "gone@example.org": "550 5.1.1 no such user",
        "full@example.org": "452 4.2.2 mailbox full",
    }
    answer = sent(plain.port, to=("Ann <ann@example.org>", "gone@example.org", "full@example.org"))
    outcomes = {address: found["outcome"] for address, found in answer.recipients.items()}
    assert outcomes == {
        "Ann <ann@example.org>": "sent",
        "gone@example.org": "refused",
        "full@example.org": "retry",
    }
    assert answer.outcome == "sent"
    assert answer.recipients["gone@example.org"]["answer"] == "550 5.1.1 no such user"
    assert plain.letters[0].rcpt_tos == ["ann@example.org"]


@pytest.mark.parametrize(
    ("reply", "outcome"), [("550 5.1.1 no such user", "refused"), ("451 4.3.0 later", "retry")]
)
def test_when_all_recipients_are_refused(reply: str, outcome: str, plain: MailReceiver) -> None:
    plain.recipients = {"ann@example.org": reply}
    answer = sent(plain.port)
    assert answer.outcome == outcome
    assert reply in answer.answer
    assert plain.letters == []


@pytest.mark.parametrize(
    ("reply", "outcome"), [("451 4.3.0 try later", "retry"), ("554 5.7.1 this is spam", "refused")]
)
def test_a_message_that_is_refused_at_its_end(
    reply: str, outcome: str, plain: MailReceiver
) -> None:
    plain.end = reply
    answer = sent(plain.port)
    assert (answer.outcome, answer.status, answer.answer) == (outcome, int(reply[:3]), reply)


def test_nobody_who_listens_is_for_later() -> None:
    with closed_port() as port:
        answer = sent(port)
    assert (answer.outcome, answer.answer) == ("retry", "no connection: Connection refused")


def test_a_server_that_accepts_and_is_silent_is_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = sent(silent.getsockname()[1])
    assert (answer.outcome, answer.answer) == ("retry", "no answer in time")


# --- the message -----------------------------------------------------------------------------------------------------
def test_text_html_and_headers_arrive(plain: MailReceiver) -> None:
    sent(plain.port, text="naïve 🔥\x00\x1b[31mred\x1b[0m\n", subject="🔥 backup")
    (message,) = plain.messages
    text, html = list(message.iter_parts())
    assert message["Subject"] == "🔥 backup"
    assert text.get_content().rstrip() == "naïve 🔥red"
    assert (html.get_content_type(), html.get_content().rstrip()) == (
        "text/html",
        "<p>It failed.</p>",
    )
    assert {name: message[name] for name in HEADERS} == HEADERS
    assert message["Date"]
    assert message["To"] == "ann@example.org"


@pytest.mark.parametrize(
    "changed",
    [
        {"to": ("ann@example.org\r\nBcc: eve@example.org",)},
        {"to": ("Ann\n <ann@example.org>",)},
        {"from_email": "tempo@example.org\r\nX: y"},
        {"to": ("Ann\u2028 <ann@example.org>",)},
        {"headers": {"X-A": "b\r\nBcc: eve@example.org"}},
        {"headers": {"X-A\r\nBcc": "eve@example.org"}},
        {"to": ()},
    ],
)
def test_no_line_break_becomes_a_header_or_a_command(
    changed: dict[str, Any], plain: MailReceiver
) -> None:
    answer = sent(plain.port, **changed)
    assert answer.outcome == "refused"
    assert answer.answer
    assert plain.letters == []


@pytest.mark.parametrize(
    ("changed", "words"), [({"server": ""}, "no mail server"), ({"from_email": ""}, "no sender")]
)
def test_without_a_server_or_a_sender_it_is_for_later_and_goes_nowhere(
    changed: dict[str, Any], words: str, plain: MailReceiver
) -> None:
    answer = sent(plain.port, **changed)
    assert (answer.outcome, words in answer.answer) == ("retry", True)
    assert plain.letters == []


def test_a_line_break_in_a_subject_becomes_a_space_and_the_mail_goes_out(
    plain: MailReceiver,
) -> None:
    assert sent(plain.port, subject="👨‍👩‍👧\u00a0failed\r\nBcc: eve@example.org").outcome == "sent"
    (message,) = plain.messages
    assert message["Subject"].strip() == "👨‍👩‍👧 failed Bcc: eve@example.org"
    assert message["Bcc"] is None
    assert plain.letters[0].rcpt_tos == ["ann@example.org"]


def test_a_name_with_letters_of_any_kind_is_fine(plain: MailReceiver) -> None:
    assert sent(plain.port, to=("Zoë 👨‍👩‍👧 <ann@example.org>",)).outcome == "sent"


def test_a_refusal_of_a_recipient_shows_no_password(plain: MailReceiver) -> None:
    plain.recipients = {"ann@example.org": f"550 {PASSWORD} is odd"}
    assert sent(plain.port).recipients["ann@example.org"]["answer"] == "550 *** is odd"

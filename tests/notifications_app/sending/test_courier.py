"""The child that sends, as a real process: what goes in and comes back, what it is kept from, its end."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from notifications_app.delivery import courier
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending.child import CHANNELS_AT_ONCE, MEMORY_BYTES
from tests.certificates import make_certificate
from tests.notifications_app.sending.mail_receiver import (
    PASSWORD,
    USERNAME,
    MailReceiver,
    mail_server,
)
from tests.notifications_app.sending.receivers import Received, Reply, WebReceiver
from tests.service import ROOT

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TIMEOUT_S = 60.0


def webhook(message_id: str, url: str) -> Letter:
    target = {"url": url, "secrets": [SECRET]}
    return Letter(
        id=message_id,
        kind="webhook",
        target=target,
        content={"body": json.dumps({"id": message_id})},
    )


def mail(message_id: str, server: str, port: int) -> Letter:
    target: dict[str, Any] = {"server": server, "port": port, "security": "none"}
    target |= {"username": USERNAME, "password": PASSWORD}
    target |= {"from_email": "a@example.org", "to": ["b@example.org"]}
    return Letter(id=message_id, kind="mail", target=target, content={"subject": "s", "text": "t"})


def service(message_id: str, url: str) -> Letter:
    return Letter(
        id=message_id, kind="apprise", target={"url": url}, content={"title": "t", "text": "x"}
    )


@dataclass(frozen=True, kw_only=True)
class Process:
    """A child of this process, as the kernel shows it."""

    arguments: str
    environment: dict[str, str]
    status: dict[str, str]
    limits: str

    @classmethod
    def of(cls, pid: int) -> "Process":
        folder = Path(f"/proc/{pid}")
        variables = folder.joinpath("environ").read_bytes().decode().split("\0")
        status = folder.joinpath("status").read_text().splitlines()
        return cls(
            arguments=folder.joinpath("cmdline").read_bytes().decode(),
            environment=dict(variable.split("=", 1) for variable in variables if variable),
            status=dict(line.split(":\t", 1) for line in status if ":\t" in line),
            limits=folder.joinpath("limits").read_text(),
        )


@dataclass(frozen=True, kw_only=True)
class Receivers:
    """Where letters go: `own` stands for Tempo itself, and of those with TLS one is trusted."""

    receiver: WebReceiver
    own: WebReceiver
    secure: WebReceiver
    forged: WebReceiver
    mailbox: MailReceiver


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """What one child was given and answered, and how it looked meanwhile."""

    answers: dict[str, Answer]
    receiver: WebReceiver
    own: WebReceiver
    mailbox: MailReceiver
    child: Process


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    folder = tmp_path_factory.mktemp
    trusted, strange = (make_certificate(folder("certificate")) for _ in range(2))
    with (
        WebReceiver() as receiver,
        WebReceiver() as own,
        WebReceiver(certificate=trusted[1]) as secure,
        WebReceiver(certificate=strange[1]) as forged,
        mail_server() as mailbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("tempo_site.lib.listener.port", lambda: own.port)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.setenv(name, f"http://127.0.0.1:{own.port}")
        patch.setenv("PYSCHED_SECRET_KEY", "a-secret-key-that-nobody-may-see")
        patch.setenv("SSL_CERT_FILE", str(trusted[0]))
        patch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        receiver.replies |= {
            "/redirect": Reply(status=302, headers={"Location": f"{receiver.url}/target"}),
            "/huge": Reply(body=b"x" * 20_000_000),
            "/gone": Reply(status=410, body="no more"),
            "/broken": Reply(status=500, body="oops"),
        }
        yield Receivers(receiver=receiver, own=own, secure=secure, forged=forged, mailbox=mailbox)


@pytest.fixture(scope="module")
def conversation(receivers: Receivers) -> Iterator[Conversation]:
    """One child for many letters."""
    processes: list[Process] = []
    started: list[subprocess.Popen[str]] = []
    start = courier._child

    def started_child() -> subprocess.Popen[str]:
        started.append(start())
        return started[-1]

    def look(request: Received) -> Reply:
        processes.append(Process.of(started[0].pid))
        return Reply()

    receiver = receivers.receiver
    receiver.replies["/look"] = look
    answers: list[Answer] = []
    letters = _letters(receivers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(courier, "_child", started_child)
        courier.send(letters, answered=answers.append, timeout_s=TIMEOUT_S)
    assert sorted(answer.id for answer in answers) == sorted(letter.id for letter in letters)
    yield Conversation(
        answers={answer.id: answer for answer in answers},
        receiver=receiver,
        own=receivers.own,
        mailbox=receivers.mailbox,
        child=processes[0],
    )


def _letters(to: Receivers) -> list[Letter]:
    address = f"127.0.0.1:{to.receiver.port}"
    return [
        *(webhook(f"row-{number}", f"{to.receiver.url}/row") for number in range(50)),
        webhook("trusted", f"{to.secure.url}/"),
        webhook("forged", f"{to.forged.url}/"),
        service("service trusted", f"gotifys://127.0.0.1:{to.secure.port}/AbCdEfGhIjKlMnO"),
        service("service forged", f"gotifys://127.0.0.1:{to.forged.port}/AbCdEfGhIjKlMnO"),
        webhook("look", f"{to.receiver.url}/look"),
        webhook("redirect", f"{to.receiver.url}/redirect"),
        webhook("huge", f"{to.receiver.url}/huge"),
        webhook("own", f"http://localhost:{to.own.port}/api"),
        webhook("metadata", "http://169.254.169.254/latest/meta-data"),
        webhook("mapped", "http://[::ffff:169.254.169.254]/latest/meta-data"),
        mail("mail", "127.0.0.1", to.mailbox.port),
        mail("mail to own", "localhost", to.own.port),
        service("service to own", f"gotify://localhost:{to.own.port}/AbCdEfGhIjKlMnO"),
        service("service", f"gotify://{address}/AbCdEfGhIjKlMnO"),
        service("unchecked", f"gotifys://{address}/AbCdEfGhIjKlMnO?verify=no"),
        *(webhook(f"gone-{number}", f"{to.receiver.url}/gone") for number in range(3)),
        *(webhook(f"broken-{number}", f"{to.receiver.url}/broken") for number in range(3)),
        Letter(id="odd", kind="webhook", target={}, content={}),
    ]


# --- letters and answers ---------------------------------------------------------------------------------------------
def test_letters_of_one_channel_come_in_their_order_over_few_connections(
    conversation: Conversation,
) -> None:
    rows = conversation.receiver.to("/row")
    assert [row.json["id"] for row in rows] == [f"row-{number}" for number in range(50)]
    assert (
        len({row.connection for row in rows}) <= CHANNELS_AT_ONCE
    )  # which they share with the other channels
    assert all(row.headers["webhook-signature"].startswith("v1,") for row in rows)


def test_a_service_of_apprise_is_spoken_to(conversation: Conversation) -> None:
    assert conversation.answers["service"].outcome == "sent"
    assert conversation.receiver.to("/message")[0].json["message"] == "x"


def test_a_mail_is_sent_by_smtp(conversation: Conversation) -> None:
    assert conversation.answers["mail"].recipients == {
        "b@example.org": {"outcome": "sent", "answer": ""}
    }
    (message,) = conversation.mailbox.messages
    assert (message["Subject"], message.get_content().strip()) == ("s", "t")


def test_a_redirection_is_a_failure_and_is_not_followed(conversation: Conversation) -> None:
    answer = conversation.answers["redirect"]
    assert (answer.outcome, answer.status) == ("refused", 302)
    assert conversation.receiver.to("/target") == []


def test_an_answer_without_end_does_no_harm(conversation: Conversation) -> None:
    answer = conversation.answers["huge"]
    assert answer.outcome == "sent"
    assert len(answer.answer) <= 500


def test_a_channel_that_is_gone_is_asked_once(conversation: Conversation) -> None:
    outcomes = [conversation.answers[f"gone-{number}"].outcome for number in range(3)]
    assert outcomes == ["gone"] * 3
    assert len(conversation.receiver.to("/gone")) == 1


def test_a_message_that_a_receiver_stumbles_over_holds_no_other_up(
    conversation: Conversation,
) -> None:
    assert len(conversation.receiver.to("/broken")) == 3


def test_a_letter_that_cannot_be_read_is_answered_too(conversation: Conversation) -> None:
    answer = conversation.answers["odd"]
    assert (answer.outcome, "KeyError" in answer.answer) == ("retry", True)


# --- what it is kept from --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["own", "mail to own", "service to own"])
def test_nothing_reaches_tempos_own_port_by_whatever_name(
    name: str, conversation: Conversation
) -> None:
    answer = conversation.answers[name]
    assert (answer.outcome, answer.answer) == (
        "refused",
        "messages are never sent to Tempo's own port",
    )
    assert conversation.own.received == []


@pytest.mark.parametrize("name", ["metadata", "mapped"])
def test_a_clouds_metadata_is_never_asked(name: str, conversation: Conversation) -> None:
    assert conversation.answers[name].outcome == "refused"
    assert "169.254.169.254" in conversation.answers[name].answer


@pytest.mark.parametrize("name", ["trusted", "service trusted"])
def test_an_authority_that_the_server_trusts_is_trusted(
    name: str, conversation: Conversation
) -> None:
    assert conversation.answers[name].outcome == "sent"


@pytest.mark.parametrize("name", ["forged", "service forged"])
def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    name: str, conversation: Conversation
) -> None:
    answer = conversation.answers[name]
    assert (answer.outcome, "certificate verify failed" in answer.answer) == ("retry", True)


def test_checks_of_certificates_are_not_switched_off(conversation: Conversation) -> None:
    assert conversation.answers["unchecked"].outcome == "refused"


def test_no_proxy_of_the_environment_stands_between(conversation: Conversation) -> None:
    assert conversation.own.received == []


def test_arguments_and_environment_hold_no_secret_and_nothing_of_tempos(
    conversation: Conversation,
) -> None:
    child = conversation.child
    everything = child.arguments + json.dumps(child.environment)
    assert not [secret for secret in (SECRET, PASSWORD) if secret in everything]
    assert "row" not in child.arguments
    allowed = {
        "HOME",
        "LANG",
        "MALLOC_ARENA_MAX",
        "LC_CTYPE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
    assert set(child.environment) <= allowed


def test_it_has_no_capability_and_bounds(conversation: Conversation) -> None:
    child = conversation.child
    assert int(child.status["CapEff"], 16) == 0
    assert int(child.status["CapPrm"], 16) == 0
    assert child.status["NoNewPrivs"] == "1"
    assert f"Max address space         {MEMORY_BYTES}" in child.limits
    assert "Max core file size        0" in child.limits
    assert "Max file size             0" in child.limits


PROBE = """
import json, sys
reached = []
for path in json.loads(sys.argv[1]):
    try:
        open(path).close()
        reached.append(path)
    except OSError:
        pass
for line in sys.stdin:
    letter = json.loads(line)
    print("a library that talks")
    print(json.dumps({"id": letter["id"], "outcome": "sent", "answer": json.dumps(reached)}))
    print(json.dumps({"id": "somebody else's", "outcome": "sent"}))
    print(json.dumps({"id": letter["id"], "outcome": "gone"}))
"""


def test_it_reads_certificates_and_the_resolver_but_nothing_of_the_data_folder(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = data_folder / "secret_key"
    secret.write_text("secret")
    readable = ["/etc/resolv.conf", "/etc/hosts"]
    paths = [
        *readable,
        str(secret),
        str(ROOT / "manage.py"),
        str(ROOT / "tempo_site" / "settings.py"),
    ]
    monkeypatch.setattr(
        courier, "_argv", lambda: [sys.executable, "-I", "-c", PROBE, json.dumps(paths)]
    )
    answers: list[Answer] = []
    courier.send([webhook("1", "http://x")], answered=answers.append, timeout_s=TIMEOUT_S)
    # Whatever else is printed is no answer, nor is a second one, nor one for a letter that was not given.
    (answer,) = answers
    assert (answer.id, answer.outcome) == ("1", "sent")
    assert json.loads(answer.answer) == readable


def test_it_finds_tempos_packages_where_only_a_pythonpath_led_to_them(
    web_receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, *arguments = courier._argv()
    monkeypatch.setattr(courier, "_argv", lambda: [python, "-S", *arguments])  # no site-packages
    answers: list[Answer] = []
    courier.send([webhook("1", web_receiver.url)], answered=answers.append, timeout_s=TIMEOUT_S)
    assert [answer.outcome for answer in answers] == ["sent"]


# --- its end ---------------------------------------------------------------------------------------------------------
class HandTimer:
    """A timer that rings when a test says so."""

    last: "HandTimer"

    def __init__(self, interval: float, function: Callable[[], None]) -> None:
        self.interval, self.ring = interval, function
        HandTimer.last = self

    def start(self) -> None:
        pass

    cancel = start


def test_it_is_ended_when_its_time_is_up_and_what_was_answered_counts(
    web_receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "Timer", HandTimer)
    answers: list[Answer] = []

    def answered(answer: Answer) -> None:
        answers.append(answer)
        HandTimer.last.ring()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        letters = [webhook("held", url), webhook("behind", url), webhook("1", web_receiver.url)]
        untouched = courier.send(letters, answered=answered, timeout_s=123)
    assert [answer.id for answer in answers] == ["1"]
    assert untouched == {"behind"}
    assert HandTimer.last.interval == 123


def test_it_is_given_more_while_a_receiver_says_nothing(
    web_receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LOOK_S", 0.02)
    answers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held = webhook("held", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        pending = [webhook("1", web_receiver.url), webhook("2", web_receiver.url)]

        def more() -> list[Letter]:
            if answers == ["1", "2"]:
                silent.close()
            return [pending.pop(0)] if pending else []

        courier.send(
            [held],
            answered=lambda answer: answers.append(answer.id),
            timeout_s=TIMEOUT_S,
            more=more,
        )
    assert answers == ["1", "2", "held"]


def test_a_child_that_does_nothing_had_its_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_argv", lambda: [sys.executable, "-I", "-c", ""])
    letter = webhook("1", "http://192.0.2.1/")
    assert courier.send([letter], answered=print, timeout_s=TIMEOUT_S) == set()


def test_no_child_is_started_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_argv", lambda: ["/nonexistent"])
    with courier._one_at_a_time:
        assert courier.send([], answered=print, timeout_s=TIMEOUT_S) == set()


def test_one_child_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with courier._one_at_a_time, pytest.raises(TimeoutError):
        courier.send([webhook("1", "http://x")], answered=print, timeout_s=TIMEOUT_S, turn_s=0.01)


def test_an_error_of_whoever_hears_the_answers_ends_it(web_receiver: WebReceiver) -> None:
    def fail(answer: Answer) -> None:
        raise RuntimeError("the database is busy")

    letters = [webhook(str(number), web_receiver.url) for number in range(3)]
    with pytest.raises(RuntimeError, match="busy"):
        courier.send(letters, answered=fail, timeout_s=TIMEOUT_S)
    assert not courier._one_at_a_time.locked()

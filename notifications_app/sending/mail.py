"""Sends mail: by SMTP with Django's backend, or by a provider's interface over HTTP with anymail's."""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from notifications_app.channels import mail_servers
from notifications_app.channels.addresses import AddressRefused
from notifications_app.delivery.letters import Answer, Letter, Outcome
from notifications_app.sending import exchanges, providers, texts
from notifications_app.sending.redaction import readable

TIMEOUT_S = 20.0
Results = dict[str, dict[str, str]]
_NO_STARTTLS = (
    "the server offers no encryption (STARTTLS), and without it nothing is sent. "
    "hint: choose another port, or SMTP_SECURITY=none for a server in your own network"
)
_LOG_IN = frozenset({530, 534, 535, 538})
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What becomes of a mail by what became of its recipients, the best of them first, with the status of SMTP.
_BY_RECIPIENTS: tuple[tuple[Outcome, int], ...] = (("sent", 250), ("retry", 450), ("refused", 550))
_ACCEPTED = {"outcome": "sent", "answer": ""}

if not settings.configured:  # in the child, which has no settings of Tempo's
    settings.configure(USE_I18N=False)


class _KeepsRefusals(smtplib.SMTP):
    """Keeps what Django drops: the recipients that were refused while others were not."""

    refused: Mapping[str, tuple[int, bytes]] = {}

    def sendmail(self, *arguments: Any, **options: Any) -> Any:
        self.refused = super().sendmail(*arguments, **options)
        return self.refused


class _KeepsRefusalsOverSSL(_KeepsRefusals, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte."""


class _Backend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _KeepsRefusalsOverSSL if self.use_ssl else _KeepsRefusals


def send(letter: Letter) -> Answer:
    """Return what the server, and of each recipient what it said."""
    missing = _missing(letter.target)
    if missing:
        return Answer(id=letter.id, outcome="retry", answer=missing)
    fault = _fault(letter)
    if fault:
        return Answer(id=letter.id, outcome="refused", answer=fault)
    message = _message(letter)
    if letter.target.get("provider"):
        return providers.send(letter, message)
    try:
        results = _send_by_smtp(letter, message)
    except (smtplib.SMTPException, OSError) as error:
        return _failed(letter, error)
    except (
        ValueError
    ) as error:  # of Django and the standard library, for an address that none can be
        return Answer(id=letter.id, outcome="refused", answer=readable(str(error), letter.target))
    return of_recipients(letter, results)


def _missing(target: Mapping[str, Any]) -> str:
    # Django would take this machine for the server, and `webmaster@localhost` for the sender.
    if not target.get("provider") and not target["server"]:
        return "no mail server is named: Settings, Mail"
    if not target["from_email"]:
        return "no sender of mails is named: Settings, Mail"
    return ""


def _fault(letter: Letter) -> str:
    # A line break would begin another header, or another command of SMTP.
    headers = letter.content.get("headers", {})
    names = [letter.target["from_email"], *letter.target["to"]]
    if any(_LINE_BREAKS.search(text) for text in (*names, *headers, *headers.values())):
        return "a recipient, a name or a header has a line break or another control character in it"
    if not letter.target["to"]:
        return "there is no recipient"
    return ""


def _message(letter: Letter) -> EmailMultiAlternatives:
    content = letter.content
    message = EmailMultiAlternatives(
        subject=texts.one_line(content["subject"]),
        body=texts.clean(content["text"]),
        from_email=letter.target["from_email"],
        to=letter.target["to"],
        headers=content.get("headers"),
    )
    if content.get("html"):
        message.attach_alternative(texts.clean(content["html"]), "text/html")
    return message


def _send_by_smtp(letter: Letter, message: EmailMultiAlternatives) -> Results:
    target = letter.target
    security = mail_servers.security_of(target["security"], target["port"])
    backend = _Backend(
        host=target["server"],
        port=target["port"],
        username=target.get("username", ""),
        password=target.get("password", ""),
        use_tls=security == "starttls",
        use_ssl=security == "ssl",
        timeout=TIMEOUT_S,
    )
    try:
        backend.open()
        connection = backend.connection
        assert isinstance(connection, _KeepsRefusals)
        backend.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        return _results(target, error.recipients)
    finally:
        with contextlib.suppress(Exception):  # it has been sent, whatever the farewell is
            backend.close()
    return _results(target, connection.refused)


def _results(target: dict[str, Any], refused: Mapping[str, tuple[int, bytes]]) -> Results:
    found: Results = {}
    by_address = {address.casefold(): reply for address, reply in refused.items()}
    for recipient in target["to"]:
        reply = by_address.get(providers.address_of(recipient).casefold())
        found[recipient] = _ACCEPTED
        if reply:
            words = readable(_words(*reply), target)
            found[recipient] = {"outcome": _outcome(reply[0]), "answer": words}
    return found


def _outcome(code: int) -> Outcome:
    return "refused" if code >= 500 else "retry"


def _words(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return texts.cut(texts.one_line(f"{code} {words}"), 300)


def of_recipients(letter: Letter, results: Results) -> Answer:
    """Return the answer to a mail: sent when one recipient was accepted, refused when all were for ever."""
    outcomes = {result["outcome"] for result in results.values()}
    outcome, status = next(pair for pair in _BY_RECIPIENTS if pair[0] in outcomes)
    refusals = [
        f"{recipient}: {result['answer']}"
        for recipient, result in results.items()
        if result["outcome"] != "sent"
    ]
    return Answer(
        id=letter.id,
        outcome=outcome,
        answer=readable("; ".join(refusals) or "accepted", letter.target),
        status=status,
        recipients=results,
    )


def _failed(letter: Letter, error: Exception) -> Answer:
    cause = exchanges.root_cause(error)
    status: int | None = None
    outcome: Outcome = "retry"
    words = exchanges.connection_words(cause)
    if isinstance(error, smtplib.SMTPResponseException):
        status, words = error.smtp_code, _words(error.smtp_code, error.smtp_error)
        # A wrong password is put right some day; what is wrong with a message stays.
        outcome = "retry" if status in _LOG_IN else _outcome(status)
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        words = _NO_STARTTLS
    elif isinstance(error, smtplib.SMTPServerDisconnected) and cause is error:
        words = "the server closed the connection"
    elif isinstance(cause, AddressRefused):
        outcome, words = "refused", str(cause)
    elif isinstance(cause, ssl.SSLError):
        words = f"no encrypted connection: {cause.reason or cause}"
    return Answer(
        id=letter.id, outcome=outcome, answer=readable(words, letter.target), status=status
    )

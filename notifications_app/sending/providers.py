"""Sends mail by the interface of a provider over HTTP, with anymail."""

import email.utils
import importlib
from dataclasses import replace
from typing import Any

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.core.mail import EmailMultiAlternatives

from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import exchanges
from notifications_app.sending.redaction import readable

# The module of anymail (or ours), what it calls the key, and what is always said beside it.
_ANYMAIL = "anymail.backends"
_BACKENDS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "smtp2go": ("notifications_app.sending.smtp2go", ("api_key",), {}),
    "brevo": (f"{_ANYMAIL}.brevo", ("api_key",), {}),
    "mailersend": (f"{_ANYMAIL}.mailersend", ("api_token",), {}),
    "mailgun": (f"{_ANYMAIL}.mailgun", ("api_key",), {}),
    "mailgun-eu": (
        f"{_ANYMAIL}.mailgun",
        ("api_key",),
        {"api_url": "https://api.eu.mailgun.net/v3"},
    ),
    "mailjet": (f"{_ANYMAIL}.mailjet", ("api_key", "secret_key"), {}),
    "mailtrap": (f"{_ANYMAIL}.mailtrap", ("api_token",), {}),
    "mandrill": (f"{_ANYMAIL}.mandrill", ("api_key",), {}),
    "postmark": (f"{_ANYMAIL}.postmark", ("server_token",), {}),
    "resend": (f"{_ANYMAIL}.resend", ("api_key",), {}),
    "scaleway": (f"{_ANYMAIL}.scaleway", ("secret_key", "project_id"), {}),
    "sendgrid": (f"{_ANYMAIL}.sendgrid", ("api_key",), {}),
    "sparkpost": (f"{_ANYMAIL}.sparkpost", ("api_key",), {}),
    "sparkpost-eu": (
        f"{_ANYMAIL}.sparkpost",
        ("api_key",),
        {"api_url": "https://api.eu.sparkpost.com/api/v1"},
    ),
}
NAMES = frozenset(_BACKENDS)
_REFUSED = frozenset({"invalid", "rejected", "failed"})


def send(letter: Letter, message: EmailMultiAlternatives) -> Answer:
    """Return what the provider said, of each recipient too."""
    made = exchanges.begin()
    try:
        _backend(letter.target).send_messages([message])
    except AnymailRecipientsRefused:
        return _answer(letter, message, made[-1])
    except (AnymailError, OSError) as error:
        if not made:
            return _refused(letter, f"the message cannot be sent by this provider: {error}")
        return _failed(letter, made[-1])
    except ValueError as error:
        return _refused(letter, str(error))
    return _answer(letter, message, made[-1])


def _backend(target: dict[str, Any]) -> Any:
    module, names, options = _BACKENDS[target["provider"]]
    keys = target["api_key"].split(":", len(names) - 1)
    if len(keys) != len(names):
        raise ValueError(
            f"the key of {target['provider']} has to be two values with a colon between them"
        )
    backend = importlib.import_module(module).EmailBackend
    return backend(
        **dict(zip(names, keys, strict=True)), **options, ignore_unsupported_features=True
    )


def _refused(letter: Letter, words: str) -> Answer:
    return Answer(id=letter.id, outcome="refused", answer=readable(words, letter.target))


def _failed(letter: Letter, exchange: exchanges.Exchange) -> Answer:
    outcome = exchange.outcome
    if outcome in ("sent", "gone"):
        outcome = (
            "refused"  # 200 with an error in the text; an address of the interface that is no more
        )
    if exchange.status in (401, 402, 403):
        outcome = "retry"  # the key or the account, which are put right some day
    return Answer(
        id=letter.id,
        outcome=outcome,
        answer=readable(exchange.words, letter.target),
        status=exchange.status,
        retry_after_s=exchange.retry_after_s,
    )


def _answer(
    letter: Letter, message: EmailMultiAlternatives, exchange: exchanges.Exchange
) -> Answer:
    statuses = message.anymail_status.recipients  # type: ignore[attr-defined]
    by_address = {address.casefold(): found.status for address, found in statuses.items()}
    answer = _failed(letter, exchange)
    recipients = {}
    for recipient in letter.target["to"]:
        is_refused = by_address.get(address_of(recipient).casefold()) in _REFUSED
        recipients[recipient] = {"outcome": "sent", "answer": ""}
        if is_refused:
            recipients[recipient] = {"outcome": "refused", "answer": answer.answer}
    is_sent = any(result["outcome"] == "sent" for result in recipients.values())
    return replace(answer, outcome="sent" if is_sent else "refused", recipients=recipients)


def address_of(recipient: str) -> str:
    """Return `ann@example.org` of `Ann <ann@example.org>`."""
    return email.utils.parseaddr(recipient)[1]

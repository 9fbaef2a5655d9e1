"""Sends a webhook, signed as Standard Webhooks say (https://www.standardwebhooks.com)."""

import hashlib
import hmac
import time
from collections.abc import Iterable
from http.cookiejar import DefaultCookiePolicy

import requests

from notifications_app.channels.addresses import AddressRefused
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.sending import exchanges
from notifications_app.sending.redaction import readable
from tempo_site.lib.wire import standard_webhooks

# One for all letters: a connection is kept for the next letter to the same server.
session = requests.Session()
session.trust_env = False
session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
session.headers["User-Agent"] = "Tempo"


def send(letter: Letter) -> Answer:
    """Post the body, byte for byte, and return what the receiver made of it."""
    try:
        headers = signed_headers(
            letter.id, letter.content["body"], letter.target["secrets"], at=int(time.time())
        )
    except ValueError:
        return Answer(
            id=letter.id, outcome="refused", answer="a secret of the webhook is not valid base64"
        )
    headers["Content-Type"] = "application/json"
    return post(letter, letter.target["url"], letter.content["body"], headers)


def post(letter: Letter, url: str, body: str, headers: dict[str, str]) -> Answer:
    """Return the answer to a POST of this body."""
    made = exchanges.begin()
    try:
        session.post(url, data=body.encode(), headers=headers)
    except (requests.RequestException, AddressRefused, OSError) as error:
        if not made:  # it was not even sent
            words = readable(
                f"the address is not valid: {exchanges.root_cause(error)}", letter.target
            )
            return Answer(id=letter.id, outcome="refused", answer=words)
    return answer_of(letter, made[-1])


def answer_of(letter: Letter, exchange: exchanges.Exchange) -> Answer:
    return Answer(
        id=letter.id,
        outcome=exchange.outcome,
        answer=readable(exchange.words, letter.target),
        status=exchange.status,
        retry_after_s=exchange.retry_after_s,
    )


def signed_headers(
    message_id: str, body: str, secrets: Iterable[str], *, at: int
) -> dict[str, str]:
    """Return the three headers, with a signature for each secret. Raise ValueError."""
    text = standard_webhooks.signed_start(message_id, str(at)) + body.encode()
    signatures = []
    for secret in secrets:
        key = standard_webhooks.key_of_secret(secret)
        signatures.append(standard_webhooks.as_header(hmac.digest(key, text, hashlib.sha256)))
    headers = {"webhook-id": message_id, "webhook-timestamp": str(at)}
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers

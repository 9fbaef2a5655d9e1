"""Sends a webhook, signed as Standard Webhooks say (https://www.standardwebhooks.com)."""

import base64
import binascii
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

_PREFIX = "whsec_"
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
    except binascii.Error:
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
    """Return the three headers, with a signature for each secret. Raise binascii.Error."""
    text = f"{message_id}.{at}.{body}".encode()
    signatures = [f"v1,{_signature(text, secret)}" for secret in secrets]
    headers = {"webhook-id": message_id, "webhook-timestamp": str(at)}
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def _signature(text: bytes, secret: str) -> str:
    key = secret.encode()
    if secret.startswith(_PREFIX):
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()

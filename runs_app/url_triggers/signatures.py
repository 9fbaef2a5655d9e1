"""The signatures of webhooks, as their providers document them; each is checked over the bytes as they came.

GitHub  https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
GitLab  https://docs.gitlab.com/user/project/integrations/webhooks
Stripe  https://docs.stripe.com/webhooks#verify-manually
Slack   https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runs_app.url_triggers.models import UrlTrigger
from tempo_site.lib.wire import standard_webhooks

Scheme = UrlTrigger.Scheme
Headers = Mapping[str, str]

MAX_SIGNATURES = 16  # a sender who changes secrets sends two
_TIME = re.compile(r"[0-9]{1,12}")
_GITHUB, _SLACK = "sha256=", "v0="
# What names a delivery; a header that no signature covers, and so one that only says what came before.
DELIVERY_HEADERS = {
    Scheme.GITHUB: ("X-GitHub-Delivery", "X-Gitea-Delivery", "X-Forgejo-Delivery"),
    Scheme.GITLAB: ("webhook-id",),  # its Idempotency-Key is looked at in every scheme
    Scheme.STANDARD: ("webhook-id",),
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the headers of a call say of its signature: `time` is None where the scheme signs none."""

    start: bytes  # stands before the body in what is signed
    signatures: Sequence[bytes]
    time: int | None = None


NO_CLAIM = Claim(start=b"", signatures=())


class Check:
    """A signature that is checked while the body comes in: `update` with each piece, then `is_good`."""

    def __init__(self, scheme: str, headers: Headers, secrets: Iterable[str]) -> None:
        self.scheme = scheme
        self.claim = claim_of(scheme, headers)
        self.secrets = list(secrets)
        self.content = hashlib.sha256(self.claim.start)
        self._macs = [
            hmac.new(_key_of(scheme, secret), self.claim.start, hashlib.sha256)
            for secret in self.secrets
        ]

    def update(self, piece: bytes) -> None:
        self.content.update(piece)
        for mac in self._macs:
            mac.update(piece)

    def is_good(self, *, now: datetime, tolerance_s: int) -> bool:
        """Whether one of the signatures is of one of the secrets, and the signed time is near."""
        # All are compared, so that the time tells nothing of where they differ.
        answers = [
            hmac.compare_digest(expected, shown)
            for expected in self._expected()
            for shown in self.claim.signatures
        ]
        return any(answers) and self._is_near(now, tolerance_s)

    def _is_near(self, now: datetime, tolerance_s: int) -> bool:
        if self.claim.time is None:
            return True
        return abs(now.timestamp() - self.claim.time) <= tolerance_s

    def _expected(self) -> Iterator[bytes]:
        if self.scheme == Scheme.GITLAB:
            yield from (secret.encode() for secret in self.secrets)
        elif self.scheme == Scheme.STANDARD:
            yield from (standard_webhooks.as_header(mac.digest()).encode() for mac in self._macs)
        else:
            yield from (mac.hexdigest().encode() for mac in self._macs)


def claim_of(scheme: str, headers: Headers) -> Claim:
    """Return what the headers claim; without a signature where they are not of the scheme."""
    match scheme:
        case Scheme.GITHUB:
            return _claim(b"", [_after(_GITHUB, headers.get("X-Hub-Signature-256", ""))])
        case Scheme.GITLAB:
            return _claim(b"", [headers.get("X-Gitlab-Token", "")])
        case Scheme.STRIPE:
            return _stripe(headers.get("Stripe-Signature", ""))
        case Scheme.SLACK:
            time = headers.get("X-Slack-Request-Timestamp", "")
            shown = [_after(_SLACK, headers.get("X-Slack-Signature", ""))]
            return _timed_claim(f"v0:{time}:", shown, time)
        case Scheme.STANDARD:
            time = headers.get("webhook-timestamp", "")
            start = standard_webhooks.signed_start(headers.get("webhook-id", ""), time)
            shown = headers.get("webhook-signature", "").split()
            return _timed_claim(start.decode(), shown, time)
    return NO_CLAIM


def delivery_of(scheme: str, headers: Headers) -> str:
    """Return how the provider names this delivery; "" where it does not."""
    for name in DELIVERY_HEADERS.get(Scheme(scheme), ()):
        if headers.get(name):
            return headers[name]
    return ""


def _stripe(header: str) -> Claim:
    time = ""
    shown = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            time = value
        elif name == "v1":
            shown.append(value)
    return _timed_claim(f"{time}.", shown, time)


def _timed_claim(start: str, shown: Iterable[str], time: str) -> Claim:
    if not _TIME.fullmatch(time):
        return NO_CLAIM
    return _claim(start.encode(), shown, int(time))


def _claim(start: bytes, shown: Iterable[str], time: int | None = None) -> Claim:
    signatures = [text.encode() for text in shown if text]
    return Claim(start=start, signatures=signatures[:MAX_SIGNATURES], time=time)


def _after(prefix: str, text: str) -> str:
    if not text.startswith(prefix):
        return ""
    return text.removeprefix(prefix)


def _key_of(scheme: str, secret: str) -> bytes:
    if scheme == Scheme.STANDARD:
        return standard_webhooks.key_of_secret(secret)
    return secret.encode()

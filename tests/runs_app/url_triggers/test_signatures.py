"""The signatures of webhooks: the providers' own examples are good, and no bit of them may differ."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from runs_app.url_triggers.signatures import Check, Scheme
from tests.rows import each_row

SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
STRIPE_SECRET, STRIPE_BODY = "whsec_test_secret", b'{"id": "evt_test", "object": "event"}'
STRIPE_TIME = 1492774577


class Example(NamedTuple):
    scheme: Scheme
    secret: str
    headers: dict[str, str]
    signed: str  # the header with the signature
    body: bytes
    at: int = 1_700_000_000


def stripe_signature() -> str:
    """As docs.stripe.com/webhooks describes it: HMAC with SHA-256 of `<t>.<body>`, in hex."""
    text = b"%d.%b" % (STRIPE_TIME, STRIPE_BODY)
    return hmac.new(STRIPE_SECRET.encode(), text, hashlib.sha256).hexdigest()


EXAMPLES = [
    # docs.github.com, "Testing the webhook payload validation"; Gitea and Forgejo send the same header.
    Example(
        Scheme.GITHUB,
        "It's a Secret to Everybody",
        {
            "X-Hub-Signature-256": "sha256="
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        "X-Hub-Signature-256",
        b"Hello, World!",
    ),
    Example(
        Scheme.GITLAB,
        "a token of GitLab's",
        {"X-Gitlab-Token": "a token of GitLab's"},
        "X-Gitlab-Token",
        b"{}",
    ),
    Example(
        Scheme.STRIPE,
        STRIPE_SECRET,
        {
            "Stripe-Signature": f"t={STRIPE_TIME},v1={stripe_signature()},v0=6ffbb59b2300aae63f272406"
        },
        "Stripe-Signature",
        STRIPE_BODY,
        STRIPE_TIME,
    ),
    # docs.slack.dev, "Verifying requests from Slack".
    Example(
        Scheme.SLACK,
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "X-Slack-Request-Timestamp": "1531420618",
            "X-Slack-Signature": "v0="
            "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        "X-Slack-Signature",
        SLACK_BODY,
        1531420618,
    ),
    # The test of Standard Webhooks' own libraries.
    Example(
        Scheme.STANDARD,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        "webhook-signature",
        b'{"test": 2432232314}',
        1614265330,
    ),
]
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.scheme)


def is_good(
    example: Example,
    *,
    body: bytes | None = None,
    secrets: list[str] | None = None,
    seconds_away: int = 0,
    signed: str | None = None,
) -> bool:
    """Whether the example's call is taken, with what differs; the body comes in pieces."""
    headers = dict(example.headers)
    if signed is not None:
        headers[example.signed] = signed
    check = Check(example.scheme, headers, secrets or [example.secret])
    content = example.body if body is None else body
    for start in range(0, len(content), 5):
        check.update(content[start : start + 5])
    now = datetime.fromtimestamp(example.at + seconds_away, tz=UTC)
    return check.is_good(now=now, tolerance_s=300)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@each_example
def test_the_providers_own_example_is_good(example: Example) -> None:
    assert is_good(example)


@each_example
def test_one_of_two_secrets_is_enough(example: Example) -> None:
    assert is_good(example, secrets=["another secret", example.secret])
    assert not is_good(example, secrets=["another secret", "and one more"])


@each_row(
    "example",
    [example for example in EXAMPLES if example.scheme != Scheme.GITLAB],
)
def test_no_bit_of_the_body_may_differ(example: Example) -> None:
    bits = range(8 * len(example.body))
    assert [bit for bit in bits if is_good(example, body=flipped(example.body, bit))] == []


@each_example
def test_no_bit_of_the_signature_may_differ(example: Example) -> None:
    header = example.headers[example.signed].encode()
    end = len(header)
    if example.scheme == Scheme.STRIPE:
        end = header.index(b",v0=")  # what follows is not looked at
    taken = []
    for bit in range(8 * end):
        changed = flipped(header, bit).decode("latin1")
        if is_good(example, signed=changed):
            taken.append((bit, changed))
    assert taken == []


@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if example.at < 1_700_000_000], ids=str
)
@each_row(("seconds_away", "is_taken"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_signed_time_is_near_the_clock(
    example: Example, seconds_away: int, is_taken: bool
) -> None:
    assert is_good(example, seconds_away=seconds_away) is is_taken


@each_example
def test_a_call_without_a_signature_is_not_taken(example: Example) -> None:
    assert not is_good(example, signed="")


def test_one_of_several_signatures_is_enough_while_the_sender_changes_its_secret() -> None:
    example = EXAMPLES[-1]
    other = base64.b64encode(bytes(32)).decode()
    both = f"v1,{other} {example.headers['webhook-signature']}"
    assert is_good(example, signed=both)

"""The way of a call: who sent it, what it says, whether that starts a run, and what is answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from runs_app import payloads
from runs_app.models import Run
from runs_app.states import Reason, Trigger
from runs_app.triggers import confirmation, triggers
from runs_app.url_triggers import call_log, contents, filter_rules, large_bodies, replays, senders
from runs_app.url_triggers.answers import CallAnswer, run_in_words
from runs_app.url_triggers.call_log import CallOutcome
from runs_app.url_triggers.models import TriggerCall, UrlTrigger
from runs_app.url_triggers.replays import Mark, OtherContent
from runs_app.url_triggers.senders import Sender
from runs_app.url_triggers.signatures import Check, delivery_of
from scripts_app.models import Script
from tempo_site.accounts import rate_limits
from tempo_site.audit import trail
from tempo_site.backups import holds
from tempo_site.models import AuditEntry

MAX_REASON = 300
TEST_PAYLOAD = b'{"test": true}'
TOO_LARGE = "The body has more than 1 MB."
GET_NOT_ALLOWED = (
    "This trigger is not for GET.\nhint: send a POST, or allow GET on the script's page"
)
DISABLED = "The script is disabled.\nhint: enable it on its page"
NO_ROOM = "Too many payloads wait for their runs.\nhint: try again when some have ended"
LONG_KEY = f"`Idempotency-Key` has more than {replays.MAX_KEY_LENGTH} characters."
OTHER_CONTENT = (
    "This `Idempotency-Key` was used for another request.\nhint: use a new one for each request"
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came; the keys that it shows stand nowhere else in it."""

    slug: str
    method: str
    token: str
    token_in_query: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: Iterable[bytes]
    address: str
    site: str  # scheme and host that links begin with


class CallRefused(Exception):
    """A call that starts nothing; `content` is told to the caller, `reason` to who looks at the calls."""

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        reason: str = "",
        fields: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason or sentence.partition("\n")[0]
        self.fields = dict(fields)
        self.headers = dict(headers)


@sensitive_variables()
def receive(call: Call, *, now: datetime) -> CallAnswer:
    """Start the run that a call asks for, or say again what was answered before. Raise Refused."""
    trigger = senders.find_trigger(call.slug)
    sender = None
    try:
        sender, check, body = _identify(trigger, call, now=now)
        if trigger is None:
            raise _not_here(trigger, call)
        if holds.is_held():
            raise CallRefused(503, holds.REASON)
        answer, reason = _answer(trigger, call, sender, check, body, now=now)
    except CallRefused as refusal:
        row = _row(call, refusal.status, refusal.reason, now=now, sender=sender)
        call_log.note(trigger, row, CallOutcome.REFUSED, key=sender.key if sender else 0)
        raise
    row = _row(call, answer.status, reason, now=now, sender=sender, run=answer.run)
    outcome = _outcome_of(answer)
    call_log.note(trigger, row, outcome, key=sender.key)
    return answer


def _outcome_of(answer: CallAnswer) -> CallOutcome:
    if answer.is_replayed:
        return CallOutcome.REPLAYED
    return CallOutcome.STARTED if answer.run else CallOutcome.IGNORED


def _identify(
    trigger: UrlTrigger | None, call: Call, *, now: datetime
) -> tuple[Sender, Check, bytes]:
    # Nothing of the body is looked at before: its bytes go through the signature as they come.
    token = senders.shown_token(trigger, call.token, call.token_in_query)
    sender = senders.sender_by_token(trigger, token, now=now)
    check = senders.signature_check(trigger, call.headers)
    body = bytearray()
    for piece in call.body:
        if len(body) + len(piece) > large_bodies.MAX_BYTES:
            raise CallRefused(413, TOO_LARGE)
        check.update(piece)
        body += piece
    signed = senders.sender_by_signature(trigger, check, now=now)
    found = sender or signed
    if found is None:
        raise _not_here(trigger, call)
    return found, check, bytes(body)


def _not_here(trigger: UrlTrigger | None, call: Call) -> CallRefused:
    # One answer for all of these; only the page of the script tells them apart.
    if trigger is None or not trigger.enabled:
        reason = "The trigger is off."
    elif call.token_in_query and not trigger.allow_query_key:
        reason = "Its key stood in the address, which is not allowed."
    elif call.token or call.token_in_query:
        reason = "Its key may not start this script, or not any more."
    elif trigger.is_signed:
        reason = "It showed no key, and its signature is missing, wrong or too old."
    else:
        reason = "It showed no key."
    return CallRefused(404, senders.NOT_HERE, reason=reason)


def _answer(
    trigger: UrlTrigger, call: Call, sender: Sender, check: Check, body: bytes, *, now: datetime
) -> tuple[CallAnswer, str]:
    _refuse_too_many(trigger, sender)
    if call.method == "GET" and not trigger.allow_get:
        raise CallRefused(405, GET_NOT_ALLOWED, headers={"Allow": "POST"})
    if not trigger.script.enabled:
        raise CallRefused(409, DISABLED)
    content = contents.read(body, call.headers.get("Content-Type", ""))
    if content.problem and not sender.is_signed:
        raise CallRefused(400, content.problem)
    unmet = filter_rules.first_unmet(trigger.rules, content=content.value, headers=call.headers)
    if unmet:
        return CallAnswer(status=200, content={"run": None, "ignored": unmet}), unmet
    marks = _marks(trigger, call, sender, check, body)
    acting = trail.acting_as(AuditEntry.Actor.TRIGGER, sender.name, address=call.address)
    with acting, transaction.atomic():
        return _start_or_replay(trigger, call, sender, content, body, marks, now=now)


def _refuse_too_many(trigger: UrlTrigger, sender: Sender) -> None:
    try:
        rate_limits.require(rate_limits.TRIGGER, f"{trigger.pk} {sender.name}")
    except rate_limits.TooMany as problem:
        raise CallRefused(429, str(problem), headers=problem.usage.headers) from problem


def _marks(
    trigger: UrlTrigger, call: Call, sender: Sender, check: Check, body: bytes
) -> list[Mark]:
    marks = []
    key = call.headers.get("Idempotency-Key", "")
    if len(key) > replays.MAX_KEY_LENGTH:
        raise CallRefused(400, LONG_KEY)
    if key:
        query = "&".join(f"{name}={value}" for name, value in call.query.items())
        content = replays.content_of(call.method, query, body)
        marks.append(replays.mark("key", sender.name, key, content=content))
    if sender.is_signed:
        marks.append(replays.mark("signed", check.content.hexdigest()))
        delivery = delivery_of(trigger.scheme, call.headers)
        if delivery:
            marks.append(replays.mark("delivery", delivery))
    return marks


def _start_or_replay(
    trigger: UrlTrigger,
    call: Call,
    sender: Sender,
    content: contents.BodyContent,
    body: bytes,
    marks: list[Mark],
    *,
    now: datetime,
) -> tuple[CallAnswer, str]:
    try:
        earlier = replays.earlier_answer(trigger, marks, now=now) if marks else None
    except OtherContent:
        raise CallRefused(422, OTHER_CONTENT) from None
    if earlier is not None:
        answer = CallAnswer(status=202, content=earlier.answer, run=earlier.run, is_replayed=True)
        return answer, "Replayed: the same call came before."
    run = _start(call, sender, content, now=now)
    try:
        payloads.keep(run, body, contents.headers_for_script(trigger, call.headers))
    except payloads.NoRoom:
        raise CallRefused(503, NO_ROOM) from None
    told = {"run": run_in_words(run.pk, run.status, site=call.site)}
    if marks:
        replays.keep(trigger, marks, run, told, now=now)
    return CallAnswer(status=202, content=told, run=run.pk), "Started."


def _start(call: Call, sender: Sender, content: contents.BodyContent, *, now: datetime) -> Run:
    script = confirmation.script_to_start(call.slug)
    inputs = contents.inputs_of(script, sender, call.query, content)
    try:
        return triggers.start(script, trigger=Trigger.URL, by=sender.name, now=now, params=inputs)
    except triggers.WrongInputs as refusal:
        raise CallRefused(422, str(refusal), fields=refusal.fields) from refusal
    except triggers.Refused as refusal:
        status = 503 if refusal.reason in (Reason.DISK, Reason.QUEUE) else 409
        raise CallRefused(status, str(refusal)) from refusal


def try_out(script: Script, *, by: str, now: datetime) -> Run:
    """Start a run as a call does, with a payload that says it is a test. Raise triggers.Refused."""
    with transaction.atomic():
        run = triggers.start(script, trigger=Trigger.URL, by=by, now=now)
        payloads.keep(run, TEST_PAYLOAD, {"Content-Type": contents.JSON})
    return run


def _row(
    call: Call,
    status: int,
    reason: str,
    *,
    now: datetime,
    sender: Sender | None,
    run: int | None = None,
) -> TriggerCall:
    readable = reason.encode(errors="replace").decode().replace("\0", "")
    return TriggerCall(
        at=now,
        status=status,
        address=call.address[:45],
        sender=sender.name[:150] if sender else "",
        reason=readable[:MAX_REASON],
        run=run,
    )

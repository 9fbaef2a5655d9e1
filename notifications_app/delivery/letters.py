"""What is handed to the child that sends, and what it answers: a line of JSON each."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["mail", "webhook", "apprise", "heartbeat"]
Outcome = Literal["sent", "retry", "refused", "gone"]
BEGUN = "begun"  # before the id of a letter whose sending begins, on a line of its own
ANSWER_LENGTH = 500


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message to one channel. An id is used again when the same message is tried again.

    mail       target {server, port, security, username, password, from_email, provider, api_key, to: [address]}
               content {subject, text, html, headers: {name: value}}
    webhook    target {url, secrets: [secret]}       content {body: text}; the time it is signed with is that of sending
    apprise    target {url}                          content {title, text, level: failure|success|info|warning}
    heartbeat  target {url, flavour: healthchecks|uptime_kuma}
               content {signal: start|success|fail|an exit status, run: UUID, text}
    """

    id: str
    kind: Kind
    target: dict[str, Any]
    content: dict[str, Any]

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a letter, with the receiver's own words; they hold no secret of the target.

    retry is for another try later, refused for a message that will never be taken, gone for a channel that is no more.
    `recipients` has an {outcome, answer} for each address of a mail.
    """

    id: str
    outcome: Outcome
    answer: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    duration_ms: int = 0
    recipients: dict[str, dict[str, str]] = field(default_factory=dict)

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, line: str) -> "Answer | None":
        """Return the answer of a line; None for a line that is none."""
        try:
            answer = cls(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            return None
        is_answer = isinstance(answer.id, str) and answer.outcome in get_args(Outcome)
        return answer if is_answer else None

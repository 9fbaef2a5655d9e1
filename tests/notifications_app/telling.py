"""Channels, rules and ends of runs for tests, and a courier that sends nothing."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from notifications_app.channels import channels
from notifications_app.delivery.letters import Answer, Letter
from notifications_app.delivery.teller import Teller
from notifications_app.models import Channel, Delivery, Event, Rule
from notifications_app.rules import rules
from runs_app.execution import finish
from runs_app.models import Run
from runs_app.states import Reason, Status
from scripts_app.models import Script
from tests.factories import NOW, make_run

URL = "http://192.0.2.1/hook-with-a-token"
EVENTS = [Event.FAILED, Event.RECOVERED, Event.DID_NOT_RUN]


def make_channel(name: str = "hook", *, url: str = URL, **fields: Any) -> Channel:
    """A webhook without a rule, by default."""
    fields.setdefault("kind", Channel.Kind.WEBHOOK)
    if fields["kind"] == Channel.Kind.MAIL:
        fields.setdefault("to", ["ann@example.org"])
        url = ""
    return channels.save(Channel(), {"name": name, **fields}, url=url, gets_default_rule=False)


def make_rule(channel: Channel | None = None, **fields: Any) -> Rule:
    """A rule for all scripts about failures, recoveries and what did not run, by default."""
    fields.setdefault("events", EVENTS)
    return rules.save(Rule(channel=channel or make_channel()), fields)


def make_scripts(count: int, name: str = "Script") -> list[Script]:
    """Scripts without a text, as many as it takes."""
    return Script.objects.bulk_create(
        Script(name=f"{name} {number:02}", slug=f"{name.lower()}-{number:02}")
        for number in range(count)
    )


def end_run(
    script: Script, status: Status = Status.FAILED, *, at: datetime = NOW, **fields: Any
) -> Run:
    """A run that ends by the verb of all ends; with exit code 1 when it failed."""
    run = make_run(script, status=Status.RUNNING, started_at=at, created_at=at)
    if status == Status.FAILED:
        fields = {"reason": Reason.EXIT_CODE, "exit_code": 1, **fields}
    fields.setdefault("duration_s", 1.0)
    finish.end(run, status, now=at, **fields)
    return run


class FakeCourier:
    """Answers each letter by `answer`, which is `sent` until a test says otherwise, and keeps them all."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.answer: Callable[[Letter], Answer | None] = sent
        self.untouched: set[str] = set()

    def send(
        self,
        letters: Iterable[Letter],
        *,
        answered: Callable[[Answer], None],
        timeout_s: float,
        turn_s: float = 0.0,
        more: Callable[[], list[Letter]] = list,
    ) -> set[str]:
        """Stand in for courier.send."""
        pending = list(letters)
        while pending:
            for letter in pending:
                self.letters.append(letter)
                found = self.answer(letter)
                if found:
                    answered(found)
            pending = more()
        return self.untouched

    @property
    def titles(self) -> list[str]:
        """The first line of each letter."""
        return [title_of(letter) for letter in self.letters]


def sent(letter: Letter) -> Answer:
    return Answer(id=letter.id, outcome="sent", answer="ok", status=200)


def failing(outcome: Any, **fields: Any) -> Callable[[Letter], Answer]:
    """An answer of this outcome to every letter."""
    return lambda letter: Answer(id=letter.id, outcome=outcome, **fields)


def title_of(letter: Letter) -> str:
    """What stands first in a letter, as a person sees it."""
    content = letter.content
    if "subject" in content:
        return str(content["subject"])
    return str(content.get("title") or content.get("body") or content.get("signal"))


def work(at: datetime) -> None:
    """What the engine's thread does at that moment."""
    Teller().work(clock=lambda: at)


def work_until(end: datetime, *, since: datetime = NOW, every: timedelta) -> None:
    """The same again and again."""
    moment = since
    while moment <= end:
        work(moment)
        moment += every


def statuses() -> list[str]:
    """Of all deliveries, oldest first."""
    return list(Delivery.objects.order_by("pk").values_list("status", flat=True))

"""The kinds of channels that a person chooses from, and a new channel of one of them."""

from dataclasses import dataclass

from notifications_app.channels import channels, presets, targets
from notifications_app.models import Channel


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A kind, or a service with a form. `name` is its word in addresses."""

    name: str
    label: str
    words: str


def choices() -> list[Choice]:
    mail_words = "Needs a mail server first: Settings."
    if targets.has_mail():
        mail_words = "To one or several people."
    return [
        Choice(name="mail", label="Mail", words=mail_words),
        *(
            Choice(name=preset.name, label=preset.label, words=preset.fields[0].label)
            for preset in presets.PRESETS
        ),
        Choice(
            name="apprise", label="Another service", words="By its address, as apprise writes it."
        ),
        Choice(name="webhook", label="Webhook", words="Signed JSON for a program of yours."),
        Choice(
            name="heartbeat",
            label="Heartbeat",
            words="Healthchecks or Uptime Kuma tell when Tempo falls silent.",
        ),
    ]


def is_known(kind: str) -> bool:
    return kind in presets.BY_NAME or kind in Channel.Kind.values


def new_channel(kind: str) -> Channel:
    """Return a channel of a kind that is known, as its form begins with it."""
    if kind in presets.BY_NAME:
        return Channel(kind=Channel.Kind.APPRISE, preset=kind, name=presets.BY_NAME[kind].label)
    channel = Channel(kind=kind)
    if kind == Channel.Kind.MAIL:
        channel.max_per_hour = channels.MAIL_PER_HOUR
    return channel

"""The ten services with a form: its fields, and how they become the address of a service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote


class FieldRefused(ValueError):
    """A value that a preset cannot use. The text is for the person who typed it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class PresetField:
    """One line of a form. The groups of the pattern go into the preset's template."""

    name: str
    label: str
    pattern: str
    example: str
    is_secret: bool = False
    default: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A service with a form. In the template `{s}` is an `s` where the server is reached by https."""

    name: str
    label: str
    fields: tuple[PresetField, ...]
    template: str
    help_url: str

    def url(self, values: Mapping[str, str]) -> str:
        """Return the address of the service for these values. Raise FieldRefused."""
        parts = {"s": "s"}
        for field in self.fields:
            value = values.get(field.name, "").strip() or field.default
            match = re.fullmatch(field.pattern, value)
            if not match:
                raise FieldRefused(
                    field.name, f"`{field.label}` has to look like `{field.example}`"
                )
            parts.update(match.groupdict(default=""))
        if parts.pop("scheme", "https") == "http":
            parts["s"] = ""
        return self.template.format_map({name: _quoted(name, part) for name, part in parts.items()})


def _quoted(name: str, part: str) -> str:
    if name.startswith("is_"):
        return "yes" if part else "no"
    # A place has its port, a path its slashes; all else is one part of the address.
    return quote(unquote(part), safe={"place": ":[]", "path": "/"}.get(name, ""))


def _server(example: str, *, default: str = "", may_have_path: bool = False) -> PresetField:
    path = r"(?P<path>(?:/[^/@?#\s]+)*)" if may_have_path else ""
    return PresetField(
        name="server",
        label="Server",
        pattern=rf"(?P<scheme>https?)://(?P<place>[^/@?#\s]+){path}/?",
        example=example,
        default=default,
    )


def _secret(name: str, label: str, pattern: str, example: str, *, hint: str = "") -> PresetField:
    group = f"(?P<{name}>{pattern})"
    return PresetField(
        name=name, label=label, pattern=group, example=example, is_secret=True, hint=hint
    )


_WORD = r"[^\s/@?#]+"

PRESETS = (
    Preset(
        name="discord",
        label="Discord",
        fields=(
            PresetField(
                name="address",
                label="Webhook address",
                pattern=r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/(?P<id>\d+)/(?P<token>[\w-]+)/?",
                example="https://discord.com/api/webhooks/123456/AbC",
                is_secret=True,
                hint="Settings of the channel, Integrations, Webhooks, Copy Webhook URL.",
            ),
        ),
        template="discord://{id}/{token}/",
        help_url="https://support.discord.com/hc/articles/228383668",
    ),
    Preset(
        name="slack",
        label="Slack",
        fields=(
            PresetField(
                name="address",
                label="Webhook address",
                pattern=r"https://hooks\.slack\.com/services/(?P<a>\w+)/(?P<b>\w+)/(?P<c>\w+)/?",
                example="https://hooks.slack.com/services/T0/B0/AbC",
                is_secret=True,
                hint="An app with Incoming Webhooks, added to the channel.",
            ),
        ),
        template="slack://{a}/{b}/{c}/",
        help_url="https://api.slack.com/messaging/webhooks",
    ),
    Preset(
        name="telegram",
        label="Telegram",
        fields=(
            _secret(
                "token", "Bot token", r"\d+:[\w-]+", "123456789:AbC", hint="@BotFather gives it."
            ),
            PresetField(
                name="chat",
                label="Chat",
                pattern=r"(?P<chat>-?\d+|@\w+)",
                example="-1001234567890",
                hint="Write to the bot, or add it to the group, then open `https://api.telegram.org/bot…/getUpdates` "
                "with the token behind `bot`: the number is `chat.id` there. Or @name of a public channel.",
            ),
        ),
        template="tgram://{token}/{chat}/",
        help_url="https://core.telegram.org/bots#how-do-i-create-a-bot",
    ),
    Preset(
        name="ntfy",
        label="ntfy",
        fields=(
            _server("https://ntfy.sh", default="https://ntfy.sh"),
            PresetField(
                name="topic",
                label="Topic",
                pattern=r"(?P<topic>[\w-]{1,64})",
                example="my-nightly-runs",
            ),
            _secret(
                "token",
                "Access token",
                r"(?:tk_\w+)?",
                "tk_abc",
                hint="Empty where the topic is open.",
            ),
        ),
        # Without `auth=token`, which sends nothing where the token is empty: apprise knows it by its `tk_`.
        template="ntfy{s}://{token}@{place}/{topic}",
        help_url="https://docs.ntfy.sh/publish/",
    ),
    Preset(
        name="gotify",
        label="Gotify",
        fields=(
            _server("https://gotify.example.org", may_have_path=True),
            _secret("token", "Application token", r"[\w.-]{15,}", "AbCdEfGhIjKlMnO"),
        ),
        template="gotify{s}://{place}{path}/{token}",
        help_url="https://gotify.net/docs/pushmsg",
    ),
    Preset(
        name="matrix",
        label="Matrix",
        fields=(
            _server("https://matrix.example.org"),
            _secret("token", "Access token of a user", _WORD, "syt_abc"),
            PresetField(
                name="room",
                label="Room",
                pattern=r"(?P<room>[!#][\w.=/+-]+(?::[\w.-]+(?::\d+)?)?)",
                example="!AbC:example.org",
                hint="The user has to be in it. Messages are not encrypted end to end.",
            ),
        ),
        template="matrix{s}://{token}@{place}/{room}/",
        help_url="https://matrix.org/docs/",
    ),
    Preset(
        name="teams",
        label="Microsoft Teams",
        fields=(
            PresetField(
                name="address",
                label="Workflow address",
                pattern=r"https://(?P<place>[\w.-]+(?::\d+)?)(?P<is_power>/powerautomate/automations/direct"
                r"(?:/cu/(?P<route>\d+))?)?/workflows/(?P<workflow>[\w-]+)/triggers/manual/paths/invoke\?(?:\S+&)?sig=(?P<sig>[\w%-]+)(?:&\S*)?",
                example="https://prod-1.westeurope.logic.azure.com:443/workflows/ab12/triggers/manual/paths/invoke?sig=AbC",
                is_secret=True,
                hint="Workflow `Send webhook alerts to a channel`.",
            ),
        ),
        template="workflows://{place}/{workflow}/{sig}/?pa={is_power}&route={route}",
        help_url="https://support.microsoft.com/office/8ae491c7-0394-4861-ba59-055e33f75498",
    ),
    Preset(
        name="pushover",
        label="Pushover",
        fields=(
            _secret("user", "User key", r"[A-Za-z0-9]{30}", "u" * 30),
            _secret("token", "Token of the application", r"[A-Za-z0-9]{30}", "a" * 30),
        ),
        template="pover://{user}@{token}/",
        help_url="https://pushover.net/api",
    ),
    Preset(
        name="home_assistant",
        label="Home Assistant",
        fields=(
            _server("http://homeassistant.local:8123"),
            _secret(
                "token",
                "Long-lived access token",
                r"[\w-]+\.[\w-]+\.[\w-]+",
                "eyJhb.eyJpc.AbC",
                hint="Your profile, Security.",
            ),
            PresetField(
                name="service",
                label="Notify action",
                pattern=r"(?:notify\.)?(?P<service>\w*)",
                example="notify.mobile_app_phone",
                hint="Empty: a notification in Home Assistant itself.",
            ),
        ),
        template="hassio{s}://{place}/{token}/{service}",
        help_url="https://www.home-assistant.io/docs/authentication/#your-account-profile",
    ),
    Preset(
        name="mattermost",
        label="Mattermost",
        fields=(
            PresetField(
                name="address",
                label="Webhook address",
                pattern=r"(?P<scheme>https?)://(?P<place>[^/@?#\s]+)(?P<path>(?:/[^/@?#\s]+)*)/hooks/(?P<token>\w{24,32})/?",
                example="https://chat.example.org/hooks/abcdefghijklmnopqrstuvwxyz",
                is_secret=True,
            ),
        ),
        template="mmost{s}://{place}{path}/{token}",
        help_url="https://developers.mattermost.com/integrate/webhooks/incoming/",
    ),
)
BY_NAME = {preset.name: preset for preset in PRESETS}

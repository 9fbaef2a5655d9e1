"""The form of a channel: its fields go by kind, and what is secret in it is taken and never shown."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables

from notifications_app.channels import channels, presets
from notifications_app.channels.channels import InvalidChannel
from notifications_app.channels.presets import FieldRefused, Preset
from notifications_app.models import Channel
from scripts_app.models import Script

Kind = Channel.Kind
OF_TEMPO, OF_BACKUPS = "", ":backups"  # a heartbeat's choices in place of a script
SECRET_INPUT = {"autocomplete": "off", "spellcheck": "false", "class": "code"}
KEEP = "It is kept when this is left empty."
PART = "part-"  # before the fields of a service, which may be called like those of every channel
PACE = ("group_wait_s", "group_interval_s", "max_per_hour", "weekly_report")
QUIET = ("quiet_from", "quiet_until", "timezone")


class AddressesField(forms.CharField):
    """Mail addresses, one a line or separated by commas."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return "\n".join(value)
        return value

    def to_python(self, value: Any) -> Any:
        parts = str(super().to_python(value)).replace(",", "\n").splitlines()
        return [part.strip() for part in parts if part.strip()]


class ChannelForm(forms.Form):
    """The fields that a kind of channel has. `channel` is the row that is edited, or a new one of that kind."""

    name = forms.CharField(max_length=100, help_text="As pages name it, like `Admins by mail`.")
    enabled = forms.BooleanField(
        required=False, initial=True, help_text="Disabled: nothing is sent by it."
    )

    def __init__(self, channel: Channel, data: Any = None) -> None:
        initial = {name: getattr(channel, name) for name in channels.FIELDS}
        initial["script"] = channel.script.slug if channel.script else OF_TEMPO
        if channel.follows_backups:
            initial["script"] = OF_BACKUPS
        super().__init__(data, initial=initial, label_suffix="")
        self.channel = channel
        self.fields |= _fields_of_kind(channel)
        if channel.kind != Kind.HEARTBEAT:
            self.fields |= {**_pace_fields(), **_quiet_fields()}

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in (*PACE, *QUIET)]

    @property
    def pace_fields(self) -> list[forms.BoundField]:
        return self._bound(PACE)

    @property
    def quiet_fields(self) -> list[forms.BoundField]:
        return self._bound(QUIET)

    def _bound(self, names: Sequence[str]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    @sensitive_variables()
    def save(self) -> Channel | None:
        """Store the channel and return it; None when the verb refuses, which is then an error of a field."""
        values = {name: self.cleaned_data[name] for name in channels.FIELDS if name in self.fields}
        if "script" in values:
            values["follows_backups"] = values["script"] == OF_BACKUPS
            values["script"] = Script.objects.filter(slug=values["script"]).first()
        secret = self.cleaned_data.get("secret", "")
        try:
            return channels.save(self.channel, values, url=self._url(), secret=secret)
        except InvalidChannel as refusal:
            self.add_error(self._field_of(refusal.field), str(refusal))
        except FieldRefused as refusal:
            self.add_error(PART + refusal.field, str(refusal))
        return None

    def _field_of(self, name: str) -> str | None:
        return name if name in self.fields else None

    @sensitive_variables()
    def _url(self) -> str:
        if "url" in self.fields:
            url: str = self.cleaned_data["url"]
            return url
        parts = {
            name.removeprefix(PART): value
            for name, value in self.cleaned_data.items()
            if name.startswith(PART)
        }
        is_kept = self.channel.pk and not any(parts.values())
        if is_kept or not parts:
            return ""
        return presets.BY_NAME[self.channel.preset].url(parts)


def _fields_of_kind(channel: Channel) -> dict[str, forms.Field]:
    match channel.kind:
        case Kind.MAIL:
            return {"to": AddressesField(label="Recipients", help_text="One address a line.")}
        case Kind.WEBHOOK:
            words = "Gets JSON by POST, signed as Standard Webhooks."
            return {"url": _url_field(channel, words), "secret": _secret_field(channel)}
        case Kind.HEARTBEAT:
            return _heartbeat_fields(channel)
    if channel.preset in presets.BY_NAME:
        return _preset_fields(channel, presets.BY_NAME[channel.preset])
    words = "As apprise writes it, like `ntfys://ntfy.sh/my-topic`."
    return {"url": _url_field(channel, words)}


def _preset_fields(channel: Channel, preset: Preset) -> dict[str, forms.Field]:
    # Of a stored channel the address alone is kept: its fields are empty, or all given again.
    return {
        PART + field.name: forms.CharField(
            label=field.label,
            required=False,
            initial="" if channel.pk else field.default,
            help_text=" ".join(filter(None, (field.hint, f"Like `{field.example}`."))),
            widget=forms.TextInput(attrs=SECRET_INPUT),
        )
        for field in preset.fields
    }


def _url_field(channel: Channel, words: str) -> forms.CharField:
    if channel.pk:
        words = f"{words} Stored: `{channel.shown_address}`. {KEEP}"
    return forms.CharField(
        label="URL",
        required=not channel.pk,
        help_text=words,
        widget=forms.TextInput(attrs=SECRET_INPUT),
    )


def _secret_field(channel: Channel) -> forms.CharField:
    words = "Signs each message. Left empty: Tempo makes one and shows it once."
    if channel.pk:
        words = f"Signs each message. {KEEP}"
    return forms.CharField(
        required=False, help_text=words, widget=forms.PasswordInput(attrs=SECRET_INPUT)
    )


def _heartbeat_fields(channel: Channel) -> dict[str, forms.Field]:
    scripts = list(Script.objects.present().values_list("slug", "name"))
    if channel.script and channel.script.deleted_at:
        scripts.append((channel.script.slug, f"{channel.script.name} (deleted)"))
    return {
        "script": forms.ChoiceField(
            required=False,
            label="Follows",
            choices=[(OF_TEMPO, "Tempo itself"), (OF_BACKUPS, "The backups"), *scripts],
            help_text="A script: start and end of each of its runs. Tempo itself: that it is up."
            " The backups: the end of each.",
        ),
        "flavour": forms.ChoiceField(label="Kind", choices=Channel.Flavour.choices),
        "url": _url_field(channel, "The check's own address, without `/start` or `/fail`."),
        "every_s": forms.IntegerField(
            label="Every (seconds)",
            min_value=20,
            max_value=86_400,
            help_text="Between two signs of life of Tempo itself.",
        ),
    }


def _pace_fields() -> dict[str, forms.Field]:
    return {
        "group_wait_s": forms.IntegerField(
            label="Collect for (seconds)",
            min_value=0,
            max_value=3600,
            help_text="The first message goes at once; what follows so soon is one message.",
        ),
        "group_interval_s": forms.IntegerField(
            label="Then at most every (seconds)",
            min_value=0,
            max_value=86_400,
            help_text="0: every event is a message of its own.",
        ),
        "max_per_hour": forms.IntegerField(
            label="Most messages in an hour",
            min_value=0,
            max_value=10_000,
            help_text="What is beyond waits for one digest. 0: no cap.",
        ),
        "weekly_report": forms.BooleanField(
            required=False,
            label="A report each week",
            help_text="What failed, was slower than usual, or did not run.",
        ),
    }


def _quiet_fields() -> dict[str, forms.Field]:
    return {
        "quiet_from": _time_field("Quiet from"),
        "quiet_until": _time_field("until"),
        "timezone": forms.CharField(
            required=False,
            label="Zone of the quiet hours",
            help_text="Like `Europe/Berlin`; empty: Tempo's own.",
        ),
    }


def _time_field(label: str) -> forms.TimeField:
    return forms.TimeField(
        required=False, label=label, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )

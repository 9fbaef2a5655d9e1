"""Forms of the pages of runs."""

from typing import Any

from django import forms

from runs_app.url_triggers import trigger_settings
from runs_app.url_triggers.models import UrlTrigger
from scripts_app.validation import ScriptError

LINES = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off", "class": "code"}
SCHEME = (
    "With one, a call needs no key: the sender signs it with a secret that both know, set beside."
)
RULES = (
    "One a line, all have to hold: `ref == refs/heads/main`. Names are of the JSON or the form, or of a header: "
    "`header.X-GitHub-Event == push`. Between them `==`, `!=`, `startswith` or `contains`. A call that does not fit "
    "starts nothing."
)
HEADERS = "One a line. The script finds them in `TEMPO_PAYLOAD_HEADERS`, as JSON."
QUERY_KEY = (
    "`?key=` is for senders that can set no header. Proxies and other servers on the way may write addresses down, "
    "and keys with them."
)
MORE = ("headers", "tolerance_s")


class TriggerForm(forms.Form):
    enabled = forms.BooleanField(
        required=False, label="On", help_text="Off: the address is one like any unknown address."
    )
    allow_get = forms.BooleanField(
        required=False,
        label="Allow GET",
        help_text="Also GET starts a run, as from a bookmark. HEAD never does.",
    )
    allow_query_key = forms.BooleanField(
        required=False, label="Allow the key in the address", help_text=QUERY_KEY
    )
    scheme = forms.ChoiceField(
        required=False, label="Signature", choices=UrlTrigger.Scheme.choices, help_text=SCHEME
    )
    tolerance_s = forms.IntegerField(
        min_value=1,
        max_value=3600,
        label="Signed time (seconds)",
        help_text="So far it may be from the clock here, where the sender signs a time.",
    )
    rules = forms.CharField(
        required=False, widget=forms.Textarea(attrs={**LINES, "rows": 3}), help_text=RULES
    )
    headers = forms.CharField(
        required=False,
        label="Headers for the script",
        widget=forms.Textarea(attrs={**LINES, "rows": 4}),
        help_text=HEADERS,
    )

    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in MORE]

    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in MORE]

    def more_are_wrong(self) -> bool:
        return not self.errors.keys().isdisjoint(MORE)

    @staticmethod
    def values_of(trigger: UrlTrigger) -> dict[str, Any]:
        return {name: getattr(trigger, name) for name in trigger_settings.FIELDS}


class SecretForm(forms.Form):
    secret = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="As the sender has it, or the one to be set there.",
    )
    keeps_older = forms.BooleanField(
        required=False, initial=True, label="The one of before is good beside it"
    )


class UrlTriggerAdminForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    class Meta:
        model = UrlTrigger
        fields = ("script", *trigger_settings.FIELDS)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        try:
            trigger_settings.check(UrlTrigger(**values))
        except ScriptError as refusal:
            self.add_error(refusal.field, str(refusal))
        return values

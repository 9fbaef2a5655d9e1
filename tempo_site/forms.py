"""The forms of the set-up page, of a section of settings, of an API key, and the filter above the audit."""

from datetime import datetime, time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm, UsernameField
from django.contrib.auth.models import User
from django.utils import timezone

from scripts_app import reach
from tempo_site.accounts import keys
from tempo_site.accounts.keys import KeyRefused
from tempo_site.audit import reading
from tempo_site.lib import zone
from tempo_site.lib.widgets.number_input import NumberWithPresets
from tempo_site.models import ApiKey, AuditEntry
from tempo_site.stored_settings import fields
from tempo_site.stored_settings.fields import FieldKind, SettingField, SettingRefused
from tempo_site.stored_settings.store import Current, Source

KEY_SCOPES = {
    ApiKey.Scope.READ.value: "read: look, change nothing",
    ApiKey.Scope.RUN.value: "run: read, start and cancel runs",
    ApiKey.Scope.FULL.value: "full: read, run, create, change and delete",
}


PASSWORD_HELP = "8 characters or more, and none that everybody uses."


class SetupForm(UserCreationForm):  # type: ignore[type-arg]  # no generic at run time
    time_zone = forms.CharField(label="Time zone", max_length=zone.MAX_LENGTH)

    class Meta:
        model = User
        fields = ("username",)
        field_classes = {"username": UsernameField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Username"
        self.fields["username"].help_text = ""
        self.fields["password1"].help_text = PASSWORD_HELP
        self.fields["password2"].label = "Password again"
        self.fields["password2"].help_text = ""
        self._prepare_zone(self.fields["time_zone"])

    def _prepare_zone(self, field: forms.Field) -> None:
        # A zone that the operator has set is shown, and cannot be changed here.
        field.initial = settings.TIME_ZONE
        field.widget.attrs |= {"list": "zones", "autocomplete": "off", "spellcheck": "false"}
        field.disabled = bool(settings.CONFIGURED_TIME_ZONE)
        field.help_text = "For the times on pages, and for new schedules."
        if field.disabled:
            field.help_text = "Set by the variable PYSCHED_TIME_ZONE, so it is not chosen here."

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if not zone.is_known(name):
            sentence = f"There is no time zone `{name}`: use a name like `Europe/Berlin` or `UTC`."
            raise forms.ValidationError(sentence)
        return name


class OwnPasswordForm(PasswordChangeForm):
    """The form of one's own password, in the words of the set-up page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["new_password1"].help_text = PASSWORD_HELP
        self.fields["new_password2"].label = "New password again"
        self.fields["new_password2"].help_text = ""


class SectionForm(forms.Form):
    """The settings of a section. What the environment has set is shown and cannot be changed; a secret is not shown."""

    def __init__(self, rows: list[Current], data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self.rows = {row.field.name: row for row in rows}
        for row in rows:
            self.fields[row.field.name] = _form_field(row)
            if row.field.is_secret and row.is_set and row.is_editable:
                label = f"Forget the {row.field.label[:1].lower()}{row.field.label[1:]}"
                self.fields[_forget(row)] = forms.BooleanField(label=label, required=False)

    def clean(self) -> dict[str, Any]:
        for name, row in self.rows.items():
            if name not in self.cleaned_data or not row.is_editable:
                continue
            try:
                fields.checked(row.field, self.cleaned_data[name])
            except SettingRefused as refusal:
                self.add_error(name, str(refusal))
        return self.cleaned_data

    @property
    def changes(self) -> dict[str, Any]:
        """Return what was changed on the form, not what another person changed meanwhile; None forgets a secret."""
        changes: dict[str, Any] = {}
        for name, row in self.rows.items():
            if self.cleaned_data.get(_forget(row)):
                changes[name] = None
            elif name in self.changed_data:
                changes[name] = self.cleaned_data[name]
        return changes


def _forget(row: Current) -> str:
    return f"forget-{row.field.name}"


def _form_field(row: Current) -> forms.Field:
    field = row.field
    common: dict[str, Any] = {
        "label": _label(field),
        "help_text": _help(row),
        "initial": row.value,
        "disabled": not row.is_editable,
        "required": False,
        "show_hidden_initial": True,
    }
    match field.kind:
        case FieldKind.NUMBER:
            bounds = {"min_value": field.minimum, "max_value": field.maximum}
            if field.presets:
                common["widget"] = NumberWithPresets(presets=field.presets, unit=field.unit)
            return forms.IntegerField(**{**common, **bounds, "required": row.is_editable})
        case FieldKind.SWITCH:
            return forms.BooleanField(**common)
        case FieldKind.CHOICE:
            return forms.ChoiceField(choices=field.choices, **common)
        case FieldKind.SECRET:
            return forms.CharField(widget=_secret_input(), **common)
    return forms.CharField(**common)


def _label(field: SettingField) -> str:
    if not field.unit or field.unit in field.label.casefold():
        return field.label
    return f"{field.label} ({field.unit})"


def _secret_input() -> forms.PasswordInput:
    return forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})


def _help(row: Current) -> str:
    words = [row.field.help]
    if row.field.is_secret and row.is_set and row.is_editable:
        words.append("It is set and not shown. Leave this empty to keep it.")
    if row.source == Source.ENVIRONMENT:
        words.append(f"Set by the environment, as `{row.field.name}`.")
    elif not row.field.is_editable:
        words.append(f"Read when Tempo starts, from `{row.field.name}`.")
    else:
        words.append(f"Variable: `{row.field.name}`.")
    return " ".join(filter(None, words))


class NamesField(forms.CharField):
    """Names, one a line or separated by commas."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "code"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        parts = str(super().to_python(value)).replace(",", "\n").splitlines()
        return [part.strip() for part in parts if part.strip()]


class KeyForm(forms.Form):
    """An API key, new or known: what it may do, what it sees, until when."""

    name = forms.CharField(
        max_length=100, help_text="What the key is for; it stands in the history of runs."
    )
    scope = forms.ChoiceField(
        choices=KEY_SCOPES, initial=ApiKey.Scope.READ.value, widget=forms.RadioSelect
    )
    expires_on = forms.DateField(
        required=False,
        label="Expires on",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="From the beginning of this day on it is refused. Empty: never.",
    )
    is_limited = forms.BooleanField(
        required=False,
        label="Only these scripts and folders",
        help_text="It sees them, and what belongs to them, and nothing else.",
    )
    scripts = NamesField(required=False, help_text="Addresses like `hello-world`, one a line.")
    folders = NamesField(
        required=False, help_text="Paths like `Ops/Nightly`, one a line; with all folders below."
    )

    def __init__(self, data: Any = None, *, key: ApiKey | None = None) -> None:
        super().__init__(data, initial=_of_key(key), label_suffix="")

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        try:
            limits = reach.named(values.get("scripts", []), values.get("folders", []))
        except KeyRefused as refusal:
            self.add_error(refusal.field, str(refusal))
            return values
        values["limits"] = limits if values.get("is_limited") else None
        if not values.get("is_limited") and (limits.scripts or limits.folders):
            self.add_error("is_limited", "Tick this, or name no scripts and folders.")
        return values

    @property
    def values(self) -> dict[str, Any]:
        """Return what `keys.create` and `keys.change` take."""
        day = self.cleaned_data["expires_on"]
        return {
            "name": self.cleaned_data["name"],
            "scope": self.cleaned_data["scope"],
            "limits": self.cleaned_data["limits"],
            "expires_at": day and timezone.make_aware(datetime.combine(day, time())),
        }


def _of_key(key: ApiKey | None) -> dict[str, Any]:
    if key is None:
        return {}
    limits = keys.limits_of_key(key)
    slugs, paths = reach.names_of(limits) if limits else ([], [])
    return {
        "name": key.name,
        "scope": key.scope,
        "expires_on": key.expires_at and timezone.localdate(key.expires_at),
        "is_limited": key.is_limited,
        "scripts": slugs,
        "folders": paths,
    }


class AuditFilterForm(forms.Form):
    """The filter above the audit."""

    q = forms.CharField(required=False, label="Name", max_length=200)
    actor = forms.ChoiceField(
        required=False, label="By", choices=[("", "Anybody"), *AuditEntry.Actor.choices]
    )
    verb = forms.CharField(
        required=False,
        label="Act",
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "created"}),
    )
    kind = forms.CharField(
        required=False,
        label="Kind of thing",
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "script"}),
    )
    address = forms.CharField(required=False, max_length=45)
    after = forms.DateField(
        required=False, label="From", widget=forms.DateInput(attrs={"type": "date"})
    )
    before = forms.DateField(
        required=False, label="To", widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")

    @property
    def asked(self) -> reading.Filter:
        """Return what to look for; a value that cannot be read filters nothing, and its field says so."""
        self.is_valid()
        chosen = {name: value for name, value in self.cleaned_data.items() if value}
        for name in ("after", "before"):
            if name in chosen:
                chosen[name] = timezone.make_aware(datetime.combine(chosen[name], time()))
        return reading.Filter(**chosen)

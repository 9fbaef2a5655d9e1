"""The form of the set-up page, and the form of a section of settings."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm, UsernameField
from django.contrib.auth.models import User

from tempo_site.lib import zone
from tempo_site.stored_settings import fields
from tempo_site.stored_settings.fields import Kind, SettingRefused
from tempo_site.stored_settings.store import Current, Source


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
        self.fields["password1"].help_text = "8 characters or more, and none that everybody uses."
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


class SettingsForm(forms.Form):
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
        "label": f"{field.label} ({field.unit})" if field.unit else field.label,
        "help_text": _help(row),
        "initial": row.value,
        "disabled": not row.is_editable,
        "required": False,
        "show_hidden_initial": True,
    }
    match field.kind:
        case Kind.NUMBER:
            bounds = {"min_value": field.minimum, "max_value": field.maximum}
            return forms.IntegerField(**{**common, **bounds, "required": row.is_editable})
        case Kind.SWITCH:
            return forms.BooleanField(**common)
        case Kind.CHOICE:
            return forms.ChoiceField(choices=field.choices, **common)
        case Kind.SECRET:
            return forms.CharField(widget=_secret_input(), **common)
    return forms.CharField(**common)


def _secret_input() -> forms.PasswordInput:
    return forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})


def _help(row: Current) -> str:
    words = [row.field.help]
    if row.source == Source.ENVIRONMENT:
        words.append(f"Set by the environment, as `{row.field.name}`.")
    elif not row.field.is_editable:
        words.append(f"It is the variable `{row.field.name}`.")
    elif row.field.is_secret and row.is_set:
        words.append("It is set and not shown. Leave this empty to keep it.")
    return " ".join(filter(None, words))

"""Forms of scripts: all settings for the admin; creation and settings for the pages."""

from typing import Any

from django import forms

from scripts_app import limits, script_templates, scripts
from scripts_app.forms.inputs import ParametersField
from scripts_app.models import Script
from scripts_app.packages import interpreters
from scripts_app.versions import versions
from scripts_app.versions.versions import MAX_NOTE
from tempo_site.lib.widgets.number_input import NumberWithPresets

UNITS = ("seconds", "MB")
AS_SERVICE_USER = (
    "For shares and folders that only Tempo's user may open. The script then has no user of its own: less keeps it "
    "from other scripts, and the isolation of its runs is lowered."
)
ALLOW_SOURCE = (
    "Packages without a wheel may be built for it. What their authors wrote then runs while its environment is built, "
    "kept from the rest of Tempo; where it cannot be kept from it, the build is refused."
)
ONE_AT_A_TIME = (
    "However a run is started, by hand, by a URL or by a schedule, it waits for the one before it."
)
SWITCHES = {
    "one_at_a_time": ("One run at a time", ONE_AT_A_TIME),
    "as_service_user": ("Run as Tempo's own user", AS_SERVICE_USER),
    "allow_source": ("Allow building from source", ALLOW_SOURCE),
}
PARAMETERS = (
    'One a line, like `days = {type = "int", default = 7, min = 1, help = "How far back."}`. Types: text, int, float, '
    "bool, choice (with choices), date."
)
CODE = {"class": "code", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


class TagsField(forms.CharField):
    def clean(self, value: Any) -> list[str]:
        tags = [part.strip() for part in super().clean(value).split(",")]
        return [tag for tag in tags if tag]

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class ScriptForm(forms.Form):
    name = forms.CharField(
        help_text="As people read it; the folder's name and the address are made from it once."
    )
    folder = forms.CharField(
        required=False, help_text="Like `Ops/Nightly`; made when it does not exist. May be empty."
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    tags = TagsField(required=False, help_text="Separated by commas.")
    code = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={**CODE, "rows": 20})
    )
    requirements = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**CODE, "rows": 5}),
        help_text="One package a line, like `requests>=2.31`. Tempo locks and installs them for this script alone.",
    )
    python_version = forms.CharField(required=False, label="Python version")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["python_version"].help_text = python_help()
        self.fields |= limit_fields()

    @staticmethod
    def values_of(script: Script) -> dict[str, Any]:
        values = {
            "name": script.name,
            "folder": script.folder.path if script.folder else "",
            "description": script.description,
            "tags": script.tags,
            **limits_of(script),
        }
        if script.version is not None:
            values |= versions.fields_of(script.version)
        return values


def limit_fields() -> dict[str, forms.Field]:
    defaults = limits.default_limits()
    fields: dict[str, forms.Field] = {}
    for limit in limits.LIMITS.values():
        label = limit.label
        unit = ""
        if limit.unit in UNITS:
            unit = limit.unit
            label = f"{label} ({unit})"
        fields[limit.field] = forms.IntegerField(
            label=label,
            min_value=limit.minimum,
            initial=defaults[limit.field],
            help_text=limit.help,
            show_hidden_initial=True,
            widget=NumberWithPresets(presets=limit.offered, unit=unit),
        )
    for name, (label, help_text) in SWITCHES.items():
        fields[name] = forms.BooleanField(
            required=False, label=label, help_text=help_text, show_hidden_initial=True
        )
    return fields


def limits_of(script: Script) -> dict[str, Any]:
    fields = (*limits.LIMITS, *scripts.SET_BY_STAFF, "one_at_a_time")
    return {field: getattr(script, field) for field in fields}


def python_help() -> str:
    own = interpreters.own().version
    available = interpreters.versions_of(interpreters.discover())
    return f"Like `3.12`. Empty: the one Tempo runs on, {own}. Here: {available}."


def starter_choices() -> list[tuple[str, str]]:
    choices = [("", "Empty")]
    for template in script_templates.all_templates().values():
        choices.append((template.name, template.title))
    return choices


class NewScriptForm(forms.Form):
    """A name, unless the script begins as a starter with a title; and a folder, if wanted."""

    name = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"})
    )
    folder = forms.CharField(
        required=False,
        label="Folder (optional)",
        widget=forms.TextInput(
            attrs={"list": "folders", "autocomplete": "off", "placeholder": "Ops/Nightly"}
        ),
    )
    start = forms.ChoiceField(
        required=False, choices=starter_choices, widget=forms.RadioSelect, label="Start from"
    )

    def clean(self) -> dict[str, Any]:
        has_name = self.cleaned_data.get("name") or self.cleaned_data.get("start")
        if not has_name and "name" not in self.errors:
            self.add_error("name", self.fields["name"].error_messages["required"])
        return self.cleaned_data


class SettingsForm(forms.Form):
    """All settings of a script but text and schedules.

    The form carries the values that were shown: only changed fields are saved, so no change of another person is
    undone.
    """

    name = forms.CharField(
        help_text="As people read it. The script's address and folder keep the first one."
    )
    folder = forms.CharField(
        required=False,
        widget=forms.TextInput(attrs={"list": "folders", "autocomplete": "off"}),
        help_text="Like Ops/Nightly; made when it does not exist. May be empty.",
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    tags = TagsField(required=False, help_text="Separated by commas.")
    enabled = forms.BooleanField(
        required=False,
        label="Enabled",
        help_text="Disabled: its schedules start nothing; it can still be run by hand.",
    )

    parameters = ParametersField(
        required=False, strip=False, label="Inputs of its runs", help_text=PARAMETERS
    )

    def __init__(self, *args: Any, is_staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= limit_fields()
        for field in self.fields.values():
            field.show_hidden_initial = True
        for name in scripts.SET_BY_STAFF:
            self.fields[name].disabled = not is_staff
            if not is_staff:
                self.fields[name].help_text += " Set by staff."

    def clean(self) -> dict[str, Any]:
        # Django keeps the value of a switched-off box, and no browser sends one.
        for name in scripts.SET_BY_STAFF:
            if self.fields[name].disabled and self.data.get(name) and not self.initial[name]:
                self.add_error(name, str(scripts.StaffNeeded(name)))
        return self.cleaned_data

    def limit_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in limits.LIMITS]

    @property
    def changes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}

    @staticmethod
    def values_of(script: Script) -> dict[str, Any]:
        return {
            "name": script.name,
            "folder": script.folder.path if script.folder else "",
            "description": script.description,
            "tags": script.tags,
            "enabled": script.enabled,
            "parameters": script.parameters,
            **limits_of(script),
        }


class TextForm(forms.Form):
    """The text of a script, as the editor's page sends the text without JavaScript."""

    code = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={**CODE, "rows": 24})
    )
    requirements = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={**CODE, "rows": 6})
    )
    python_version = forms.CharField(required=False, label="Python", widget=forms.Select)
    based_on = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    note = forms.CharField(required=False, max_length=MAX_NOTE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self["python_version"].value() or ""
        self.fields["python_version"].widget.choices = python_choices(chosen)

    def clean(self) -> dict[str, Any]:
        if "based_on" in self.errors:
            self.add_error(
                None,  # the field is hidden and has no place for its error
                "The page did not say which text this was made from, so it was not saved. Save again.",
            )
        return self.cleaned_data

    def put_on_top_of(self, revision: int) -> None:
        self.data = {**dict(self.data.items()), "based_on": str(revision)}


def python_choices(chosen: str) -> list[tuple[str, str]]:
    versions_here = [interpreter.version for interpreter in interpreters.discover()]
    minors = [interpreters.minor_of(version) for version in versions_here]
    choices = {"": f"Tempo's own ({interpreters.own().version})"}
    for version in [*minors, *versions_here]:
        choices[version] = version
    if chosen and chosen not in choices:
        choices[chosen] = f"{chosen} (not on this machine)"
    return list(choices.items())

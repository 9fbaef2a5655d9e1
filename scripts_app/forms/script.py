"""Forms of scripts: everything about one, for the admin; a new one and its settings, for the pages."""

from typing import Any

from django import forms

from scripts_app import limits, script_templates
from scripts_app.forms.inputs import ParametersField
from scripts_app.models import Script
from scripts_app.packages import interpreters
from scripts_app.versions.versions import MAX_NOTE

UNITS = ("seconds", "MB")
AS_SERVICE_USER = (
    "For shares and folders that only Tempo's user may open. The script then has no user of its own: less keeps it "
    "from other scripts, and the isolation of its runs is lowered."
)
ALLOW_SOURCE = (
    "Packages without a wheel may be built for it. What their authors wrote then runs as Tempo's own user while its "
    "environment is built."
)
PARAMETERS = (
    'One a line, like `days = {type = "int", default = 7, min = 1, help = "How far back."}`. Types: text, int, float, '
    "bool, choice (with choices), date."
)
CODE = {"class": "code", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}


class TagsField(forms.CharField):
    """Tags, separated by commas."""

    def clean(self, value: Any) -> list[str]:
        """Return the list."""
        return [tag for tag in (part.strip() for part in super().clean(value).split(",")) if tag]

    def prepare_value(self, value: Any) -> Any:
        """Show a list as text."""
        return ", ".join(value) if isinstance(value, list) else value


class ScriptForm(forms.Form):
    """Everything a person decides about a script."""

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
        """The initial values for an existing script."""
        version = script.version
        return {
            "name": script.name,
            "folder": script.folder.path if script.folder else "",
            "description": script.description,
            "tags": script.tags,
            "code": version.code if version else "",
            "requirements": version.requirements if version else "",
            "python_version": version.python_version if version else "",
            **limits_of(script),
        }


def limit_fields() -> dict[str, forms.Field]:
    """A field for each limit and the switch that belongs to them; what was not touched is not saved."""
    starting = limits.default_limits()
    fields: dict[str, forms.Field] = {
        limit.field: forms.IntegerField(
            label=f"{limit.label} ({limit.unit})" if limit.unit in UNITS else limit.label,
            min_value=limit.least,
            initial=starting[limit.field],
            help_text=limit.help,
            show_hidden_initial=True,
        )
        for limit in limits.LIMITS.values()
    }
    fields["as_service_user"] = forms.BooleanField(
        required=False,
        label="Run as Tempo's own user",
        help_text=AS_SERVICE_USER,
        show_hidden_initial=True,
    )
    fields["allow_source"] = forms.BooleanField(
        required=False,
        label="Allow building from source",
        help_text=ALLOW_SOURCE,
        show_hidden_initial=True,
    )
    return fields


def limits_of(script: Script) -> dict[str, Any]:
    """The initial values of those fields."""
    return {
        field: getattr(script, field)
        for field in (*limits.LIMITS, "as_service_user", "allow_source")
    }


def python_help() -> str:
    """Say which Pythons there are."""
    there = interpreters.versions_of(interpreters.discover())
    return (
        f"Like `3.12`. Empty: the one Tempo runs on, {interpreters.own().version}. Here: {there}."
    )


def starter_choices() -> list[tuple[str, str]]:
    """What a new script can begin as."""
    return [
        ("", "Empty"),
        *((starter.name, starter.title) for starter in script_templates.all_templates().values()),
    ]


class NewScriptForm(forms.Form):
    """What a new script needs: a name, unless it begins as a starter, which has one; and a place if wanted."""

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
        """Ask for a name where there is no starter to lend its own."""
        if (
            not self.cleaned_data.get("name")
            and not self.cleaned_data.get("start")
            and "name" not in self.errors
        ):
            self.add_error("name", self.fields["name"].error_messages["required"])
        return self.cleaned_data


class SettingsForm(forms.Form):
    """Everything a person decides about a script but its text and its schedules.

    It carries what it showed: only what was changed here is saved, and nothing that somebody else did meanwhile undone.
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= limit_fields()
        for field in self.fields.values():
            field.show_hidden_initial = True

    def limit_fields(self) -> list[forms.BoundField]:
        """Those of the limits, as the page shows them."""
        return [self[name] for name in limits.LIMITS]

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    @staticmethod
    def values_of(script: Script) -> dict[str, Any]:
        """The initial values for a script."""
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
    """The text of a script: what the editor's page sends without JavaScript."""

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
        """Say it in words when the page did not name its revision: the field has no place of its own."""
        if "based_on" in self.errors:
            self.add_error(
                None,
                "The page did not say which text this was made from, so it was not saved. Save again.",
            )
        return self.cleaned_data

    def put_on_top_of(self, revision: int) -> None:
        """After a conflict: what was typed stays, and saving it once more replaces what the other one wrote."""
        self.data = {**dict(self.data.items()), "based_on": str(revision)}


def python_choices(chosen: str) -> list[tuple[str, str]]:
    """The Pythons a script may have, newest first; one that is chosen but gone stays among them and says so."""
    there = [interpreter.version for interpreter in interpreters.discover()]
    minors = [interpreters.minor_of(version) for version in there]
    choices = [("", f"Tempo's own ({interpreters.own().version})")]
    choices += [(version, version) for version in dict.fromkeys([*minors, *there])]
    if chosen and chosen not in dict(choices):
        choices.append((chosen, f"{chosen} (not on this machine)"))
    return choices

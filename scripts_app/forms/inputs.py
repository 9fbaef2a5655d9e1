"""The inputs of a run as fields of a form: for "Run with inputs", and for what a schedule gives its runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from scripts_app.inputs import declarations, parameters
from scripts_app.inputs.parameters import Parameter
from scripts_app.validation import ScriptError

PREFIX = "params."  # as the API names them, and no field of another kind is called so
YES_NO = [("true", "Yes"), ("false", "No")]
TOML = {
    "class": "code",
    "spellcheck": "false",
    "autocapitalize": "off",
    "autocomplete": "off",
    "rows": 4,
}


class InputsForm(forms.Form):
    """A field for each parameter of a script, filled in with its default."""

    def __init__(self, *args: Any, declared: Sequence[Parameter], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {f"{PREFIX}{each.name}": run_field(each) for each in declared}

    @property
    def given(self) -> dict[str, Any]:
        """What was filled in, by name."""
        return given(self.cleaned_data)

    def refuse(self, wrong: Mapping[str, str]) -> None:
        """Show what is not right at its field."""
        for name, why in wrong.items():
            field = f"{PREFIX}{name}"
            self.add_error(field if field in self.fields else None, f"It {why}.")


class ParametersField(forms.CharField):
    """Parameters as settings declare them, written as in the code."""

    widget = forms.Textarea(attrs=TOML)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """Return what is stored."""
        try:
            return declarations.declared_in_toml(super().clean(value))
        except ScriptError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    def prepare_value(self, value: Any) -> Any:
        """Show what is stored as text."""
        return declarations.as_toml(value) if isinstance(value, list) else value


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs among the cleaned values of a form."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in values.items()
        if name.startswith(PREFIX)
    }


def run_field(parameter: Parameter) -> forms.Field:
    """The field of a parameter for one run: what stands in it is what the run gets."""
    shown = parameters.as_text(parameter.default) if parameter.default is not None else ""
    about: dict[str, Any] = {"label": parameter.name, "help_text": help_of(parameter)}
    if parameter.type == "bool":
        return forms.BooleanField(required=False, initial=parameter.default, **about)
    about |= {"required": parameter.required, "initial": shown}
    if parameter.type == "choice":
        nothing = [] if parameter.required or shown else [("", "–")]
        return forms.ChoiceField(
            choices=nothing + [(each, each) for each in parameter.choices], **about
        )
    return forms.CharField(strip=False, widget=_widget(parameter), **about)


def schedule_field(parameter: Parameter) -> forms.Field:
    """The field of a parameter for a schedule: left empty, its runs get what is declared when they start."""
    default = parameters.as_text(parameter.default) if parameter.default is not None else ""
    about: dict[str, Any] = {
        "label": parameter.name,
        "help_text": help_of(parameter),
        "required": False,
    }
    if parameter.type in ("bool", "choice"):
        choices = (
            YES_NO if parameter.type == "bool" else [(each, each) for each in parameter.choices]
        )
        return forms.ChoiceField(
            choices=[("", f"As declared: {default}" if default else "–"), *choices], **about
        )
    widget = _widget(parameter)
    widget.attrs["placeholder"] = default[:80]
    return forms.CharField(strip=False, widget=widget, **about)


def help_of(parameter: Parameter) -> str:
    """What a person has to know to fill it in."""
    least, most = parameter.min, parameter.max
    if least is not None and most is not None:
        bounds = f"{least} to {most}."
    elif least is not None:
        bounds = f"{least} or more."
    else:
        bounds = f"{most} or less." if most is not None else ""
    return " ".join(filter(None, (parameter.help, bounds)))


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.type == "date":
        return forms.DateInput(attrs={"type": "date"})
    if parameter.type in ("int", "float"):
        bounds = {
            "min": parameter.min,
            "max": parameter.max,
            "step": 1 if parameter.type == "int" else "any",
        }
        return forms.NumberInput(
            attrs={name: value for name, value in bounds.items() if value is not None}
        )
    if isinstance(parameter.default, str) and "\n" in parameter.default:
        return forms.Textarea(attrs={"rows": 3})
    return forms.TextInput(attrs={"autocomplete": "off"})

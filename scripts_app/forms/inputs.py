"""The inputs of a run as fields of a form: for "Run with inputs", and for the runs of a schedule."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from scripts_app.inputs import declarations, parameters
from scripts_app.inputs.parameters import Parameter
from scripts_app.validation import ScriptError

PREFIX = "params."  # as the API names them, and no field of another kind is called so
CONFIRM = "confirm"
YES_NO = [("true", "Yes"), ("false", "No")]
MAX_PLACEHOLDER = 80  # characters
TOML = {
    "class": "code",
    "spellcheck": "false",
    "autocapitalize": "off",
    "autocomplete": "off",
    "rows": 4,
}


class InputsForm(forms.Form):
    def __init__(self, *args: Any, declared: Sequence[Parameter], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in declared:
            self.fields[f"{PREFIX}{parameter.name}"] = run_field(parameter)

    @property
    def inputs(self) -> dict[str, Any]:
        return inputs_in(self.cleaned_data)

    def refuse(self, wrong: Mapping[str, str]) -> None:
        for name, why in wrong.items():
            field = f"{PREFIX}{name}"
            self.add_error(field if field in self.fields else None, f"It {why}.")

    def ask(self, sentence: str) -> None:
        self.fields[CONFIRM] = forms.BooleanField(required=False, label="Run anyway")
        self.add_error(None, sentence)


class ParametersField(forms.CharField):
    widget = forms.Textarea(attrs=TOML)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        try:
            return declarations.declared_in_toml(super().clean(value))
        except ScriptError as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    def prepare_value(self, value: Any) -> Any:
        return declarations.as_toml(value) if isinstance(value, list) else value


def inputs_in(values: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {}
    for field, value in values.items():
        if field.startswith(PREFIX):
            inputs[field.removeprefix(PREFIX)] = value
    return inputs


def run_field(parameter: Parameter) -> forms.Field:
    default = default_text(parameter)
    about: dict[str, Any] = {
        "label": parameter.name,
        "help_text": help_of(parameter),
        "required": parameter.required,
        "initial": default,
    }
    if parameter.type == "bool":
        about |= {"required": False, "initial": parameter.default}
        return forms.BooleanField(**about)
    if parameter.type == "choice":
        choices = [(choice, choice) for choice in parameter.choices]
        if not parameter.required and not default:
            choices.insert(0, ("", "–"))
        return forms.ChoiceField(choices=choices, **about)
    return forms.CharField(strip=False, widget=_widget(parameter), **about)


def schedule_field(parameter: Parameter) -> forms.Field:
    about: dict[str, Any] = {
        "label": parameter.name,
        "help_text": help_of(parameter),
        "required": False,
    }
    default = default_text(parameter)
    if parameter.type in ("bool", "choice"):
        choices = [(choice, choice) for choice in parameter.choices]
        if parameter.type == "bool":
            choices = YES_NO
        as_declared = f"As declared: {default}" if default else "–"
        return forms.ChoiceField(choices=[("", as_declared), *choices], **about)
    widget = _widget(parameter)
    widget.attrs["placeholder"] = default[:MAX_PLACEHOLDER]
    return forms.CharField(strip=False, widget=widget, **about)


def default_text(parameter: Parameter) -> str:
    if parameter.default is None:
        return ""
    return parameters.as_text(parameter.default)


def help_of(parameter: Parameter) -> str:
    smallest, largest = parameter.min, parameter.max
    bounds = ""
    if smallest is not None and largest is not None:
        bounds = f"{smallest} to {largest}."
    elif smallest is not None:
        bounds = f"{smallest} or more."
    elif largest is not None:
        bounds = f"{largest} or less."
    return " ".join(filter(None, (parameter.help, bounds)))


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.type == "date":
        return forms.DateInput(attrs={"type": "date"})
    if parameter.type in ("int", "float"):
        attributes: dict[str, Any] = {}
        if parameter.min is not None:
            attributes["min"] = parameter.min
        if parameter.max is not None:
            attributes["max"] = parameter.max
        attributes["step"] = 1 if parameter.type == "int" else "any"
        return forms.NumberInput(attrs=attributes)
    if isinstance(parameter.default, str) and "\n" in parameter.default:
        return forms.Textarea(attrs={"rows": 3})
    return forms.TextInput(attrs={"autocomplete": "off"})

"""The form of a variable, for pages and admin alike; the value of a secret is never shown."""

from typing import Any

from django import forms

from scripts_app.models import Variable


class VariableForm(forms.Form):
    name = forms.CharField(
        widget=forms.TextInput(
            attrs={"class": "code", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Like `API_TOKEN`: letters, digits and `_`.",
    )
    value = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={"class": "code", "rows": 3, "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    is_secret = forms.BooleanField(
        required=False,
        label="Secret",
        help_text="Encrypted, never shown again, and masked in what the script writes.",
    )

    @staticmethod
    def values_of(row: Variable) -> dict[str, Any]:
        values = {"name": row.name, "is_secret": row.is_secret, "value": ""}
        if not row.is_secret:
            values["value"] = row.value
        return values

    def clean_value(self) -> str:
        # Browsers end lines as Windows does; a line end behind a single line came with the pasting of it.
        value: str = self.cleaned_data["value"].replace("\r\n", "\n")
        single_line = value.rstrip("\n")
        if "\n" in single_line:
            return value
        return single_line

    def forget_value(self) -> None:
        self.data = {**dict(self.data.items()), "value": ""}

"""Forms of folders."""

from django import forms


class FolderForm(forms.Form):
    path = forms.CharField(
        label="Path",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Like `Ops/Nightly`. Folders above it are made where they are missing.",
    )

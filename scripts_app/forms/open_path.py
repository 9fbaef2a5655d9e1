"""The form that opens a path of the machine to scripts."""

from django import forms

from scripts_app.files.open_paths import MAX_LENGTH
from scripts_app.models import Script


class OpenPathForm(forms.Form):
    path = forms.CharField(
        label="Folder or file",
        max_length=MAX_LENGTH,
        widget=forms.TextInput(
            attrs={"class": "code", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Its whole path on this machine, like `/mnt/photos`. In a container: as the container sees it.",
    )
    may_write = forms.TypedChoiceField(
        label="Scripts may",
        choices=[("0", "Read there"), ("1", "Read and write there")],
        coerce=lambda value: value == "1",
    )
    script = forms.ModelChoiceField(
        label="Which scripts",
        queryset=Script.objects.present().order_by("name"),
        to_field_name="slug",
        required=False,
        empty_label="All scripts",
    )

"""The form of the set-up page."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm, UsernameField
from django.contrib.auth.models import User

from tempo_site.lib import zone


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

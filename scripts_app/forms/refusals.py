"""A verb called for a form: a refusal becomes an error at the field."""

from collections.abc import Callable
from typing import TypeVar

from django import forms

from scripts_app.timing.rule import TimingError
from scripts_app.validation import ScriptError

Result = TypeVar("Result")


def attempt(form: forms.BaseForm, act: Callable[[], Result]) -> Result | None:
    try:
        return act()
    except (ScriptError, TimingError) as refusal:
        field = refusal.field if refusal.field in form.fields else None
        form.add_error(field, str(refusal))
        return None

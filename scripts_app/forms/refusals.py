"""What a verb refuses becomes an error at the form's field."""

from collections.abc import Callable
from typing import TypeVar

from django import forms

from scripts_app.timing.rule import TimingError
from scripts_app.validation import ScriptError

Result = TypeVar("Result")


def attempt(form: forms.BaseForm, act: Callable[[], Result]) -> Result | None:
    """Call a verb; what it refuses becomes an error of the form, and the answer is None."""
    try:
        return act()
    except (ScriptError, TimingError) as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return None

"""The form widget of a number with usual values beside it, each a button that puts it in."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from tempo_site.lib import humanize


class NumberWithPresets(forms.NumberInput):
    template_name = "widgets/number_with_presets.html"

    def __init__(self, *, presets: Sequence[int], unit: str) -> None:
        super().__init__()
        self.presets = [(number, humanize.amount(number, unit)) for number in presets]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "presets": self.presets}

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        # Django's own renderer of widgets knows no templates but Django's and the apps'.
        context = self.get_context(name, value, attrs)
        return SafeString(render_to_string(self.template_name, context))

"""The form widget of a number with usual values beside it, each a button that puts it in."""

from collections.abc import Sequence
from typing import Any

from django import forms

from tempo_site.lib import humanize
from tempo_site.lib.widgets.template_widget import TemplateWidget


class NumberWithPresets(TemplateWidget, forms.NumberInput):
    template_name = "widgets/number_with_presets.html"

    def __init__(self, *, presets: Sequence[int], unit: str) -> None:
        super().__init__()
        self.presets = [(number, humanize.amount(number, unit)) for number in presets]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "presets": self.presets}

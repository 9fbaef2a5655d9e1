"""The form widget of the code editor: a real textarea that a browser with JavaScript turns into Ace."""

from typing import Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

PLAIN = {
    "class": "code",
    "rows": 16,
    "spellcheck": "false",
    "autocapitalize": "off",
    "autocomplete": "off",
}


class CodeEditor(forms.Textarea):
    template_name = "widgets/code_editor.html"

    class Media:
        css = {"all": ["css/code-editor.css"]}
        js = [forms.Script("js/elements/code-editor.js", type="module")]

    def __init__(self, attrs: dict[str, Any] | None = None, *, file_name: str = "main.py") -> None:
        super().__init__({**PLAIN, **(attrs or {})})
        self.file_name = file_name

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "file_name": self.file_name}

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

"""The form widget of the code editor: a real textarea that a browser with JavaScript turns into Ace."""

from typing import Any

from django import forms

from tempo_site.lib.widgets.template_widget import TemplateWidget

PLAIN = {
    "class": "code",
    "rows": 16,
    "spellcheck": "false",
    "autocapitalize": "off",
    "autocomplete": "off",
}


class CodeEditor(TemplateWidget, forms.Textarea):
    template_name = "widgets/code_editor.html"

    class Media:
        css = {"all": ["css/code-editor.css"]}
        js = [forms.Script("js/elements/code-editor.js", type="module")]

    def __init__(self, attrs: dict[str, Any] | None = None, *, file_name: str = "main.py") -> None:
        super().__init__({**PLAIN, **(attrs or {})})
        self.file_name = file_name

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "file_name": self.file_name}

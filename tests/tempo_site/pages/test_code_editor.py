"""The form widget of the code editor: the element that a browser finds, and what it loads."""

from django import forms
from django.test import SimpleTestCase
from pytest_django import Settings

from tempo_site.lib.widgets.code_editor import CodeEditor

HOSTILE = "</textarea><script>alert(1)</script>{{7*7}}"


class CodeForm(forms.Form):
    """A form with code in it."""

    code = forms.CharField(widget=CodeEditor({"rows": 30}, file_name="job.py"))


def plain_names(settings: Settings) -> None:
    """Static files under their own names: nothing was collected for this test."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def test_it_is_a_textarea_that_works_without_javascript(settings: Settings) -> None:
    plain_names(settings)
    page = str(CodeForm(initial={"code": "print(1)\n"})["code"])
    SimpleTestCase().assertInHTML(
        '<textarea name="code" cols="40" rows="30" class="code" spellcheck="false" autocapitalize="off"'
        ' autocomplete="off" required id="id_code">print(1)\n</textarea>',
        page,
    )
    assert "job.py" in page
    assert "data-switch hidden" in page


def test_its_text_is_escaped(settings: Settings) -> None:
    plain_names(settings)
    page = str(CodeForm(initial={"code": HOSTILE})["code"])
    assert "<script>" not in page
    assert "&lt;/textarea&gt;&lt;script&gt;" in page
    assert "{{7*7}}" in page


def test_a_page_that_shows_it_loads_one_module_and_one_style_sheet(settings: Settings) -> None:
    plain_names(settings)
    media = str(CodeForm().media)
    assert '<script src="/static/js/elements/code-editor.js" type="module"></script>' in media
    assert "/static/css/code-editor.css" in media
    assert media.count("<script") == media.count("<link") == 1

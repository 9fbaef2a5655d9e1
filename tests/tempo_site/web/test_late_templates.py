"""Libraries of template tags that are imported when a template loads them."""

import pytest
from django.template import TemplateSyntaxError, engines
from django.template.backends.django import get_installed_libraries

from tempo_site.web.late_templates import LateLibraries, LateTemplates


def test_all_libraries_are_found_that_django_finds() -> None:
    engine = engines["django"]
    assert isinstance(engine, LateTemplates)
    assert engine.engine.libraries.items() >= get_installed_libraries().items()


def test_a_library_is_imported_when_it_is_asked_for() -> None:
    libraries = LateLibraries({"late": "django.templatetags.tz", "none": "django.templatetags.no"})
    assert "localtime" in libraries["late"].filters
    assert list(libraries) == ["late"]


def test_a_library_that_is_nowhere_is_told_as_ever() -> None:
    with pytest.raises(TemplateSyntaxError, match="'nothing' is not a registered tag library"):
        engines["django"].from_string("{% load nothing %}")

"""Django's templates, whose libraries of tags are imported when a template loads them, and not all at the start."""

import importlib
import pkgutil
from typing import Any

from django.apps import apps
from django.template.backends.django import DjangoTemplates
from django.template.engine import Engine
from django.template.library import Library, import_library


class LateTemplates(DjangoTemplates):
    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.engine: Engine
        self.engine.libraries = _places()
        self.engine.template_libraries = LateLibraries(self.engine.libraries)

    def get_templatetag_libraries(self, custom_libraries: dict[str, str]) -> dict[str, str]:
        return custom_libraries  # there are none


class LateLibraries(dict[str, Library]):
    def __init__(self, places: dict[str, str]) -> None:
        super().__init__()
        self._places = places

    def __missing__(self, name: str) -> Library:
        library = import_library(self._places[name])
        self[name] = library
        return library


def _places() -> dict[str, str]:
    """Return the modules of the libraries of Django and of all apps, by name."""
    places = {}
    for app in ("django", *(config.name for config in apps.get_app_configs())):
        try:
            package = importlib.import_module(f"{app}.templatetags")
        except ModuleNotFoundError:
            continue
        for module in pkgutil.iter_modules(package.__path__):
            places[module.name] = f"{package.__name__}.{module.name}"
    return places

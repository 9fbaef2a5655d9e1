"""Modules that libraries import and `web` never uses: kept out, or loaded when something of them is asked for.

For `web` alone: `manage.py` installs this before Django is set up. Each entry says who imports the module and why
nobody misses it; `tests/tempo_site/web/test_lean_imports.py` notices when a new release makes one wrong.
"""

import importlib
import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

# Packages that are made empty: their modules can be imported, what is in `__init__.py` is left out.
EMPTY_PACKAGES = {
    # daphne speaks WebSocket by autobahn, which brings its own protocol WAMP, and with it cbor2 and cryptography.
    "autobahn.wamp": "autobahn/wamp",
    # ninja takes the signal `setting_changed` from `django.test.signals`; the test client comes along.
    "django.test": "django/test",
}
# Modules whose names are classes that are derived from and never used.
CLASSES_ONLY = ("autobahn.wamp.websocket", "autobahn.twisted.wamp")
# Speaks TLS, which `web` leaves to a proxy; whatever imports it does without.
ABSENT = ("ssl",)
# Modules that are imported as a whole and used in rare cases: SQL in pieces, the System page.
LATE = ("sqlparse", "psutil")


class _Placeholder:
    """Stands for a class that is derived from."""


class _ClassesOnly(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Placeholder,), {})


class _Late(ModuleType):
    # Not importlib's LazyLoader: in Python 3.11 the second import of such a module loads it.
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, name)


def install() -> None:
    for name, place in EMPTY_PACKAGES.items():
        package = ModuleType(name)
        package.__path__ = [str(_site_packages(name) / place)]
        sys.modules[name] = package
    for name in CLASSES_ONLY:
        sys.modules[name] = _ClassesOnly(name)
    sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]  # None: must not be imported
    for name in LATE:
        sys.modules[name] = _Late(name)


def _site_packages(name: str) -> Path:
    top = importlib.machinery.PathFinder.find_spec(name.partition(".")[0])
    assert top and top.origin
    return Path(top.origin).parent.parent

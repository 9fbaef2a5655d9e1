"""What `web` leaves out: nothing of it is loaded at the start, all of it would be, and what is asked for comes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tempo_site.web import lean_imports
from tests.service import ROOT

START = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tempo_site.settings"
from tempo_site.web import lean_imports
if {is_lean}: lean_imports.install()
import tempo_site.asgi, daphne.server
from django.urls import get_resolver
from django.core.signals import setting_changed
import ninja.conf
from django.test.signals import setting_changed as as_ninja_sees_it
get_resolver().url_patterns
loaded = sorted(name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None))
import sqlparse, psutil
late = [len(sqlparse.split("select 1; select 2")), psutil.Process().pid == os.getpid(), sqlparse.__name__]
signals = as_ninja_sees_it is setting_changed
print(json.dumps([loaded, late, signals]))
"""
# What comes along with the entries, or is one.
COMPANIONS = {
    "autobahn.wamp": "cbor2",
    "django.test": "unittest",
    "autobahn.wamp.websocket": "autobahn.wamp.websocket",
    "autobahn.twisted.wamp": "cryptography",
    "ssl": "ssl",
    "sqlparse": "sqlparse.lexer",
    "psutil": "psutil._pslinux",
}


def started(data: Path, *, is_lean: bool) -> tuple[set[str], list[object], bool]:
    """The modules that are loaded after a start, and what the late ones answer."""
    done = subprocess.run(
        [sys.executable, "-c", START.format(is_lean=is_lean)],
        cwd=ROOT,
        env={"PYSCHED_DATA_PATH": str(data), "AUTOBAHN_USE_NVX": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded, late, signals = json.loads(done.stdout)
    return set(loaded), late, signals


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def test_each_entry_is_needed_and_keeps_something_out(data: Path) -> None:
    entries = {
        *lean_imports.EMPTY_PACKAGES,
        *lean_imports.CLASSES_ONLY,
        *lean_imports.ABSENT,
        *lean_imports.LATE,
    }
    assert entries == set(COMPANIONS)
    heavy, late_of_heavy, _ = started(data, is_lean=False)
    lean, late, signals = started(data, is_lean=True)
    assert set(COMPANIONS.values()) - heavy == set(), "nobody imports it any more"
    assert lean & set(COMPANIONS.values()) == set()
    assert late == late_of_heavy == [2, True, "sqlparse"]
    assert signals


def test_a_name_that_is_no_class_of_a_library_is_not_made_up() -> None:
    stub = lean_imports._ClassesOnly("stub")
    assert isinstance(stub.AnyProtocol, type)
    with pytest.raises(AttributeError):
        _ = stub.__path__

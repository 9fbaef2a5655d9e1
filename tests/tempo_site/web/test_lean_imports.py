"""What `web` leaves out: nothing of it is loaded at the start, all of it would be, and what is asked for comes."""

import ast
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tempo_site.web import lean_imports
from tests.modules import PRODUCT
from tests.service import ROOT

START = """
import json, os, sys, typing, typing_extensions
os.environ["DJANGO_SETTINGS_MODULE"] = "tempo_site.settings"
from tempo_site.web import lean_imports
if {is_lean}: lean_imports.install()
import django; django.setup()
is_served = "daphne.ws_protocol" in sys.modules
import tempo_site.asgi
import tempo_site.web.server
from daphne.server import Server
from django.urls import get_resolver, reverse
from django.core.signals import setting_changed
import ninja.conf
from django.test.signals import setting_changed as as_ninja_sees_it
get_resolver().url_patterns
reverse("api-1:openapi-view")
from scripts_app.api.scripts import ScriptOut
loaded = sorted(name for name, module in list(sys.modules.items()) if getattr(module, "__file__", None))
import html, pydoc, sqlparse, psutil, zoneinfo
late = [len(sqlparse.split("select 1; select 2")), psutil.Process().pid == os.getpid(), sqlparse.__name__]
late += [pydoc.locate("html.escape") is html.escape, pydoc.locate("html.nothing"), pydoc.locate("no.module")]
late += [html.unescape("&larr; &notit; &nowhere;"), pydoc.splitdoc("What it does")[0], zoneinfo.TZPATH]
reverse("admin:index")
import django.contrib.admin
late += [django.contrib.admin.ModelAdmin.__module__, "scripts_app.admin.scripts" in sys.modules]
from pydantic_core import core_schema
shapes = (core_schema.ModelSchema, typing.TypedDict("Own", {{"name": str}}))
typed = [typing_extensions.is_typeddict(shape) for shape in shapes]
signals = as_ninja_sees_it is setting_changed
print(json.dumps([loaded, late, signals, is_served, ScriptOut.__pydantic_complete__, typed]))
"""
# What comes along with an entry: a module that is loaded because of nothing else.
COMPANIONS = {
    "autobahn.wamp": "cbor2",
    "django.test": "unittest",
    "autobahn.twisted.wamp": "cryptography",
    "twisted.internet.endpoints": "twisted.plugin",
    "django_q.queues": "multiprocessing.sharedctypes",
    "multiprocessing.queues": "multiprocessing.connection",
    "django.db.migrations": "django.db.migrations.operations",
    "_nvx_utf8validator": "_cffi_backend",
    "django.contrib.admin": "django.contrib.admin.options",
    "sqlparse": "sqlparse.lexer",
    "psutil": "psutil._pslinux",
    "click": "click.core",
    "hyperlink": "hyperlink._url",
    "http.cookiejar": "urllib.request",
    "scripts_app.crontab.importer": "scripts_app.crontab.conversion",
    "scripts_app.crontab.parser": "scripts_app.crontab.dialects",
    "scripts_app.exchange.applying": "scripts_app.exchange.locking",
    "scripts_app.exchange.preparing": "scripts_app.exchange.version_files",
    "scripts_app.exchange.exporting": "scripts_app.exchange.toml_rows",
    "scripts_app.exchange.reading": "scripts_app.exchange.tempo_tree",
}
OF_THE_CHILD_THAT_SENDS = {"requests", "urllib3", "apprise", "anymail", "smtplib"}
ON_FIRST_USE = {"backports.zstd", "compression.zstd", "scripts_app.admin", "tempo_site.admin"}
CONFIGURATION_OF_PYTHON = "_sysconfigdata"


class Start(NamedTuple):
    """The modules that are loaded after a start, what the late ones answer, and what was there too early."""

    loaded: list[str]
    late: list[object]
    has_signals: bool
    is_served: bool
    has_shapes: bool
    typed: list[bool]


def started(data: Path, *, is_lean: bool) -> Start:
    return Start(*json.loads(run(data, START.format(is_lean=is_lean))))


def run(data: Path, code: str) -> str:
    """Execute code in a fresh Python and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYSCHED_DATA_PATH": str(data), "AUTOBAHN_USE_NVX": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def test_each_entry_is_needed_and_keeps_something_out(data: Path) -> None:
    entries = {
        *lean_imports.EMPTY_PACKAGES,
        *lean_imports.CLASSES_ONLY,
        *lean_imports.CLASSES_ONLY_IN_WEB,
        *lean_imports.ABSENT,
        *lean_imports.LATE,
        *lean_imports.LATE_BUT,
        *lean_imports.LATE_PACKAGES_IN_WEB,
    }
    assert set(COMPANIONS) <= entries
    heavy, lean = started(data, is_lean=False), started(data, is_lean=True)
    # The web server imports daphne's.
    companions = {COMPANIONS.get(entry, entry) for entry in entries - {"daphne.server"}}
    assert companions - set(heavy.loaded) == set(), "nobody imports it any more"
    assert companions & set(lean.loaded) == set()
    assert (OF_THE_CHILD_THAT_SENDS | ON_FIRST_USE) & set(heavy.loaded) == set()
    assert not [name for name in lean.loaded if name.startswith(CONFIGURATION_OF_PYTHON)]
    assert "notifications_app.delivery.courier" in heavy.loaded
    assert lean.late == heavy.late
    assert lean.late[:6] == [2, True, "sqlparse", True, None, None]
    assert lean.late[6] == "\u2190 \u00acit; &nowhere;"
    assert lean.late[-1] is True
    assert lean.has_signals
    assert (heavy.is_served, lean.is_served) == (True, False)
    assert (heavy.has_shapes, lean.has_shapes) == (True, False)
    assert (heavy.typed, lean.typed) == ([True, True], [False, True])


def test_serve_is_without_what_only_the_web_process_needs(data: Path) -> None:
    """A third of the time that it took, before the launcher was even started."""
    code = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tempo_site.settings"
from tempo_site.web import lean_imports
lean_imports.install(migrates=True)
import django; django.setup()
import tempo_site.management.commands.serve
loaded = {name for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(*sorted(loaded & {*lean_imports.LATE_BEFORE_WEB, "ninja", "pydantic", "packaging.requirements"}))
from notifications_app import receivers
receivers.on_stop()
print("notifications_app.events.announcing" in sys.modules)
"""
    assert run(data, code).splitlines() == ["", "True"]


def test_no_program_is_started_by_an_import(data: Path) -> None:
    code = """
import os, platform, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tempo_site.settings"
started = []
sys.addaudithook(lambda name, given: started.append(given[0]) if name == "subprocess.Popen" else None)
from tempo_site.web import lean_imports
lean_imports.install()
import django; django.setup()
import tempo_site.web.server
print(started, "croniter" in sys.modules)
platform.architecture()
print(started)
"""
    assert run(data, code).splitlines() == ["[] True", "['file']"]


def test_no_late_module_of_ours_rebinds_a_name() -> None:
    # Who imported it before it was loaded would keep the first value.
    late = {*lean_imports.LATE, *lean_imports.LATE_BEFORE_WEB}
    ours = [module for module in PRODUCT if module.name in late]
    assert ours
    rebinding = [
        module.at(node, "rebinds a name")
        for module in ours
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Global)
    ]
    assert rebinding == []


def test_tls_comes_when_somebody_needs_it(data: Path) -> None:
    code = """
from tempo_site.web import lean_imports
lean_imports.install()
import http.client
before = hasattr(http.client, "HTTPSConnection")
lean_imports.allow_tls()
import smtplib, ssl
print(before, hasattr(http.client, "HTTPSConnection"), ssl.create_default_context().check_hostname)
"""
    assert run(data, code).split() == ["False", "True", "True"]


def test_threads_that_ask_at_once_get_the_same_module(monkeypatch: pytest.MonkeyPatch) -> None:
    late = lean_imports._Late("colorsys")
    monkeypatch.setitem(sys.modules, "colorsys", late)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: late.rgb_to_hsv, range(64)))
    assert set(found) == {sys.modules["colorsys"].rgb_to_hsv}


def test_a_name_that_is_no_class_of_a_library_is_not_made_up() -> None:
    stub = lean_imports._ClassesOnly("stub")
    assert isinstance(stub.AnyProtocol, type)
    with pytest.raises(AttributeError):
        _ = stub.__path__

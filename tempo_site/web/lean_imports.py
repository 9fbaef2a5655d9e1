"""Modules that libraries import and nobody uses here: kept out, or loaded when something of them is asked for.

For `serve`, `prepare` and `web`: `manage.py` installs this before Django is imported. Each entry says who imports the
module and why nobody misses it; `tests/tempo_site/web/test_lean_imports.py` notices when a new release makes one wrong.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import pkgutil
import platform
import struct
import sys
import threading
import typing
from pathlib import Path
from types import ModuleType
from typing import Any


def has_own_hashes() -> bool:
    # Some distributions build Python without, and leave them all to OpenSSL.
    sha2 = ["_sha2"] if sys.version_info >= (3, 12) else ["_sha256", "_sha512"]
    names = ["_md5", "_sha1", *sha2, "_sha3", "_blake2"]
    return all(importlib.util.find_spec(name) for name in names)


# Packages that are made empty: their modules can be imported, what is in `__init__.py` is left out.
EMPTY_PACKAGES = {
    # daphne speaks WebSocket by autobahn, which brings its own protocol WAMP, and with it cbor2 and cryptography.
    "autobahn.wamp": "autobahn/wamp",
    # ninja takes the signal `setting_changed` from `django.test.signals`; the test client comes along.
    "django.test": "django/test",
}
# Modules whose names are imported, and never used: as classes that something is derived from, or not even so.
CLASSES_ONLY = (
    "autobahn.wamp.websocket",
    "autobahn.twisted.wamp",
    # Listens at an address given as a text, by plugins. Tempo adopts the launcher's socket.
    "twisted.internet.endpoints",
    # Mails of Django to administrators and for lost passwords. Tempo's own leave from a child that has the module.
    "django.core.mail",
    # Of django-q2, whose workers are threads of `web`: the queue of its processes, and the annotations that name it.
    "django_q.queues",
    "multiprocessing.queues",
)
# The same, for whoever changes no tables: `web`, and not `serve` and `prepare`.
CLASSES_ONLY_IN_WEB = (
    # The app of content types derives an operation of its own from these.
    "django.db.migrations",
)
# Modules that whoever imports them does without.
ABSENT = (
    # TLS, which `web` leaves to a proxy (`allow_tls`). Twisted's is absent everywhere, by the settings.
    "ssl",
    # OpenSSL's hashes, where Python has its own. Passwords are hashed by a program: `tempo_site/accounts/hashers.py`.
    *(["_hashlib"] if has_own_hashes() else []),
    # autobahn's vector code for masks and UTF-8, which few frames do not need; cffi comes along.
    "_nvx_utf8validator",
)
# Modules that are imported as a whole and used in rare cases, or by `web` and not by `serve`. None may rebind a name of
# its own: who imported it before it was loaded would keep the first value.
LATE = (
    "sqlparse",  # SQL in pieces
    "psutil",  # the System page
    "zipfile",  # modules in archives
    "click",  # colours of autobahn's log
    "hyperlink",  # redirects by autobahn
    "http.cookiejar",  # a name that Twisted passes on; urllib.request comes along
    "daphne.server",  # imported by daphne as an app of Django, in each command
    "asyncio.sslproto",  # TLS
    "bz2",  # archives of shutil, and an extension of WebSockets that no browser speaks
    "lzma",  # archives of shutil
    "csv",  # lists of files of installed packages, and runs as a file
    "configparser",  # destinations of backups
    "email.parser",  # answers of servers that somebody else asks
    "twisted.internet.process",  # programs, which we start otherwise
    "twisted.internet.unix",  # sockets of Unix, which we hold otherwise
    # Moving in from cron, by its page.
    "scripts_app.crontab.importer",
    "scripts_app.crontab.parser",
    "scripts_app.crontab.source_files",
    # Scripts as files, by their page and the API.
    "scripts_app.exchange.applying",
    "scripts_app.exchange.exporting",
    "scripts_app.exchange.preparing",
    "scripts_app.exchange.preview",
    "scripts_app.exchange.reading",
    "scripts_app.exchange.zip_stream",
    # A folder of scripts that Git keeps.
    "scripts_app.mirror.commits",
    # Schedules: in words, and in their tab.
    "scripts_app.timing.cron_words",
    "scripts_app.views.ledger",
    "scripts_app.views.schedule_entries",
    # Requirements that are saved or refused, and a build that failed.
    "scripts_app.packages.requirement_hints",
    "scripts_app.packages.suggestions",
    # Messages, from the first that is due on, and the pages that set them up.
    "notifications_app.channels.offered_services",
    "notifications_app.delivery.posting",
    "notifications_app.messages.compose",
    "notifications_app.messages.output_tail",
    "notifications_app.messages.plain",
    "notifications_app.messages.report",
    "notifications_app.messages.titles",
    "notifications_app.rules.preview",
    # A run that failed.
    "runs_app.failures.fingerprint",
    # The pages of statistics, and runs as a file.
    "runs_app.exports.lists",
    "runs_app.figures.all_scripts",
    "runs_app.figures.duration_chart",
    "runs_app.figures.year_calendar",
    # Backups that are put back, and those elsewhere.
    "runs_app.programs.backup_copies",
    "tempo_site.backups.restoring",
)
# Packages whose `__init__.py` comes when something in it is asked for, and not with their modules. Only in `web` as
# well: migrations name their models by the package.
LATE_PACKAGES_IN_WEB = {
    "django.contrib.admin": "django/contrib/admin",
}
# Where Python looks for time zones; it would read the whole configuration of its build to learn that.
TIME_ZONES = "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"


class _Placeholder:
    """Stands for a class that is derived from."""

    def qsize(self) -> int:
        return 0  # django-q2 makes a queue to see whether it can count


class _NoTypedDict:
    def __init_subclass__(cls, *, total: bool = True) -> None:
        cls.__annotations__ = {}

    def __new__(cls, **items: Any) -> dict[str, Any]:  # type: ignore[misc]  # as a TypedDict does
        return items


class _ClassesOnly(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Placeholder,), {})


class _Late(ModuleType):
    # Not importlib's LazyLoader: in Python 3.11 the second import of such a module loads it.
    def __init__(self, name: str, known: dict[str, Any] | None = None) -> None:
        super().__init__(name)
        self._loading = threading.RLock()
        self.__dict__.update(known or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.load(), name)

    def load(self) -> ModuleType:
        with self._loading:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            real = importlib.import_module(self.__name__)
        self.__dict__.update(vars(real))
        return real


class _LateEntities:
    """The table `html5` of `html.entities`, which has 2,231 names."""

    def __contains__(self, name: str) -> bool:
        return name in self._whole()

    def __getitem__(self, name: str) -> str:
        return self._whole()[name]

    def _whole(self) -> dict[str, str]:
        late = sys.modules["html.entities"]
        if isinstance(late, _Late):
            late.load()
        whole: dict[str, str] = sys.modules["html.entities"].html5
        return whole


def _locate(path: str) -> object | None:
    try:
        found: object = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError):
        return None
    return found


# The same of `serve` and `prepare`; in `web` they come at the start in any case, or never.
LATE_BEFORE_WEB = (
    "notifications_app.delivery.teller",  # what is told behind runs, and with it half of all modules
    "tempo_site.bootstrap.first_script",  # of a new data folder
)


# Late, but for what is asked of them at once.
LATE_BUT: dict[str, dict[str, Any]] = {
    "html.entities": {"html5": _LateEntities()},  # names of characters, for `html`
    "pydoc": {"locate": _locate},  # django-q2 finds tasks by it
}


def install(*, migrates: bool = False) -> None:
    _import_zoneinfo()
    _import_croniter()
    for name, place in EMPTY_PACKAGES.items():
        package = ModuleType(name)
        package.__path__ = [str(_site_packages(name) / place)]
        sys.modules[name] = package
    for name in CLASSES_ONLY:
        sys.modules[name] = _ClassesOnly(name)
    sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]  # None: must not be imported
    for name in LATE:
        sys.modules[name] = _Late(name)
    for name, known in LATE_BUT.items():
        sys.modules[name] = _Late(name, known)
    if migrates:
        for name in LATE_BEFORE_WEB:
            sys.modules[name] = _Late(name)
    else:
        _install_in_web()


def _install_in_web() -> None:
    for name in CLASSES_ONLY_IN_WEB:
        sys.modules[name] = _ClassesOnly(name)
    for name, place in LATE_PACKAGES_IN_WEB.items():
        path = str(_site_packages(name) / place)
        sys.modules[name] = _Late(name, {"__path__": [path]})
    # Otherwise pydantic asks all packages that there are for plugins of its own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # The shapes of the API are built when they are first used: 1.5 MB. pydantic 2.14 does so under a lock.
    _import_pydantic_core()
    pydantic = importlib.import_module("pydantic")
    pydantic.BaseModel.model_config["defer_build"] = True


def _import_pydantic_core() -> None:
    # The hundred TypedDicts of `core_schema` are annotations, and nothing asks what is in them: 0.4 MB.
    typing_extensions: Any = importlib.import_module("typing_extensions")
    homes: list[Any] = [typing, typing_extensions]
    real = [home.TypedDict for home in homes]
    for home in homes:
        home.TypedDict = _NoTypedDict
    try:
        importlib.import_module("pydantic_core")
    finally:
        for home, typed_dict in zip(homes, real, strict=True):
            home.TypedDict = typed_dict


def _import_zoneinfo() -> None:
    is_given = "PYTHONTZPATH" in os.environ
    os.environ.setdefault("PYTHONTZPATH", TIME_ZONES)
    importlib.import_module("zoneinfo")
    if not is_given:
        del os.environ["PYTHONTZPATH"]


def _import_croniter() -> None:
    # It asks `platform` whether the machine has 32 bits, which starts the program `file` to learn that. The size of a
    # pointer, which it has asked for before, says the same.
    real = platform.architecture
    platform.architecture = lambda *_: (f"{8 * struct.calcsize('P')}bit", "")
    try:
        importlib.import_module("croniter")
    finally:
        platform.architecture = real


def allow_tls() -> None:
    """Load TLS after all: whoever sends something over https or to a mail server calls this before."""
    if "ssl" in sys.modules and not sys.modules["ssl"]:
        del sys.modules["ssl"]
        importlib.reload(importlib.import_module("http.client"))


def _site_packages(name: str) -> Path:
    top = importlib.machinery.PathFinder.find_spec(name.partition(".")[0])
    if top is None or top.origin is None:
        raise ImportError(f"the package {name} is not installed")
    return Path(top.origin).parent.parent

"""A look at everything that Tempo needs from this machine: what there is, what is worth knowing, what to mend."""

import http.client
import ipaddress
import os
import platform
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import django
import uv
from django.conf import settings
from django.core import checks as system_checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from runs_app import disk_space
from runs_app.engine import engine
from runs_app.launcher.identity import data_folder, landlock
from runs_app.models import Run
from scripts_app.packages import index
from tempo_site import checks
from tempo_site.bootstrap import file_system, first_start
from tempo_site.lib import encryption, paths
from tempo_site.lib.console import service_report
from tempo_site.stored_settings import store
from tempo_site.web import forwarded

OK, NOTE, MEND = "ok", "note", "mend"
INDEX_TIMEOUT_S = 30
MAIL_TIMEOUT_S = 5
CLOCK_TIMEOUT_S = 5
MAX_TEXT = 300
CLOCK_STEP = timedelta(minutes=1)
A_PACKAGE = b"packaging\n"  # small, and without packages of its own

# What a look can fail with where the machine is at fault; the finding says so, and the others are still looked at.
TROUBLE = (OSError, DatabaseError, subprocess.SubprocessError, encryption.DecryptionError)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A fact. `state` is `ok`, `note` (worth knowing) or `mend`; `hint` says how."""

    part: str
    state: str
    text: str
    hint: str = ""


Look = Callable[[datetime], Iterator[Finding]]


def examine(now: datetime) -> Iterator[Finding]:
    """Yield what each look finds. Works without a running service, and changes nothing."""
    is_prepared = _is_prepared()
    for part, look in LOOKS.items():
        if part in NEED_TABLES and not is_prepared:
            continue
        try:
            yield from look(now)
        except TROUBLE as problem:
            text = f"could not be looked at: {problem}"[:MAX_TEXT]
            yield Finding(part=part, state=MEND, text=text)


def _is_prepared() -> bool:
    # Looked at by its file first: SQLite would make a missing one.
    name = str(connection.settings_dict["NAME"])
    if name == str(paths.database()) and not paths.database().exists():
        return False
    try:
        return Run._meta.db_table in connection.introspection.table_names()
    except DatabaseError:
        return True  # what is wrong with it the looks say


def _versions(now: datetime) -> Iterator[Finding]:
    python = platform.python_version()
    text = f"Tempo {settings.VERSION}, Python {python}, Django {django.__version__}, SQLite {sqlite3.sqlite_version}"
    yield Finding(part="versions", state=OK, text=text)


def _settings(now: datetime) -> Iterator[Finding]:
    found = system_checks.run_checks(tags=[checks.TAG])
    for message in found:
        state = MEND if message.level >= system_checks.ERROR else NOTE
        yield Finding(part="settings", state=state, text=message.msg, hint=message.hint or "")
    if not found:
        yield Finding(part="settings", state=OK, text="no impossible value")


def _data_folder(now: datetime) -> Iterator[Finding]:
    folder = paths.data()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        kind = data_folder.type_of(descriptor)
        owner = os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
    text = f"{folder}, {kind}, of user {owner}"
    yield Finding(part="data folder", state=OK, text=text)
    if why := disk_space.why_not_writable():
        hint = f"let user {os.geteuid()} write there"
        yield Finding(part="data folder", state=MEND, text=why, hint=hint)
    if not _is_prepared():
        hint = "start Tempo, or give the command `prepare`"
        yield Finding(part="data folder", state=MEND, text="it is not prepared", hint=hint)
        return
    for notice in file_system.missing_links():
        sentence, _, hint = notice.partition(" hint: ")
        state = MEND if hint else NOTE
        yield Finding(part="data folder", state=state, text=sentence, hint=hint)


def _disk(now: datetime) -> Iterator[Finding]:
    space = disk_space.look()
    if why := disk_space.why_nothing_starts():
        hint = "make room, or lower PYSCHED_MIN_FREE_MB"
        yield Finding(part="disk", state=MEND, text=why, hint=hint)
        return
    text = f"{space.free_mb:,} of {space.total_mb:,} MB free, the floor is {space.floor_mb:,} MB"
    yield Finding(part="disk", state=OK, text=text)


def _database(now: datetime) -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        text = f"{len(plan)} migrations are missing"
        hint = "start Tempo, or give the command `prepare`"
        yield Finding(part="database", state=MEND, text=text, hint=hint)
        return
    with connection.cursor() as cursor:
        journal = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    yield Finding(part="database", state=OK, text=f"up to date, journal `{journal}`")
    if not first_start.has_admin():
        hint = "give the command `createadmin NAME`"
        yield Finding(part="database", state=NOTE, text="there is no admin yet", hint=hint)


def _kernel(now: datetime) -> Iterator[Finding]:
    version = landlock.abi()
    layer = f"Landlock {version}" if version else "no Landlock"
    text = f"{platform.system()} {platform.release()}, {layer}"
    yield Finding(part="kernel", state=OK if version else NOTE, text=text)


def _isolation(now: datetime) -> Iterator[Finding]:
    told = service_report.read().get("isolation", {})
    if told.get("grade"):
        state = OK if told["grade"] == "strong" else NOTE
        text = f"scripts can have `{told['grade']}`. {told.get('why', '')}".strip()
        yield Finding(part="isolation", state=state, text=text)
    last = Run.objects.scripts().exclude(isolation="").newest_first().first()
    if last is None:
        yield Finding(part="isolation", state=NOTE, text="no script has run yet")
        return
    text = f"run {last.pk} had `{last.isolation}`. {last.isolation_why}".strip()
    state = OK if last.isolation == "strong" else NOTE
    yield Finding(part="isolation", state=state, text=text)


def _packages(now: datetime) -> Iterator[Finding]:
    # As a build asks, with its variables; nothing is installed.
    version = subprocess.run(
        [uv.find_uv_bin(), "--version"], capture_output=True, text=True, timeout=INDEX_TIMEOUT_S
    ).stdout.strip()
    yield Finding(part="packages", state=OK, text=version)
    # Where Python lies elsewhere, as in the image, uv finds none by itself.
    own_python = ["--python", sys.executable]
    asked = subprocess.run(
        [uv.find_uv_bin(), "pip", "compile", "--quiet", "--no-cache", *own_python, "-"],
        input=A_PACKAGE,
        capture_output=True,
        timeout=INDEX_TIMEOUT_S,
        env=index.variables() | index.secrets(),
    )
    if asked.returncode == 0:
        yield Finding(part="packages", state=OK, text="the index answers")
        return
    said = asked.stderr.decode(errors="replace").strip().splitlines()
    why = index.without_log_ins(" ".join(said)[:MAX_TEXT])
    hint = "look at PYSCHED_PACKAGE_INDEX, proxies and certificates"
    yield Finding(part="packages", state=MEND, text=f"the index does not answer: {why}", hint=hint)


def _clock(now: datetime) -> Iterator[Finding]:
    local = timezone.localtime(now)
    yield Finding(
        part="clock", state=OK, text=f"{local:%Y-%m-%d %H:%M:%S %Z}, {settings.TIME_ZONE}"
    )
    yield _compared_clock()
    if _is_prepared():
        yield from _newest_run(now)


def _compared_clock() -> Finding:
    # With that of whoever serves packages: the one machine outside that Tempo needs.
    address = index.plain_address()
    try:
        theirs = _time_at(address)
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return Finding(part="clock", state=NOTE, text=f"{address} told no time to compare it with")
    away_s = (timezone.now() - theirs).total_seconds()
    if abs(away_s) > CLOCK_STEP.total_seconds():
        text = f"{abs(away_s):,.0f} s away from the clock of {address}"
        return Finding(part="clock", state=MEND, text=text, hint="set it by NTP")
    return Finding(part="clock", state=OK, text=f"as at {address}")


def _time_at(address: str) -> datetime:
    question = urllib.request.Request(address, method="HEAD")
    try:
        with urllib.request.urlopen(question, timeout=CLOCK_TIMEOUT_S) as answer:
            return parsedate_to_datetime(answer.headers["Date"])
    except (
        urllib.error.HTTPError
    ) as refusal:  # an index that wants a log-in has a clock all the same
        return parsedate_to_datetime(refusal.headers["Date"])


def _newest_run(now: datetime) -> Iterator[Finding]:
    newest = Run.objects.order_by("-pk").values_list("created_at", flat=True).first()
    if newest is not None and newest > now + CLOCK_STEP:
        text = f"the clock went back: a run was made at {timezone.localtime(newest):%Y-%m-%d %H:%M}"
        yield Finding(part="clock", state=MEND, text=text, hint="set it by NTP")


def _proxy(now: datetime) -> Iterator[Finding]:
    public = settings.PUBLIC_URL or "no public address is set"
    trusted = ", ".join(map(str, settings.TRUSTED_PROXIES)) or "none"
    yield Finding(part="proxy", state=OK, text=f"{public}; trusted proxies: {trusted}")
    for peer, headers in service_report.read().get("proxies", {}).items():
        said = ", ".join(headers)
        if forwarded.is_trusted(peer):
            yield Finding(part="proxy", state=OK, text=f"{peer} was heard, with {said}")
            continue
        is_near = ipaddress.ip_address(peer).is_private
        yield Finding(
            part="proxy",
            state=MEND if is_near else NOTE,
            text=f"{peer} said {said}, and is not trusted: all who come through it share its limits",
            hint=f"if that is your proxy, set PYSCHED_TRUSTED_PROXIES={peer}",
        )


def _mail(now: datetime) -> Iterator[Finding]:
    if provider := store.value("PYSCHED_EMAIL_PROVIDER"):
        yield Finding(part="mail", state=OK, text=f"by {provider}")
        return
    server = str(store.value("SMTP_SERVER"))
    if not server:
        hint = "set a mail server on the page Settings"
        yield Finding(part="mail", state=NOTE, text="no mail leaves", hint=hint)
        return
    address = (server, int(str(store.value("SMTP_PORT"))))
    try:
        socket.create_connection(address, timeout=MAIL_TIMEOUT_S).close()
    except OSError as error:
        text = f"{server}:{address[1]} cannot be reached: {error.strerror or error}"
        hint = "correct the settings for mail; `sendtest --to ADDRESS` tries them"
        yield Finding(part="mail", state=MEND, text=text, hint=hint)
        return
    yield Finding(part="mail", state=OK, text=f"{server}:{address[1]} can be reached")


def _engine(now: datetime) -> Iterator[Finding]:
    if engine.is_running():
        yield Finding(part="engine", state=OK, text="running")
        return
    hint = "start it with `serve`"
    yield Finding(part="engine", state=NOTE, text="Tempo is not running", hint=hint)


LOOKS: dict[str, Look] = {
    "versions": _versions,
    "settings": _settings,
    "data folder": _data_folder,
    "disk": _disk,
    "database": _database,
    "kernel": _kernel,
    "isolation": _isolation,
    "packages": _packages,
    "clock": _clock,
    "proxy": _proxy,
    "mail": _mail,
    "engine": _engine,
}
NEED_TABLES = frozenset({"database", "isolation", "mail"})


def as_dict(finding: Finding) -> dict[str, Any]:
    return {
        "part": finding.part,
        "state": finding.state,
        "text": finding.text,
        "hint": finding.hint,
    }

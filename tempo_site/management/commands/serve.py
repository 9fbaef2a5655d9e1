"""`manage.py serve`: prepare, then become the launcher."""

import fcntl
import os
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from runs_app.launcher.identity import file_access, users
from runs_app.launcher.identity.users import User
from tempo_site import checks
from tempo_site.bootstrap import bootstrap, first_start, service_user, static_files
from tempo_site.lib import hosts, paths
from tempo_site.web import byte_code

LAUNCHER = settings.BASE_DIR / "runs_app" / "launcher" / "__main__.py"


class Command(BaseCommand):
    """Starts the service: launcher, web, engine."""

    help = "Start Tempo: pages, API, schedules and runs."
    requires_system_checks = [checks.TAG]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="Address to listen on (default: 127.0.0.1)."
        )
        parser.add_argument(
            "--port", type=int, default=8000, help="Port to listen on (default: 8000)."
        )
        parser.add_argument(
            "--reload", action="store_true", help="For development: restart when a source changes."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # The lock of the data folder survives `exec`: the launcher keeps it.
        os.umask(0o077)
        say = self.stdout.write
        if not users.why_not_root():
            os.environ[paths.SCRIPT_USERS] = "1"  # the launcher tries it and has the last word
        lock = take_data_folder()
        user = service_user.choose(say)
        if user:
            service_user.take_over(user)
            if static_files.is_collected_by_root():
                static_files.collect(say)
        service_user.act_as(user, lambda: self._prepare(options))
        self.stdout.flush()
        # A locked database becomes a 503, not a queue.
        os.environ.setdefault("TEMPO_DATABASE_TIMEOUT_S", "5")
        # Vector code for masks and UTF-8: 2 MB that few frames do not need.
        os.environ.setdefault("AUTOBAHN_USE_NVX", "0")
        os.environ["TEMPO_STARTED_AT"] = str(time.time())
        os.execv(sys.executable, launcher_argv(lock, options, user))

    def _prepare(self, options: dict[str, Any]) -> None:
        # As the user of the web process, so that all files are its own.
        service_user.refuse_unreachable()
        bootstrap.prepare(self.stdout.write)
        token = first_start.token()
        connections.close_all()
        address = hosts.address_of(options["host"], options["port"])
        public = hosts.public_address(options["host"], options["port"])
        if settings.IS_CONTAINER:
            self.stdout.write(f"Tempo is at {public}")
        else:
            self.stdout.write(f"Tempo is at {address}  (Ctrl+C ends it)")
        if token:
            self.stdout.write(f"Set up Tempo: {public}setup/{token}/")


def take_data_folder() -> int:
    """Make the data folder and return its lock, as `take_service_lock` does. Raises CommandError."""
    try:
        with file_access.as_owner_at(paths.data()):
            paths.make_all()
        with file_access.as_owner_at(paths.service_lock()):
            return take_service_lock()
    except OSError as error:
        uid = os.geteuid()
        raise CommandError(
            f"The data folder {paths.data()} cannot be used: {error.filename}: {error.strerror}.\n"
            f"hint: give it to user {uid}, as whom Tempo runs, or set PYSCHED_DATA_PATH to another folder"
        ) from error


def take_service_lock() -> int:
    """Lock the data folder for this service and return the descriptor, which survives exec. Raises CommandError."""
    lock = os.open(paths.service_lock(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"Tempo already runs on the data folder {paths.data()}.\n"
            "hint: stop that one first, or set PYSCHED_DATA_PATH to another folder"
        ) from None
    os.set_inheritable(lock, True)
    return lock


def launcher_argv(lock: int, options: dict[str, Any], user: User | None) -> list[str]:
    """Return the launcher's command line, and behind `--` that of `web`; `web` becomes `user`."""
    manage = str(settings.BASE_DIR / "manage.py")
    if options["reload"]:  # for developers: with whole tracebacks
        python = [sys.executable]
        web = [*python, manage, "web", "--reload"]
    else:
        python = [sys.executable, *byte_code.flags()]
        web = [*python, manage, "web"]
    web_user = ["--web-user", f"{user.uid}:{user.gid}"] if user else []
    return [
        *python, "-I", "-S", str(LAUNCHER),
        "--data", str(paths.data()),
        "--host", options["host"],
        "--port", str(options["port"]),
        "--lock-fd", str(lock),
        "--grace", str(settings.SHUTDOWN_GRACE_S),
        *web_user,
        "--script-users", f"{settings.SCRIPT_USERS[0]}-{settings.SCRIPT_USERS[-1]}",
        "--", *web,
    ]  # fmt: skip

#!/bin/sh
# Django 5.2.19: `transaction.on_commit(func, robust=True)` promises that an error of the hook is logged and goes no further,
# as what was committed cannot be taken back. With a functools.partial, the usual way to give a hook its arguments, it does go
# further: the logging asks the hook for `__qualname__`, which a partial has not, and an AttributeError leaves the `with atomic()`
# block, so the caller is told of a failure with everything stored. It shows only when the hook fails. A lambda is safe.
#
# Output seen, 2026-11-29:
#   lambda: no error, rows stored: 1; partial: AttributeError, rows stored: 2
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check django==5.2.19
cat > ask.py <<'TEXT'
import logging
from functools import partial

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "rows.sqlite3"}},
    LOGGING_CONFIG=None,
)
django.setup()
logging.disable()
from django.db import connection, transaction  # noqa: E402


def failing(argument):
    raise RuntimeError(argument)


def told(hook):
    error = "no error"
    try:
        with transaction.atomic():
            connection.cursor().execute("INSERT INTO rows VALUES (1)")
            transaction.on_commit(hook, robust=True)
    except Exception as raised:
        error = type(raised).__name__
    count = connection.cursor().execute("SELECT count(*) FROM rows").fetchone()[0]
    return f"{error}, rows stored: {count}"


connection.cursor().execute("CREATE TABLE rows (number)")
print(f"lambda: {told(lambda: failing('x'))}; partial: {told(partial(failing, 'x'))}")
TEXT
seen=$(venv/bin/python ask.py)
echo "$seen"
expected="lambda: no error, rows stored: 1; partial: AttributeError, rows stored: 2"
[ "$seen" = "$expected" ] || { echo "this has changed" >&2; exit 1; }

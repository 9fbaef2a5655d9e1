"""The environments of a restored database: built again from their locks, with the Pythons of this machine."""

import os
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from scripts_app.models import Environment
from scripts_app.packages import interpreters
from scripts_app.packages.interpreters import Interpreter, InterpreterMissing


def on_restored(*, now: datetime, **_: Any) -> None:
    """Name the Pythons of this machine; folders that are missing are asked for again by the start of the engine."""
    own: dict[str, Interpreter | None] = {}
    for environment in Environment.objects.defer("lock", "requirements"):
        # One in the home of another machine's user may be here, and closed to the user whom Tempo runs as.
        if os.access(environment.interpreter, os.X_OK):
            continue
        minor = interpreters.minor_of(environment.python)
        if minor not in own:
            own[minor] = _choose(minor)
        found = own[minor]
        if found is not None:
            _move(environment, found)


def _choose(minor: str) -> Interpreter | None:
    try:
        return interpreters.choose(minor)
    except InterpreterMissing:
        return None


def _move(environment: Environment, found: Interpreter) -> None:
    environment.interpreter, environment.python = str(found.path), found.version
    try:
        with transaction.atomic():
            environment.save(update_fields=["interpreter", "python"])
    except IntegrityError:
        pass  # there is one for that Python already: the script asks for it with its next version

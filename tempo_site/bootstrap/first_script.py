"""The starter script: a new Tempo has a script to try, so that no newcomer begins with an empty list."""

import logging
from datetime import datetime

from django.contrib.auth.models import User
from django.db import DatabaseError

from scripts_app import scripts
from scripts_app.models import Script

logger = logging.getLogger(__name__)

NAME = "Hello Tempo"
DESCRIPTION = "A first script to run, read and change. Delete it whenever you like."
CODE = """\
# A script is plain Python. Press Run and watch its lines appear.
import platform
import time
from pathlib import Path

print(f"Hello! This is Python {platform.python_version()}.")
print(f"I work in the folder {Path.cwd()}")

# What you print is shown at once, and kept with the run.
for step in range(1, 7):
    time.sleep(0.5)
    print("[" + "#" * step + "." * (6 - step) + f"] step {step} of 6")

# Files stay in the folder: a run can leave something for the next.
counter = Path("counter.txt")
count = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(count))
times = "once" if count == 1 else f"{count} times"
print(f"\\033[32mDone.\\033[0m You have run me {times}. Now change me!")
"""


def create(*, by: User, now: datetime) -> Script | None:
    """Create the starter, disabled, where there never was a script; return None where no starter is made."""
    if Script.objects.exists():
        return None
    try:
        script = scripts.create(name=NAME, code=CODE, description=DESCRIPTION, by=by, now=now)
        return scripts.update(script, by=by, now=now, enabled=False)
    except (ValueError, OSError, DatabaseError):
        # There may be no Python for scripts: the admin is made all the same.
        logger.warning("the starter script was not made", exc_info=True)
        return None

"""The programs that read what others packed: started, confined, and asked one question."""

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from scripts_app.diagnostics import limited_subprocess
from scripts_app.exchange.items import ExchangeError

logger = logging.getLogger(__name__)

MAX_ANSWER = 64 * 2**20
TIMEOUT_S = 60.0
_START = settings.BASE_DIR / "scripts_app" / "exchange" / "programs" / "__main__.py"


def ask(
    program: str, argument: str, *, read: Sequence[Path], write: Sequence[Path] = ()
) -> dict[str, Any]:
    """Return the answer of a program, which reads and writes these places alone. Raise ExchangeError."""
    try:
        output = limited_subprocess.run(
            [sys.executable, "-I", "-S", str(_START), program, argument],
            b"",
            timeout_s=TIMEOUT_S,
            max_bytes=MAX_ANSWER,
            read=[settings.BASE_DIR / "scripts_app", *read],
            write=write,
        )
        answer: dict[str, Any] = json.loads(output)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        logger.warning("%s failed on an import: %s", program, error)
        raise ExchangeError("It could not be read\nhint: nothing was imported") from error
    return answer

"""The usual form of a script's code, as ruff gives it."""

import logging
import subprocess

from scripts_app.diagnostics import check, ruff
from scripts_app.validation import ScriptError

logger = logging.getLogger(__name__)


def format_code(code: str, *, python_version: str = "") -> str:
    """Return code in its usual form; it does the same. Starts a process. Raises ScriptError."""
    if len(code) > check.MAX_LINE:
        message = f"Not formatted: it has more than {check.MAX_LINE:,} characters"
        raise ScriptError(message, field="code")
    try:
        return ruff.format_code(code, check.target_minor(python_version))
    except subprocess.CalledProcessError as error:
        message = "Not formatted: Python cannot read this text\nhint: the problems name the line"
        raise ScriptError(message, field="code") from error
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        logger.warning("text not formatted: ruff: %s", error)
        raise ScriptError(
            "Not formatted: the formatter failed on this text", field="code"
        ) from error

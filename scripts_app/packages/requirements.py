"""Requirement lines as people write them, and their normal form."""

import re
from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from scripts_app.validation import ScriptError

MAX_LINE = 500
MAX_LINES = 500  # parsing takes 0.05 ms a line, up to 0.4 ms for a long line
MAX_BYTES = 100_000
# pip's rule: `#` begins a comment at the line's start or after white space.
_COMMENT = re.compile(r"(^|\s)#.*$")
_PATH = re.compile(r"^(\.{0,2}/|~|[A-Za-z]:\\)|\.(whl|zip|tar\.gz|tar\.bz2|tgz)$")
_PATH_OR_URL = "is a path or URL: only packages of the package index can be locked and shared"
_NO_FILE = (
    "is no file of the web with a name: write it as `name @ https://host/name-1.0-py3-none-any.whl`"
)
# Files only: uv has no hash of a repository (`git+https:`). No `$`, which uv would replace by its variables.
_WEB_FILE = re.compile(
    r"https?://[^\s/@$]+/[^\s@$]+\.(whl|zip|tar\.gz|tar\.bz2|tgz)(#sha256=[0-9a-f]{64})?"
)
_INCLUDES = ("-r", "-c", "--requirement", "--constraint")


def normalise(text: str) -> str:
    """Return the requirements sorted, one a line, with canonical names, without comments; "" when there are none.

    Raises ScriptError with the number of a line that has an option, a local path, a syntax error, or a direct URL
    without PYSCHED_ALLOW_DIRECT_URLS; and for over 100 kB or over 500 lines.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        message = f"`requirements` has {size:,} bytes; {MAX_BYTES:,} is the most"
        raise ScriptError(message, field="requirements")
    lines = list(_lines(text))
    if len(lines) > MAX_LINES:
        message = f"`requirements` has {len(lines):,} lines; {MAX_LINES} is the most"
        hint = "list what the code imports, the rest is found"
        raise ScriptError(f"{message}\nhint: {hint}", field="requirements")
    normal_lines = {_normal_form(number, line) for number, line in lines}
    return "\n".join(sorted(normal_lines))


def has_any(text: str) -> bool:
    """Tell whether a text has any requirement, valid or not."""
    return next(_lines(text), None) is not None


def refused_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and reason for all lines that `normalise` refuses among the first 500."""
    for number, line in islice(_lines(text), MAX_LINES):
        try:
            _normal_form(number, line)
        except ScriptError as refusal:
            yield number, str(refusal).removeprefix(f"line {number}: ")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.split("\n"), start=1):
        if line := _COMMENT.sub("", raw).strip():
            yield number, line


def _normal_form(number: int, line: str) -> str:
    reason = _refusal(line)
    if reason:
        raise _error(number, line, reason)
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        detail = str(error).splitlines()[0]
        raise _error(number, line, f"is no requirement: {detail}") from None
    if requirement.url and not settings.ALLOW_DIRECT_URLS:
        raise _error(number, line, _PATH_OR_URL)
    if requirement.url and not _WEB_FILE.fullmatch(requirement.url):
        raise _error(number, line, _NO_FILE)
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def _refusal(line: str) -> str:
    # Before parsing, because the messages of `packaging` do not say what to write instead.
    if len(line) > MAX_LINE:
        return f"is longer than {MAX_LINE} characters"
    if line.startswith(_INCLUDES):
        return "is not allowed here: list the packages themselves"
    if line.startswith(("-e", "--editable")):
        return "is not allowed here: only packages of the package index can be locked and shared"
    if line.startswith("-"):
        return "is not allowed here: options such as the package index are the administrator's settings"
    if line.endswith("\\") or " --" in line:
        return "is not allowed here: write one plain requirement a line; Tempo locks versions and hashes itself"
    if settings.ALLOW_DIRECT_URLS and "://" in line:
        has_name = re.match(r"[\w.\[\], -]+@", line)
        return "" if has_name else _NO_FILE
    if _PATH.search(line) or "://" in line:
        return _PATH_OR_URL
    return ""


def _error(number: int, line: str, reason: str) -> ScriptError:
    if len(line) > 80:
        line = f"{line[:79]}…"
    return ScriptError(f"line {number}: `{line}` {reason}", field="requirements")

"""Requirement lines as people write them, and the normal form in which equal wishes are equal."""

import re
from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from scripts_app.validation import ScriptError

MAX_LINE = 500
MAX_LINES = 500  # beyond that parsing is felt: 0.05 ms a line, up to 0.4 ms a long one
MAX_BYTES = 100_000
# pip's rule: `#` begins a comment at the line's start or after white space
_COMMENT = re.compile(r"(^|\s)#.*$")
_PATH = re.compile(r"^(\.{0,2}/|~|[A-Za-z]:\\)|\.(whl|zip|tar\.gz|tar\.bz2|tgz)$")
_PATH_OR_URL = "is a path or URL: only packages of the package index can be locked and shared"
_NO_FILE = (
    "is no file of the web with a name: write it as `name @ https://host/name-1.0-py3-none-any.whl`"
)
# Of a file the hash is locked; of a repository (`git+https:`) uv knows none. `$`: uv would put its variables in there.
_WEB_FILE = re.compile(
    r"https?://[^\s/@$]+/[^\s@$]+\.(whl|zip|tar\.gz|tar\.bz2|tgz)(#sha256=[0-9a-f]{64})?"
)
_INCLUDES = ("-r", "-c", "--requirement", "--constraint")


def normalise(text: str) -> str:
    """Return the requirements sorted, one a line, with canonical names, without comments; "" when there are none.

    Raises ScriptError (field `requirements`): over 100 kB, over 500 lines that are no comment, or, with its number,
    a line with an option, a local path, a syntax error, or a direct URL unless PYSCHED_ALLOW_DIRECT_URLS is set.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise ScriptError(
            f"`requirements` has {size:,} bytes; {MAX_BYTES:,} is the most", field="requirements"
        )
    lines = list(_lines(text))
    if len(lines) > MAX_LINES:
        sentence = f"`requirements` has {len(lines):,} lines; {MAX_LINES} is the most"
        raise ScriptError(
            f"{sentence}\nhint: list what the code imports, the rest is found", field="requirements"
        )
    return "\n".join(sorted({_normal_form(number, line) for number, line in lines}))


def has_any(text: str) -> bool:
    """Whether a text names anything at all, be it right or wrong."""
    return next(_lines(text), None) is not None


def refused_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and reason of every line that `normalise` would refuse, of the first 500."""
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
    if refusal := _refusal(line):
        raise _error(number, line, refusal)
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise _error(number, line, f"is no requirement: {str(error).splitlines()[0]}") from None
    if requirement.url and not (
        settings.ALLOW_DIRECT_URLS and _WEB_FILE.fullmatch(requirement.url)
    ):
        raise _error(number, line, _NO_FILE if settings.ALLOW_DIRECT_URLS else _PATH_OR_URL)
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def _refusal(line: str) -> str:
    """Why a line is refused before it is parsed, or "". packaging's own message would not say what to do instead."""
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
        return "" if re.match(r"[\w.\[\], -]+@", line) else _NO_FILE
    if _PATH.search(line) or "://" in line:
        return _PATH_OR_URL
    return ""


def _error(number: int, line: str, why: str) -> ScriptError:
    shown = line if len(line) <= 80 else f"{line[:79]}…"
    return ScriptError(f"line {number}: `{shown}` {why}", field="requirements")

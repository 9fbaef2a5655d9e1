"""Requirement lines as people write them, and their normal form."""

import re
from collections.abc import Iterator
from itertools import islice

from django.conf import settings
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from scripts_app.packages import requirement_hints, requirement_lines
from scripts_app.packages.requirement_lines import RequirementHint, RequirementLine
from scripts_app.validation import ScriptError

MAX_LINE = 500
MAX_LINES = 500  # parsing takes 0.05 ms a line, up to 0.4 ms for a long line
MAX_BYTES = 100_000  # hashes apart
MAX_SLIPS = 4  # in one line, to be put right one after the other
_PATH = re.compile(r"^(\.{0,2}/|~|[A-Za-z]:\\)|\.(whl|zip|tar\.gz|tar\.bz2|tgz)$")
_INDEX_ONLY = "only packages of the package index can be locked and shared"
_OPTIONS = "options such as the package index are the administrator's settings"
_PLAIN_LINES = "write one plain requirement a line; Tempo locks versions and hashes itself"
_PATH_OR_URL = RequirementHint(reason=f"is a path or URL: {_INDEX_ONLY}")
_NO_FILE = RequirementHint(
    reason="is no file of the web with a name: "
    "write it as `name @ https://host/name-1.0-py3-none-any.whl`"
)
# Files only: uv has no hash of a repository (`git+https:`). No `$`, which uv would replace by its variables.
_WEB_FILE = re.compile(
    r"https?://[^\s/@$]+/[^\s@$]+\.(whl|zip|tar\.gz|tar\.bz2|tgz)(#sha256=[0-9a-f]{64})?"
)
_EXACT = re.compile(r"[^;@]+===?\s*[^,;*]+(?:;.*)?|[^;]+ @ ")
_INCLUDES = ("-r", "-c", "--requirement", "--constraint")


class _Refused(ValueError):
    def __init__(self, explanation: RequirementHint) -> None:
        super().__init__(explanation.reason)
        self.explanation = explanation


def normalise(text: str) -> str:
    """Return the requirements sorted, one a line, with canonical names, without comments; "" when there are none.

    A line keeps its hashes of SHA-256 (`name==1.0 --hash=sha256:...`), as in our lock and in files of pip-compile.

    Raises ScriptError with the number of a line that has an option, a local path, a syntax error, or a direct URL
    without PYSCHED_ALLOW_DIRECT_URLS; and for over 100 kB or over 500 lines.
    """
    size = len(requirement_lines.without_hashes(text).encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        message = f"`requirements` has {size:,} bytes; {MAX_BYTES:,} is the most"
        raise ScriptError(message, field="requirements")
    lines = list(requirement_lines.read(text))
    if len(lines) > MAX_LINES:
        message = f"`requirements` has {len(lines):,} lines; {MAX_LINES} is the most"
        hint = "list what the code imports, the rest is found"
        raise ScriptError(f"{message}\nhint: {hint}", field="requirements")
    normal_lines = {_normal_form(line) for line in lines}
    return "\n".join(sorted(normal_lines))


def has_any(text: str) -> bool:
    """Tell whether a text has any requirement, valid or not."""
    return next(requirement_lines.read(text), None) is not None


def refused_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and reason for all lines that `normalise` refuses among the first 500."""
    for line in islice(requirement_lines.read(text), MAX_LINES):
        try:
            _normal_form(line)
        except ScriptError as refusal:
            yield line.number, str(refusal).removeprefix(f"line {line.number}: ")


def _normal_form(line: RequirementLine) -> str:
    try:
        requirement = _parse(line.text)
    except _Refused as refusal:
        raise _error(line, _told(refusal.explanation)) from None
    if not line.hashes:
        return requirement
    if not _EXACT.match(requirement):
        reason = "has hashes and no exact version\nhint: name the version that they are of: `==`"
        raise _error(line, reason)
    return " ".join([requirement, *(f"--hash={digest}" for digest in line.hashes)])


def _parse(text: str) -> str:
    if len(text) > MAX_LINE:
        raise _Refused(RequirementHint(reason=f"is longer than {MAX_LINE} characters"))
    explanation = requirement_hints.misread(text) or _refusal(text)
    if explanation:
        raise _Refused(explanation)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        detail = str(error).splitlines()[0]
        unknown = RequirementHint(reason=f"is no requirement: {detail}")
        raise _Refused(requirement_hints.slip(text) or unknown) from None
    if requirement.url and not settings.ALLOW_DIRECT_URLS:
        raise _Refused(_PATH_OR_URL)
    if requirement.url and not _WEB_FILE.fullmatch(requirement.url):
        raise _Refused(_NO_FILE)
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


def _told(explanation: RequirementHint) -> str:
    lines = _lines_instead(explanation)
    if lines:
        named = ", ".join(f"`{line}`" for line in lines)
        each = ", one a line" if len(lines) > 1 else ""
        return f"{explanation.reason}\nhint: write {named}{each}"
    if explanation.hint:
        return f"{explanation.reason}\nhint: {explanation.hint}"
    return explanation.reason


def _lines_instead(explanation: RequirementHint, depth: int = MAX_SLIPS) -> list[str]:
    """Return lines that would be taken; none when one of those that were meant would not."""
    found: list[str] = []
    for line in explanation.instead:
        try:
            _parse(line)
        except _Refused as refusal:
            lines = _lines_instead(refusal.explanation, depth - 1) if depth else []
            if not lines:
                return []
            found.extend(lines)
        else:
            found.append(line)
    return found


def _refusal(line: str) -> RequirementHint | None:
    # Before parsing, because the messages of `packaging` do not say what to write instead.
    if line.startswith(_INCLUDES):
        return RequirementHint(reason="is not allowed here: list the packages themselves")
    if line.startswith(("-e", "--editable")):
        return RequirementHint(reason=f"is not allowed here: {_INDEX_ONLY}")
    if line.startswith("-"):
        return RequirementHint(reason=f"is not allowed here: {_OPTIONS}")
    if line.endswith("\\") or " --" in line:
        return RequirementHint(reason=f"is not allowed here: {_PLAIN_LINES}")
    if settings.ALLOW_DIRECT_URLS and "://" in line:
        has_name = re.match(r"[\w.\[\], -]+@", line)
        return None if has_name else _NO_FILE
    if _PATH.search(line) or "://" in line:
        return _PATH_OR_URL
    return None


def _error(line: RequirementLine, reason: str) -> ScriptError:
    text = line.text
    if len(text) > 80:
        text = f"{text[:79]}…"
    return ScriptError(f"line {line.number}: `{text}` {reason}", field="requirements")

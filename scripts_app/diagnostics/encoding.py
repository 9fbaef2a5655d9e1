"""The `coding` line of a script (PEP 263). A text is stored and run as UTF-8, so a line with another name is wrong."""

import re

from scripts_app.diagnostics.models import Fix, Problem, Severity, TextEdit

BYTE_ORDER_MARK = "\ufeff"
_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_COMMENT_OR_BLANK = re.compile(r"[ \t\f]*(#.*)?")
_UTF_8 = re.compile(r"utf[-_]?8([-_](sig|unix|dos|mac))?", re.IGNORECASE)
_ASCII_SUPERSET = re.compile(
    r"(us[-_]?)?ascii|latin[-_]?\d+|iso[-_]8859[-_]\d+|(windows|cp)[-_]?\d+", re.IGNORECASE
)


def problem(code: str) -> Problem | None:
    """Return the problem of a text in which Python reads other characters than a page shows; None without one."""
    found = _declaration(code)
    if found is None:
        return None
    line, name = found
    if _is_right(name[1], code):
        return None
    has_mark = line == 1 and code.startswith(BYTE_ORDER_MARK)
    return _problem(line, name, offset=2 if has_mark else 1)


def _declaration(code: str) -> "tuple[int, re.Match[str]] | None":
    # The line (1 or 2) that names an encoding, and the match whose first group is the name.
    for number, line in enumerate(code.removeprefix(BYTE_ORDER_MARK).split("\n", 2)[:2], 1):
        found = _COOKIE.match(line)
        if found:
            return number, found
        if not _COMMENT_OR_BLANK.fullmatch(line):
            return None
    return None


def _is_right(name: str, code: str) -> bool:
    if _UTF_8.fullmatch(name):
        return True
    return _ASCII_SUPERSET.fullmatch(name) is not None and code.isascii()


def _problem(number: int, found: "re.Match[str]", *, offset: int) -> Problem:
    name = found[1]
    edit = TextEdit(
        line=number,
        column=found.start(1) + offset,
        end_line=number,
        end_column=found.end(1) + offset,
        content="utf-8",
    )
    severity = Severity.SECURITY
    if _ASCII_SUPERSET.fullmatch(name):
        severity = Severity.WARNING
    return Problem(
        line=edit.line,
        column=edit.column,
        end_line=edit.end_line,
        end_column=edit.end_column,
        code="coding",
        message=f"`{name[:40]}` is not how this text is stored: that is UTF-8",
        why="Python reads other characters than the ones shown here.",
        severity=severity,
        fix=Fix(message="Say `utf-8`", edits=(edit,)),
    )

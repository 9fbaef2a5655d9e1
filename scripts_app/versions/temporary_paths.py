"""Code that writes below `/tmp`, changed to use the run's own folder for temporary files, `$TMPDIR`."""

import ast
import re

_OWN = 'os.environ["TMPDIR"]'
# A text, also a formatted or raw one, that begins with the folder; the whole text, or with more of the path behind.
_TEXT = re.compile(
    r"""(?<![\w"'])(?P<open>[fFrRuU]{0,2}(?P<quote>"|'))/(?:var/)?tmp(?:(?P<end>(?P=quote))|(?=/))"""
)


def use_own_folder(code: str) -> str:
    """Return the code with `$TMPDIR` in the place of the folder; unchanged where that would not be Python."""
    changed = _TEXT.sub(_in_own_folder, code)
    if changed == code:
        return code
    try:
        return _with_import_of_os(changed)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code


def _in_own_folder(found: re.Match[str]) -> str:
    if found["end"]:
        return _OWN
    return f"{_OWN} + {found['open']}"


def _with_import_of_os(code: str) -> str:
    statements = ast.parse(code).body
    if any(_imports_os(statement) for statement in statements):
        return code
    lines = code.splitlines(keepends=True)
    before = 0
    for statement in statements:
        if not _stays_first(statement):
            break
        before = statement.end_lineno or 0
    if not before:  # behind the comments at the top: a PEP 723 block is one of them
        before = next((number for number, line in enumerate(lines) if not line.startswith("#")), 0)
    return "".join([*lines[:before], "import os\n", *lines[before:]])


def _imports_os(statement: ast.stmt) -> bool:
    names = statement.names if isinstance(statement, ast.Import) else []
    return any(alias.name.partition(".")[0] == "os" and not alias.asname for alias in names)


def _stays_first(statement: ast.stmt) -> bool:
    is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
    return is_docstring or is_future

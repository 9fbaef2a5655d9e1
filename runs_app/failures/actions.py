"""What can be done about a failure; the page makes buttons of these, the API names them."""

import re
from typing import NotRequired, TypedDict

from runs_app.states import Reason
from scripts_app.packages import suggestions

LIMITS = {
    Reason.TIME: "timeout_s",
    Reason.MEMORY: "memory_mb",
    Reason.CPU: "cpu_s",
    Reason.OUTPUT: "output_mb",
    Reason.PROCESSES: "processes",
}
_FILE_LIMIT = "A file grew past the limit"  # in the words of the runner
_TMPDIR = "$TMPDIR"  # in its hint
_MISSING = re.compile(r"No module named `(?P<name>[\w.]+)`")  # in the words of the runner
_NO_MODULE = re.compile(r"\bNo module named ['\"`]?(?P<name>[\w.]+)")


class Action(TypedDict):
    """`kind` is one of: add_package, raise_limit, use_tmpdir, rerun, restore_version."""

    kind: str
    label: str
    package: NotRequired[str]
    limit: NotRequired[str]
    version: NotRequired[int]


def of_failure(*, reason: str, words: str, hint: str, module: str) -> tuple[Action, ...]:
    """Return what a failure itself asks for; what depends on the script as it is now, `current` adds."""
    found: list[Action] = []
    package = suggestions.package_of_import(module) if module else ""
    if package:
        found.append({"kind": "add_package", "label": f"Add `{package}`", "package": package})
    limit = LIMITS.get(Reason(reason), "")
    if words.startswith(_FILE_LIMIT):
        limit = "file_mb"
    if limit:
        found.append({"kind": "raise_limit", "label": "Raise the limit", "limit": limit})
    if _TMPDIR in hint:
        found.append({"kind": "use_tmpdir", "label": "Use `$TMPDIR`"})
    return tuple(found)


def missing_module(sentence: str) -> str:
    """Return the module that an error could not import; "" for another error."""
    found = _NO_MODULE.search(sentence)
    return found["name"] if found else ""


def module_that_is_missing(message: str) -> str:
    """Return the module that a runner's message names as missing, if that is all the message says."""
    found = _MISSING.fullmatch(message)
    return found["name"] if found else ""


def where_to_get(module: str) -> str:
    package = suggestions.package_of_import(module)
    if package:
        return f"list `{package}` under Packages"
    return "list the package that brings it under Packages; a file of your own goes to the script's files"

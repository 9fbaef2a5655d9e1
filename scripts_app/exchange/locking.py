"""The lock of an imported script: taken over where a build from it gives what was exported."""

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts_app.exchange.items import Item
from scripts_app.models import Environment
from scripts_app.packages import interpreters, requirement_lines, requirements
from scripts_app.validation import ScriptError


def is_good(item: Item, environment: Environment) -> bool:
    """Whether a lock names packages of the index alone, each with version and hashes, and all that is asked for."""
    if item.locked_for != interpreters.minor_of(environment.python):
        return False
    try:
        requirements.normalise(item.lock)
    except ScriptError:
        return False
    lines = list(requirement_lines.read(item.lock))
    names = {_name(line.text) for line in lines}
    wanted = {_name(line) for line in environment.requirement_lines}
    has_hashes = all(line.hashes and "==" in line.text for line in lines)
    return has_hashes and wanted <= names


def _name(line: str) -> str:
    return canonicalize_name(Requirement(line).name)

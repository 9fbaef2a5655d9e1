"""Imports of a script that nothing brings: neither its Python, nor its environment, nor its own files."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from scripts_app.diagnostics.models import Problem, Severity
from scripts_app.diagnostics.syntax import ImportedModule
from scripts_app.files import store
from scripts_app.models import Environment, Script
from scripts_app.packages import inline_metadata, suggestions
from scripts_app.packages import requirements as packages_requirements
from scripts_app.validation import ScriptError
from tempo_site.lib import paths

MISSING = "package"  # the code of such a problem
WHY = "The run ends here with a ModuleNotFoundError."
MAX_FILES = 1000
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class KnownModules:
    """The modules that runs of a script find, as far as they can be known before a build."""

    names: frozenset[str] = frozenset()
    # The requirements, in normal form, of which these are all modules; None without a built environment.
    requirements: str | None = None


def known_modules(script: Script) -> KnownModules:
    """Return what the environment and the files of a script bring. Reads two folders."""
    own = _own_modules(script)
    environment = script.wanted_environment or script.environment
    if environment is None or not environment.is_ready or not environment.digest:
        return KnownModules(names=own)
    installed = _installed_modules(environment)
    return KnownModules(names=own | installed, requirements=environment.requirements)


def _own_modules(script: Script) -> frozenset[str]:
    try:
        entries = store.listing(script, limit=MAX_FILES).entries
    except ScriptError:
        return frozenset()
    return frozenset(entry.name.partition(".")[0] for entry in entries)


def _installed_modules(environment: Environment) -> frozenset[str]:
    home = paths.environments() / environment.digest
    found = home.glob("lib/python*/site-packages/*")
    return frozenset(path.name.partition(".")[0] for path in found)


def find_problems(
    imports: Iterable[ImportedModule], *, code: str, requirements: str, known: KnownModules
) -> Iterator[Problem]:
    """Yield a problem for each module that is missing; one that Tempo can name the package of has lines to add."""
    block = inline_metadata.read(code).requirements or ()
    listed = requirements
    if not packages_requirements.has_any(requirements):
        listed = "\n".join(block)
    else:
        block = ()
    packages = _names(listed)
    is_built = known.requirements is not None and _normal(listed) == known.requirements
    seen: set[str] = set()
    for each in imports:
        if each.module in known.names or each.module in seen:
            continue
        seen.add(each.module)
        package = suggestions.package_of_import(each.module)
        if package and canonicalize_name(package) not in packages:
            yield _problem(each, code, adds=(*block, package))
        elif is_built and not package:
            yield _problem(each, code, adds=())


def _names(requirements: str) -> frozenset[str]:
    names = (_NAME.match(line.strip()) for line in requirements.splitlines())
    return frozenset(canonicalize_name(name[0]) for name in names if name)


def _normal(requirements: str) -> str | None:
    try:
        return packages_requirements.normalise(requirements)
    except ScriptError:
        return None


def _problem(found: ImportedModule, code: str, *, adds: tuple[str, ...]) -> Problem:
    line = code.split("\n")[found.line - 1]
    column = max(line.find(found.module), 0) + 1
    if adds:
        message = f"`{found.module}` is missing: the package `{adds[-1]}` brings it"
    else:
        message = f"`{found.module}` is missing: no package of this script brings it, and no file"
    return Problem(
        line=found.line,
        column=column,
        end_line=found.line,
        end_column=column + len(found.module),
        code=MISSING,
        message=message,
        why=WHY,
        severity=Severity.WARNING,
        adds=adds,
    )

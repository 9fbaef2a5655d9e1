"""What a text needs: the packages and the Python of its fields, else those of the PEP 723 block in its code.

The rule: a field that is filled in counts, and the block's list or Python is then only offered. An empty field follows
the block, also when the block changes later.
"""

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from scripts_app.packages import inline_metadata, interpreters
from scripts_app.packages import requirements as packages_requirements
from scripts_app.packages.interpreters import Interpreter, InterpreterMissing
from scripts_app.validation import ScriptError

_BLOCK = "the code's `# /// script` block"


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """Requirements in their normal form and a Python of this machine, and whether the code's block named them."""

    requirements: str
    interpreter: Interpreter
    are_requirements_of_code: bool
    is_python_of_code: bool


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a block names, as it is written there; whether it is used, or a field stands before it."""

    requirements: tuple[str, ...]
    requires_python: str
    is_used: bool  # all of it
    is_overruled: bool  # any of it

    def __bool__(self) -> bool:
        return bool(self.requirements or self.requires_python)


def resolve(*, code: str, requirements: str, python_version: str) -> Resolution:
    """Return what a text needs. It may start processes. Raises InterpreterMissing, ScriptError for a refused line."""
    block = inline_metadata.read(code)
    field = packages_requirements.normalise(requirements)
    follows_packages = not field and bool(block.requirements)
    follows_python = not python_version and bool(block.requires_python)
    return Resolution(
        requirements=_normal(block.requirements or ()) if follows_packages else field,
        interpreter=_satisfying(block.requires_python)
        if follows_python
        else interpreters.choose(python_version),
        are_requirements_of_code=follows_packages,
        is_python_of_code=follows_python,
    )


def offer(*, code: str, requirements: str, python_version: str) -> Offer:
    """Return what the block of a text offers beside its fields; nothing is refused."""
    block = inline_metadata.read(code)
    named = block.requirements or ()
    overruled = [
        named and packages_requirements.has_any(requirements),
        block.requires_python and python_version,
    ]
    return Offer(
        requirements=named,
        requires_python=block.requires_python,
        is_used=not any(overruled),
        is_overruled=any(overruled),
    )


def _normal(lines: tuple[str, ...]) -> str:
    try:
        return packages_requirements.normalise("\n".join(lines))
    except ScriptError as refusal:
        number, _, why = str(refusal).partition(": ")
        raise ScriptError(
            f"{_BLOCK}, {number.replace('line', 'dependency')}: {why}", field="code"
        ) from None


def _satisfying(requires_python: str) -> Interpreter:
    """Tempo's own Python where it will do, else the newest that does. Raises InterpreterMissing."""
    wanted = SpecifierSet(requires_python)
    available = interpreters.discover()
    for interpreter in (interpreters.own(), *available):
        if wanted.contains(interpreter.release, prereleases=interpreter == interpreters.own()):
            return interpreter
    there = interpreters.versions_of(available)
    raise InterpreterMissing(f"{_BLOCK} asks for Python {requires_python}\nhint: there is {there}")

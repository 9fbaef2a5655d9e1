"""The requirements and the Python of a script: from the fields, or for an empty field from the code's PEP 723 block."""

from dataclasses import dataclass

from packaging.specifiers import SpecifierSet

from scripts_app.packages import inline_metadata, interpreters
from scripts_app.packages import requirements as packages_requirements
from scripts_app.packages.interpreters import Interpreter, InterpreterMissing
from scripts_app.validation import ScriptError

_BLOCK = "the code's `# /// script` block"


@dataclass(frozen=True, kw_only=True)
class Resolution:
    requirements: str  # in normal form
    interpreter: Interpreter
    are_requirements_of_code: bool
    is_python_of_code: bool


@dataclass(frozen=True, kw_only=True)
class Offer:
    requirements: tuple[str, ...]
    requires_python: str
    is_used: bool  # neither field is filled in
    is_overruled: bool  # a filled-in field takes precedence over a part of the block

    def __bool__(self) -> bool:
        return bool(self.requirements or self.requires_python)


def resolve(*, code: str, requirements: str, python_version: str) -> Resolution:
    """Return the needs of a script. May start processes. Raises InterpreterMissing, ScriptError for a refused line."""
    block = inline_metadata.read(code)
    for line, message in block.problems:
        raise ScriptError(f"Line {line}: {message}", field="code")
    normal_requirements = packages_requirements.normalise(requirements)
    are_requirements_of_code = not normal_requirements and bool(block.requirements)
    if are_requirements_of_code:
        normal_requirements = _normalise_block(block.requirements or ())
    is_python_of_code = not python_version and bool(block.requires_python)
    if is_python_of_code:
        interpreter = _choose_satisfying(block.requires_python)
    else:
        interpreter = interpreters.choose(python_version)
    return Resolution(
        requirements=normal_requirements,
        interpreter=interpreter,
        are_requirements_of_code=are_requirements_of_code,
        is_python_of_code=is_python_of_code,
    )


def offer(*, code: str, requirements: str, python_version: str) -> Offer:
    """Return the content of a block beside the fields, without a check."""
    block = inline_metadata.read(code)
    is_overruled = bool(block.requires_python and python_version)
    if block.requirements and packages_requirements.has_any(requirements):
        is_overruled = True
    return Offer(
        requirements=block.requirements or (),
        requires_python=block.requires_python,
        is_used=not is_overruled,
        is_overruled=is_overruled,
    )


def _normalise_block(lines: tuple[str, ...]) -> str:
    texts = [
        " ".join(line.split("\n")) for line in lines
    ]  # each is one requirement, whatever it holds
    try:
        return packages_requirements.normalise("\n".join(texts))
    except ScriptError as refusal:
        line_number, _, reason = str(refusal).partition(": ")
        number = line_number.replace("line", "dependency")
        raise ScriptError(f"{_BLOCK}, {number}: {reason}", field="code") from None


def _choose_satisfying(requires_python: str) -> Interpreter:
    specifier = SpecifierSet(requires_python)
    own = interpreters.own()
    if specifier.contains(own.release, prereleases=True):
        return own
    for interpreter in interpreters.discover():
        if specifier.contains(interpreter.release, prereleases=False):
            return interpreter
    raise InterpreterMissing(
        f"{_BLOCK} asks for Python {requires_python}\nhint: {interpreters.what_there_is()}"
    )

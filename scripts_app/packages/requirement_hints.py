"""Lines that are written where requirements belong, and what was meant: commands, other tools' versions, slips."""

import re
import shlex
import sys
import unicodedata
from collections.abc import Callable

from packaging.version import InvalidVersion, Version

from scripts_app.packages import suggestions
from scripts_app.packages.requirement_lines import RequirementHint

_NAME = r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?:\s*\[[^\]]*\])?)"
_OPERATOR = r"(?:===|==|~=|!=|<=|>=|<|>)"
_VERSION = r"v?\d[\w.*+!-]*"
_CLAUSE = rf"{_OPERATOR}\s*{_VERSION}"
_PART = re.compile(rf"[A-Za-z][\w.-]*(?:\[[\w,-]*\])?(?:{_CLAUSE})?")
_COMMAND = re.compile(
    r"[$!%>]?\s*(?:sudo\s+)?(?:(?:python[\d.]*|py)\s+-m\s+)?"
    r"(?:uv\s+pip|pip[\d.]*|pipx|uv|poetry|pipenv|pdm|conda|mamba)\s+(?:install|add)\b(.*)",
    re.IGNORECASE,
)
_PYTHON = re.compile(
    r"python3?(?![\w.-])\s*(?:[<>=!~^(\d].*)?|(?:requires-python|python_requires|python_version)\b.*",
    re.IGNORECASE,
)
_PROJECT_FILE = re.compile(
    r"\[[\w.\"-]+\]|[\])},]+|(?:dependencies|install_requires|packages)\s*[=:]\s*\[?", re.IGNORECASE
)
_IMPORT = re.compile(r"(?:import\s+(?P<modules>[\w., ]+)|from\s+(?P<module>[\w.]+)\s+import\b.*)")
_LATEST = "asks for the latest version, which is what a name alone does"
_LOOK_ALIKES = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»", '"'),
        **dict.fromkeys("‘’‚‛", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        "≥": ">=",
        "≤": "<=",
        "≠": "!=",
    }
)


def misread(line: str) -> RequirementHint | None:
    """Explain a line that means something else, whether or not it could be read as a requirement."""
    return _first(line, (_strange_character, _command, _bullet, _python, _file, _npm))


def slip(line: str) -> RequirementHint | None:
    """Explain a line that cannot be read as a requirement."""
    return _first(line, (_project_file, _import, *_PATTERNS, _several))


def _first(
    line: str, explain: tuple[Callable[[str], RequirementHint | None], ...]
) -> RequirementHint | None:
    return next(filter(None, (one(line) for one in explain)), None)


def _strange_character(line: str) -> RequirementHint | None:
    strange = re.search(r"[^\t\x20-\x7e]", line)
    if strange is None or "://" in line:
        return None
    character = strange[0]
    known = unicodedata.name(character, "a control character")
    plain = unicodedata.normalize("NFKC", line.translate(_LOOK_ALIKES))
    plain = "".join(one for one in plain if unicodedata.category(one) not in ("Cf", "Cc")).strip()
    return RequirementHint(
        reason=f"has the character U+{ord(character):04X} ({known}), which no requirement has",
        instead=(plain,) if plain.isascii() and plain else (),
        hint="type the line anew",
    )


def _command(line: str) -> RequirementHint | None:
    command = _COMMAND.fullmatch(line)
    if command is None:
        return None
    try:
        words = shlex.split(command[1])
    except ValueError:  # an open quote
        words = []
    packages = [word for word in words if not word.startswith("-")]
    if any(word in ("-r", "-c", "-e", "-i", "-f") for word in words):
        packages = []
    return RequirementHint(
        reason="is a command",
        instead=tuple(packages),
        hint="list the packages alone, one a line",
    )


def _bullet(line: str) -> RequirementHint | None:
    bullet = re.fullmatch(r"[-*+]\s+(.+)", line)
    if bullet is None:
        return None
    return RequirementHint(reason="begins with a bullet", instead=(bullet[1],))


def _python(line: str) -> RequirementHint | None:
    if _PYTHON.fullmatch(line) is None:
        return None
    hint = "choose the version under Python, beside the requirements"
    return RequirementHint(reason="asks for Python itself, which is no package", hint=hint)


def _file(line: str) -> RequirementHint | None:
    if re.fullmatch(r"[\w.-]+\.txt", line) is None:
        return None
    return RequirementHint(reason="is the name of a file", hint="list the packages that it names")


def _npm(line: str) -> RequirementHint | None:
    found = re.fullmatch(rf"{_NAME}\s*@\s*(latest|[\^~]?{_VERSION})", line)
    if found is None:
        return None
    name, version = found[1], found[2]
    if version == "latest":
        return RequirementHint(reason=_LATEST, instead=(name,))
    operator = "" if version[0] in "^~" else "=="
    return RequirementHint(
        reason="has `@` before the version", instead=(f"{name}{operator}{version}",)
    )


def _project_file(line: str) -> RequirementHint | None:
    if _PROJECT_FILE.fullmatch(line) is None:
        return None
    hint = "list the packages alone, one a line"
    return RequirementHint(reason="is a line of a project's file", hint=hint)


def _import(line: str) -> RequirementHint | None:
    found = _IMPORT.fullmatch(line)
    if found is None:
        return None
    names = [part.split(" as ")[0] for part in (found["modules"] or found["module"]).split(",")]
    modules = [name.strip().split(".")[0] for name in names]
    others = [module for module in modules if module not in sys.stdlib_module_names]
    return RequirementHint(
        reason="is a line of Python",
        instead=tuple(suggestions.package_of(module) for module in others),
        hint="what is part of Python itself needs no line",
    )


def _pattern(
    pattern: str, reason: str, instead: Callable[["re.Match[str]"], str]
) -> Callable[[str], RequirementHint | None]:
    compiled = re.compile(pattern, re.IGNORECASE)

    def explain(line: str) -> RequirementHint | None:
        found = compiled.fullmatch(line)
        if found is None:
            return None
        return RequirementHint(reason=reason, instead=(instead(found),))

    return explain


def _several(line: str) -> RequirementHint | None:
    parts = [part for part in re.split(r"[,;\s]+", line) if part]
    if len(parts) < 2 or not all(_PART.fullmatch(part) for part in parts):
        return None
    # Not each word of a sentence is a package.
    are_packages = all(_is_likely_package(part) for part in parts)
    return RequirementHint(
        reason="has several words",
        instead=tuple(parts) if are_packages else (),
        hint="name one package a line",
    )


def _is_likely_package(part: str) -> bool:
    return part.lower() in suggestions.POPULAR_PACKAGES or re.search(_OPERATOR, part) is not None


def _from_table(found: "re.Match[str]") -> str:
    name, version = found[1], found[3].strip()
    if version == "*":
        return name
    return f"{name}=={version}" if version[:1].isdigit() else f"{name}{version}"


def _caret(found: "re.Match[str]") -> str:
    # Up to the next change of the first number that is not zero.
    name, version = found[1], found[2]
    numbers = _numbers(version)
    place = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return f"{name}>={version},<{_next(numbers, place)}"


def _tilde(found: "re.Match[str]") -> str:
    name, version = found[1], found[2]
    numbers = _numbers(version)
    return f"{name}>={version},<{_next(numbers, min(1, len(numbers) - 1))}"


def _numbers(version: str) -> list[int]:
    try:
        return list(Version(version).release)
    except InvalidVersion:
        return [0]


def _next(numbers: list[int], place: int) -> str:
    return ".".join(str(number) for number in [*numbers[:place], numbers[place] + 1])


_PATTERNS = (
    _pattern(r"[\"'](.+?)[\"']?\s*,?", "is in quotes", lambda found: found[1]),
    _pattern(rf"{_NAME}\s*=\s*([\"'])(.*)\2\s*,?", "is a line of a project's file", _from_table),
    _pattern(
        rf"{_NAME}\s*({_OPERATOR})\s*[\"']([^\"']+)[\"']",
        "has its version in quotes",
        lambda found: f"{found[1]}{found[2]}{found[3]}",
    ),
    _pattern(
        rf"{_NAME}\s*(?:==?|:)?\s*(?:latest|any|\*)",
        _LATEST,
        lambda found: found[1],
    ),
    _pattern(r"[\w-]+::(.+)", "names a channel", lambda found: found[1]),
    _pattern(
        rf"{_NAME}\s*=\s*({_VERSION})(?:=\w+)?",
        "has one `=`",
        lambda found: f"{found[1]}=={found[2]}",
    ),
    _pattern(rf"{_NAME}\s*:\s*({_VERSION})", "has `:`", lambda found: f"{found[1]}=={found[2]}"),
    _pattern(rf"{_NAME}\s*=?\s*\^\s*({_VERSION})", "has `^`, which is not Python's", _caret),
    _pattern(rf"{_NAME}\s*~\s*({_VERSION})", "has `~`, which is not Python's", _tilde),
    _pattern(rf"{_NAME}\s*~=\s*(\d+)", "has `~=` with one number", _tilde),
    _pattern(
        rf"{_NAME}\s*(?:=>|>\s+=)\s*({_VERSION})",
        "has its signs in another order",
        lambda found: f"{found[1]}>={found[2]}",
    ),
    _pattern(
        rf"{_NAME}\s*(?:=<|<\s+=)\s*({_VERSION})",
        "has its signs in another order",
        lambda found: f"{found[1]}<={found[2]}",
    ),
    _pattern(
        rf"{_NAME}\s*=\s+=\s*({_VERSION})",
        "has a space in its `==`",
        lambda found: f"{found[1]}=={found[2]}",
    ),
    _pattern(
        rf"{_NAME}\s*<>\s*({_VERSION})",
        "has `<>`, which is `!=` today",
        lambda found: f"{found[1]}!={found[2]}",
    ),
    _pattern(
        rf"{_NAME}\s*(>=|<)\s*(\d[\d.]*)\.\*",
        "has `.*` where a plain version belongs",
        lambda found: f"{found[1]}{found[2]}{found[3]}",
    ),
    _pattern(
        rf"{_NAME}\s*({_CLAUSE}(?:\s+{_CLAUSE})+)",
        "lacks a comma",
        lambda found: found[1] + ",".join(re.findall(_CLAUSE, found[2])),
    ),
    _pattern(rf"{_NAME}\s+({_VERSION})", "lacks `==`", lambda found: f"{found[1]}=={found[2]}"),
    _pattern(
        r"(.+?;\s*python_version\s*[<>=!~]+\s*)(\d[\d.]*)",
        "has a version without quotes behind `;`",
        lambda found: f'{found[1]}"{found[2]}"',
    ),
    _pattern(rf"{_NAME}\s*(?:[,;=]|{_OPERATOR})", "is not complete", lambda found: found[1]),
)

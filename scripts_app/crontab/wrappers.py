"""Takes programs that only start another one off a command: `timeout`, `flock`, `sudo`, `bash -c`, `poetry run`.

What they do becomes settings of the script where Tempo has such a setting, else a note.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from scripts_app.crontab import shell
from scripts_app.crontab.durations import seconds_of
from scripts_app.crontab.parser import printable
from scripts_app.crontab.shell import UnsupportedShellSyntax

MAX_WRAPPERS = 16  # variables count, too
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)


@dataclass(kw_only=True)
class Found:
    """What the words around a command say: settings of the script, and notes for the person who imports it."""

    known: Mapping[str, str]  # the variables of the crontab
    folder: str = ""
    environment: str = ""  # the folder of a virtual environment
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    timeout_s: int | None = None
    nice: int | None = None
    delay_s: int = 0
    jitter_s: int = 0
    overlap: str = ""  # what becomes of a start while a run is going: `skip`, `queue_one`
    is_project: bool = False  # its packages stand in a `pyproject.toml` or Pipfile
    umask: int | None = None
    guards: list[str] = field(
        default_factory=list
    )  # shell conditions: without one of them nothing runs
    mail_to: list[str] = field(default_factory=list)

    def literal(self, raw: str) -> str | None:
        """Return what a raw word means when no shell is needed to tell, else None."""
        try:
            words = shell.steps(raw, {**self.known, **self.variables})[0].words
        except UnsupportedShellSyntax:
            return None
        if len(words) != 1:
            return None
        return words[0]

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


@dataclass(frozen=True, kw_only=True)
class InnerShell:
    """A command for another shell, as `bash -c` gets it."""

    command: str


Unwrapped = (
    list[str] | InnerShell | None
)  # the words behind the wrapper; None: it is no wrapper as it stands
Wrapper = Callable[[list[str], Found], Unwrapped]


def unwrap(words: list[str], found: Found) -> list[str] | InnerShell:
    """Return the raw words without the wrappers before them, or the command of an inner shell."""
    for _ in range(MAX_WRAPPERS):
        assignment = _ASSIGNMENT.fullmatch(words[0])
        value = found.literal(assignment["value"] or "''") if assignment else None
        if assignment and value is not None and len(words) > 1:
            found.variables[assignment["name"]] = value
            words = words[1:]
            continue
        name = posixpath.basename(found.literal(words[0]) or "")
        wrapper = WRAPPERS.get(name)
        rest = wrapper(words, found) if wrapper and len(words) > 1 else None
        if rest is None or isinstance(rest, InnerShell):
            return rest or words
        if not rest:
            return words
        words = rest
    return words


# The words behind options; `valued` are options whose value is the next word.
def _behind_options(words: list[str], valued: str = "") -> list[str]:
    position = 1
    while position < len(words) and words[position].startswith("-") and words[position] != "-":
        word = words[position]
        position += 1
        if word == "--":
            break
        if word in valued.split():
            position += 1
    return words[position:]


def _plain(valued: str = "") -> Wrapper:
    def behind(words: list[str], _: Found) -> Unwrapped:
        return _behind_options(words, valued)

    return behind


def _said(sentence: str, valued: str = "") -> Wrapper:
    def behind(words: list[str], found: Found) -> Unwrapped:
        rest = _behind_options(words, valued)
        if rest:
            found.note(f"`{printable(words[0], 40)}` is left out: {sentence}")
        return rest

    return behind


def _timeout(words: list[str], found: Found) -> Unwrapped:
    rest = _behind_options(words, "-s -k --signal --kill-after")
    if not rest:
        return None
    limit_s = seconds_of(found.literal(rest[0]))
    if limit_s is None:
        return None
    found.timeout_s = limit_s
    found.note(f"`timeout` becomes the script's time limit, {limit_s} s")
    return rest[1:]


def _nice(words: list[str], found: Found) -> Unwrapped:
    text = words[1]
    rest = words[2:]
    if text in ("-n", "--adjustment") and rest:
        text, rest = rest[0], rest[1:]
    elif match := re.fullmatch(r"(?:-n|--adjustment=|-)(-?[0-9]+)", text):
        text = match[1]
    else:
        text, rest = "10", words[1:]
    if not re.fullmatch(r"-?[0-9]{1,3}", text):
        return None
    found.nice = min(max(int(text), 0), 19)
    found.note(f"`nice` becomes the script's niceness, {found.nice}")
    return rest


def _inner_shell(command: str | None) -> Unwrapped:
    if command is None:
        return None
    return InnerShell(command=command)


def _flock(words: list[str], found: Found) -> Unwrapped:
    options = words[: len(words) - len(_behind_options(words, "-w --wait --timeout -E"))]
    rest = words[len(options) :]
    if len(rest) < 2 or rest[0].isdigit():
        return None
    if any(re.match(r"-[a-z]*n|--nonblock|--nb", option) for option in options):
        found.overlap = "skip"
        found.note("its lock is left out: Tempo skips a start while a run is still going")
    else:
        found.overlap = "queue_one"
        found.note(
            "its lock is left out: Tempo lets one start wait for the run that is still going"
        )
    if rest[1] in ("-c", "--command") and len(rest) == 3:
        command = found.literal(rest[2])
        return _inner_shell(command)
    return rest[1:]


def _locked(valued: str = "", skipped: int = 0) -> Wrapper:
    def behind(words: list[str], found: Found) -> Unwrapped:
        rest = _behind_options(words, valued)[skipped:]
        if not rest:
            return None
        found.overlap = "skip"
        found.note("its lock is left out: Tempo skips a start while a run is still going")
        return rest

    return behind


def _shell(words: list[str], found: Found) -> Unwrapped:
    for position, word in enumerate(words[1:], start=1):
        if re.fullmatch(r"-[elxuil]*c", word):
            if position + 1 >= len(words):
                return None
            command = found.literal(words[position + 1])
            if "l" in word or "-l" in words[:position] or "--login" in words[:position]:
                _note_login(found)
            return _inner_shell(command)
        if word in ("-l", "-i", "--login"):
            continue
        return None
    return None


def _note_login(found: Found) -> None:
    found.note(
        "a login shell read `~/.profile`: what the script needs of it belongs into its variables"
    )


def _other_user(words: list[str], found: Found) -> Unwrapped:
    command = None
    rest = []
    for position, word in enumerate(words):
        if word in ("-c", "--command") and position + 1 < len(words):
            command = found.literal(words[position + 1])
    if command is None and posixpath.basename(words[0]) == "su":
        return None
    valued = "-u -g -p -h -C -s --user --group --shell"
    if command is None:
        rest = _behind_options(words, valued)
    found.note(
        f"`{printable(words[0], 40)}` is left out: in Tempo each script has a user of its own"
    )
    if command is not None:
        return InnerShell(command=command)
    return rest


def _user_first(words: list[str], found: Found) -> Unwrapped:
    found.note(
        f"`{printable(words[0], 40)}` is left out: in Tempo each script has a user of its own"
    )
    return words[2:]


def _env(words: list[str], found: Found) -> Unwrapped:
    if any(word.startswith(("-C", "--chdir", "-S", "--split")) for word in words[1:]):
        return None
    return _behind_options(words, "-u --unset")


def _detached(words: list[str], found: Found) -> Unwrapped:
    rest = _behind_options(words, "-S -s -t -n -c -h -L -Logfile")
    if posixpath.basename(words[0]) == "tmux":
        rest, command = [], None
        if words[1] in ("new-session", "new"):
            rest = _behind_options(words[1:], "-s -t -n -c")
        if len(rest) == 1:
            command = found.literal(rest[0])
        if command is None and not rest:
            return None
        found.note("`tmux` is left out: Tempo keeps what the script prints")
        if command is not None:
            return InnerShell(command=command)
        return rest
    if not any(re.fullmatch(r"-[dmD]*dm[A-Za-z]*", word) for word in words) and "-d" not in words:
        return None
    if any(re.fullmatch(r"-dm[A-Za-z]*S", word) for word in words):
        rest = rest[1:]
    found.note("`screen` is left out: Tempo keeps what the script prints")
    return rest


# `poetry run x`, `uv run --with y x`.
def _project(words: list[str], found: Found) -> Unwrapped:
    if len(words) < 3 or words[1] not in ("run", "exec"):
        return None
    rest = words[1:]
    for position, word in enumerate(rest):
        if word == "--with" and position + 1 < len(rest):
            found.packages += (found.literal(rest[position + 1]) or "").split(",")
        if word in ("--project", "--directory") and position + 1 < len(rest):
            found.folder = posixpath.join(found.folder, found.literal(rest[position + 1]) or "")
    found.is_project = True
    valued = (
        "--with --project --directory --python -p --extra --group --env-file -e --with-requirements"
    )
    return _behind_options(rest, valued)


def _conda(words: list[str], found: Found) -> Unwrapped:
    if words[1] != "run":
        return None
    found.note(
        f"`{printable(words[0], 40)} run` is left out: list the environment's packages under Packages"
    )
    return _behind_options(words[1:], "-n -p --name --prefix --cwd")


def _one_tool(words: list[str], found: Found) -> Unwrapped:
    rest = words[1:]
    if rest[0] == "run":
        rest = rest[1:]
    if not rest or rest[0].startswith("-"):
        return None
    name = found.literal(rest[0])
    if not name:
        return None
    package, _, version = name.partition("@")
    requirement = package
    if version and version != "latest":
        requirement = f"{package}=={version}"
    found.packages.append(requirement)
    return [package, *rest[1:]]


def _monitor(words: list[str], found: Found) -> Unwrapped:
    if "--" in words:
        rest = words[words.index("--") + 1 :]
    elif words[1:2] == ["exec"] and len(words) > 3:
        rest = words[3:]
    else:
        return None
    found.note(f"`{printable(words[0], 40)}` is left out: Tempo itself sees how runs end")
    return rest


_OUTPUT = _said("what the script prints is kept with the run", "-t -p -i -o -e")

WRAPPERS: dict[str, Wrapper] = {
    **dict.fromkeys(
        ("exec", "nohup", "setsid", "command", "builtin", "unbuffer", "busybox"), _plain()
    ),
    **dict.fromkeys(("time", "caffeinate", "ionice", "chrt"), _plain("-c -n -p -f -o -i")),
    "stdbuf": _plain("-i -o -e"),
    "taskset": lambda words, _: words[3:] if words[1] in ("-c", "--cpu-list") else words[2:],
    **dict.fromkeys(("chronic", "cronic", "annotate-output", "systemd-cat"), _OUTPUT),
    **dict.fromkeys(("timeout", "gtimeout"), _timeout),
    "nice": _nice,
    "env": _env,
    "flock": _flock,
    **dict.fromkeys(("lckdo", "setlock", "lockrun", "lockf"), _locked("-t -W", 1)),
    **dict.fromkeys(("run-one", "solo", "cronlock"), _locked()),
    **dict.fromkeys(SHELLS, _shell),
    **dict.fromkeys(("sudo", "su", "runuser", "doas"), _other_user),
    **dict.fromkeys(("gosu", "su-exec", "setuidgid", "chpst"), _user_first),
    **dict.fromkeys(("screen", "tmux"), _detached),
    **dict.fromkeys(("poetry", "uv", "pipenv", "pdm", "hatch", "rye", "pyenv"), _project),
    **dict.fromkeys(("conda", "mamba", "micromamba"), _conda),
    **dict.fromkeys(("uvx", "pipx"), _one_tool),
    **dict.fromkeys(("cronitor", "runitor", "sentry-cli", "hchk"), _monitor),
}


def environment_of(program: str) -> str:
    """Return the folder of the virtual environment that a path of a Python or another program in it belongs to."""
    path = PurePosixPath(program)
    if path.parent.name != "bin":
        return ""
    folder = str(path.parent.parent)
    if folder in ("/", "/usr", "/usr/local", "/opt"):
        return ""
    return folder

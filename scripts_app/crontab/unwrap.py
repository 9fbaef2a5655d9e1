"""Takes off a crontab's command what Tempo does itself, so that the run is judged by the program that is left.

`&`, locks, waits, pipes into a log and `|| true` would let a failed run count as succeeded, or end the run too early.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scripts_app.crontab import command_list, conditions, wrappers
from scripts_app.crontab.command_list import ListedCommand
from scripts_app.crontab.durations import seconds_of
from scripts_app.crontab.parser import printable
from scripts_app.crontab.shell import UnsupportedShellSyntax
from scripts_app.crontab.wrappers import Found, InnerShell

MAX_LAYERS = 6  # shells within shells, groups within groups
MAX_COMMANDS = 50  # on a line: looking at each with all others takes its time
MAX_JITTER_S = 3600
# Programs that only tell: at the end of a line they hide how the others ended.
TELLERS = frozenset(
    {"echo", "printf", "logger", ":", "true", "mail", "mailx", "sendmail", "wall", "date"}
)
_MAILERS = frozenset({"mail", "mailx", "mutt", "sendmail"})
_SINKS = frozenset(
    {"logger", "tee", "ts", "rotatelogs", "multilog", "svlogd", "systemd-cat", "cronolog"}
)
_CONDITIONS = frozenset(
    {
        "[",
        "[[",
        "test",
        "which",
        "pgrep",
        "pidof",
        "mountpoint",
        "type",
        "ping",
        "grep",
        "hash",
        "!",
    }
)
_RUNNING = frozenset({"pgrep", "pidof", "ps"})
_PROFILES = re.compile(
    r"(?:^|/)(?:\.?profile|\.?bashrc|\.bash_profile|\.zshrc|environment|\.env|env|[\w.-]+\.(?:sh|env|rc))$"
)
_RANDOM_WAIT = re.compile(
    r"(?:sleep\s+\"?\$(?:\(\(|\[)\s*\$?\{?RANDOM\}?\s*%\s*(?P<bash>[0-9]{1,6})"
    r"|(?:/usr/bin/)?perl\s+-l?e\s+['\"]sleep[ (]*(?:int[ (]*)?rand[ (]*(?P<perl>[0-9]{1,6})"
    r"|sleep\s+\$\(\s*shuf\s+-i\s*[0-9]+-(?P<shuf>[0-9]{1,6})"
    r"|(?:/usr/bin/)?python3?\s+-c\s+['\"].*sleep\(\s*random\.random\(\)\s*\*\s*(?P<python>[0-9]{1,6}))"
)


@dataclass(frozen=True, kw_only=True)
class UnwrappedCommand:
    """A command without what is around it; `commands` is empty for syntax that only a shell reads, see `why`."""

    found: Found
    commands: list[ListedCommand]
    text: str
    why: str = ""
    problem: str = ""

    @property
    def single(self) -> ListedCommand | None:
        if len(self.commands) == 1 and not self.commands[0].is_compound:
            return self.commands[0]
        return None


def plan(text: str, variables: Mapping[str, str]) -> UnwrappedCommand:
    """Return what is left of a command, and what the rest of it says. Never raises."""
    found = Found(known=variables)
    commands: list[ListedCommand] = []
    for _ in range(MAX_LAYERS):
        try:
            commands = _layer(text, found)
        except UnsupportedShellSyntax as reason:
            if _has_background(text):
                return UnwrappedCommand(found=found, commands=[], text=text, problem=_SEVERAL)
            return UnwrappedCommand(found=found, commands=[], text=text, why=str(reason))
        if any(command.joint == "&" for command in commands):
            return UnwrappedCommand(found=found, commands=[], text=text, problem=_SEVERAL)
        inner = _inner(commands, found)
        if inner is None:
            break
        text = inner
    if not commands:
        return UnwrappedCommand(
            found=found, commands=[], text=text, problem="it starts nothing that could be run"
        )
    return UnwrappedCommand(found=found, commands=commands, text=text)


_SEVERAL = (
    "it starts several programs at once with `&`, and nothing would notice how they end: "
    "give each a line of its own"
)


def _has_background(text: str) -> bool:
    return bool(re.search(r"(?<![&>|0-9])&(?![&>0-9])", text))


def _layer(text: str, found: Found) -> list[ListedCommand]:
    commands = command_list.split(text)
    if len(commands) > MAX_COMMANDS:
        raise UnsupportedShellSyntax(f"it calls more than {MAX_COMMANDS} programs")
    if command_list.is_background(text):
        found.note("`&` is left out: the run ends with the program, and is judged by it")
    commands = _without_end(commands, found)
    return _without_beginning(commands, found)


# The text within the last layer: a group, or the command of an inner shell; None when there is none.
def _inner(commands: list[ListedCommand], found: Found) -> str | None:
    if len(commands) != 1:
        return None
    command = commands[0]
    group = command_list.inside_group(command)
    if group:
        _note_lost_redirections(command, found)
        return group
    if command.is_compound:
        return None
    rest = wrappers.unwrap(command.words, found)
    if isinstance(rest, InnerShell):
        _note_lost_redirections(command, found)
        return rest.command
    if rest == command.words:
        return None
    return " ".join([*rest, *command.redirections])


def _note_lost_redirections(command: ListedCommand, found: Found) -> None:
    for redirection in command.redirections:
        if "/dev/null" not in redirection and "&" not in redirection:
            found.note(
                f"`{printable(redirection, 60)}` is left out: what it prints is kept with the run"
            )


# --- the end of a line: tellers and sinks ---------------------------------------------------------------------------
def _without_end(commands: list[ListedCommand], found: Found) -> list[ListedCommand]:
    while len(commands) > 1 and _is_idle_end(commands[-1], commands, found):
        last = commands[-1]
        _keep_address(last, found)
        sentence = "Tempo keeps what a run prints, and judges it by its own end"
        found.note(f"`{printable(f'{last.joint} {last.text}', 80)}` is left out: {sentence}")
        commands = commands[:-1]
    return commands


def _is_idle_end(last: ListedCommand, commands: list[ListedCommand], found: Found) -> bool:
    if last.is_compound or not last.words:
        return False
    name = _name(last, found)
    if last.joint in ("|", "|&"):
        return name in _SINKS or name in _MAILERS
    if last.joint == "||":
        return name in TELLERS or last.words in (["exit", "0"], ["exit"])
    if last.joint == ";":
        return name in TELLERS or last.words in (["exit", "0"], ["exit"], ["exit", "$?"])
    is_told = name in ("echo", "printf", "logger", ":", "true", "date")
    return last.joint == "&&" and is_told and not any(each.joint == "||" for each in commands)


def _keep_address(command: ListedCommand, found: Found) -> None:
    if _name(command, found) not in _MAILERS:
        return
    for raw in command.words[1:]:
        word = found.literal(raw) or ""
        if re.fullmatch(r"[^@\s-][^@\s]*@[^@\s]+", word):
            found.mail_to.append(word)


# --- the beginning of a line: folders, environments, waits, guards ----------------------------------------------------
def _without_beginning(commands: list[ListedCommand], found: Found) -> list[ListedCommand]:
    while len(commands) > 1:
        if _ends_early(commands, found):
            found.guards.append(commands[0].text)
            commands = commands[1:]
        elif not _is_taken(commands, found):
            break
        commands = [replace(commands[1], joint=""), *commands[2:]]
    return commands


# `test -f flag || exit 0; program` is another way to write `test -f flag && program`.
def _ends_early(commands: list[ListedCommand], found: Found) -> bool:
    if [command.joint for command in commands[1:3]] != ["||", ";"]:
        return False
    return commands[1].words in (["exit"], ["exit", "0"]) and _is_guard(commands[0], found)


def _is_taken(commands: list[ListedCommand], found: Found) -> bool:
    first, second = commands[0], commands[1]
    if second.joint in ("&&", ";") and not first.is_compound:
        name = _name(first, found)
        is_output = name in TELLERS and _count_programs(commands[1:], found) > 1
        if not is_output and _is_setting(first, found):
            return True
    if second.joint == "&&" and _is_guard(first, found) and not _has_alternative(commands):
        found.guards.append(first.text)
        return True
    if second.joint != "||" or not _is_guard(first, found) or len(commands) > 2:
        return False
    if _name(first, found) in _RUNNING:
        found.overlap = "skip"
        found.note(
            f"`{printable(first.text, 80)} ||` is left out: Tempo skips a start while a run is still going"
        )
    else:
        found.guards.append(conditions.negated(first.text))
    return True


def _count_programs(commands: list[ListedCommand], found: Found) -> int:
    return sum(_name(command, found) not in _SETTINGS for command in commands)


def _is_guard(command: ListedCommand, found: Found) -> bool:
    if command.text.startswith("!"):
        return True
    name = _name(command, found)
    if name == "command":
        return command.words[1:2] == ["-v"]
    if name == "systemctl":
        return "is-active" in command.words or "is-enabled" in command.words
    if name in ("grep", "ping"):
        return name == "ping" or any(word.startswith("-q") for word in command.words)
    return name in _CONDITIONS


def _has_alternative(commands: list[ListedCommand]) -> bool:
    return any(command.joint in ("||", ";") for command in commands[1:])


def _is_setting(command: ListedCommand, found: Found) -> bool:
    text = command.text
    wait = _RANDOM_WAIT.match(text)
    if wait:
        _take_random_wait(int(wait[wait.lastgroup or 0]), found)
        return True
    literals = [found.literal(raw) for raw in command.words]
    if not literals or any(word is None for word in literals):
        return False
    name, *words = [word or "" for word in literals]
    taker = _SETTINGS.get(name)
    if taker is not None:
        return taker(words, command, found)
    if all(re.fullmatch(r"[A-Za-z_]\w*=.*", word, re.DOTALL) for word in [name, *words]):
        return _take_variables([name, *words], command, found)
    return False


def _take_random_wait(most_s: int, found: Found) -> None:
    found.jitter_s = min(most_s, MAX_JITTER_S)
    found.note(f"its random wait becomes the schedule's jitter, up to {found.jitter_s} s")


def _take_folder(words: list[str], _: ListedCommand, found: Found) -> bool:
    if words[:1] == ["--"]:
        words = words[1:]
    if len(words) != 1 or words[0] == "-":
        return False
    found.folder = posixpath.join(found.folder, words[0])
    return True


def _take_source(words: list[str], command: ListedCommand, found: Found) -> bool:
    target = words[0] if words else ""
    if target.endswith("bin/activate"):
        found.environment = posixpath.join(
            found.folder, posixpath.dirname(posixpath.dirname(target))
        )
        return True
    if _PROFILES.search(target):
        sentence = "what the script needs of it belongs into its variables"
        found.note(f"`{printable(command.text, 60)}` is left out: {sentence}")
        return True
    return False


def _take_activation(words: list[str], command: ListedCommand, found: Found) -> bool:
    if words[:1] not in (["activate"], ["deactivate"]) and command.words[0] != "workon":
        return False
    found.note(f"`{printable(command.text, 60)}` is left out: list its packages under Packages")
    return True


def _take_variables(words: list[str], _: ListedCommand, found: Found) -> bool:
    for word in words:
        name, sign, value = word.partition("=")
        if sign and name.isidentifier():
            found.variables[name] = value
    return True


def _take_wait(words: list[str], _: ListedCommand, found: Found) -> bool:
    seconds = [seconds_of(word) for word in words]
    if not seconds or None in seconds:
        return False
    found.delay_s += sum(second or 0 for second in seconds)
    return True


def _take_umask(words: list[str], _: ListedCommand, found: Found) -> bool:
    if len(words) != 1 or not re.fullmatch("[0-7]{1,4}", words[0]):
        return False
    found.umask = int(words[0], 8)
    return True


def _take_ulimit(_: list[str], command: ListedCommand, found: Found) -> bool:
    found.note(f"`{printable(command.text, 60)}` is left out: the script has limits of its own")
    return True


def _take_teller(_: list[str], command: ListedCommand, found: Found) -> bool:
    found.note(f"`{printable(command.text, 60)}` is left out: Tempo keeps when a run began")
    return True


def _take_silently(_: list[str], _command: ListedCommand, _found: Found) -> bool:
    return True


_SETTINGS = {
    "cd": _take_folder,
    "pushd": _take_folder,
    ".": _take_source,
    "source": _take_source,
    "conda": _take_activation,
    "mamba": _take_activation,
    "workon": _take_activation,
    "export": _take_variables,
    "sleep": _take_wait,
    "umask": _take_umask,
    "ulimit": _take_ulimit,
    "echo": _take_teller,
    "printf": _take_teller,
    "date": _take_teller,
    "logger": _take_teller,
    "set": _take_silently,
    ":": _take_silently,
    "true": _take_silently,
}


def _name(command: ListedCommand, found: Found) -> str:
    if not command.words:
        return ""
    return posixpath.basename(found.literal(command.words[0]) or command.words[0])

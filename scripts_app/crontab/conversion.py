"""Turns a line's command into the code of a script, with the packages, files and settings that the code needs."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scripts_app.crontab import codegen, names, needs, reach, shell_text, unwrap
from scripts_app.crontab import shell as crontab_shell
from scripts_app.crontab.codegen import CommandContext
from scripts_app.crontab.command_list import ListedCommand
from scripts_app.crontab.needs import Needs
from scripts_app.crontab.parser import CrontabEntry, printable
from scripts_app.crontab.shell_text import NotToBeJudged
from scripts_app.crontab.source_files import Sources, UnreadableFile
from scripts_app.crontab.unwrap import UnwrappedCommand
from scripts_app.crontab.wrappers import Found
from scripts_app.packages import interpreters

_NOWHERE = ("/dev/null", "/dev/stdout", "/dev/stderr")
_LOG = re.compile(r"\.(?:log|out|err)\b|/logs?/|\blog\b", re.IGNORECASE)
# Variables that move the times and are lost.
_LOST_VARIABLES = {"RANDOM_DELAY", "START_HOURS_RANGE"}
_OWN_OF_TEMPO = {"VIRTUAL_ENV", "PYTHONHOME"}
_VERSION = re.compile(r"python(?P<version>[23](?:\.[0-9]{1,2})?)?$")


@dataclass(frozen=True, kw_only=True)
class ConvertedCommand:
    """What becomes of a command; with a `problem` nothing does."""

    found: Found
    name: str = ""
    code: str = ""
    is_python: bool = False
    source: str = ""  # the file that was copied
    python_version: str = ""
    needs: Needs = field(default_factory=Needs)
    wait_s: int = 0  # that the code waits for
    notes: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class _Line:
    """An entry with what was found in it; `folder` is where the command works, absolute where that is known."""

    entry: CrontabEntry
    plan: UnwrappedCommand
    sources: Sources
    home: str
    wait_s: int

    @property
    def found(self) -> Found:
        return self.plan.found

    @property
    def shell(self) -> str:
        shell = self.entry.variables.get("SHELL", codegen.SHELL)
        return shell if shell.startswith("/") else codegen.SHELL

    @property
    def folder(self) -> str:
        return posixpath.join(self.home, self.found.folder)

    def place_of(self, program: str) -> dict[str, Any]:
        """Return what a program's needs are looked for with."""
        return {
            "program": program,
            "folder": self.folder,
            "found": self.found,
            "sources": self.sources,
        }

    def context(self, *, folder: str = "", **more: Any) -> CommandContext:
        variables = {**self.entry.script_variables, **self.found.variables}
        kept = {name: value for name, value in variables.items() if name not in _OWN_OF_TEMPO}
        return CommandContext(
            line=self.entry.text,
            variables=kept,
            stdin=self.entry.stdin,
            folder=folder,
            shell=self.shell,
            guards=tuple(self.found.guards),
            umask=self.found.umask,
            wait_s=self.wait_s,
            **more,
        )

    def notes(self, *own: str) -> list[str]:
        return [*own, *self.found.notes, *_entry_notes(self.entry, self.context())]


def convert(entry: CrontabEntry, *, sources: Sources, home: str) -> ConvertedCommand:
    """Return the converted of a line, without storing or running anything."""
    variables = dict(entry.variables)
    if home:
        variables.setdefault("HOME", home)
    plan = unwrap.plan(entry.command, variables)
    if plan.problem:
        return ConvertedCommand(found=plan.found, problem=plan.problem)
    wait_s = plan.found.delay_s
    if entry.takes_wait(wait_s):
        wait_s = 0
    line = _Line(entry=entry, plan=plan, sources=sources, home=home, wait_s=wait_s)
    command = plan.single
    if command is None or not command.words:
        return _convert_shell(line, plan.commands, plan.why or _why_a_shell(plan.commands))
    python = _convert_python(line, command)
    if python is not None:
        return python
    return _convert_program(line, command)


# --- Python ----------------------------------------------------------------------------------------------------------
def _convert_python(line: _Line, command: ListedCommand) -> ConvertedCommand | None:
    literals = [line.found.literal(raw) for raw in command.words]
    known = []
    for word in literals:
        if word is None:
            break
        known.append(word)
    if not known:
        return None
    module = _after_flag(known)
    if module is not None:
        return _module_or_text(line, command, known, module)
    file = crontab_shell.python_file(known)
    if file is None:
        path = posixpath.join(line.folder, known[0])
        if "/" not in known[0] or not line.sources.is_python_program(path):
            return None
        file = crontab_shell.PythonFile(path=known[0], arguments=known[1:])
    place = len(known) - len(file.arguments)
    return _convert_file(line, command, known[0], file, place)


# The place of the word behind `-m` or `-c`.
def _after_flag(words: Sequence[str]) -> int | None:
    if not _VERSION.fullmatch(posixpath.basename(words[0])):
        return None
    for place, word in enumerate(words[1:], start=1):
        if word in ("-m", "-c", "-um", "-uc") and place + 1 < len(words):
            return place + 1
        if not word.startswith("-") and words[place - 1] not in ("-W", "-X"):
            return None
    return None


def _convert_file(
    line: _Line, command: ListedCommand, program: str, file: crontab_shell.PythonFile, place: int
) -> ConvertedCommand:
    path = posixpath.join(line.folder, file.path)
    context, arguments, notes = _surroundings(line, command, place, folder=bool(line.found.folder))
    notes += [f"`{flag}` is left out" for flag in file.flags if flag != "-u"]
    unmet = reach.of_conditions(line.found.guards)
    plain = ConvertedCommand(
        found=line.found, name=names.of_path(path), is_python=True, wait_s=line.wait_s
    )
    try:
        text = line.sources.code(path)
    except UnreadableFile as error:
        code = codegen.missing_file(path, context, reason=str(error), arguments=arguments)
        version, more = _version(file.version, "")
        said = line.notes(f"`{path}` {error}", *more, *notes, *unmet)
        return replace(plain, code=code, python_version=version, notes=said)
    found = needs.of_file(
        path, text, program=program, folder=line.folder, found=line.found, sources=line.sources
    )
    version, more = _version(file.version, found.python)
    unmet = [*reach.notes([*arguments, context.output_file[0]], code=text), *unmet]
    return replace(
        plain,
        code=codegen.with_context(text, context, arguments=arguments),
        source=path,
        python_version=version,
        needs=found,
        notes=line.notes(*more, *notes, *found.notes, *unmet),
    )


def _module_or_text(
    line: _Line, command: ListedCommand, known: Sequence[str], place: int
) -> ConvertedCommand:
    context, arguments, notes = _surroundings(
        line, command, place + 1, folder=bool(line.found.folder)
    )
    target = known[place]
    if known[place - 1].endswith("c"):
        name = "Python of a crontab"
        code = codegen.with_context(f"{target}\n", context, arguments=arguments)
        found = needs.of_file("", target, **line.place_of(known[0]))
    else:
        name = target
        code = codegen.module(target, context, arguments=arguments)
        found = needs.of_module(target, **line.place_of(known[0]))
    python = _VERSION.search(known[0])
    version, more = _version(python["version"] or "" if python else "", found.python)
    unreachable = reach.notes(arguments, code=code)
    unreachable += reach.of_conditions(line.found.guards)
    return ConvertedCommand(
        found=line.found,
        name=name,
        code=code,
        is_python=True,
        source=found.source,
        python_version=version,
        needs=found,
        wait_s=line.wait_s,
        notes=line.notes(*more, *notes, *found.notes, *unreachable),
    )


# The context of a Python file, its arguments, and notes on what is left out.
def _surroundings(
    line: _Line, command: ListedCommand, place: int, *, folder: bool
) -> tuple[CommandContext, list[str], list[str]]:
    raw = command.words[place:]
    literals = [line.found.literal(word) for word in raw]
    arguments = [word for word in literals if word is not None]
    more: dict[str, Any] = {}
    if len(arguments) < len(raw):
        arguments = []
        more["raw_arguments"] = " ".join(raw)
    notes = []
    for redirection in command.redirections:
        sign, _, raw_target = redirection.partition(" ")
        target = line.found.literal(raw_target) or ""
        if target in _NOWHERE or not raw_target:
            continue
        path = posixpath.join(line.folder, target)
        if sign.endswith("<") and target:
            more["stdin_file"] = path
        elif _is_product(sign, target):
            more["output_file"] = (path, False)
        else:
            notes.append(
                f"`{printable(redirection, 80)}` is left out: what it prints is kept with the run"
            )
    context = line.context(folder=line.folder if folder else "", **more)
    return context, arguments, notes


# `> report.html` writes what somebody will read; a log is kept with the run.
def _is_product(sign: str, target: str) -> bool:
    return bool(target) and sign in (">", "1>", ">|") and not _LOG.search(target)


def _version(requested: str, of_environment: str) -> tuple[str, list[str]]:
    if requested.startswith("2"):
        return "", ["Python 2 ran it: it may need changes"]
    if "." not in requested:
        requested = of_environment
    if not requested:
        return "", []
    try:
        interpreters.choose(requested)
    except interpreters.InterpreterMissing:
        return "", [f"Python {requested} is not on this machine: Tempo's own runs it"]
    return requested, []


# --- other programs --------------------------------------------------------------------------------------------------
def _convert_program(line: _Line, command: ListedCommand) -> ConvertedCommand:
    words = [line.found.literal(raw) for raw in command.words]
    plain = [word for word in words if word is not None]
    if len(plain) < len(words):
        return _convert_shell(line, [command], "some of its words are read by a shell")
    if crontab_shell.is_shell_word(plain[0]):
        return _convert_shell(line, [command], f"`{plain[0]}` is the shell's own")
    for redirection in command.redirections:
        if not _is_for_a_log(redirection):
            return _convert_shell(line, [command], f"of `{printable(redirection, 80)}`")
    found = needs.of_program(plain[0], folder=line.folder, found=line.found, sources=line.sources)
    if found.program:
        plain[0] = found.program
    folder = ""
    named = plain[0]
    if "/" in named:
        named = posixpath.normpath(posixpath.join(line.folder, named))
    is_relative = "/" in plain[0] and not plain[0].startswith("/")
    if line.found.folder or is_relative:
        folder = line.folder
    unreachable = reach.notes([*plain, folder])
    unreachable += reach.of_conditions(line.found.guards, folder=folder)
    return ConvertedCommand(
        found=line.found,
        name=names.of_words([named, *plain[1:]]),
        code=codegen.program(plain, line.context(folder=folder)),
        needs=found,
        wait_s=line.wait_s,
        notes=line.notes(*_left_out(command), *found.notes, *unreachable),
    )


def _left_out(command: ListedCommand) -> list[str]:
    return [
        f"`{printable(each, 80)}` is left out: what it prints is kept with the run"
        for each in command.redirections
        if each.partition(" ")[2] not in (*_NOWHERE, "")
    ]


def _why_a_shell(commands: Sequence[ListedCommand]) -> str:
    joints = [command.joint for command in commands if "|" in command.joint]
    if joints:
        return f"of `{joints[0]}`"
    return "it calls several programs"


# Such a redirection of a program can be left out: the output is kept with the run.
def _is_for_a_log(redirection: str) -> bool:
    sign, _, target = redirection.partition(" ")
    return sign.endswith(">>") or "&" in sign or target in _NOWHERE


def _convert_shell(line: _Line, commands: Sequence[ListedCommand], why: str) -> ConvertedCommand:
    found, commands = needs.of_shell(
        commands, folder=line.folder, found=line.found, sources=line.sources
    )
    try:
        text = shell_text.judged(line.plan.text, commands, line.found.guards, line.shell)
    except NotToBeJudged as reason:
        return ConvertedCommand(found=line.found, problem=f"it stays with cron: {reason}")
    folder = line.folder if line.found.folder else ""
    guards = list(line.found.guards)
    line.found.guards.clear()
    context = line.context(folder=folder)
    notes = [f"a shell runs it, because {why}"]
    if line.home and not folder:
        notes.append(f"cron ran it in `{line.home}`; here it begins in a folder of its own")
    unreachable = reach.notes([line.plan.text, folder])
    unreachable += reach.of_conditions([*guards, line.plan.text], folder=folder)
    return ConvertedCommand(
        found=line.found,
        name=names.of_commands(commands, line.plan.text),
        code=codegen.in_shell(text.text, context, words=text.words),
        needs=found,
        wait_s=line.wait_s,
        notes=line.notes(*notes, *found.notes, *unreachable),
    )


def _entry_notes(entry: CrontabEntry, context: CommandContext) -> list[str]:
    notes = list(entry.readings)
    if entry.user:
        notes.append(
            f"`{entry.user}` ran it; in Tempo each script has a user of its own, or Tempo's"
        )
    if entry.stdin is not None:
        notes.append(
            "`%` begins the input, as Debian's cron and cronie read it; busybox passes it on"
        )
    if entry.variables.get("CRON_TZ"):
        notes.append("`CRON_TZ` is its zone, as in cronie; Debian's cron does not know it")
    for name in sorted(_LOST_VARIABLES & entry.variables.keys()):
        notes.append(f"`{name}` is left out")
    if "PATH" in entry.variables:
        behind = f", then come {context.path}" if context.path else ""
        notes.append(f"`PATH` is Tempo's own: the script's programs, the system's{behind}")
    stated = [name for name in context.variables if name != "PATH"]
    if stated:
        notes.append(f"variables stand in its code: {', '.join(stated)}")
    return notes

"""Writes a command that only a shell can run so that the run fails when a part of the command fails.

A shell tells how its last command ended, and of a pipe the last part: cron did not care, a run has to know.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts_app.crontab import conditions
from scripts_app.crontab.command_list import ListedCommand
from scripts_app.crontab.unwrap import TELLERS

BASH = "/bin/bash"
SH = "/bin/sh"
_QUOTED = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""", re.DOTALL)
_BACKGROUND = re.compile(r"(?<![&>|<0-9])&(?![&>0-9])")
_TELL = 'tell() { [ "$1" -eq 0 ] || failed=$1; }'
# A subshell's `failed` is lost with it, so what failed in there becomes how it ends.
_TRAP = 'trap \'failed=$?; [ "$BASH_SUBSHELL" -eq 0 ] || trap "exit $failed" EXIT\' ERR'
_POSIX = frozenset({"sh", "bash", "dash", "ash"})


class NotToBeJudged(ValueError):
    """Why nobody could tell how such a command ended; str() is the reason."""


@dataclass(frozen=True, kw_only=True)
class ShellText:
    """The words that start the shell, and the text behind them."""

    words: list[str]
    text: str


def judged(
    text: str, commands: Sequence[ListedCommand], guards: Sequence[str], shell: str
) -> ShellText:
    """Return what a shell has to run for a command whose `commands` are known, or else for its `text`.

    Raise NotToBeJudged for programs in the background and for shells with a syntax of their own.
    """
    if _BACKGROUND.search(_QUOTED.sub("''", text)):
        raise NotToBeJudged(
            "a part of it goes on in the background, and nothing would notice how that ends"
        )
    if Path(shell).name not in _POSIX:
        raise NotToBeJudged(f"`{Path(shell).name}` would not tell how each part of it ended")
    has_pipe = "|" in _QUOTED.sub("''", text).replace("||", "")
    is_plain = len(commands) == 1 and not commands[0].is_compound and not has_pipe
    has_bash = Path(BASH).exists()
    if is_plain and not guards:
        return ShellText(words=[shell, "-c"], text=text)
    if has_pipe and not has_bash:
        raise NotToBeJudged("without bash nothing tells how the parts of a pipe ended")
    lines = [_TELL, *_lists(text, commands), "exit ${failed:-0}"]
    if has_bash:
        lines.insert(1, _TRAP)
    lines = [*map(_guard, guards), *lines]
    words = [BASH, "-E", "-o", "pipefail", "-c"] if has_bash else [SH, "-c"]
    return ShellText(words=words, text="\n".join(lines))


def _guard(guard: str) -> str:
    said = f"echo {shlex.quote(conditions.sentence(guard))}"
    otherwise = list(filter(None, [said, conditions.look(guard), "exit 0"]))
    if conditions.is_test(guard):
        otherwise.insert(0, "code=$?; [ $code -eq 1 ] || exit $code")  # it could not be tested
    return f"{guard} || {{ {'; '.join(otherwise)}; }}"


# A list of commands a line, each with a look at how it ended. A `||` whose end only tells must not hide the failure.
def _lists(text: str, commands: Sequence[ListedCommand]) -> list[str]:
    if not commands:
        return [text, "tell $?"]
    lines: list[str] = []
    current = ""
    for command in commands:
        if command.joint in ("", ";") and current:
            lines += [current, "tell $?"]
            current = ""
        if current and command.joint == "||" and command.words[:1] and command.words[0] in TELLERS:
            current += f" || {{ tell $?; {command.text}; }}"
        elif current:
            current += f" {command.joint} {command.text}"
        else:
            current = command.text
    return [*lines, current, "tell $?"]

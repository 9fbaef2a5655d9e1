"""The command line: Django's, with short names for what people type, ended in the manner of the shell."""

import os
import signal
import sys

from django.core.management import CommandError, ManagementUtility
from django.db import DatabaseError

from tempo_site.backups import replacing
from tempo_site.bootstrap import service_user
from tempo_site.lib import paths, storage_trouble

# `tempo runs` is `tempo listruns`.
SHORT = {
    "add": "addscript",
    "cancel": "cancelrun",
    "log": "showlog",
    "pause": "pauseall",
    "resume": "resumeall",
    "run": "runscript",
    "runs": "listruns",
    "scripts": "listscripts",
    "search": "searchlogs",
    "show": "showscript",
}
CALLED_AS = "TEMPO_CALLED_AS"  # set by the console script `tempo`
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE
# What is allowed while a restore is broken off: these finish it, or say how.
FINISHING = ("prepare", "restore", "serve", "web", "help")
# In a folder that was never used these act as whoever gives them.
BEGINNING = ("prepare", "restore", "web")


def execute(argv: list[str]) -> None:
    """Run the command of a command line; a reader who has gone (`| head`) and Ctrl+C end it without a traceback."""
    program, *words = argv
    place = 1 if words[:1] == ["help"] else 0
    words[place : place + 1] = [SHORT.get(word, word) for word in words[place : place + 1]]
    try:
        if words[:1] != ["serve"]:  # that one needs root for its launcher
            service_user.step_down(begins_folder=bool(words) and words[0] in BEGINNING)
        _refuse_in_a_restore(words[:1])
        ManagementUtility([os.environ.get(CALLED_AS) or program, *words]).execute()
        sys.stdout.flush()
    except CommandError as refusal:
        sys.exit(str(refusal))
    except DatabaseError as problem:
        sys.exit(_sentence_for(problem))
    except UnicodeEncodeError as problem:
        sys.exit(_sentence_for_text(problem))
    except BrokenPipeError:
        # What is left in the buffer would raise it again at the end of Python.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _sentence_for(problem: DatabaseError) -> str:
    if storage_trouble.is_unprepared(problem):
        sentence = f"The data folder {paths.data()} is not prepared."
        return f"{sentence}\nhint: start Tempo, or give the command `prepare`"
    trouble = storage_trouble.trouble_of(problem)
    if trouble is None:
        raise problem
    return str(trouble)


def _sentence_for_text(problem: UnicodeEncodeError) -> str:
    # Bytes of an argument or of standard input that are no UTF-8 are surrogates in Python's texts.
    if problem.reason != "surrogates not allowed":
        raise problem
    return "What was given is no text in UTF-8."


def _refuse_in_a_restore(words: list[str]) -> None:
    # Of these, `serve` has not become the user of the data folder yet.
    if not words or words[0] in FINISHING:
        return
    if replacing.is_begun(paths.data()):
        raise CommandError("A restore was broken off.\nhint: start Tempo, which finishes it")

# /// script
# requires-python = ">=3.8"
# dependencies = ["pytest"]
#
# [tool.tempo]
# title = "Nightly test run"
# description = "Fetches the newest state of a project, runs its tests and says which result is new since last time."
# cron = "0 4 * * *"
#
# [tool.tempo.parameters]
# folder = {type = "text", required = true, help = "The project, as a full path: /srv/project."}
# command = {type = "text", default = "python -m pytest -q", required = true, help = "Run in that folder."}
# pull = {type = "bool", default = false, help = "Run `git pull` first."}
# minutes = {type = "float", default = 30, min = 0.01, max = 1440, help = "The tests are ended after so long."}
# ///
"""Run a project's tests. Exit code 0: they passed. 1: they failed. 2: they could not be run.

Packages that the tests need belong into this script's requirements, next to pytest. The last result lies in
nightly_tests.json.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

STATE = Path(
    "nightly_tests.json"
).resolve()  # the working folder is the script's own and lasts from run to run
NO_TESTS = 5  # pytest's exit code when it found none


def main() -> None:
    folder = Path(os.environ.get("TEMPO_PARAM_FOLDER", "")).expanduser()
    if not folder.is_absolute() or not folder.is_dir():
        give_up(f"`folder` has to be the full path of a folder, like /srv/project, not `{folder}`.")
    if os.environ.get("TEMPO_PARAM_PULL", "false") == "true":
        run(["git", "pull", "--ff-only"], folder, must=True)
    started = time.monotonic()
    code = run(command(), folder)
    if code == NO_TESTS:
        give_up(f"There are no tests in {folder}.")
    print(f"{time.monotonic() - started:.1f} s")
    report(passed=code == 0)


def command() -> "list[str]":
    """The words of the command; `python` is this script's own, so that its packages are there."""
    words = shlex.split(os.environ.get("TEMPO_PARAM_COMMAND", "python -m pytest -q"))
    if not words:
        give_up("There is no command: the parameter `command` is empty.")
    return [sys.executable, *words[1:]] if words[0] in ("python", "python3") else words


def run(words: "list[str]", folder: Path, *, must: bool = False) -> int:
    """Run a program in a folder and return its exit code; its output is shown with this script's own."""
    print("$", *map(shlex.quote, words))
    minutes = float(os.environ.get("TEMPO_PARAM_MINUTES", "30"))
    try:
        done = subprocess.run(
            words, cwd=folder, stdin=subprocess.DEVNULL, timeout=minutes * 60, check=False
        )
    except subprocess.TimeoutExpired:
        give_up(f"`{words[0]}` was ended after {minutes:g} minutes.")
    except OSError as error:
        give_up(f"`{words[0]}` cannot be run: {error.strerror}")
    if must and done.returncode:
        give_up(f"`{words[0]}` ended with exit code {done.returncode}.")
    return done.returncode


def report(*, passed: bool) -> None:
    """Say what is new since the last run, remember the result, and fail when the tests did."""
    before = json.loads(STATE.read_text(encoding="utf-8"))["passed"] if STATE.exists() else None
    # written beside, then renamed: a crash leaves the old file whole
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps({"passed": passed}), encoding="utf-8")
    fresh.replace(STATE)
    if passed:
        print("The tests pass." if before is not False else "FIXED: the tests pass again.")
    else:
        sys.exit(
            "The tests fail, as they did last time."
            if before is False
            else "BROKEN: the tests fail."
        )


def give_up(sentence: str) -> NoReturn:
    """End with exit code 2: there is no result."""
    print(sentence, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()

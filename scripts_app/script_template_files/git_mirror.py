# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Git mirror"
# description = "Keeps complete copies of git repositories, with all branches and tags, and brings them up to date."
# cron = "45 1 * * *"
#
# [tool.tempo.parameters]
# repositories = {type = "text", required = true, help = "Addresses, separated by commas: https://github.com/me/project.git"}
# target = {type = "text", default = "mirrors", help = "The folder for the copies; it is made if needed."}
# timeout_s = {type = "int", default = 600, min = 10, max = 86400, help = "Seconds that one repository may take."}
# ///
"""Mirror git repositories. Exit code 0: all are up to date. 1: at least one is not.

For private ones make a secret variable GIT_TOKEN with an access token. To restore one: git clone mirrors/project.git
"""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


class Failure(Exception):
    """Why a repository is not up to date."""


def main() -> None:
    text = os.environ.get("TEMPO_PARAM_REPOSITORIES", "")
    target = Path(os.environ.get("TEMPO_PARAM_TARGET", "mirrors")).expanduser()
    addresses = [address.strip() for address in text.split(",") if address.strip()]
    if not addresses:
        sys.exit("There is nothing to mirror: the parameter `repositories` is empty.")
    if shutil.which("git") is None:
        sys.exit("The program git is not on this machine.")
    problems = []
    for number, address in enumerate(addresses, start=1):
        if re.match(r"https?://[^/]*@", address):  # refused before it is printed
            problems.append(
                f"Repository {number} has a user or a password in its address: use GIT_TOKEN instead."
            )
            continue
        try:
            mirror(address, target)
        except (Failure, OSError) as error:  # the other repositories get their turn all the same
            problems.append(f"{address} is not up to date: {error}")
    if problems:
        sys.exit("\n".join(problems))


def mirror(address: str, target: Path) -> None:
    """Copy a repository the first time, fetch what is new afterwards."""
    name = re.split(r"[/:]", address.rstrip("/"))[-1]
    copy = target / (name if name.endswith(".git") else f"{name}.git")
    if copy.is_dir():
        known = git(address, "-C", str(copy), "config", "remote.origin.url").strip()
        if known != address:
            raise Failure(f"{copy} is the copy of another repository, {known}")
        git(address, "-C", str(copy), "remote", "update", "--prune")
    else:
        target.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)  # what a run left that was ended half way
        git(address, "clone", "--mirror", "--", address, str(unfinished))
        unfinished.rename(copy)
    names = git(address, "-C", str(copy), "for-each-ref", "--format=%(refname)").split()
    tags = sum(name.startswith("refs/tags/") for name in names)
    branches = sum(name.startswith("refs/heads/") for name in names)
    print(f"{copy}: {branches} branches, {tags} tags")


def git(address: str, *arguments: str) -> str:
    """Run git, which must not ask anybody for a password; return what it wrote."""
    timeout_s = int(os.environ.get("TEMPO_PARAM_TIMEOUT_S", "600"))
    try:
        done = subprocess.run(
            ["git", *arguments],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **login(address)},
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"git took more than {timeout_s} s") from None
    except subprocess.CalledProcessError as error:
        raise Failure(f"git ended with exit code {error.returncode}") from None
    return done.stdout


def login(address: str) -> "dict[str, str]":
    """The token, for this one address; through the environment, as other users can read command lines."""
    token = os.environ.get("GIT_TOKEN", "")
    if not token or not address.startswith("https://"):
        return {}
    header = "Authorization: Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{address}.extraHeader",
        "GIT_CONFIG_VALUE_0": header,
    }


if __name__ == "__main__":
    main()

# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "HTTP check with alert"
# description = "Asks for a web page and fails when it is down; tells a chat when it goes down and when it is back."
# cron = "*/5 * * * *"
#
# [tool.tempo.parameters]
# url = {type = "text", default = "https://example.org/", required = true, help = "The address to ask."}
# status = {type = "int", default = 200, min = 100, max = 599, help = "The HTTP status that counts as well."}
# contains = {type = "text", default = "", help = "Words that must be on the page; empty: any page will do."}
# tries = {type = "int", default = 3, min = 1, max = 10, help = "It is down when so many tries in a row fail."}
# wait_s = {type = "float", default = 5, min = 0, max = 60, help = "Seconds between two tries."}
# timeout_s = {type = "float", default = 10, min = 1, max = 120, help = "Seconds to wait for an answer."}
# ///
"""Is a web page up? Exit code 0: yes. 1: no. 2: the check itself, or its alert, did not work.

Tempo can tell you about failed runs itself. Beyond that: make a secret variable ALERT_WEBHOOK with the address of an
incoming webhook (Slack, Mattermost, Rocket.Chat...), and it gets a message at every change, not at every run.
"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

STATE = Path("http_check.json")  # the working folder is the script's own and lasts from run to run
MOST_BYTES = 5_000_000


def main() -> None:
    url = os.environ.get("TEMPO_PARAM_URL", "https://example.org/")
    tries = int(os.environ.get("TEMPO_PARAM_TRIES", "3"))
    if not url.startswith(("http://", "https://")):
        give_up(f"`{url}` is no web address: it has to begin with http:// or https://.")
    problem = ""
    for number in range(1, tries + 1):
        problem = look_at(url)
        if not problem:
            break
        print(f"try {number} of {tries}: {problem}")
        if number < tries:
            time.sleep(float(os.environ.get("TEMPO_PARAM_WAIT_S", "5")))
    tell_of_change(url, problem)
    if problem:
        sys.exit(f"DOWN: {url}: {problem}")
    print(f"UP: {url}")


def look_at(url: str) -> str:
    """Ask for the page; return what is wrong with the answer, or an empty text."""
    wanted = int(os.environ.get("TEMPO_PARAM_STATUS", "200"))
    contains = os.environ.get("TEMPO_PARAM_CONTAINS", "")
    started = time.monotonic()
    try:
        status, page = get(url)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    print(f"status {status}, {len(page):,} bytes, {time.monotonic() - started:.2f} s")
    if status != wanted:
        return f"status {status} instead of {wanted}"
    if contains not in page.decode(errors="replace"):
        return f"the page does not contain `{contains}`"
    return ""


def get(url: str) -> "tuple[int, bytes]":
    """Return the status and the content of a page. A status like 404 is an answer, too."""
    timeout_s = float(os.environ.get("TEMPO_PARAM_TIMEOUT_S", "10"))
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status, answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MOST_BYTES)


def tell_of_change(url: str, problem: str) -> None:
    """Send an alert when this is news, and remember it once it was sent: an alert that failed is tried again."""
    before = json.loads(STATE.read_text(encoding="utf-8")) if STATE.exists() else {}
    was_up = before.get(url, True)  # the first run is no news while all is well
    is_up = not problem
    if is_up != was_up:
        alert(f"{url} is up again." if is_up else f"{url} is DOWN: {problem}")
    # written beside, then renamed: a crash leaves the old file whole
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps({url: is_up}), encoding="utf-8")
    fresh.replace(STATE)


def alert(text: str) -> None:
    """Post a message to the webhook, if there is one. Its address is a secret and is never printed."""
    webhook = os.environ.get("ALERT_WEBHOOK", "")
    if not webhook:
        print("No alert was sent: there is no variable ALERT_WEBHOOK.")
        return
    if not webhook.startswith(("http://", "https://")):
        give_up("The variable ALERT_WEBHOOK holds no web address.")
    request = urllib.request.Request(
        webhook,
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10):
            print("An alert was sent.")
    except (OSError, http.client.HTTPException) as error:
        give_up(f"{text} But the alert could not be sent: {error}")


def give_up(sentence: str) -> NoReturn:
    """End with exit code 2: the check itself did not work."""
    print(sentence, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()

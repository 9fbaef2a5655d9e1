# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "API poll with state"
# description = "Asks a JSON API what is new since the last run and keeps each new entry in a file, one a line."
# cron = "*/15 * * * *"
#
# [tool.tempo.parameters]
# url = {type = "text", default = "https://api.github.com/repos/git/git/tags", required = true, help = "The API."}
# entries = {type = "text", default = "", help = "The field that holds the list; empty: the answer is the list."}
# key = {type = "text", default = "name", required = true, help = "The field that tells one entry from another."}
# timeout_s = {type = "float", default = 20, min = 1, max = 120, help = "Seconds to wait for an answer."}
# ///
"""Collect what is new in an API. Exit code 0: asked, whether or not there was news. 1: it could not be asked.

New entries are printed and appended to entries.jsonl. api_poll.json remembers which ones were seen, and the ETag by
which a server can say "nothing has changed" without sending everything again. An API that wants a token: make a secret
variable API_TOKEN.
"""

import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

STATE = Path("api_poll.json")  # the working folder is the script's own and lasts from run to run
COLLECTED = Path("entries.jsonl")
MOST_BYTES = 20_000_000
MOST_SEEN = 10_000  # of entries older than that nobody knows any more


def main() -> None:
    url = os.environ.get("TEMPO_PARAM_URL", "https://api.github.com/repos/git/git/tags")
    if not url.startswith(("http://", "https://")):
        sys.exit(f"`{url}` is no web address: it has to begin with http:// or https://.")
    state = read_state(url)
    try:
        answer = ask(url, state)
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{url} cannot be asked: {error}")
    except ValueError as error:
        sys.exit(f"{url} did not answer in JSON: {error}")
    if answer is None:
        print("Nothing has changed since the last time.")
        return
    new = collect(entries_of(answer), state)
    # last: should this run end before, the next one finds the same entries again
    write_state(state)
    print(f"{len(new)} new entries" if new else "No new entries.")


def read_state(url: str) -> "dict[str, Any]":
    """What the last run left behind; nothing counts that was found at another address."""
    state = json.loads(STATE.read_text(encoding="utf-8")) if STATE.exists() else {}
    return state if state.get("url") == url else {"url": url, "etag": "", "seen": []}


def write_state(state: "dict[str, Any]") -> None:
    """Write beside, then rename: a crash leaves the old file whole."""
    fresh = STATE.with_suffix(".new")
    fresh.write_text(json.dumps(state), encoding="utf-8")
    fresh.replace(STATE)


def ask(url: str, state: "dict[str, Any]") -> Any:
    """Return the decoded answer, or None when the server says that nothing has changed."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    request.add_header("User-Agent", "tempo-api-poll")
    if state["etag"]:
        request.add_header("If-None-Match", state["etag"])
    # "unredirected": another server that we are sent on to must not get it
    if os.environ.get("API_TOKEN"):
        request.add_unredirected_header("Authorization", "Bearer " + os.environ["API_TOKEN"])
    timeout_s = float(os.environ.get("TEMPO_PARAM_TIMEOUT_S", "20"))
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            content = answer.read(MOST_BYTES)
            state["etag"] = answer.headers.get("ETag", "")
    except urllib.error.HTTPError as error:
        if error.code == http.client.NOT_MODIFIED:
            return None
        raise
    return json.loads(content)


def entries_of(answer: Any) -> "list[dict[str, Any]]":
    """The list of entries in an answer."""
    field, key = (
        os.environ.get("TEMPO_PARAM_ENTRIES", ""),
        os.environ.get("TEMPO_PARAM_KEY", "name"),
    )
    if field and isinstance(answer, dict):
        answer = answer.get(field)
    if not isinstance(answer, list):
        sys.exit("The answer holds no list: name the field that does in the parameter `entries`.")
    if not all(isinstance(entry, dict) and key in entry for entry in answer):
        sys.exit(f"Not every entry has a field `{key}`: name another one in the parameter `key`.")
    return answer


def collect(entries: "list[dict[str, Any]]", state: "dict[str, Any]") -> "list[dict[str, Any]]":
    """Append the entries that were not seen before to the file, and to what was seen; return them."""
    key = os.environ.get("TEMPO_PARAM_KEY", "name")
    seen = set(state["seen"])
    new = [entry for entry in entries if str(entry[key]) not in seen]
    with COLLECTED.open("a", encoding="utf-8") as lines:
        for entry in new:
            print("new:", entry[key])
            lines.write(json.dumps(entry, ensure_ascii=False) + "\n")
    state["seen"] = (state["seen"] + [str(entry[key]) for entry in new])[-MOST_SEEN:]
    return new


if __name__ == "__main__":
    main()

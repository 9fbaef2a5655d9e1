# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Web page change"
# description = "Compares the words on a web page with those of the last run, shows the difference and lets you know."
# cron = "0 */4 * * *"
#
# [tool.tempo.parameters]
# url = {type = "text", default = "https://example.org/", required = true, help = "The page to watch."}
# ignore = {type = "text", default = "", help = "Lines with these words do not count; a regular expression."}
# fail = {type = "bool", default = true, help = "A change counts as a failed run, so that Tempo notifies you."}
# timeout_s = {type = "float", default = 20, min = 1, max = 120, help = "Seconds to wait for the page."}
# ///
"""Watch a web page. Exit code 0: as it was. 1: it has changed (with `fail`). 2: it could not be read.

The words of the page lie in page.txt, the last difference in change.diff.
"""

import difflib
import http.client
import os
import re
import sys
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import NoReturn

KNOWN = Path("page.txt")  # the working folder is the script's own and lasts from run to run
CHANGE = Path("change.diff")
MOST_BYTES = 10_000_000
MOST_LINES = 60  # of a difference that are printed


class Words(HTMLParser):
    """Collects the text that people see."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style", "template")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "template") and self.hidden > 0

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.lines.append(" ".join(data.split()))


def main() -> None:
    url = os.environ.get("TEMPO_PARAM_URL", "https://example.org/")
    if not url.startswith(("http://", "https://")):
        give_up(f"`{url}` is no web address: it has to begin with http:// or https://.")
    try:
        lines = without_ignored(read(url))
    except (OSError, http.client.HTTPException, LookupError) as error:
        give_up(f"{url} cannot be read: {error}")
    except re.error as error:
        give_up(f"The parameter `ignore` is no regular expression: {error}")
    if not lines:
        give_up(f"{url} holds no words: what it shows may be made by JavaScript.")
    compare(url, lines)


def read(url: str) -> "list[str]":
    """The lines of text on a page."""
    timeout_s = float(os.environ.get("TEMPO_PARAM_TIMEOUT_S", "20"))
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        page = answer.read(MOST_BYTES).decode(
            answer.headers.get_content_charset("utf-8"), errors="replace"
        )
    words = Words()
    words.feed(page)
    words.close()
    return words.lines


def without_ignored(lines: "list[str]") -> "list[str]":
    """The lines that count."""
    ignore = os.environ.get("TEMPO_PARAM_IGNORE", "")
    return [line for line in lines if not (ignore and re.search(ignore, line))]


def compare(url: str, lines: "list[str]") -> None:
    """Say what is new since the last run, and remember it."""
    before = KNOWN.read_text(encoding="utf-8").split("\n") if KNOWN.exists() else None
    if before == lines:
        print(f"{url} has not changed.")
        return
    if before is not None:
        difference = list(difflib.unified_diff(before, lines, "before", "now", lineterm="", n=1))
        print("\n".join(difference[:MOST_LINES]))
        save(CHANGE, "\n".join(difference))
    save(KNOWN, "\n".join(lines))
    if before is None:
        print(f"{url} was read for the first time: {len(lines)} lines.")
    elif os.environ.get("TEMPO_PARAM_FAIL", "true") == "true":
        sys.exit(f"{url} has changed.")
    else:
        print(f"{url} has changed.")


def save(path: Path, text: str) -> None:
    """Write beside, then rename: a crash leaves the old file whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def give_up(sentence: str) -> NoReturn:
    """End with exit code 2: the page could not be read."""
    print(sentence, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()

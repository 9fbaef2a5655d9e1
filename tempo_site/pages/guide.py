"""The guide inside the product: the pages of docs/, a search of them, and which part belongs to a page of Tempo."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.safestring import SafeString

TIMEOUT_S = 20.0
MAX_FOUND = 40
_PROGRAM = settings.BASE_DIR / "tempo_site" / "lib" / "programs" / "guide.py"
_HEADING = re.compile(r"^#{1,4} +(.+)$")
# What excerpts are shown without: marks of tables and of blocks of code, then bold and slanted words and links.
_ONLY_MARKS = re.compile(r"[|:\s-]+|```\w*")
_MARKED = re.compile(r"\*\*(.+?)\*\*|(?<!\w)\*(\w[^*]*)\*|\[([^]]+)\]\([^)]*\)")
_NOT_IN_AN_ID = re.compile(r"[^\w\s-]")
# By the name of the file without `.md`, in the order of the list; other files of docs/ come behind them.
_KNOWN = {
    "user-guide": "User guide",
    "install": "Install",
    "triggers": "URL triggers",
    "notifications": "Notifications",
    "backup": "Backups",
    "export-import": "Export and import",
    "troubleshooting": "Troubleshooting",
    "faq": "Questions",
    "configuration": "Configuration",
    "docker": "Docker",
    "proxy": "Behind a proxy",
    "cli": "Command line",
    "api": "API",
    "security": "Security",
    "glossary": "Glossary",
    "architecture": "Architecture",
    "benchmarks": "Benchmarks",
    "changelog": "What is new",
}


def _titles() -> dict[str, str]:
    titles = dict(_KNOWN)
    for file in sorted((settings.BASE_DIR / "docs").glob("*.md")):
        with file.open() as lines:
            titles.setdefault(file.stem, lines.readline().strip("# \n"))
    return titles


TITLES = _titles()
# The part of the guide that belongs to a page, by the page's name.
PART_OF_PAGE = {
    "script-list": "user-guide#scripts",
    "script-new": "user-guide#scripts",
    "script-overview": "user-guide#how-scripts-are-doing",
    "script-edit": "user-guide#writing",
    "script-environment": "user-guide#packages-and-python",
    "script-file-list": "user-guide#files",
    "script-versions": "user-guide#versions",
    "script-variables": "user-guide#variables-and-secrets",
    "script-schedule": "user-guide#schedules",
    "script-trigger": "triggers",
    "script-settings": "user-guide#limits",
    "schedule-list": "user-guide#all-schedules",
    "schedule-new": "user-guide#five-ways-to-say-when",
    "schedule-edit": "user-guide#five-ways-to-say-when",
    "crontab-import": "user-guide#moving-in-from-cron",
    "import-scripts": "export-import#import",
    "import-preview": "export-import#import",
    "run-list": "user-guide#runs",
    "run-detail": "user-guide#runs",
    "search": "user-guide#searching-all-output",
    "statistics": "user-guide#how-scripts-are-doing",
    "retention": "user-guide#what-is-kept",
    "environment-list": "user-guide#all-environments-and-the-pythons",
    "notifications": "notifications",
    "open-paths": "user-guide#isolation",
    "settings": "configuration",
    "audit": "security#the-audit",
    "backup-list": "backup",
    "backup-restore": "backup#restore",
    "system": "configuration#health",
    "failure-list": "user-guide#runs",
    "variables": "user-guide#variables-and-secrets",
    "key-list": "user-guide#users-keys-admin",
    "key-new": "user-guide#users-keys-admin",
    "schedule-calendar": "user-guide#all-schedules",
    "script-runs": "user-guide#runs",
    "script-notifications": "notifications",
    "channel-kinds": "notifications#services",
    "rule-new": "notifications#the-nearest-rule",
    "deleted-scripts": "user-guide#folders-copies-deleted-scripts",
    "pause-all": "user-guide#pauses",
}


@dataclass(frozen=True, kw_only=True)
class GuidePage:
    name: str
    title: str
    html: SafeString
    headings: list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class FoundPart:
    page: str
    page_title: str
    heading: str
    part: str  # the id of the heading
    excerpt: str


def page(name: str) -> GuidePage:
    """Return a page of TITLES; a program of its own writes the HTML, so that its library stays out of this process."""
    done = subprocess.run(
        [sys.executable, "-I", str(_PROGRAM)],
        input=_file(name).read_text(),
        capture_output=True,
        check=True,
        cwd="/",
        env={"LANG": "C.UTF-8"},
        encoding="utf-8",
        timeout=TIMEOUT_S,
    )
    written = json.loads(done.stdout)
    return GuidePage(
        name=name,
        title=TITLES[name],
        html=SafeString(written["html"]),  # of files of our own
        headings=[each for each in written["headings"] if each["level"] == 2],
    )


def find(words: str) -> list[FoundPart]:
    """Return the parts of all pages that hold all these words, those with a word in their heading first."""
    wanted = words.casefold().split()
    if not wanted:
        return []
    found = [part for name in TITLES for part in _parts(name) if _has(part, wanted)]
    found.sort(key=lambda part: not any(word in part.heading.casefold() for word in wanted))
    return found[:MAX_FOUND]


def address_of(view_name: str) -> str:
    """Return the name of the page and, behind `#`, of the part that belongs to a page of Tempo; "" for the first."""
    return PART_OF_PAGE.get(view_name, "")


def _file(name: str) -> Path:
    if name == "changelog":
        return settings.BASE_DIR / "CHANGELOG.md"
    return settings.BASE_DIR / "docs" / f"{name}.md"


def _has(part: FoundPart, wanted: list[str]) -> bool:
    text = f"{part.heading} {part.excerpt}".casefold()
    return all(word in text for word in wanted)


def _parts(name: str) -> Iterator[FoundPart]:
    heading, lines = TITLES[name], list[str]()
    for line in _text_lines(name):
        match = _HEADING.match(line)
        if match is None:
            lines.append(line)
            continue
        yield _part(name, heading, lines)
        heading, lines = match[1], []
    yield _part(name, heading, lines)


# What stands in a block of code may look like a heading.
def _text_lines(name: str) -> Iterator[str]:
    is_code = False
    for line in _file(name).read_text().splitlines():
        if line.lstrip().startswith("```"):
            is_code = not is_code
        yield f" {line}" if is_code else line


def _part(name: str, heading: str, lines: list[str]) -> FoundPart:
    return FoundPart(
        page=name,
        page_title=TITLES[name],
        heading=heading,
        part=id_of(heading),
        excerpt=_MARKED.sub(_words_of, " ".join(filter(None, map(_plain, lines)))),
    )


def _plain(line: str) -> str:
    if _ONLY_MARKS.fullmatch(line.strip()):
        return ""
    return line.strip(" |#").replace(" | ", " · ")


def _words_of(marked: re.Match[str]) -> str:
    return marked[1] or marked[2] or marked[3] or ""


def id_of(heading: str) -> str:
    """Return the id that the Markdown library gives a heading."""
    plain = _NOT_IN_AN_ID.sub("", heading.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)

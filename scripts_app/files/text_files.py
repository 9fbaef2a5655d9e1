"""The files of a script that people edit on a page: UTF-8 texts of a size that a page holds."""

import hashlib
from dataclasses import dataclass

from scripts_app import validation
from scripts_app.files import store
from scripts_app.files.store import FileEntry, NoSuchFile
from scripts_app.models import Script
from scripts_app.validation import ScriptError

MAX_KB = 512
MAX_OFFERED = 8
_NAMES = """
    .py .txt .json .toml .yaml .yml .csv .tsv .ini .cfg .conf .env .md .sh .sql .html .css .js .xml .j2
"""
SUFFIXES = tuple(_NAMES.split())


class NoText(ScriptError):
    """A file that cannot be edited as a text: too large, or no UTF-8."""


class TextConflict(ScriptError):
    """The file was changed since it was opened; `current` is what it says now, None without a file."""

    def __init__(self, path: str, current: "TextFile | None") -> None:
        verb = "changed" if current else "deleted"
        message = (
            f"`{path}` was {verb} in the meantime, so your text was not saved\n"
            "hint: compare both, then save again to put yours in its place"
        )
        super().__init__(message, field="text")
        self.current = current


@dataclass(frozen=True, kw_only=True)
class TextFile:
    text: str  # with plain line ends
    fingerprint: str  # of the bytes; "" for a file that is not there yet
    has_windows_ends: bool = False


NEW = TextFile(text="", fingerprint="")


def is_offered(entry: FileEntry) -> bool:
    """Tell by its name and size whether a file is likely to be one that people edit."""
    is_file = entry.kind == "file" and entry.has_readable_name
    return is_file and entry.name.endswith(SUFFIXES) and entry.size_bytes <= MAX_KB * 1024


def tabs(script: Script, *, path: str = "") -> list[str]:
    """Return the paths of the first few texts of `files/` itself, Python before others, and the one at `path`."""
    try:
        entries = store.listing(script).entries
    except ScriptError:
        entries = []
    offered = sorted(filter(is_offered, entries), key=lambda entry: not entry.name.endswith(".py"))
    found = [entry.path for entry in offered[:MAX_OFFERED]]
    if path and path not in found:
        found.append(path)
    return found


def read(script: Script, path: str) -> TextFile:
    """Return a file as a text. Raises NoSuchFile, NoText, and ScriptError for a path that cannot be one."""
    with store.opened(script, path) as file:
        content = file.read(MAX_KB * 1024 + 1)
    if len(content) > MAX_KB * 1024:
        raise NoText(f"`{path}` is larger than {MAX_KB} KB: download it to change it", field="path")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise NoText(f"`{path}` is no text in UTF-8: download it to change it", field="path")
    return TextFile(
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        fingerprint=hashlib.sha256(content).hexdigest(),
        has_windows_ends="\r\n" in text,
    )


def save(script: Script, path: str, text: str, *, based_on: str) -> TextFile:
    """Store a text that was edited since the `based_on` fingerprint, with the line ends that the file had.

    Raises TextConflict when the file says something else by now, ScriptError when it cannot be stored.
    """
    plain = validation.text(text, field="text")
    before = _current(script, path)
    if before.fingerprint != based_on:
        raise TextConflict(path, before if before.fingerprint else None)
    ended = plain.replace("\n", "\r\n") if before.has_windows_ends else plain
    content = ended.encode()
    if len(content) > MAX_KB * 1024:
        raise ScriptError(f"This text is larger than {MAX_KB} KB, the most of a page", field="text")
    store.save(script, path, [content], replace=bool(before.fingerprint))
    return read(script, path)


def _current(script: Script, path: str) -> TextFile:
    try:
        return read(script, path)
    except NoSuchFile:
        return NEW

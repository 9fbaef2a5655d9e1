"""Which paths an export writes and an import takes: those that mean the same file on every system."""

import re
import unicodedata

MAX_PATH, MAX_NAME_BYTES = 1000, 255
# What belongs to tools, and is made anew by them.
PASSED_OVER = frozenset(
    {".git", "__pycache__", ".venv", "venv", "node_modules", "__MACOSX", ".DS_Store", "Thumbs.db"}
)
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICES = frozenset({"con", "prn", "aux", "nul"})
_NUMBERED_DEVICE = re.compile(r"(com|lpt)[0-9¹²³]")


def problem_of(path: str) -> str:
    """Return why a path is not taken, in words behind its name; "" for a good one."""
    parts = path.split("/")
    if path.startswith("/") or _DRIVE.match(path):
        return "is an absolute path"
    if "\\" in path:
        return "holds a backslash"
    if ".." in parts:
        return "leads out of its folder"
    if "" in parts or "." in parts:
        return "has an empty part or `.`"
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in path):
        return "holds a control character, or is no Unicode"
    if unicodedata.normalize("NFC", path) != path:
        return "has letters and accents apart (NFD); pack it on another system, or rename it"
    if len(path) > MAX_PATH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        return "is too long"
    if any(_is_for_windows_alone(part) for part in parts):
        return "is a name that Windows keeps for itself, or ends with a dot or a space"
    return ""


def is_passed_over(path: str) -> bool:
    return not PASSED_OVER.isdisjoint(path.split("/"))


def key_of(path: str) -> str:
    """Return what two paths have in common that are one file on some system."""
    return unicodedata.normalize("NFC", path).casefold()


class Taken:
    """Paths that lie side by side: on each system they are files of their own."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add(self, path: str) -> str:
        """Return "", or the path that this one cannot lie beside: the same in other letters, or a file above it."""
        key = key_of(path)
        parts = key.split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts))]
        for known, keys in ((self._files, [key, *above]), (self._folders, [key])):
            for each in keys:
                if each in known:
                    return known[each]
        self._files[key] = path
        for each in above:
            self._folders.setdefault(each, path)
        return ""


def _is_for_windows_alone(part: str) -> bool:
    stem = part.partition(".")[0].rstrip(" ").casefold()
    is_device = stem in _DEVICES or _NUMBERED_DEVICE.fullmatch(stem) is not None
    return is_device or part[-1] in ". " or part[0] == " "

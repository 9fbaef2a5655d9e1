"""Errors whose cause is known by their words alone, each with a sentence that says what to do."""

import re

_NO_NAME = (
    "A program asked for the name of the user that the script runs as, which has none on this machine\n"
    "hint: an admin installs nss_wrapper (Debian: `libnss-wrapper`) and starts Tempo again"
)
_DISK_FULL = "There was no room left on a disk that it wrote to"
_READ_ONLY = (
    "It wrote to a file system that is read-only\n"
    "hint: an admin mounts it writable, for Tempo's container, too; a disk that fails becomes read-only by itself"
)
_TWO_DISKS = (
    "A file cannot be renamed to there: that is another disk, or a folder with other rights\n"
    "hint: use `shutil.move`"
)
_NO_KEY = (
    "The other side accepted no SSH key of this script\n"
    "hint: its key belongs into `.ssh` among its files, with mode 0600"
)
_OPEN_KEY = (
    "ssh takes no key and no settings that others could read or change\n"
    "hint: `os.chmod(path, 0o600)` closes them; what is uploaded into `.ssh` is closed from the first"
)
_UNKNOWN_HOST = (
    "ssh does not know the other side yet\n"
    "hint: put the line of `ssh-keyscan` into `.ssh/known_hosts` among the script's files"
)
_BROWSER = (
    "Chromium cannot build its own sandbox inside of Tempo's\n"
    "hint: start it with `--no-sandbox`, and give the script 1024 MB of memory or more"
)
# libx264 says no more than this when its threads get no memory.
_ENCODER = (
    "ffmpeg could not begin: the memory limit leaves no room for so many threads, or its settings do not fit the film\n"
    "hint: raise the memory limit, or start fewer threads: `-threads 2`"
)
_CLUES = (
    (
        re.compile(
            r"No user exists for uid|uid not found: \d|[Uu]ser (?:with )?ID \d+(?: does not exist|: )"
            r"|cannot find name for user ID|No username set in the environment|unable to look up current user"
        ),
        _NO_NAME,
    ),
    (
        re.compile(
            r"No space left on device|database or disk is full|[Dd]isk quota exceeded",
        ),
        _DISK_FULL,
    ),
    (re.compile(r"Read-only file system"), _READ_ONLY),
    (re.compile(r"Invalid cross-device link"), _TWO_DISKS),
    (
        re.compile(r"Bad owner or permissions on|bad permissions$|UNPROTECTED PRIVATE KEY"),
        _OPEN_KEY,
    ),
    (re.compile(r"Permission denied \((?:publickey|[\w,-]+,publickey)"), _NO_KEY),
    (re.compile(r"Host key verification failed"), _UNKNOWN_HOST),
    (
        re.compile(
            r"No usable sandbox!|without --no-sandbox is not supported|SUID sandbox helper binary"
            r"|Failed to move to new namespace"
        ),
        _BROWSER,
    ),
    (
        re.compile(
            r"Error while opening encoder - maybe incorrect"
            r"|Failed initializing scaling graph \(Resource temporarily unavailable\)"
        ),
        _ENCODER,
    ),
)


def known_cause(lines: list[str]) -> str:
    for line in lines:
        for pattern, sentence in _CLUES:
            if pattern.search(line):
                return sentence
    return ""

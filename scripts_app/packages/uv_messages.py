"""Messages of uv for people who do not call uv: its options are told as what Tempo has in their place."""

import re

from scripts_app.packages import suggestions

_NEEDS_WHEEL = (
    r"`\1` has no wheel that fits: name a version that has one, choose another Python, "
    "or switch on `Allow building from source` in the script's settings"
)
_IN_OUR_WORDS = (
    (
        r"Wheels are required for `([^`]+)` because building from source is disabled for "
        r"(?:all packages|`[^`]+`) \(i\.e\., with `--no-build[^`]*`\)",
        _NEEDS_WHEEL,
    ),
    (
        r"`([^`]+)` can't be installed because it is marked as `--no-build` "
        r"but has no binary distribution",
        _NEEDS_WHEEL,
    ),
    (
        r", but pre-releases weren't enabled \(try: `--prerelease=allow`\)",
        ", and pre-releases are taken only where a requirement names one: `>=2.0b1`",
    ),
    (
        r" ?Try increasing UV_HTTP_TIMEOUT \(current value: (\d+ ?s)\)\.?",
        r" The index did not answer within \1.",
    ),
    (r" \(i\.e\., with `--[^`]+`\)", ""),
)


def in_our_words(message: str) -> str:
    """Return a message of uv as people of Tempo read it, with a hint as last line where a package is unknown."""
    for pattern, words in _IN_OUR_WORDS:
        message = re.sub(pattern, words, message)
    return suggestions.with_suggestion(message)

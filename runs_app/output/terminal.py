"""Control sequences of a terminal within a line of output: colours, cursor moves, titles."""

import re

# Every alternative takes what it can and never looks back far: no line makes this slow.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])"
    r"|[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f]"
)


def plain_text(text: str) -> str:
    return _CONTROL.sub("", text)

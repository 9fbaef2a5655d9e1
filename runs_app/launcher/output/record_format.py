"""The format of `output.log`: a record a line, `<epoch_ms> O|E|S F|P <bytes as written>\\n`."""

# The first letter is the stream (stdout, stderr, Tempo's own words), the second says whether the record is a full line
# or a piece of a line. The script in the page (`static/js/log-lines.js`) reads the same format.

import re
from collections.abc import Iterator

LOG = "output.log"
STDOUT, STDERR, SYSTEM = b"O", b"E", b"S"
FULL, PIECE = b"F", b"P"

# A line that does not begin with a head was torn by a power cut.
HEAD = re.compile(rb"(\d{1,15}) ([OES]) ([FP]) ")
# The head of a full line while the clock has 13 digits, from 2001 to 2286: such records are counted without parsing.
USUAL_HEAD_PATTERN = rb"\d{13} [OES] F "
USUAL_HEAD_BYTES = 18


def head(epoch_ms: int, stream: bytes, kind: bytes) -> bytes:
    return b"%d %b %b " % (epoch_ms, stream, kind)


def parse(data: bytes) -> Iterator[tuple[int, str, bool, bytes]]:
    """Split whole records into (epoch ms, stream `O|E|S`, whether the line is full, the bytes); skip torn records."""
    for line in data.split(b"\n")[:-1]:
        if found := HEAD.match(line):
            yield int(found[1]), found[2].decode(), found[3] == b"F", line[found.end() :]

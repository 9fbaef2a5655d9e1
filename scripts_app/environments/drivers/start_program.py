"""The byte code of the program that starts scripts: made by the build of an environment, and given to its runs."""

import struct
from pathlib import Path

# For the Python of the environment, as no other can read its byte code. Prints its version, then what is damaged of
# pairs of a source and its byte code.
LOOK = """
import marshal, sys
print('%d.%d' % sys.version_info[:2])
for source, compiled in zip(sys.argv[1::2], sys.argv[2::2]):
    with open(source, 'rb') as file:
        wanted = compile(file.read(), source, 'exec')
    with open(compiled, 'rb') as file:
        made = file.read()[16:]
    try:
        is_right = marshal.loads(made) == wanted
    except Exception:
        is_right = False
    if not is_right:
        print(compiled)
"""


def byte_code_of(source: Path) -> Path | None:
    """Return the byte code that was made of a file as it is now, without optimisations."""
    status = source.stat()
    # Behind Python's number: no flags, and the time and size of the source that it was made of.
    made_of = struct.pack("<III", 0, int(status.st_mtime), status.st_size)
    for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
        with compiled.open("rb") as file:
            is_current = file.read(16)[4:] == made_of
        if is_current and ".opt-" not in compiled.name:
            return compiled
    return None

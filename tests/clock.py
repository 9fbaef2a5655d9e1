"""A clock that a test can move under a running Tempo: libfaketime (Debian's `libfaketime`), the wall clock alone.

What is measured in seconds since the start of the machine stays as it is, as when NTP or a person sets the clock.
"""

from pathlib import Path

LIBRARY = "usr/lib/*/faketime/libfaketimeMT.so.1"
SLEEP = b"\0clock_nanosleep\0"


class Clock:
    """The time of every process that is started with `variables`; scripts, which do not get them, keep the true one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._library = folder / "libfaketime.so"
        found = next(Path("/").glob(LIBRARY), None)
        assert found, "libfaketime is missing: apt-get install libfaketime"
        self._library.write_bytes(_mended(found.read_bytes()))
        self.move(hours=0)

    def move(self, *, hours: int) -> None:
        """Set it so many hours before or behind the true time."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{hours * 3600:+d}\n")
        beside.replace(self._file)

    @property
    def variables(self) -> dict[str, str]:
        """What a process has to be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def _mended(library: bytes) -> bytes:
    """The library without its clock_nanosleep(), which refuses to sleep until a monotonic moment, as Python asks it to.

    So does version 0.9.10 of Debian 12. The first time the name stands there is the table of what it offers; under
    another name nobody finds it.
    """
    assert SLEEP in library
    return library.replace(SLEEP, SLEEP.replace(b"clock", b"xlock"), 1)

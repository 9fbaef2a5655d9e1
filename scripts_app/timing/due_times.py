"""Sets of due instants (UTC): one, a grid, and those of another set within bounds or put off by a jitter."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

FIRST, LAST = (
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
)  # bounds that bound nothing
_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


class DueTimes(Protocol):
    def next_after(self, moment: datetime) -> datetime | None: ...
    def last_at_or_before(self, moment: datetime) -> datetime | None: ...
    def count_between(self, after: datetime, until: datetime) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Single:
    at: datetime | None

    def next_after(self, moment: datetime) -> datetime | None:
        if self.at is not None and self.at > moment:
            return self.at
        return None

    def last_at_or_before(self, moment: datetime) -> datetime | None:
        if self.at is not None and self.at <= moment:
            return self.at
        return None

    def count_between(self, after: datetime, until: datetime) -> int:
        return int(self.at is not None and after < self.at <= until)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A grid that begins with its anchor: it does not drift, and counting is a division."""

    anchor: datetime
    step: timedelta

    def next_after(self, moment: datetime) -> datetime | None:
        try:
            return self.anchor + (max(self._index(moment), -1) + 1) * self.step
        except OverflowError:
            return None

    def last_at_or_before(self, moment: datetime) -> datetime | None:
        index = self._index(moment)
        if index >= 0:
            return self.anchor + index * self.step
        return None

    def count_between(self, after: datetime, until: datetime) -> int:
        return max(self._index(until), -1) - max(self._index(after), -1)

    def _index(self, moment: datetime) -> int:
        return (moment - self.anchor) // self.step


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """Those of other due times that lie in [first, last]."""

    due_times: DueTimes
    first: datetime
    last: datetime

    def next_after(self, moment: datetime) -> datetime | None:
        due = self.due_times.next_after(max(moment, self.first - _TICK))
        if due is not None and due <= self.last:
            return due
        return None

    def last_at_or_before(self, moment: datetime) -> datetime | None:
        due = self.due_times.last_at_or_before(min(moment, self.last))
        if due is not None and due >= self.first:
            return due
        return None

    def count_between(self, after: datetime, until: datetime) -> int:
        after, until = max(after, self.first - _TICK), min(until, self.last)
        if after < until:
            return self.due_times.count_between(after, until)
        return 0


@dataclass(frozen=True, kw_only=True)
class Jittered:
    """Other due times, each put off by a number of seconds of its own, but never as far as the next one.

    So their order and their number stay, and what is counted or searched is the others'.
    """

    due_times: DueTimes
    jitter_s: int
    seed: str

    def next_after(self, moment: datetime) -> datetime | None:
        last = self.due_times.last_at_or_before(moment)
        if last is not None and (due := self._put_off(last)) > moment:
            return due
        following = self.due_times.next_after(moment)
        if following is None:
            return None
        return self._put_off(following)

    def last_at_or_before(self, moment: datetime) -> datetime | None:
        last = self.due_times.last_at_or_before(moment)
        if last is not None and self._put_off(last) > moment:
            last = self.due_times.last_at_or_before(last - _TICK)
        if last is None:
            return None
        return self._put_off(last)

    def count_between(self, after: datetime, until: datetime) -> int:
        count = self.due_times.count_between(after, until)
        return count + self._is_one_put_off(after) - self._is_one_put_off(until)

    def _is_one_put_off(self, moment: datetime) -> bool:
        last = self.due_times.last_at_or_before(moment)
        return last is not None and self._put_off(last) > moment

    def _put_off(self, due: datetime) -> datetime:
        following = self.due_times.next_after(due)
        if following is None:
            room = self.jitter_s
        else:
            room = min(self.jitter_s, (following - due) // _SECOND - 1)
        name = f"{self.seed} {due.isoformat()}".encode()
        number = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
        if room > 0:
            return due + number % (room + 1) * _SECOND
        return due

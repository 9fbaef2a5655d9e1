"""Sets of due instants (UTC): a single one, a grid, and another set within bounds or put off by a jitter."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Bounds that bound nothing.
FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 30, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


class DueTimes(Protocol):
    def next_after(self, instant: datetime) -> datetime | None: ...
    def last_at_or_before(self, instant: datetime) -> datetime | None: ...
    def count_between(self, after: datetime, until: datetime) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Single:
    at: datetime | None

    def next_after(self, instant: datetime) -> datetime | None:
        if self.at is None or self.at <= instant:
            return None
        return self.at

    def last_at_or_before(self, instant: datetime) -> datetime | None:
        if self.at is None or self.at > instant:
            return None
        return self.at

    def count_between(self, after: datetime, until: datetime) -> int:
        return int(self.at is not None and after < self.at <= until)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A grid that begins with its anchor: the grid does not drift, and counting is a division."""

    anchor: datetime
    step: timedelta

    def next_after(self, instant: datetime) -> datetime | None:
        index = max(self._index(instant) + 1, 0)
        try:
            return self.anchor + index * self.step
        except OverflowError:
            return None

    def last_at_or_before(self, instant: datetime) -> datetime | None:
        index = self._index(instant)
        if index < 0:
            return None
        return self.anchor + index * self.step

    def count_between(self, after: datetime, until: datetime) -> int:
        return max(self._index(until), -1) - max(self._index(after), -1)

    def _index(self, instant: datetime) -> int:
        return (instant - self.anchor) // self.step


@dataclass(frozen=True, kw_only=True)
class Bounded:
    due_times: DueTimes
    first: datetime
    last: datetime

    def next_after(self, instant: datetime) -> datetime | None:
        due = self.due_times.next_after(max(instant, self.first - _MICROSECOND))
        if due is None or due > self.last:
            return None
        return due

    def last_at_or_before(self, instant: datetime) -> datetime | None:
        due = self.due_times.last_at_or_before(min(instant, self.last))
        if due is None or due < self.first:
            return None
        return due

    def count_between(self, after: datetime, until: datetime) -> int:
        after = max(after, self.first - _MICROSECOND)
        until = min(until, self.last)
        if after >= until:
            return 0
        return self.due_times.count_between(after, until)


@dataclass(frozen=True, kw_only=True)
class Jittered:
    """Another set whose instants are put off, each by its own number of seconds, but never as far as the next instant.

    So order and number stay, and searching and counting are left to the other set.
    """

    due_times: DueTimes
    jitter_s: int
    seed: str

    def next_after(self, instant: datetime) -> datetime | None:
        last = self.due_times.last_at_or_before(instant)
        if last is not None:
            due = self._put_off(last)
            if due > instant:
                return due
        following = self.due_times.next_after(instant)
        if following is None:
            return None
        return self._put_off(following)

    def last_at_or_before(self, instant: datetime) -> datetime | None:
        last = self.due_times.last_at_or_before(instant)
        if last is not None and self._put_off(last) > instant:
            last = self.due_times.last_at_or_before(last - _MICROSECOND)
        if last is None:
            return None
        return self._put_off(last)

    def count_between(self, after: datetime, until: datetime) -> int:
        count = self.due_times.count_between(after, until)
        return count + self._is_one_put_off(after) - self._is_one_put_off(until)

    # Whether an instant of the other set lies before this one, and behind it once put off.
    def _is_one_put_off(self, instant: datetime) -> bool:
        last = self.due_times.last_at_or_before(instant)
        return last is not None and self._put_off(last) > instant

    def _put_off(self, due: datetime) -> datetime:
        max_s = self.jitter_s
        following = self.due_times.next_after(due)
        if following is not None:
            max_s = min(max_s, (following - due) // _SECOND - 1)
        if max_s <= 0:
            return due
        name = f"{self.seed} {due.isoformat()}".encode()
        number = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
        return due + number % (max_s + 1) * _SECOND

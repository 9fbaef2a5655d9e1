"""When a message that was not taken is tried again: the waits that Standard Webhooks names, a little spread."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

# Behind the first, the second ... attempt; the first one is made at once.
WAITS_S = (5, 60, 300, 1800, 7200, 18_000, 36_000)
MAX_ATTEMPTS = len(WAITS_S) + 1
SPREAD = 0.2  # so that what failed together does not come back together
MAX_RETRY_AFTER_S = 86_400.0


def next_at(
    attempts: int,
    *,
    now: datetime,
    retry_after_s: float | None = None,
    chance: Callable[[], float] = random.random,
) -> datetime | None:
    """Return when to try again after so many attempts, not before the receiver asks for it; None after the last."""
    if attempts >= MAX_ATTEMPTS:
        return None
    wait_s = WAITS_S[attempts - 1] * (1 + SPREAD * chance())
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, MAX_RETRY_AFTER_S))
    return now + timedelta(seconds=wait_s)

"""Turns of requests: few at a time, in their order, and a slow one keeps nobody waiting."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tempo_site.web import turns


class Scene:
    """Requests that take a turn each, and end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ends = [asyncio.Event() for _ in range(4)]

    async def request(self, number: int) -> None:
        """One request."""
        async with turns.turn():
            self.begun.append(number)
            await self.ends[number].wait()

    def begin(self) -> list[asyncio.Task[None]]:
        """Begin them all."""
        return [asyncio.create_task(self.request(number)) for number in range(4)]


def played(scene: Coroutine[Any, Any, Any], monkeypatch: pytest.MonkeyPatch, turn_s: float) -> Any:
    """What a scene returns, whose turns end by themselves after so many seconds."""
    monkeypatch.setattr(turns, "TURN_S", turn_s)
    monkeypatch.setattr(turns, "_turns", asyncio.Semaphore(2))
    return asyncio.run(asyncio.wait_for(scene, 30))


def test_two_requests_are_worked_on_at_a_time_and_the_others_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> list[list[int]]:
        requests = Scene()
        tasks = requests.begin()
        seen: list[list[int]] = []
        for number in (1, 0, 2, 3):
            while len(requests.begun) < 2 + len(seen) and len(requests.begun) < 4:
                await asyncio.sleep(0)
            seen.append([*requests.begun])
            requests.ends[number].set()
            await tasks[number]
        return seen

    first, second, third, _ = played(scene(), monkeypatch, turn_s=60)
    assert (first, second, third) == ([0, 1], [0, 1, 2], [0, 1, 2, 3])


def test_nobody_waits_for_a_slow_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> list[int]:
        requests = Scene()
        tasks = requests.begin()
        while len(requests.begun) < 4:
            await asyncio.sleep(0.001)
        for end in requests.ends:
            end.set()
        await asyncio.gather(*tasks)
        return requests.begun

    assert played(scene(), monkeypatch, turn_s=0.01) == [0, 1, 2, 3]
    assert turns._turns._value == 2  # each was given back once

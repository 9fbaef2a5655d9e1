"""Fixtures of telling."""

import pytest

from notifications_app.delivery import courier as real_courier
from tests.notifications_app.telling import FakeCourier


@pytest.fixture
def courier(db: None, monkeypatch: pytest.MonkeyPatch) -> FakeCourier:
    """A courier that sends nothing."""
    fake = FakeCourier()
    monkeypatch.setattr(real_courier, "send", fake.send)
    return fake

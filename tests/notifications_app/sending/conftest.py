"""Fixtures of what is sent within the process of a test: whatever host is meant, the receiver here is spoken to."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from apprise.plugins.matrix import NotifyMatrix
from requests.adapters import HTTPAdapter

from notifications_app.sending import exchanges
from tempo_site.models import Setting
from tempo_site.stored_settings import store
from tests.notifications_app.sending.receivers import WebReceiver


class NothingStored(store.SettingRows):
    """Settings of which none was saved: what is sent here needs no database."""

    def rows(self) -> dict[str, Setting]:
        """Return nothing."""
        return {}


@pytest.fixture(scope="module", autouse=True)
def settings_for_a_module() -> Iterator[None]:
    """For letters that are sent before the first test of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "memory", NothingStored())
        yield


@pytest.fixture(autouse=True)
def settings_for_a_test(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For those of each test."""
    monkeypatch.setattr(store, "memory", NothingStored())


@pytest.fixture(scope="module")
def web_receiver() -> Iterator[WebReceiver]:
    with WebReceiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(web_receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> WebReceiver:
    """A receiver to which all requests of this process go; `X-Host` says which host was meant."""
    send = HTTPAdapter.send

    def send_here(
        adapter: HTTPAdapter, request: requests.PreparedRequest, **options: object
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        request.headers["X-Host"] = str(parts.netloc)
        request.url = parts._replace(
            scheme="http", netloc=f"127.0.0.1:{web_receiver.port}"
        ).geturl()
        return send(adapter, request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(HTTPAdapter, "send", send_here)
    monkeypatch.setattr(requests.Session, "send", exchanges._bounded_send)
    monkeypatch.setattr(NotifyMatrix, "request_rate_per_sec", 0)  # it waits 0.5 s between requests
    web_receiver.received.clear()
    web_receiver.replies.clear()
    web_receiver.replies[""] = web_receiver.ok
    return web_receiver

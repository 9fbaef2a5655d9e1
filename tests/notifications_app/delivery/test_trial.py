"""A test of a channel against a real receiver, through the child that sends."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from notifications_app.delivery import trial
from tests.factories import NOW
from tests.notifications_app.telling import make_channel

pytestmark = pytest.mark.django_db


class Refusing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Refuse whatever comes, in words of its own."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(403)
        self.end_headers()
        self.wfile.write(b"this hook is closed on Saturdays")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """The address of a receiver that refuses."""
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_receivers_own_words_come_back_and_are_kept(receiver: str) -> None:
    channel = make_channel(url=receiver)
    answer = trial.send_test(channel, now=NOW)
    assert (answer.outcome, answer.status) == ("refused", 403)
    assert "this hook is closed on Saturdays" in answer.answer
    channel.refresh_from_db()
    assert (channel.last_outcome, channel.last_answer_at) == ("refused", NOW)
    assert "closed on Saturdays" in channel.last_answer

"""A mail server on this machine that says what it is told, with or without TLS, and keeps what it is given."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.service import free_port

USERNAME, PASSWORD = "tempo", "correct-horse-battery"


class MailReceiver:
    """What a server is asked, and what it answers by the recipient, at the end of the text, or to a password."""

    def __init__(self) -> None:
        self.letters: list[Envelope] = []
        self.recipients: dict[str, str] = {}
        self.end = "250 kept"
        self.passwords: list[tuple[bytes, bool]] = []
        self.port = 0

    @property
    def messages(self) -> list[EmailMessage]:
        return [
            message_from_bytes(letter.content, policy=policy.default)
            for letter in self.letters
            if isinstance(letter.content, bytes)
        ]

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.recipients.get(address, "250 fine")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        if self.end.startswith("250"):
            self.letters.append(envelope)
        return self.end

    def authenticate(
        self, server: SMTP, session: Any, envelope: Envelope, how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.passwords.append(
            (
                data.password,
                bool(server.transport and server.transport.get_extra_info("sslcontext")),
            )
        )
        is_right = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(
    *, certificate: ssl.SSLContext | None = None, security: str = "none"
) -> Iterator[MailReceiver]:
    """Serve on a free port with starttls, ssl or none; each wants a password."""
    receiver = MailReceiver()
    receiver.port = free_port()
    controller = Controller(
        receiver,
        hostname="127.0.0.1",
        port=receiver.port,
        ssl_context=certificate if security == "ssl" else None,
        tls_context=certificate if security == "starttls" else None,
        authenticator=receiver.authenticate,
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()

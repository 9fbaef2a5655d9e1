"""The launcher's end of the control channel to one `web` process; never blocks."""

import os

from runs_app.launcher import wire

_READ_BYTES = 64 * 1024
_MAX_UNSENT_BYTES = 4 * wire.MAX_BYTES  # a web that asks and never listens is not well


class ChannelError(Exception):
    """The channel is of no use any more: the sentence says why."""


class Channel:
    """Requests in, replies out."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._decoder = wire.Decoder()
        self._unsent = b""

    @property
    def has_unsent(self) -> bool:
        """Whether `flush()` is to be called when the descriptor takes more."""
        return bool(self._unsent)

    def receive(self) -> list[wire.Message]:
        """The requests that have come. Raises ChannelError at the end of the channel and on garbage."""
        try:
            data = os.read(self.fd, _READ_BYTES)
            messages = self._decoder.feed(data)
        except BlockingIOError:
            return []
        except (OSError, wire.WireError) as error:
            raise ChannelError(str(error)) from error
        if not data:
            raise ChannelError("closed by web")
        return messages

    def send(self, reply: wire.Reply) -> None:
        """Send what the descriptor takes now, keep the rest. Raises ChannelError."""
        self._unsent += wire.encode(reply)
        if len(self._unsent) > _MAX_UNSENT_BYTES:
            raise ChannelError("web does not read its replies")
        self.flush()

    def flush(self) -> None:
        """Go on sending. Raises ChannelError."""
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self.fd, self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            raise ChannelError(str(error)) from error

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)

"""The launcher's end of the control channel to one `web` process; never blocks."""

import os

from runs_app.launcher import wire

_READ_BYTES = 64 * 1024
_MAX_UNSENT_BYTES = 4 * wire.MAX_BYTES  # a web that asks and never reads its replies is not well


class ChannelError(Exception):
    """A channel that cannot be used any more; the message says why."""


class Channel:
    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._decoder = wire.Decoder()
        self._unsent = b""

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def receive(self) -> list[wire.Message]:
        """Return the requests that have come. Raise ChannelError at the end of the channel and on garbage."""
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
        """Send as much as the descriptor takes now and keep the rest. Raise ChannelError."""
        self._unsent += wire.encode(reply)
        if len(self._unsent) > _MAX_UNSENT_BYTES:
            raise ChannelError("web does not read its replies")
        self.flush()

    def flush(self) -> None:
        try:
            while self._unsent:
                sent = os.write(self.fd, self._unsent)
                self._unsent = self._unsent[sent:]
        except BlockingIOError:
            return
        except OSError as error:
            raise ChannelError(str(error)) from error

    def close(self) -> None:
        os.close(self.fd)

"""The line to the launcher: requests over the socket that `web` inherited, answered in any order."""

import itertools
import logging
import select
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from runs_app.launcher import wire

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 5.0
# Of what the sweep repeats: people and due moments do not wait for a launcher that is held up.
REPEATED_TIMEOUT_S = 0.3
REMOVE_TIMEOUT_S = 60.0


class LauncherError(Exception):
    """The launcher refused, did not answer, or is not there."""


class LauncherRefused(LauncherError):
    pass


class LauncherClient:
    """A client of the launcher, safe to use from any thread. Every request raises LauncherError."""

    _is_silent = False  # whether a request was not answered in time, and nothing was answered since

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._sending = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[object, Future[dict[str, Any]]] = {}
        receiver = threading.Thread(
            target=self._receive,
            name="launcher-channel",
            daemon=True,
        )
        receiver.start()

    def start(self, folder: str, *, secrets: Mapping[str, str] | None = None) -> int:
        """Fork a runner for a prepared run folder, with secrets for the script's environment; return the pid."""
        if self._is_silent:  # else each of many runs would wait in vain
            raise LauncherError("the launcher has not answered for a while")
        fields: dict[str, Any] = {}
        if secrets:
            fields["secrets"] = dict(secrets)
        answer = self._request(
            "start",
            folder=folder,
            timeout_s=REPEATED_TIMEOUT_S,
            **fields,
        )
        return int(answer["pid"])

    def cancel(self, folder: str) -> bool:
        """Signal the runner of a folder; False when the launcher knows of no runner there."""
        answer = self._request("cancel", folder=folder, timeout_s=REPEATED_TIMEOUT_S)
        return bool(answer.get("signalled"))

    def adopt(self, folder: str) -> bool:
        answer = self._request("adopt", folder=folder)
        return bool(answer.get("adopted"))

    def remove(self, folder: str, what: str) -> None:
        self._request(
            "remove",
            folder=folder,
            what=what,
            timeout_s=REMOVE_TIMEOUT_S,
        )

    def remove_script(self, slug: str) -> None:
        self._request(
            "remove",
            folder=slug,
            what="script",
            timeout_s=REMOVE_TIMEOUT_S,
        )

    def ping(self) -> dict[str, Any]:
        return self._request("ping")

    def ready(self) -> None:
        self._request("ready")

    def _request(
        self,
        operation: str,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
        **fields: Any,
    ) -> dict[str, Any]:
        number = next(self._numbers)
        message = wire.encode({"op": operation, "id": number, **fields})
        future: Future[dict[str, Any]] = Future()
        self._waiting[number] = future
        try:
            self._send(message, timeout_s)
            answer = future.result(timeout_s)
        except (OSError, FutureTimeout) as error:
            self._is_silent = True
            raise LauncherError(f"the launcher does not answer ({type(error).__name__})") from error
        finally:
            self._waiting.pop(number, None)
        if not answer.get("ok"):
            raise LauncherRefused(str(answer.get("error", "refused")))
        return answer

    def _send(self, message: bytes, timeout_s: float) -> None:
        # A launcher that is held up for long leaves the channel full.
        with self._sending:
            _, ready, _ = select.select([], [self._channel], [], timeout_s)
            if not ready:
                raise TimeoutError
            self._channel.sendall(message)

    def _receive(self) -> None:
        # Hand each answer to the thread that waits for it, until the channel closes.
        decoder = wire.Decoder()
        try:
            while data := self._channel.recv(65536):
                self._is_silent = False
                for answer in decoder.feed(data):
                    future = self._waiting.get(answer.get("id"))
                    if future:
                        future.set_result(answer)
        except (OSError, ValueError) as error:
            logger.error("the launcher's channel broke: %s", error)
        for future in list(self._waiting.values()):
            future.set_exception(ConnectionError("closed"))


class _AbsentLauncher(LauncherClient):
    # Stands where no launcher is: under `runserver`, in commands and in most tests.
    def __init__(self) -> None:  # no channel, no thread
        pass

    def _request(
        self,
        operation: str,
        *,
        timeout_s: float = ANSWER_TIMEOUT_S,
        **fields: Any,
    ) -> dict[str, Any]:
        raise LauncherError("no launcher here: Tempo was not started by `manage.py serve`")


launcher: LauncherClient = _AbsentLauncher()


def is_connected() -> bool:
    """Whether this process has a launcher of its own to hand runs to."""
    return not isinstance(launcher, _AbsentLauncher)


def connect(channel: socket.socket) -> None:
    global launcher
    launcher = LauncherClient(channel)

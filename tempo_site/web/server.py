"""The web process: daphne on the inherited socket, the engine beside it, an orderly way up and down."""

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from daphne.server import Server, twisted_loop
from django.db import connections
from twisted.internet import reactor

from runs_app import launcher_client
from runs_app.engine.engine import DataFolderInUse, Engine
from runs_app.output import live
from runs_app.url_triggers import waiting
from tempo_site import health
from tempo_site.asgi import application
from tempo_site.lib import checkpoints
from tempo_site.lib.listener import LISTEN_FD
from tempo_site.web.bounded_request import BoundedConnections, BoundedFactory, BoundedRequest

logger = logging.getLogger(__name__)

CONTROL_FD = 4  # what the launcher hands over beside the socket it listens on
STOP_TIMEOUT_S = 6.0
IN_FLIGHT_TIMEOUT_S = 3.0
CHECK_S = 1.0
START_FAILED, STUCK = 1, 3
# How the names begin of threads that have nothing to do without requests: of Tempo, of asgiref, of asyncio.
FOR_REQUESTS = ("MainThread", "request-", "ThreadPoolExecutor-", "asyncio_")


class WebServer(Server):
    """daphne on a socket that the launcher listens on, stopped by Tempo and not by daphne's own signal handlers."""

    def __init__(self) -> None:
        super().__init__(
            application,
            endpoints=["unused"],
            signal_handlers=False,  # daphne's would replace ours, and the engine would never be closed
            websocket_timeout=-1,
            ping_interval=20,
            ping_timeout=30,
            # Both directions: a frame of output is 64 KiB, three times that when its bytes are not UTF-8.
            websocket_max_message_size=256 * 1024,
            websocket_max_frame_size=256 * 1024,
            server_name="tempo",
        )
        self.endpoints: list[str] = []  # the socket is adopted below
        self.engine = Engine()
        self.ports: list[Any] = []
        self._is_stopping = False
        self._resting: list[Callable[[], None]] = []  # what daphne does every second or two

    def serve(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            twisted_loop.add_signal_handler(name, self._on_signal)
        self.ready_callable = self._start
        self.run()
        sys.stdout.flush()
        # No interpreter tear-down: a stuck thread must not keep a stopped service alive.
        os._exit(0)

    # --- up --------------------------------------------------------------------------------------------------------
    def _start(self) -> None:
        # In a thread, as reconciling runs takes a while; the socket is adopted when the engine is up.
        threading.Thread(target=self._start_engine, name="start", daemon=True).start()

    def _start_engine(self) -> None:
        # Every exception is caught: daphne throws Twisted's log away, and a deaf server would stay.
        try:
            self.engine.start()
            gc.collect()
            gc.freeze()
            gc.enable()  # off since `manage.py`
            twisted_loop.call_soon_threadsafe(self._open)
        except DataFolderInUse as error:
            logger.error("%s", error)
            os._exit(START_FAILED)
        except BaseException:
            logger.critical("the engine could not be started", exc_info=True)
            os._exit(START_FAILED)
        finally:
            connections.close_all()

    def _open(self) -> None:
        try:
            live.attach(twisted_loop)
            listener = socket.socket(fileno=os.dup(LISTEN_FD))
            listener.setblocking(False)
            factory = BoundedConnections(BoundedFactory(self))
            port = reactor.adoptStreamPort(listener.fileno(), listener.family, factory)
            self.ports.append(port)
            listener.close()
            health.watch(self.engine)
            launcher_client.launcher.ready()
            logger.info("ready")
        except BaseException:
            logger.critical("the server could not be started", exc_info=True)
            os._exit(START_FAILED)

    # --- answers ---------------------------------------------------------------------------------------------------
    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Pass on a message of the application; a part of a long answer waits until its client took the last part."""
        if isinstance(protocol, BoundedRequest) and message.get("more_body"):
            await protocol.wait_until_taken()
        await super().handle_reply(protocol, message)

    # --- what daphne looks at every second or two: only while there are connections -------------------------------
    def application_checker(self) -> None:
        if self.connections:
            super().application_checker()
        else:
            self._resting.append(self.application_checker)

    def timeout_checker(self) -> None:
        if self.connections:
            super().timeout_checker()
        else:
            self._resting.append(self.timeout_checker)

    def protocol_connected(self, protocol: Any) -> None:
        super().protocol_connected(protocol)
        while self._resting:
            reactor.callLater(CHECK_S, self._resting.pop())

    # --- down ------------------------------------------------------------------------------------------------------
    def _on_signal(self) -> None:
        if self._is_stopping:
            os._exit(0)
        self._is_stopping = True
        threading.Timer(STOP_TIMEOUT_S, _give_up).start()
        self._ending = asyncio.ensure_future(self._stop())

    async def _stop(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT_S - 0.5
        for port in self.ports:
            port.stopListening()
        waiting.release_all()
        await self._drain(min(deadline, time.monotonic() + IN_FLIGHT_TIMEOUT_S))
        live.detach()
        await asyncio.to_thread(self._stop_engine, deadline, self._requests_in_flight() == 0)
        reactor.callFromThread(reactor.stop)

    async def _drain(self, until: float) -> None:
        while self._requests_in_flight() and time.monotonic() < until:
            await asyncio.sleep(0.02)

    def _requests_in_flight(self) -> int:
        # HTTP requests that were begun and not answered; WebSockets live on until they are closed.
        count = 0
        for protocol, details in self.connections.items():
            application_instance = details.get("application_instance")
            if application_instance is None or application_instance.done():
                continue
            if "WebSocket" not in type(protocol).__name__:
                count += 1
        return count

    def _stop_engine(self, deadline: float, are_requests_answered: bool) -> None:
        try:
            self.engine.stop(deadline=deadline)
        except Exception:
            logger.exception("the engine could not be stopped cleanly")
        try:
            checkpoints.close_database(
                is_at_work=lambda thread: (
                    not (are_requests_answered and thread.name.startswith(FOR_REQUESTS))
                )
            )
        except Exception:
            logger.warning("the database was left with its log", exc_info=True)


def inherit() -> None:
    """Take over the launcher's two descriptors. Raises OSError when another program started this process."""
    for descriptor in (LISTEN_FD, CONTROL_FD):
        os.set_inheritable(descriptor, False)  # scripts and uv must not get them
    channel = socket.socket(fileno=CONTROL_FD)
    if channel.family != socket.AF_UNIX:
        raise OSError("descriptor 4 is not the launcher's channel")
    launcher_client.connect(channel)


def _give_up() -> None:
    # Not `dump_traceback_later`: it reads the stacks of threads that go on meanwhile, and may crash.
    faulthandler.dump_traceback()
    os._exit(STUCK)

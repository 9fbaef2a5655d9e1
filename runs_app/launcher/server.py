"""The launcher: root of the process tree; holds the port, keeps `web` running, forks runners and reaps everything."""

import functools
import gc
import os
import select
import signal
import socket
import time

from runs_app.launcher import console, folders, forking, options, shutdown, wire
from runs_app.launcher import requests as launcher_requests
from runs_app.launcher.channel import Channel, ChannelError
from runs_app.launcher.identity import isolation, prctl
from runs_app.launcher.identity.users import User
from runs_app.launcher.removal import Removals
from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.signal_pipe import SignalPipe
from runs_app.launcher.watch import orphans, tree, verdict
from runs_app.launcher.web import Web

_BACKLOG = 1024
_STRAYS_AGAIN_S = 0.05
_LAST_SWEEPS = 5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class ListenError(Exception):
    """The address cannot be listened on: the sentence says why, and what to do."""


def main(arguments: list[str]) -> int:
    """Run until told to stop; the exit code."""
    try:
        asked = options.parse(arguments)
    except options.UsageError as error:
        console.say(console.ERROR, f"{error}; {options.USAGE}")
        return 2
    try:
        return _serve(asked)
    except ListenError as error:
        console.say(console.ERROR, str(error))
    except OSError as error:
        console.say(console.ERROR, f"the data folder {asked.data} cannot be used: {error.strerror}")
    return 1


def _serve(asked: options.Options) -> int:
    _open_standard_streams()
    if asked.lock_fd is not None:
        os.set_inheritable(asked.lock_fd, False)
    signals = SignalPipe(_SIGNALS)  # before anybody is told that we are there
    listen_fd = listen(asked.host, asked.port)
    data = os.path.realpath(asked.data)
    for folder in ("run", "runs"):
        os.makedirs(os.path.join(data, folder), mode=0o700, exist_ok=True)
    prctl.become_subreaper()
    powers = isolation.probe(
        pool=asked.script_users, web=User(*asked.web_user) if asked.web_user else None
    )
    console.say(console.INFO, f"isolation grade={powers.best.grade} why={powers.best.why}")
    launcher = Launcher(asked, data=data, listen_fd=listen_fd, signals=signals, powers=powers)
    launcher.clear_up_behind_predecessor()
    gc.freeze()  # a collection in a runner would touch, and so copy, every page it shares with us
    launcher.run()
    return 0


def listen(host: str, port: int) -> int:
    """A listening, non-blocking TCP socket. Raises ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        sentence = f"cannot listen on {host} port {port}: {error.strerror}"
        raise ListenError(
            f"{sentence} (hint: choose another address or port, or stop who uses it)"
        ) from error
    console.say(console.INFO, f"listening host={host} port={listener.getsockname()[1]}")
    return listener.detach()


def _open_standard_streams() -> None:
    """Started with one of 0-2 closed, the next file opened would become standard error."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


class Launcher:
    """The loop: wait for a signal, a request or a deadline, act, repeat. Nothing in it blocks."""

    def __init__(
        self,
        asked: options.Options,
        *,
        data: str,
        listen_fd: int,
        signals: SignalPipe,
        powers: isolation.IsolationSupport,
    ) -> None:
        self._grace_s = asked.grace_s
        self._runs_path = os.path.join(data, "runs")
        self._signals = signals
        runs_fd = os.open(self._runs_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        grace_s = shutdown.grace_s(asked.grace_s)
        self._runners = Runners(data=data, runs_fd=runs_fd, shutdown_grace_s=grace_s, powers=powers)
        self._removals = Removals(runs_fd, data=data)
        user = User(*asked.web_user) if asked.web_user else None
        self._web = Web(
            asked.web_argv, listen_fd, user=user, has_script_users=not powers.users_why_not
        )
        self._stopping: shutdown.Shutdown | None = None
        self._strays_at: float | None = None
        self._desk = launcher_requests.Context(
            self._runners, self._removals, self._web.is_ready, lambda: bool(self._stopping)
        )

    def clear_up_behind_predecessor(self) -> None:
        """Kill what a launcher left that died together with its runners; take over the runners that live."""
        for folder in orphans.clear(self._runs_path):
            self._adopt(folder)

    def run(self) -> None:
        """Return when everything has been stopped."""
        while not (self._stopping and self._stopping.is_over):
            self._step()
        for _ in range(_LAST_SWEEPS):
            if not self._kill_strays():
                break
            time.sleep(_STRAYS_AGAIN_S)
        console.say(console.INFO, "stopped")

    def _step(self) -> None:
        ready = self._wait(self._advance(time.monotonic()))
        now = time.monotonic()
        if self._signals.fd in ready:
            self._heed(self._signals.read(), now)
        for pid_fd, folder in self._runners.pid_fds().items():
            if pid_fd in ready:
                self._adopted_has_exited(folder)
        channel = self._web.channel
        if channel is not None and channel.fd in ready:
            self._talk(channel, now)

    def _wait(self, deadline: float | None) -> set[int]:
        poll = select.poll()
        for fd in (self._signals.fd, *self._runners.pid_fds()):
            poll.register(fd, select.POLLIN)
        channel = self._web.channel
        if channel is not None:
            poll.register(channel.fd, select.POLLIN | (select.POLLOUT if channel.has_unsent else 0))
        timeout_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        return {fd for fd, _ in poll.poll(timeout_ms)}

    def _advance(self, now: float) -> float | None:
        """Do everything that is due by now; when the next thing is."""
        web = self._web
        if web.start_at is not None and now >= web.start_at:
            self._start_web(now)
        if web.kill_at is not None and now >= web.kill_at:
            web.kill()
        if self._strays_at is not None and now >= self._strays_at:
            self._strays_at = now + _STRAYS_AGAIN_S if self._kill_strays() else None
        stop_at = self._stopping.advance(now) if self._stopping else None
        return min(
            (at for at in (web.start_at, web.kill_at, self._strays_at, stop_at) if at is not None),
            default=None,
        )

    def _start_web(self, now: float) -> None:
        try:
            self._web.start()
        except OSError as error:
            console.say(console.ERROR, f"web cannot be forked: {error.strerror}")
            self._web.start_at = now + 1.0

    def _heed(self, signals: bytes, now: float) -> None:
        if signal.SIGCHLD in signals:
            forking.reap(lambda pid, wait_status: self._child_has_exited(pid, wait_status, now))
        if signal.SIGHUP in signals and not self._stopping:
            console.say(console.INFO, "asked to restart web")
            self._web.restart(now)
        for _ in range(signals.count(signal.SIGTERM) + signals.count(signal.SIGINT)):
            self._stop(now)

    def _stop(self, now: float) -> None:
        if self._stopping:
            console.say(console.WARNING, "asked again to stop, killing everything")
            self._stopping.hurry(now)
            return
        console.say(console.INFO, f"stopping runs={len(self._runners)}")
        self._web.start_at = None
        self._stopping = shutdown.Shutdown(
            self._runners, self._web, now=now, asked_grace_s=self._grace_s
        )

    def _talk(self, channel: Channel, now: float) -> None:
        try:
            channel.flush()
            requests = channel.receive()
        except ChannelError as error:
            self._web.drop_channel(now, str(error))
            return
        for request in requests:
            launcher_requests.handle(self._desk, request, functools.partial(self._send, channel))

    def _send(self, channel: Channel, reply: wire.Reply) -> None:
        """Answer, now or when a removal is done: the web that asked may be gone by then."""
        if channel is self._web.channel:
            try:
                channel.send(reply)
            except ChannelError as error:
                self._web.drop_channel(time.monotonic(), str(error))

    def _child_has_exited(self, pid: int, wait_status: int, now: float) -> None:
        if pid == self._web.pid:
            self._web.has_exited(wait_status, now, may_restart=self._stopping is None)
            self._strays_at = now
        elif (folder := self._runners.has_exited(pid)) is not None:
            if wait_status != 0:
                code = os.waitstatus_to_exitcode(wait_status)
                told = f"code={code}" if code >= 0 else f"signal={verdict.signal_name(-code)}"
                console.say(console.WARNING, f"runner died folder={folder} pid={pid} {told}")
                self._strays_at = now
        elif not self._removals.has_exited(pid, wait_status):
            self._strays_at = now

    def _adopt(self, folder: str) -> None:
        try:
            if self._runners.adopt(folder):
                console.say(console.INFO, f"runner adopted folder={folder}")
        except (folders.FolderError, OSError) as error:
            console.say(console.WARNING, f"runner not adopted folder={folder}: {error}")

    def _adopted_has_exited(self, folder: str) -> None:
        """Its tree was never among our children: should it have died, only the environment tells who belonged to it."""
        self._runners.adopted_has_exited(folder)
        orphans.clear(self._runs_path)

    def _kill_strays(self) -> set[int]:
        """Whoever became our child without our doing was left by a dead runner or web."""
        killed = tree.kill(self._strays)
        if killed:
            console.say(console.WARNING, f"strays killed pids={','.join(map(str, sorted(killed)))}")
        return killed

    def _strays(self) -> set[int]:
        known = {self._web.pid, *self._runners.pids(), *self._removals.pids()}
        return tree.family(tree.children(os.getpid()) - known)

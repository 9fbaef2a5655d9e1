"""The launcher: root of the process tree; holds the port, keeps `web` running, forks runners and reaps all children."""

import functools
import gc
import os
import select
import signal
import socket
import time

from runs_app.launcher import console, folders, forking, locks, options, shutdown, wire
from runs_app.launcher import requests as launcher_requests
from runs_app.launcher.channel import Channel, ChannelError
from runs_app.launcher.identity import isolation, keyring, prctl
from runs_app.launcher.identity.users import User
from runs_app.launcher.removal import Removals
from runs_app.launcher.runner_registry import Runners
from runs_app.launcher.signal_pipe import SignalPipe
from runs_app.launcher.watch import orphans, tree, verdict
from runs_app.launcher.web import Web

_BACKLOG = 1024
_STRAYS_AGAIN_S = 0.05
_LOOK_MS = 500.0  # for the end of runners that wakes nobody
_LAST_SWEEPS = 5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class ListenError(Exception):
    """An address that cannot be listened on; the message says why, and what to do."""


def main(arguments: list[str]) -> int:
    try:
        parsed = options.parse(arguments)
    except options.UsageError as error:
        console.say(console.ERROR, f"{error}; {options.USAGE}")
        return 2
    try:
        return _serve(parsed)
    except ListenError as error:
        console.say(console.ERROR, str(error))
    except OSError as error:
        sentence = f"the data folder {parsed.data} cannot be used: {error.strerror}"
        console.say(console.ERROR, sentence)
    return 1


def _serve(parsed: options.Options) -> int:
    _open_standard_streams()
    if parsed.lock_fd is not None:
        os.set_inheritable(parsed.lock_fd, False)
    signals = SignalPipe(_SIGNALS)  # before any other process hears of this one
    listen_fd = listen(parsed.host, parsed.port)
    prctl.become_subreaper()
    _leave_inherited_keys()
    web_user = User(*parsed.web_user) if parsed.web_user else User(os.geteuid(), os.getegid())
    # From here on, and in every runner: no link that web might plant leads further than web itself may go.
    prctl.use_files_as(*web_user)
    data = os.path.realpath(parsed.data)
    for name in ("run", "runs"):
        path = os.path.join(data, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
    support = isolation.probe(pool=parsed.script_users, web=web_user, data=data)
    usual = support.usual
    console.say(console.INFO, f"isolation grade={usual.grade} why={usual.why}")
    for warning in support.file_system.warnings:
        console.say(console.WARNING, warning)
    launcher = Launcher(parsed, data=data, listen_fd=listen_fd, signals=signals, support=support)
    launcher.start()
    gc.freeze()  # a collection in a runner would touch, and so copy, every page it shares with us
    launcher.run()
    return 0


def _leave_inherited_keys() -> None:
    # Before any other process begins: what a run inherits that gets no session keyring of its own is empty.
    try:
        is_left = keyring.begin_an_empty_one()
    except OSError:
        is_left = False
    if not is_left:
        fact = "no session keyring could be begun: a run that gets none either sees the keys here"
        console.say(console.WARNING, fact)


def listen(host: str, port: int) -> int:
    """Return a listening, non-blocking TCP socket. Raise ListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        sentence = f"cannot listen on {host} port {port}: {error.strerror}"
        hint = "choose another address or port, or stop who uses it"
        raise ListenError(f"{sentence} (hint: {hint})") from error
    console.say(console.INFO, f"listening host={host} port={listener.getsockname()[1]}")
    return listener.detach()


def _open_standard_streams() -> None:
    # Started with one of 0-2 closed, the next file opened would become standard error.
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


class Launcher:
    def __init__(
        self,
        parsed: options.Options,
        *,
        data: str,
        listen_fd: int,
        signals: SignalPipe,
        support: isolation.IsolationSupport,
    ) -> None:
        self._grace_s = shutdown.grace_s(parsed.grace_s)
        self._runs_path = os.path.join(data, "runs")
        self._signals = signals
        runs_fd = folders.open_path(self._runs_path)
        self._runners = Runners(
            data=data, runs_fd=runs_fd, shutdown_grace_s=self._grace_s, support=support
        )
        self._removals = Removals(runs_fd, data=data)
        user = User(*parsed.web_user) if parsed.web_user else None
        has_script_users = not support.users_why_not
        self._web = Web(parsed.web_argv, listen_fd, user=user, has_script_users=has_script_users)
        self._shutdown: shutdown.Shutdown | None = None
        self._strays_at: float | None = None  # when to look for strays next
        self._lock = None if parsed.lock_fd is None else locks.HeldLock(parsed.lock_fd)
        self._context = launcher_requests.Context(
            runners=self._runners,
            removals=self._removals,
            renew=self._renew,
            mark_web_ready=self._web.mark_ready,
            is_stopping=lambda: self._shutdown is not None,
        )

    def _renew(self) -> str:
        # `runs/` and `run/` may have been deleted: then web makes them anew. Returns what is wrong, or "".
        try:
            self._runners.renew_folders()
            if self._lock is None or self._lock.renew():
                return ""
        except FileNotFoundError:
            return ""  # web says so, who makes them
        return "another Tempo was started on the data folder: stop one of them"

    def start(self) -> None:
        """Fork `web`, and settle what a predecessor left while it starts: before any of its requests is heard."""
        self._start_web(time.monotonic())
        for folder in orphans.clear(self._runs_path):
            self._adopt(folder)

    def run(self) -> None:
        while self._shutdown is None or not self._shutdown.is_over:
            self._step()
        for _ in range(_LAST_SWEEPS):
            if not self._kill_strays():
                break
            time.sleep(_STRAYS_AGAIN_S)
        console.say(console.INFO, "stopped")

    def _step(self) -> None:
        next_at = self._advance(time.monotonic())
        ready = self._wait(next_at)
        now = time.monotonic()
        self._runners.note_ends_of_runs(ready, now)
        if self._signals.fd in ready:
            self._handle_signals(self._signals.read(), now)
        if self._runners.forget_ended(ready):
            # Their trees were never among our children: only the environment tells whose a process is.
            orphans.clear(self._runs_path)
        channel = self._web.channel
        if channel is not None and channel.fd in ready:
            self._handle_requests(channel, now)

    def _wait(self, deadline: float | None) -> set[int]:
        poll = select.poll()
        for fd in (self._signals.fd, *self._runners.pid_fds(), *self._runners.channel_fds()):
            poll.register(fd, select.POLLIN)
        channel = self._web.channel
        if channel is not None and channel.has_unsent:
            poll.register(channel.fd, select.POLLIN | select.POLLOUT)
        elif channel is not None:
            poll.register(channel.fd, select.POLLIN)
        timeout_ms = None
        if deadline is not None:
            timeout_ms = max(0.0, deadline - time.monotonic()) * 1000
        if self._runners.has_to_look() and (timeout_ms is None or timeout_ms > _LOOK_MS):
            timeout_ms = _LOOK_MS
        return {fd for fd, _ in poll.poll(timeout_ms)}

    def _advance(self, now: float) -> float | None:
        # Does everything that is due by now, and returns when the next step is due.
        web = self._web
        if web.start_at is not None and now >= web.start_at:
            self._start_web(now)
        if web.kill_at is not None and now >= web.kill_at:
            web.kill()
        if self._strays_at is not None and now >= self._strays_at:
            self._strays_at = None
            if self._kill_strays():
                self._strays_at = now + _STRAYS_AGAIN_S
        shutdown_at = self._shutdown.advance(now) if self._shutdown else None
        idle_until = self._runners.end_idle(now)
        next_at = None
        for moment in (web.start_at, web.kill_at, self._strays_at, shutdown_at, idle_until):
            if moment is not None and (next_at is None or moment < next_at):
                next_at = moment
        return next_at

    def _start_web(self, now: float) -> None:
        try:
            self._web.start()
        except OSError as error:
            console.say(console.ERROR, f"web cannot be forked: {error.strerror}")
            self._web.start_at = now + 1.0

    def _handle_signals(self, signals: bytes, now: float) -> None:
        if signal.SIGCHLD in signals:
            forking.reap(lambda pid, status, _usage: self._child_exited(pid, status, now))
        if signal.SIGHUP in signals and not self._shutdown:
            console.say(console.INFO, "asked to restart web")
            self._web.restart(now)
        stop_count = signals.count(signal.SIGTERM) + signals.count(signal.SIGINT)
        for _ in range(stop_count):
            self._stop(now)

    def _stop(self, now: float) -> None:
        if self._shutdown:
            console.say(console.WARNING, "asked again to stop, killing everything")
            self._shutdown.hurry(now)
            return
        console.say(console.INFO, f"stopping runs={self._runners.run_count}")
        self._web.start_at = None
        self._shutdown = shutdown.Shutdown(
            self._runners, self._web, now=now, script_grace_s=self._grace_s
        )

    def _handle_requests(self, channel: Channel, now: float) -> None:
        try:
            channel.flush()
            requests = channel.receive()
        except ChannelError as error:
            self._web.drop_channel(now, str(error))
            return
        send = functools.partial(self._send, channel)
        for request in requests:
            launcher_requests.handle(self._context, request, send)

    def _send(self, channel: Channel, reply: wire.Reply) -> None:
        # A removal is answered when it is done: the web that asked may be gone by then.
        if channel is not self._web.channel:
            return
        try:
            channel.send(reply)
        except ChannelError as error:
            self._web.drop_channel(time.monotonic(), str(error))

    def _child_exited(self, pid: int, wait_status: int, now: float) -> None:
        if pid == self._web.pid:
            self._web.exited(wait_status, now, may_restart=self._shutdown is None)
            self._strays_at = now
            return
        folder = self._runners.child_exited(pid)
        if folder is None:
            if not self._removals.child_exited(pid, wait_status):
                self._strays_at = now
        elif wait_status != 0:
            end = verdict.describe_end(wait_status)
            held = f"folder={folder}" if folder else "while it waited for another run"
            console.say(console.WARNING, f"runner died {held} pid={pid} {end}")
            self._strays_at = now

    def _adopt(self, folder: str) -> None:
        try:
            if self._runners.adopt(folder):
                console.say(console.INFO, f"runner adopted folder={folder}")
        except (folders.FolderError, OSError) as error:
            console.say(console.WARNING, f"runner not adopted folder={folder}: {error}")

    def _kill_strays(self) -> set[int]:
        killed = tree.kill(self._strays)
        if killed:
            pids = ",".join(map(str, sorted(killed)))
            console.say(console.WARNING, f"strays killed pids={pids}")
        return killed

    def _strays(self) -> set[int]:
        # A process that became our child without our doing was left by a dead runner or web.
        known = {self._web.pid, *self._runners.pids(), *self._removals.pids()}
        return tree.family(tree.children(os.getpid()) - known)

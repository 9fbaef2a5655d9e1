"""The `web` process: started with the listening socket and a control channel, and started again when it dies."""

import fcntl
import os
import signal
import socket

from runs_app.launcher import console, forking
from runs_app.launcher.channel import Channel
from runs_app.launcher.identity import prctl, users
from runs_app.launcher.watch import verdict

LISTEN_FD = 3
CONTROL_FD = 4
_BACKOFF_S = 0.2
_MAX_BACKOFF_S = 5.0
_TERM_GRACE_S = 10.0


class Web:
    """One web at a time: `channel` is open exactly while `pid` is set, unless web has spoilt the channel."""

    def __init__(
        self,
        argv: list[str],
        listen_fd: int,
        *,
        user: users.User | None = None,
        has_script_users: bool = False,
    ) -> None:
        self._argv = argv
        self._listen_fd = listen_fd
        self._user = user  # None: the launcher's own
        self._has_script_users = has_script_users
        self._is_ready = False
        self._is_stopping = False
        self._failures = 0  # deaths during start-up in a row
        self.pid: int | None = None
        self.channel: Channel | None = None
        self.start_at: float | None = 0.0
        self.kill_at: float | None = None

    def start(self) -> None:
        ours, theirs = (end.detach() for end in socket.socketpair())
        launcher_pid = os.getpid()
        try:
            self.pid = forking.fork(lambda: self._become(theirs, launcher_pid))
        finally:
            os.close(theirs)
        self.channel = Channel(ours)
        self.start_at = None
        self.kill_at = None
        self._is_ready = False
        self._is_stopping = False
        console.say(console.INFO, f"web started pid={self.pid}")

    def mark_ready(self) -> None:
        # From now on a death is no sign of trouble at the start.
        self._is_ready = True
        self._failures = 0

    def stop(self, now: float, *, grace_s: float = _TERM_GRACE_S) -> None:
        """Send TERM, once, and plan the KILL; a second call can only bring the KILL nearer."""
        self.start_at = None
        if self.pid is None:
            return
        if not self._is_stopping:
            self._is_stopping = True
            self.kill_at = now + grace_s
            os.kill(self.pid, signal.SIGTERM)
        elif self.kill_at is not None:
            self.kill_at = min(self.kill_at, now + grace_s)

    def restart(self, now: float) -> None:
        if self.pid is None:
            self.start_at = now
        else:
            self.stop(now)
            self._is_ready = True  # this death was asked for

    def kill(self) -> None:
        self.kill_at = None
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)

    def drop_channel(self, now: float, why: str) -> None:
        """Close the channel and replace this web, unless the channel closes because web is stopping."""
        if self.channel is None:
            return
        self._close_channel()
        if not self._is_stopping:
            console.say(console.WARNING, f"control channel dropped: {why}")
            self.stop(now)

    def _close_channel(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    def exited(self, wait_status: int, now: float, *, may_restart: bool) -> None:
        self.pid = None
        self.kill_at = None
        self._close_channel()
        end = f"web exited {verdict.describe_end(wait_status)}"
        if not may_restart:
            console.say(console.INFO, end)
        elif self._is_ready:
            self.start_at = now
            console.say(console.WARNING, f"{end}, restarting")
        else:
            wait_s = min(_BACKOFF_S * 2**self._failures, _MAX_BACKOFF_S)
            self._failures += 1
            self.start_at = now + wait_s
            console.say(console.WARNING, f"{end}, restarting in {wait_s:g} s")

    def _become(self, control_fd: int, launcher_pid: int) -> int:
        forking.reset_handlers()
        os.setpgid(0, 0)  # the terminal's Ctrl+C is the launcher's business alone
        self._place_descriptors(control_fd)
        forking.unblock_signals()
        try:
            if self._user:
                users.become(self._user)
                # Programs that web starts need none; a script's user is the launcher's business.
                prctl.forbid_new_privileges()
            # After the change of user, which would undo it.
            prctl.die_with_parent(signal.SIGTERM, launcher_pid)
            os.execvpe(self._argv[0], self._argv, self._environment())
        except OSError as error:
            console.say(console.ERROR, f"web cannot be started: {self._argv[0]}: {error.strerror}")
        return 127

    def _environment(self) -> dict[str, str]:
        # An arena for each thread that waits for the interpreter's lock anyway is memory that stands idle.
        return (
            {"MALLOC_ARENA_MAX": "1"}
            | os.environ
            | {
                "TEMPO_LISTEN_FD": str(LISTEN_FD),
                "TEMPO_CONTROL_FD": str(CONTROL_FD),
                "TEMPO_SCRIPT_USERS": "1" if self._has_script_users else "0",
            }
        )

    def _place_descriptors(self, control_fd: int) -> None:
        # By way of high numbers: one may lie where the other belongs, and dup2(3, 3) would leave close-on-exec set.
        listen_copy = fcntl.fcntl(self._listen_fd, fcntl.F_DUPFD, CONTROL_FD + 1)
        control_copy = fcntl.fcntl(control_fd, fcntl.F_DUPFD, CONTROL_FD + 1)
        os.dup2(listen_copy, LISTEN_FD)
        os.dup2(control_copy, CONTROL_FD)
        forking.close_all_except({0, 1, 2, LISTEN_FD, CONTROL_FD})

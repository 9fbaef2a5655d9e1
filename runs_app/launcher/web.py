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
    """One web at a time: `channel` is open exactly while `pid` is set, unless web has spoilt it."""

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
        self._user = user  # None: what the launcher is
        self._has_script_users = has_script_users
        self._is_ready = False
        self._is_asked_to_stop = False
        self._failures = 0  # deaths during start-up in a row
        self.pid: int | None = None
        self.channel: Channel | None = None
        self.start_at: float | None = 0.0
        self.kill_at: float | None = None

    def start(self) -> None:
        """Fork and exec it. Raises OSError when no process can be made."""
        ours, theirs = (end.detach() for end in socket.socketpair())
        launcher_pid = os.getpid()
        try:
            self.pid = forking.fork(lambda: self._become(theirs, launcher_pid))
        finally:
            os.close(theirs)
        self.channel = Channel(ours)
        self.start_at = self.kill_at = None
        self._is_ready = self._is_asked_to_stop = False
        console.say(console.INFO, f"web started pid={self.pid}")

    def is_ready(self) -> None:
        """It says that its start-up is done: from now on a death is no sign of trouble at the start."""
        self._is_ready = True
        self._failures = 0

    def stop(self, now: float, *, grace_s: float = _TERM_GRACE_S) -> None:
        """TERM, once, and KILL if it is still there `grace_s` later; asked again that moment can only come nearer."""
        self.start_at = None
        if self.pid is None:
            return
        if not self._is_asked_to_stop:
            self._is_asked_to_stop = True
            self.kill_at = now + grace_s
            os.kill(self.pid, signal.SIGTERM)
        elif self.kill_at is not None:
            self.kill_at = min(self.kill_at, now + grace_s)

    def restart(self, now: float) -> None:
        """Stop it; it is started again as soon as it is gone."""
        if self.pid is None:
            self.start_at = now
        else:
            self.stop(now)
            self._is_ready = True  # this death was asked for

    def kill(self) -> None:
        """KILL, now."""
        self.kill_at = None
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)

    def drop_channel(self, now: float, why: str) -> None:
        """Hear nothing from this web any more and replace it. Its end of the channel may be closing because it ends."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
            if not self._is_asked_to_stop:
                console.say(console.WARNING, f"control channel dropped: {why}")
                self.stop(now)

    def has_exited(self, wait_status: int, now: float, *, may_restart: bool) -> None:
        """It was reaped: plan the next start."""
        self.pid = self.kill_at = None
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if not may_restart:
            console.say(console.INFO, f"web exited {_describe(wait_status)}")
            return
        wait_s = 0.0 if self._is_ready else min(_BACKOFF_S * 2**self._failures, _MAX_BACKOFF_S)
        self._failures += not self._is_ready
        self.start_at = now + wait_s
        after = f" in {wait_s:g} s" if wait_s else ""
        console.say(console.WARNING, f"web exited {_describe(wait_status)}, restarting{after}")

    def _become(self, control_fd: int, launcher_pid: int) -> int:
        forking.reset_handlers()
        os.setpgid(0, 0)  # the terminal's Ctrl+C is the launcher's business alone
        self._place_descriptors(control_fd)
        forking.unblock_signals()
        try:
            if self._user:
                users.become(self._user)
                prctl.forbid_new_privileges()  # what it starts needs none; a script's user is the launcher's business
            prctl.die_with_parent(
                signal.SIGTERM, launcher_pid
            )  # behind the change of user, which would undo it
            os.execvpe(self._argv[0], self._argv, self._environment())
        except OSError as error:
            console.say(console.ERROR, f"web cannot be started: {self._argv[0]}: {error.strerror}")
        return 127

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "TEMPO_LISTEN_FD": str(LISTEN_FD),
            "TEMPO_CONTROL_FD": str(CONTROL_FD),
            "TEMPO_SCRIPT_USERS": "1" if self._has_script_users else "0",
        }

    def _place_descriptors(self, control_fd: int) -> None:
        # By way of high numbers: one may lie where the other belongs, and dup2(3, 3) would leave close-on-exec set.
        listen_copy = fcntl.fcntl(self._listen_fd, fcntl.F_DUPFD, CONTROL_FD + 1)
        control_copy = fcntl.fcntl(control_fd, fcntl.F_DUPFD, CONTROL_FD + 1)
        os.dup2(listen_copy, LISTEN_FD)
        os.dup2(control_copy, CONTROL_FD)
        forking.close_all_except({0, 1, 2, LISTEN_FD, CONTROL_FD})


def _describe(wait_status: int) -> str:
    code = os.waitstatus_to_exitcode(wait_status)
    return f"code={code}" if code >= 0 else f"signal={verdict.signal_name(-code)}"

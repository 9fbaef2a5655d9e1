"""The runners under this launcher: children, and runners adopted from a launcher that died."""

import os
import signal
import socket
from collections.abc import Iterable
from typing import NamedTuple

from runs_app.launcher import bells, folders, forking, locks, runner
from runs_app.launcher.identity.isolation import IsolationSupport
from runs_app.launcher.output.masking import Secrets
from runs_app.launcher.watch import pidfd, procfs, tree, verdict
from runs_app.launcher.watch.supervision import SHUTDOWN

_IDLE_S = 2.0  # that a runner waits for another run
_MAX_IDLE = 4
_MAX_RUNS = 100  # of one runner


class Adopted(NamedTuple):
    """A runner that is no child of ours, named by pid and start time, which never mean another process together."""

    pid: int
    start_ticks: int
    # Becomes readable when the runner ends; None before Linux 5.3, where the end has to be looked for.
    pid_fd: int | None


class Runners:
    def __init__(
        self, *, data: str, runs_fd: int, shutdown_grace_s: float, support: IsolationSupport
    ) -> None:
        self.support = support
        self._runs_path = os.path.join(data, "runs")
        self._bells_path = bells.bell_folder(data)
        self._runs_fd = runs_fd
        self._bells_fd = bells.open_bell_folder(data)
        self._ringer = bells.Bells(self._bells_fd)  # one socket serves all runners
        self._shutdown_grace_s = shutdown_grace_s
        self._pids: set[int] = set()  # of all children, also of those that have no run
        self._own: dict[int, str] = {}  # folder by pid
        # By pid, of runners that may be given another run: signals and secrets of one run must not meet another.
        self._channels: dict[int, socket.socket] = {}
        self._runs: dict[int, int] = {}  # how many each of these was given
        # Of these, since when each has no run; the last one last.
        self._idle: dict[int, float] = {}
        self._adopted: dict[str, Adopted] = {}  # by folder

    def __len__(self) -> int:
        """Return how many processes there are, with a run or without."""
        return len(self._pids) + len(self._adopted)

    @property
    def run_count(self) -> int:
        return len(self._own) + len(self._adopted)

    def renew_folders(self) -> None:
        """Work on in the folders `runs/` and `run/` that web has made anew. Raise OSError while they are missing."""
        folders.renew(self._runs_fd, self._runs_path)
        if folders.renew(self._bells_fd, self._bells_path):
            self._retire(self._pids)  # they ring in the old one

    def start(self, folder: object, secrets: Secrets) -> int:
        """Give `folder` and the secrets to a runner; return its pid. Raise FolderError, OSError."""
        folder_fd = folders.open_run(self._runs_fd, folder)
        order = runner.Order(
            folder_fd=folder_fd,
            folder=os.path.join(self._runs_path, str(folder)),
            ringer=self._ringer,
            shutdown_grace_s=self._shutdown_grace_s,
            support=self.support,
            secrets=secrets,
        )
        try:
            pid = self._hand_over(order) or self._fork(order)
        finally:
            os.close(folder_fd)
        self._own[pid] = str(folder)
        return pid

    def _fork(self, order: runner.Order) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = forking.fork(lambda: runner.main(order, theirs))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._pids.add(pid)
        self._channels[pid] = ours
        self._runs[pid] = 1
        return pid

    def _hand_over(self, order: runner.Order) -> int | None:
        # To the runner that ended a run last.
        while self._idle and not order.secrets:
            pid, _since = self._idle.popitem()
            try:
                path = os.fsencode(order.folder)
                socket.send_fds(self._channels[pid], [path], [order.folder_fd])
            except OSError:
                self._retire([pid])
                continue
            self._runs[pid] += 1
            return pid
        return None

    def _retire(self, pids: Iterable[int]) -> None:
        # They are given no other run: they end with the one they have, or now.
        for pid in list(pids):
            self._idle.pop(pid, None)
            self._runs.pop(pid, None)
            if pid in self._channels:
                self._channels.pop(pid).close()

    def channel_fds(self) -> list[int]:
        """Return the descriptors to poll for the ends of runs."""
        return [one.fileno() for pid, one in self._channels.items() if pid in self._own]

    def note_ends_of_runs(self, ready: set[int], now: float) -> None:
        for pid, channel in list(self._channels.items()):
            if channel.fileno() not in ready:
                continue
            is_over = _is_told_over(channel)
            if is_over:
                self._own.pop(pid, None)
            if is_over and self._runs[pid] < _MAX_RUNS and len(self._idle) < _MAX_IDLE:
                self._idle[pid] = now
            else:
                self._retire([pid])

    def end_idle(self, now: float) -> float | None:
        """Let runners go that had no run for a while; return when to look again."""
        self._retire([pid for pid, since in self._idle.items() if now >= since + _IDLE_S])
        return min(self._idle.values()) + _IDLE_S if self._idle else None

    def adopt(self, folder: object) -> bool:
        """Take over the living runner of `folder`; return whether a runner lives. Raise FolderError, OSError."""
        name = folders.check_name(folder)
        if name in self._adopted or self.is_own(name):
            return True
        folder_fd = folders.open_run(self._runs_fd, name)
        try:
            # Without the lock the runner that lives has another run by now.
            adopted = _find_living_runner(folder_fd) if locks.probe(folder_fd) else None
        finally:
            os.close(folder_fd)
        if adopted is None:
            return False
        self._adopted[name] = adopted
        return True

    def signal(self, folder: object, signum: signal.Signals) -> bool:
        """Send `signum` to the runner of `folder`; return whether a runner was found. Raise FolderError."""
        name = folders.check_name(folder)
        own = [pid for pid, folder in self._own.items() if folder == name]
        self._retire(own)
        tree.send(own, signum)
        if name in self._adopted:
            _send(self._adopted[name], signum)
        return name in self._adopted or self.is_own(name)

    def shut_down(self) -> None:
        self._retire(self._pids)
        tree.send(self._own, SHUTDOWN)
        for adopted in self._adopted.values():
            _send(adopted, SHUTDOWN)

    def kill(self) -> None:
        roots = self.pids()
        roots.update(adopted.pid for adopted in self._adopted.values() if _is_running(adopted))
        if roots:
            tree.kill(lambda: tree.family(roots))

    def is_own(self, folder: str) -> bool:
        return folder in self._own.values()

    def pids(self) -> set[int]:
        return set(self._pids)

    def pid_fds(self) -> list[int]:
        """Return the descriptors to poll for the ends of adopted runners."""
        fds = (adopted.pid_fd for adopted in self._adopted.values())
        return [fd for fd in fds if fd is not None]

    def has_to_look(self) -> bool:
        """Return whether the end of an adopted runner wakes nobody, so that it has to be looked for."""
        return any(adopted.pid_fd is None for adopted in self._adopted.values())

    def forget_ended(self, ready: set[int]) -> list[str]:
        """Forget the adopted runners that have ended, by the descriptors that are ready; return their folders."""
        ended = [name for name, adopted in self._adopted.items() if _has_ended(adopted, ready)]
        for folder in ended:
            pid_fd = self._adopted.pop(folder).pid_fd
            if pid_fd is not None:
                os.close(pid_fd)
        return ended

    def child_exited(self, pid: int) -> str | None:
        """Forget a reaped child; return the runner's folder, "" without a run, or None if the child was no runner."""
        if pid not in self._pids:
            return None
        self._pids.remove(pid)
        self._retire([pid])
        return self._own.pop(pid, "")


def _is_told_over(channel: socket.socket) -> bool:
    try:
        return bool(channel.recv(16, socket.MSG_DONTWAIT))
    except OSError:
        return False


def _find_living_runner(folder_fd: int) -> Adopted | None:
    state = verdict.read_state(folder_fd)
    pid, start = state.get("runner_pid"), state.get("runner_start")
    if not isinstance(pid, int) or pid <= 1 or not isinstance(start, int):
        return None
    if state.get("boot_id") != procfs.boot_id():
        return None
    adopted = Adopted(pid, start, pidfd.open_process(pid))
    # Compared after the open: from here on the descriptor and the number mean the same process.
    if _is_running(adopted):
        return adopted
    if adopted.pid_fd is not None:
        os.close(adopted.pid_fd)
    return None


def _is_running(adopted: Adopted) -> bool:
    process = procfs.read(adopted.pid)
    if process is None or process.state in procfs.ENDED:
        return False
    return process.start_ticks == adopted.start_ticks


def _has_ended(adopted: Adopted, ready: set[int]) -> bool:
    if adopted.pid_fd is None:
        return not _is_running(adopted)
    return adopted.pid_fd in ready


def _send(adopted: Adopted, signum: signal.Signals) -> None:
    if adopted.pid_fd is not None and pidfd.send(adopted.pid_fd, signum):
        return
    if _is_running(adopted):
        tree.send([adopted.pid], signum)

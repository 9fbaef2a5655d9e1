"""The runners under this launcher: those it forked, and those it adopted from a launcher that died."""

import contextlib
import os
import signal
from typing import NamedTuple

from runs_app.launcher import bells, folders, forking, runner
from runs_app.launcher.identity.isolation import IsolationSupport
from runs_app.launcher.output.masking import Secrets
from runs_app.launcher.watch import procfs, tree, verdict
from runs_app.launcher.watch.supervision import SHUTDOWN


class Adopted(NamedTuple):
    """A runner that is no child of ours: the descriptor becomes readable when it ends, and names no other process."""

    pid: int
    pid_fd: int


class Runners:
    """Who runs which folder."""

    def __init__(
        self, *, data: str, runs_fd: int, shutdown_grace_s: float, powers: IsolationSupport
    ) -> None:
        self.powers = powers
        self._runs_path = os.path.join(data, "runs")
        self._runs_fd = runs_fd
        self._tower_fd = bells.open_bell_folder(data)
        self._shutdown_grace_s = shutdown_grace_s
        self._own: dict[int, str] = {}  # folder by pid
        self._adopted: dict[str, Adopted] = {}  # by folder

    def __len__(self) -> int:
        return len(self._own) + len(self._adopted)

    def start(self, folder: object, secrets: Secrets) -> int:
        """Fork a runner for `folder`; its pid. Only that process keeps the secrets. Raises FolderError, OSError."""
        folder_fd = folders.open_run(self._runs_fd, folder)
        path = os.path.join(self._runs_path, str(folder))
        order = runner.Order(
            folder_fd, path, self._tower_fd, self._shutdown_grace_s, self.powers, secrets
        )
        try:
            pid = forking.fork(lambda: runner.main(order))
        finally:
            os.close(folder_fd)
        self._own[pid] = str(folder)
        return pid

    def adopt(self, folder: object) -> bool:
        """Take over the living runner of `folder`; whether there is one. Raises FolderError, OSError."""
        name = folders.check_name(folder)
        if name in self._adopted or self.is_own(name):
            return True
        folder_fd = folders.open_run(self._runs_fd, name)
        try:
            found = _living_runner(folder_fd)
        finally:
            os.close(folder_fd)
        if found is not None:
            self._adopted[name] = found
        return found is not None

    def signal(self, folder: object, signum: signal.Signals) -> bool:
        """Send `signum` to the runner of `folder`; whether there was one. Raises FolderError."""
        name = folders.check_name(folder)
        tree.send([pid for pid, own in self._own.items() if own == name], signum)
        if name in self._adopted:
            _send(self._adopted[name], signum)
        return name in self._adopted or self.is_own(name)

    def shut_down(self) -> None:
        """Ask every runner to stop its script; asked twice, without any grace."""
        tree.send(self._own, SHUTDOWN)
        for adopted in self._adopted.values():
            _send(adopted, SHUTDOWN)

    def kill(self) -> None:
        """KILL every runner with its tree: the verdicts are lost."""
        roots = {*self._own, *(adopted.pid for adopted in self._adopted.values())}
        if roots:
            tree.kill(lambda: tree.family(roots))

    def is_own(self, folder: str) -> bool:
        """Whether a runner that we forked is at work in `folder`."""
        return folder in self._own.values()

    def pids(self) -> set[int]:
        """The runners among our children."""
        return set(self._own)

    def pid_fds(self) -> dict[int, str]:
        """What to poll for the end of adopted ones: folder by descriptor."""
        return {adopted.pid_fd: folder for folder, adopted in self._adopted.items()}

    def has_exited(self, pid: int) -> str | None:
        """A child was reaped: the folder it was at work in, None if it was no runner."""
        return self._own.pop(pid, None)

    def adopted_has_exited(self, folder: str) -> None:
        """An adopted runner is gone."""
        os.close(self._adopted.pop(folder).pid_fd)


def _living_runner(folder_fd: int) -> Adopted | None:
    state = verdict.read_state(folder_fd)
    pid, start = state.get("runner_pid"), state.get("runner_start")
    if not isinstance(pid, int) or pid <= 1 or state.get("boot_id") != procfs.boot_id():
        return None
    try:
        pid_fd = os.pidfd_open(pid)
    except OSError:
        return None
    # Compared behind the open: from here on the descriptor and the number mean the same process.
    if procfs.start_time(pid) != start:
        os.close(pid_fd)
        return None
    return Adopted(pid, pid_fd)


def _send(adopted: Adopted, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(adopted.pid_fd, signum)

"""The processes of a service on its data folder, found by what is in their environment, whoever their parent is."""

import json
import signal
from pathlib import Path

from runs_app.launcher.watch import procfs, tree
from tests.service import Service, wait_for


def of_service(service: Service) -> set[int]:
    """Launcher, web and runners: forked or executed with the service's environment."""
    return _with_variable("PYSCHED_DATA_PATH", str(service.data))


def of_run(service: Service, run_id: int) -> set[int]:
    """The script of a run and all its descendants."""
    return _with_variable("TEMPO_RUN_FOLDER", str(folder_of(service, run_id)))


def of_runs(service: Service) -> set[int]:
    """The scripts of all runs."""
    return {
        pid
        for pid, value in _variables("TEMPO_RUN_FOLDER").items()
        if value.startswith(f"{service.data}/")
    }


def folder_of(service: Service, run_id: int) -> Path:
    """The folder of a run that has begun."""

    def find() -> Path | None:
        return next((service.data / "runs").glob(f"*/{run_id}-*"), None)

    return wait_for(find, what=f"the folder of run {run_id}")


def log_of(service: Service, run_id: int) -> bytes:
    """The stored output of a run so far."""
    try:
        return (folder_of(service, run_id) / "output.log").read_bytes()
    except FileNotFoundError:
        return b""


def runner_of(service: Service, run_id: int) -> int:
    """The pid of the runner that supervises a run."""
    state = folder_of(service, run_id) / "state.json"
    wait_for(state.exists, what=f"the state of run {run_id}")
    return int(json.loads(state.read_bytes())["runner_pid"])


def kill_launcher(service: Service) -> None:
    """Kill the launcher alone, and wait until `web` has followed it."""
    web = service.web_pid()
    service.stop(signal.SIGKILL)
    wait_for(lambda: not is_running(web), what="the end of web")


def kill_everything(service: Service) -> None:
    """Kill the launcher, web, the runners and the scripts, and wait until none is left."""
    service.stop(signal.SIGKILL)  # first, as it would start a new web

    def kill() -> bool:
        left = of_service(service) | of_runs(service)
        for signum in (
            signal.SIGSTOP,
            signal.SIGKILL,
        ):  # a runner that saw its script die would have the last word
            tree.send(left, signum)
        return not left

    wait_for(kill, what="the end of everything")


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    process = procfs.read(pid)
    return process is not None and process.state not in procfs.ENDED


def _with_variable(name: str, value: str) -> set[int]:
    return {pid for pid, found in _variables(name).items() if found == value}


def _variables(name: str) -> dict[int, str]:
    found = {pid: procfs.environment_value(pid, name) for pid in procfs.table()}
    return {pid: value for pid, value in found.items() if value is not None}

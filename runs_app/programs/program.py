"""The verbs of a program, for modules that meet a run of any kind."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict

from runs_app.models import Run
from runs_app.programs.wait_conditions import Condition
from runs_app.states import Reason
from scripts_app.variables.variables import RunVariables


class NothingToRun(Exception):
    """The program of an admitted run is gone; the text becomes the row's message, `reason` the row's reason."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


class StepSpec(TypedDict):
    isolation: Mapping[str, Any] | None
    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]


class ProgramSpec(StepSpec):
    limits: Mapping[str, int]
    then: NotRequired[
        Sequence[StepSpec]
    ]  # each after the success of the one before it, without the secrets


class Program(Protocol):
    """A module for a kind of run. A new kind is such a module, a line in `registry` and a member of Kind."""

    # A constant of the module: what a queued run may have to wait for, in the order in which it is told.
    @property
    def WAITS_FOR(self) -> tuple[Condition, ...]: ...

    def title(self, run: Run, /) -> str: ...

    def variables(self, run: Run, /) -> RunVariables:
        """Return the variables that people have set. Raises SecretUnreadable."""

    def spec(self, run: Run, folder: Path, plain: Mapping[str, str], /) -> ProgramSpec:
        """Fill the run's folder and return how to start the program. Raises NothingToRun, OSError and ValueError."""
        # `plain`: the variables that are no secrets.

    def finished(self, run: Run, /, *, now: datetime) -> None:
        """Store the consequences of the run's end, in the transaction of the end."""

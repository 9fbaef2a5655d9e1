"""What each program defines, for every module that meets a run without knowing its kind."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypedDict

from runs_app.models import Run
from runs_app.programs.conditions import Condition
from runs_app.states import Reason
from scripts_app.variables.variables import RunVariables


class NothingToRun(Exception):
    """A run that was admitted has nothing to execute any more; the text is the row's message, `reason` its reason."""

    def __init__(self, sentence: str, reason: Reason) -> None:
        super().__init__(sentence)
        self.reason = reason


class ProgramSpec(TypedDict):
    """The part of `spec.json` that depends on the program."""

    limits: Mapping[str, int]
    isolation: Mapping[str, Any] | None
    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str]


class Program(Protocol):
    """A module with one kind of program. A new kind is such a module, a line in `registry` and a member of Kind."""

    @property
    def WAITS_FOR(self) -> tuple[Condition, ...]:
        """What a queued run may have to wait for, in the order in which it is told; a constant of the module."""

    def title(self, run: Run, /) -> str:
        """Return what the run is about, in a few words."""

    def variables(self, run: Run, /) -> RunVariables:
        """Return the variables that people have set for it. Raises SecretUnreadable."""

    def spec(self, run: Run, folder: Path, plain: Mapping[str, str], /) -> ProgramSpec:
        """Write what the run needs into its folder and return how it is started; `plain` are its open variables.

        Raises NothingToRun, OSError and ValueError.
        """

    def finished(self, run: Run, /, *, now: datetime) -> None:
        """Store what the end of the run means elsewhere, in the transaction in which it ends."""

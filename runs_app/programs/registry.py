"""The program of each kind of run."""

from runs_app.models import Run
from runs_app.programs import backup, build, install, script
from runs_app.programs.program import Program
from runs_app.states import Kind

PROGRAMS: dict[Kind, Program] = {
    Kind.SCRIPT: script,
    Kind.BUILD: build,
    Kind.INSTALL: install,
    Kind.BACKUP: backup,
}


def program_of(run: Run) -> Program:
    return PROGRAMS[Kind(run.kind)]

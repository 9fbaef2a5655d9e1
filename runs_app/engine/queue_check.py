"""Whether the queue stands still: runs that nothing keeps from beginning, and that do not begin."""

import time
from datetime import datetime

from runs_app.admission import admission
from runs_app.models import Run
from runs_app.states import Status

STUCK_S = 60.0


class QueueCheck:
    def __init__(self) -> None:
        # Run -> since when it was seen waiting for nothing, of time.monotonic().
        self._since: dict[int, float] = {}

    def why_stuck(self, *, now: datetime) -> str:
        starting = Run.objects.filter(status=Status.STARTING).values_list("pk", flat=True)
        waiting = [*starting, *admission.would_begin(now=now)]
        moment = time.monotonic()
        self._since = {pk: self._since.get(pk, moment) for pk in waiting}
        overdue = {pk: moment - since for pk, since in self._since.items()}
        overdue = {pk: waited_s for pk, waited_s in overdue.items() if waited_s > STUCK_S}
        if not overdue:
            return ""
        pk = max(overdue, key=overdue.__getitem__)
        return f"run #{pk} should have begun {overdue[pk]:.0f} s ago: the queue stands still"

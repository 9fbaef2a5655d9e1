"""The tasks of django-q2's workers; each body is a single verb.

Each admits first: a run that is queued while any task waits adds no task (`new_runs.enqueue_admission`).
"""

import time
from datetime import timedelta

from django.utils import timezone

from runs_app.admission import admission
from runs_app.engine import housekeeping
from runs_app.failures import groups
from runs_app.history import cold_logs, deleted, retention
from runs_app.models import Run
from scripts_app.environments import cleanup
from scripts_app.exchange import staging
from tempo_site.audit import trail
from tempo_site.stored_settings import store


def admit() -> None:
    admission.admit(now=timezone.now())


def prune() -> None:
    admit()
    now = timezone.now()
    staging.discard_old(now=now)
    groups.prune(now=now, keep=timedelta(days=int(store.value("PYSCHED_KEEP_DAYS"))))
    days, rows = store.value("PYSCHED_KEEP_AUDIT_DAYS"), store.value("PYSCHED_KEEP_AUDIT_ROWS")
    trail.keep_for(days=int(days), rows=int(rows), now=now)
    began = time.monotonic()
    count = retention.prune(now=now)
    if count >= retention.MAX_A_TURN or time.monotonic() - began >= retention.TURN_S:
        housekeeping.hurry("retention", now=now)


def compress_logs() -> None:
    admit()
    now = timezone.now()
    if cold_logs.compress_old(now=now) >= cold_logs.MAX_A_TURN:
        housekeeping.hurry("cold logs", now=now)


def collect_environments() -> None:
    admit()
    runs = Run.objects.exclude(environment=None).order_by()
    in_use = set(runs.active().values_list("environment_id", flat=True))
    # Before the write lock is taken: runs that lose their environment would be written anew under the lock.
    ran = set(runs.scripts().values_list("environment_id", flat=True).distinct())
    cleanup.collect(timezone.now(), in_use=in_use, ran=ran)


def purge_scripts() -> None:
    admit()
    deleted.purge(now=timezone.now())


def never_called_by_q2() -> None:
    """Raise RuntimeError: the rows of alarms name this function, and no cluster of django-q2 may serve them."""
    raise RuntimeError("alarms are served by Tempo's ticker, not by a cluster of django-q2")

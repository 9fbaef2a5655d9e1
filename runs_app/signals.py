"""Doorbells of the runs app; the rows are the letters."""

from django.dispatch import Signal

# A run reached a final status. Arguments: run. Whoever must act sweeps `announced_at IS NULL` as well.
run_finished = Signal()

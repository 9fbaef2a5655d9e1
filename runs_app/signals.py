"""Doorbells of the runs app; the rows are the letters."""

from django.dispatch import Signal

# A run reached a final status. Arguments: run. Receivers that must act sweep `announced_at IS NULL` as well.
run_finished = Signal()

# A search had to do without a part of the index, which is being made or was deleted. No arguments.
search_degraded = Signal()

"""Doorbells of the runs app; the rows are the letters."""

from django.dispatch import Signal

# A run reached a final status. Arguments: run. Receivers that must act sweep `announced_at IS NULL` as well.
run_finished = Signal()

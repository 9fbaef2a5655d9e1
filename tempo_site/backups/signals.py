"""Doorbells of backups."""

from django.dispatch import Signal

# A backup was put back, and the rows are to be brought in line with that, in the transaction of the sender, before the
# engine's first start. It may be sent again after a crash. Arguments: now.
restored = Signal()

# What was held goes on. No arguments.
released = Signal()

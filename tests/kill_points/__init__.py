"""What makes the processes of a Tempo kill themselves with -9 at the very place, and not somewhere near it."""

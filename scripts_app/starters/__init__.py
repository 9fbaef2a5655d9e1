"""Starters: scripts that work as they stand, offered when a new one is made. Their text is read, never imported."""

"""From trigger to history: queueing, executing, watching and recovering runs."""

"""What runs, with what and when; knows nothing of runs."""

"""Writes the files for other people's machines from `tempo.toml`: `python -m deploy.generator`."""

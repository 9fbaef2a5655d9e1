# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Disk space"
# description = "Looks how full disks are and fails, so that you are told, while there is still time to clean up."
# cron = "0 * * * *"
#
# [tool.tempo.parameters]
# paths = {type = "text", default = "/", required = true, help = "A folder on each disk, separated by commas."}
# percent = {type = "float", default = 10, min = 0, max = 100, help = "Too little is free below so many percent..."}
# gigabytes = {type = "float", default = 1, min = 0, help = "... or below so many gigabytes."}
# ///
"""Warn of full disks. Exit code 0: all have room. 1: at least one is too full, or cannot be looked at."""

import os
import shutil
import sys


def main() -> None:
    paths = [
        path.strip() for path in os.environ.get("TEMPO_PARAM_PATHS", "/").split(",") if path.strip()
    ]
    if not paths:
        sys.exit("There is no disk to look at: the parameter `paths` is empty.")
    problems = [problem for problem in map(look_at, paths) if problem]
    if problems:
        sys.exit("\n".join(problems))
    print("All have room.")


def look_at(path: str) -> str:
    """Print how full the disk of a path is; return what is wrong with it, or an empty text."""
    least_percent = float(os.environ.get("TEMPO_PARAM_PERCENT", "10"))
    least_gb = float(os.environ.get("TEMPO_PARAM_GIGABYTES", "1"))
    try:
        usage = shutil.disk_usage(path)
    except OSError as error:
        return f"{path}: cannot be looked at: {error.strerror}"
    percent, free_gb = 100 * usage.free / usage.total, usage.free / 1e9
    facts = f"{path}: {free_gb:,.1f} GB of {usage.total / 1e9:,.1f} GB are free ({percent:.0f} %)"
    print(facts)
    if percent < least_percent:
        return f"TOO FULL: {facts}, less than {least_percent:g} %"
    if free_gb < least_gb:
        return f"TOO FULL: {facts}, less than {least_gb:g} GB"
    return ""


if __name__ == "__main__":
    main()

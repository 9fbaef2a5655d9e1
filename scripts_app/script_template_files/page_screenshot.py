# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Screenshot of a web page"
# description = "Opens a web page in Chromium without a window and keeps a picture of what people see."
# cron = "0 7 * * *"
# memory_mb = 1024
#
# [tool.tempo.parameters]
# url = {type = "text", default = "https://example.org/", required = true, help = "The page."}
# width = {type = "int", default = 1280, min = 100, max = 4000, help = "Of the picture, in pixels."}
# height = {type = "int", default = 1600, min = 100, max = 8000, help = "Of the picture, in pixels."}
# keep = {type = "int", default = 14, min = 1, max = 1000, help = "So many pictures stay, the newest."}
# minutes = {type = "float", default = 2, min = 0.1, max = 60, help = "The browser is ended after so long."}
# ///
"""Keep a picture of a web page. Exit code 0: there is a new picture. 1: there is none.

It needs Chromium on the machine (Debian: `apt install chromium`) and a memory limit of 1024 MB or more. The pictures
lie in the folder `pictures`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PICTURES = Path("pictures")  # the working folder is the script's own and lasts from run to run


def main() -> None:
    url = os.environ.get("TEMPO_PARAM_URL", "https://example.org/")
    if not url.startswith(("http://", "https://")):
        sys.exit(f"`{url}` is no web address: it has to begin with http:// or https://.")
    browser = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if browser is None:
        sys.exit(f"There is no browser on this machine: none of {', '.join(PROGRAMS)}.")
    PICTURES.mkdir(exist_ok=True)
    picture = PICTURES / f"{datetime.now():%Y-%m-%d-%H%M%S}.png"
    take(browser, url, picture)
    print(f"{picture}: {picture.stat().st_size:,} bytes")
    delete_old()


def take(browser: str, url: str, picture: Path) -> None:
    """Have the browser write the picture, or end."""
    width = os.environ.get("TEMPO_PARAM_WIDTH", "1280")
    height = os.environ.get("TEMPO_PARAM_HEIGHT", "1600")
    minutes = float(os.environ.get("TEMPO_PARAM_MINUTES", "2"))
    profile = tempfile.mkdtemp()  # Tempo deletes it with the run's other temporary files
    command = [
        browser,
        "--headless",
        "--no-sandbox",  # Chromium cannot build its own sandbox inside of Tempo's, which holds it instead
        "--disable-dev-shm-usage",  # containers have little shared memory
        f"--user-data-dir={profile}",
        f"--window-size={width},{height}",
        f"--screenshot={picture.resolve()}",
        url,
    ]
    # Not `capture_output=True`: a helper of Chromium may outlive it, and Python would wait for the helper's output.
    try:
        done = subprocess.run(command, timeout=minutes * 60)
    except subprocess.TimeoutExpired:
        sys.exit(
            f"The browser was ended after {minutes:g} minutes: the page does not come to rest."
        )
    if done.returncode or not picture.exists():
        sys.exit(f"There is no picture: the browser ended with exit code {done.returncode}.")


def delete_old() -> None:
    keep = int(os.environ.get("TEMPO_PARAM_KEEP", "14"))
    for picture in sorted(PICTURES.glob("*.png"))[:-keep]:
        picture.unlink()
        print(f"deleted {picture.name}")


if __name__ == "__main__":
    main()

# /// script
# requires-python = ">=3.8"
# dependencies = []
#
# [tool.tempo]
# title = "Hello"
# description = "Greets somebody and counts: watch the lines arrive, then make it a script of your own."
# every_s = 3600
#
# [tool.tempo.parameters]
# name = {type = "text", default = "world", required = true, help = "Whom to greet."}
# steps = {type = "int", default = 3, min = 1, max = 60, help = "How many lines follow, one a half second."}
# ///
"""Greet somebody, then count.

Parameters arrive as environment variables, TEMPO_PARAM_ and the name in capitals. What is printed can be read while the
script runs. A script that ends normally has succeeded; sys.exit("a sentence") prints the sentence and counts as failed.
"""

import os
import platform
import sys
import time


def main() -> None:
    name = os.environ.get("TEMPO_PARAM_NAME", "world").strip()
    steps = int(os.environ.get("TEMPO_PARAM_STEPS", "3"))
    if not name:
        sys.exit("There is nobody to greet: the parameter `name` is empty.")
    print(f"Hello {name}, from Python {platform.python_version()}!")
    for number in range(1, steps + 1):
        time.sleep(0.5)
        print(f"step {number} of {steps}")


if __name__ == "__main__":
    main()

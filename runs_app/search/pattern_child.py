"""A program that matches one regular expression, to be ended from outside: Python's matching can take for ever, and
reading an expression takes a second for some.

The first line of its input is the expression as JSON, answered by what is wrong with it or ""; every further one a list
of lines; each answer lists the lines that match: their position, and where the first match begins and ends. It needs
the standard library alone.
"""

import json
import re
import sys


def main() -> None:
    try:
        pattern = re.compile(json.loads(sys.stdin.readline()), re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        answer(str(error) or type(error).__name__)
        return
    answer("")
    for request in sys.stdin:
        lines = json.loads(request)
        matches = []
        for place, line in enumerate(lines):
            if found := pattern.search(line):
                matches.append([place, found.start(), found.end()])
        answer(matches)


def answer(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

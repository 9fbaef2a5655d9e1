"""A program that matches one regular expression, to be ended from outside: Python's matching can take for ever.

The first line of its input is the expression as JSON, every further one a list of lines; each answer lists the lines
that match: their position, and where the first match begins and ends. It needs the standard library alone.
"""

import json
import re
import sys


def main() -> None:
    pattern = re.compile(json.loads(sys.stdin.readline()), re.IGNORECASE)
    for request in sys.stdin:
        lines = json.loads(request)
        matches = []
        for place, line in enumerate(lines):
            if found := pattern.search(line):
                matches.append([place, found.start(), found.end()])
        sys.stdout.write(json.dumps(matches) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

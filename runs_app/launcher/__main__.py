"""Start the launcher: `python -I -S <root>/runs_app/launcher/__main__.py OPTIONS -- WEB ARGV...`."""

import sys
from os.path import abspath, dirname

# At the end: nothing in the project's root may shadow the standard library.
sys.path.append(dirname(dirname(dirname(abspath(__file__)))))

from runs_app.launcher import server

if __name__ == "__main__":
    sys.exit(server.main(sys.argv[1:]))

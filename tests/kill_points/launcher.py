"""The launcher, and with it the runners, as processes that die at the places they are asked to."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from tests.kill_points import sitecustomize  # noqa: F401, I001  before the modules that it guards
from runs_app.launcher import server

if __name__ == "__main__":
    sys.exit(server.main(sys.argv[1:]))

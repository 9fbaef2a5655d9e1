"""Start the child that sends: `python -I <root>/notifications_app/sending/__main__.py PACKAGES PRIVATE OWN_PORT`."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

# Made here, because a confined program may not list the project's root, and finding a package would.
app = ModuleType("notifications_app")
app.__path__ = [str(Path(__file__).absolute().parent.parent)]

if __name__ == "__main__":
    sys.modules["notifications_app"] = app
    packages, *arguments = sys.argv[1:]
    if packages not in sys.path:
        sys.path.append(packages)  # Tempo's, which lie elsewhere where a PYTHONPATH leads to them
    child = importlib.import_module("notifications_app.sending.child")
    child.main(*arguments)

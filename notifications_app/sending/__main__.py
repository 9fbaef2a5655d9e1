"""Start the child that sends: `python -I <root>/notifications_app/sending/__main__.py PACKAGES PRIVATE OWN_PORT`."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).absolute().parents[2]
# Made here, because a confined program may not list the folders around them, and finding a package would.
OWN = ("notifications_app", "tempo_site", "tempo_site.lib", "tempo_site.lib.wire")

if __name__ == "__main__":
    for name in OWN:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(ROOT.joinpath(*name.split(".")))]
    packages, *arguments = sys.argv[1:]
    if packages not in sys.path:
        sys.path.append(packages)  # Tempo's, which lie elsewhere where a PYTHONPATH leads to them
    child = importlib.import_module("notifications_app.sending.child")
    child.main(*arguments)

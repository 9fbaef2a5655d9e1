"""Start the program: `python -I <root>/tempo_site/backups/archive/__main__.py PACKAGES VERB ORDER`."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).absolute().parents[3]
# Made here, because a confined program may not list the folders around them, and finding a package would.
OWN = ("tempo_site", "tempo_site.backups", "tempo_site.backups.archive")

if __name__ == "__main__":
    for name in OWN:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(ROOT.joinpath(*name.split(".")))]
    packages, verb, order = sys.argv[1:]
    if packages not in sys.path:
        sys.path.append(packages)  # Tempo's, which lie elsewhere where a PYTHONPATH leads to them
    verbs = importlib.import_module("tempo_site.backups.archive.verbs")
    sys.exit(verbs.main(verb, order))

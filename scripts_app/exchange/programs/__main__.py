"""Start a program: `python -I -S <root>/scripts_app/exchange/programs/__main__.py PROGRAM ARGUMENT`."""

import importlib
import sys
from os.path import abspath, dirname
from types import ModuleType

# Made here, because a confined program may not list the project's root, and finding a package would.
app = ModuleType("scripts_app")
app.__path__ = [dirname(dirname(dirname(abspath(__file__))))]

if __name__ == "__main__":
    sys.modules["scripts_app"] = app
    program = importlib.import_module(f"scripts_app.exchange.programs.{sys.argv[1]}")
    program.main(sys.argv[2])

"""Start a driver: `python -I -S <root>/scripts_app/environments/drivers/__main__.py DRIVER ARGUMENT...`."""

import importlib
import sys
from os.path import abspath, dirname
from types import ModuleType

# Made here, because a confined program may not list the project's root, and finding a package would.
app = ModuleType("scripts_app")
app.__path__ = [dirname(dirname(dirname(abspath(__file__))))]

if __name__ == "__main__":
    sys.modules["scripts_app"] = app
    driver = importlib.import_module(f"scripts_app.environments.drivers.{sys.argv[1]}")
    sys.exit(driver.main(*sys.argv[2:]))

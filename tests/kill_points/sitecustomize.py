"""Loaded by each Python whose PYTHONPATH has this folder: it dies at places that are asked for.

KILL_PLACES names functions as JSON, `module:function` each. A file `before PLACE` or `after PLACE` in KILL_ORDERS asks
who comes there to kill itself: whoever has been there so many times before as the number in it says.
"""

import functools
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

ORDERS = Path(os.environ["KILL_ORDERS"])
PLACES = [place.split(":") for place in json.loads(os.environ["KILL_PLACES"])]
LAUNCHER = Path(__file__).resolve().with_name("launcher.py")
_passes: dict[str, int] = {}


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of these places, and puts a guard around the functions once they are loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        functions = [function for module, function in PLACES if module == name]
        if not functions:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec and spec.loader
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            for function in functions:
                guard(module, function)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def guard(module: ModuleType, function: str) -> None:
    """Have a function, or the method of a class, look before and after each call whether it is asked to die."""
    *owners, name = function.split(".")
    owner: Any = functools.reduce(getattr, owners, module)
    setattr(owner, name, guarded(getattr(owner, name), f"{module.__name__}:{function}"))


def guarded(function: Callable[..., Any], place: str) -> Callable[..., Any]:
    """The function, as one that dies when it is asked to."""

    @functools.wraps(function)
    def call(*args: Any, **fields: Any) -> Any:
        die_if_asked(f"before {place}")
        result = function(*args, **fields)
        die_if_asked(f"after {place}")
        return result

    return call


def die_if_asked(order: str) -> None:
    """Carry out an order, once."""
    passes = _passes.get(order, 0)
    _passes[order] = passes + 1
    try:
        if passes >= int((ORDERS / order).read_text()):
            (ORDERS / order).unlink()  # of two that come at once, one
            os.kill(os.getpid(), signal.SIGKILL)
    except FileNotFoundError:
        return


def with_guards(argv: list[str]) -> list[str]:
    """The launcher's command line, with the launcher that loads this: it is told to look at no PYTHONPATH."""
    return [
        str(LAUNCHER) if part.endswith("runs_app/launcher/__main__.py") else part for part in argv
    ]


sys.meta_path.insert(0, Finder())
if sys.argv[1:2] == ["serve"]:
    become = os.execv
    os.execv = lambda path, argv: become(path, with_guards(list(argv)))  # type: ignore

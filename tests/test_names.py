"""One name is one thing: no two classes of the product share a name."""

import ast
from collections import defaultdict
from collections.abc import Iterable

from tests.modules import PRODUCT, Module

# Those that two may bear, with the reason.
SHARED = {
    "Command": "Django finds a command of manage.py by its module",
    "Channel": "people have channels that tell them of runs; the launcher has one to web, and knows no model",
    "Program": "a kind of run; to the launcher, which knows no kinds, what execve(2) is given",
}


def shared_names(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Return the names of classes that several modules have, with the modules."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module.path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def test_each_class_has_a_name_of_its_own() -> None:
    shared = shared_names(PRODUCT)
    assert {name: paths for name, paths in shared.items() if name not in SHARED} == {}
    assert set(SHARED) - set(shared) == set(), "an exception that nobody needs"


def test_it_finds_a_name_that_two_modules_have() -> None:
    modules = [
        Module.of("runs_app/one.py", "class Piece: ...\nclass Part: ...\n"),
        Module.of("scripts_app/two.py", "class Piece: ...\nclass Other:\n    class Part: ...\n"),
    ]
    assert shared_names(modules) == {"Piece": ["runs_app/one.py", "scripts_app/two.py"]}

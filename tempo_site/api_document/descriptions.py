"""The API's descriptions are docstrings. `web`'s byte code has none: they are read from the source when asked for."""

import ast
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ninja.operation import Operation

# Where operations and the shapes of their bodies and answers are, with the modules below.
MODULES = (
    "tempo_site.api",
    "tempo_site.rest.audit",
    "tempo_site.rest.keys",
    "tempo_site.rest.settings",
    "scripts_app.api",
    "scripts_app.diagnostics.models",
    "runs_app.api",
    "notifications_app.api",
)


def restore(operations: Iterable[Operation]) -> None:
    """Give the operations and shapes of the API the descriptions in their source."""
    for name, module in list(sys.modules.items()):
        if f"{name}.".startswith(tuple(f"{door}." for door in MODULES)):
            restore_docstrings(module)
    for operation in operations:
        docstring = inspect.unwrap(operation.view_func).__doc__
        operation.description = operation.description or inspect.cleandoc(docstring or "")


def restore_docstrings(module: ModuleType) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            docstring = ast.get_docstring(node)
            if docstring:
                inspect.unwrap(getattr(module, node.name)).__doc__ = docstring

"""Operations of the API that take shape at their first call.

ninja makes classes of pydantic of the parameters and answers of each operation: 250 of them, 12 KB each, when the API
is imported. Here an operation only knows what its address needs, until somebody calls it or reads the API's document.
"""

import functools
from collections.abc import Callable
from typing import Any

import ninja
from ninja.constants import NOT_SET
from ninja.operation import Operation, PathView


class LateOperation(Operation):
    """An operation that takes whatever it does not have from a whole one, which is made then."""

    def __init__(  # it is the whole one that calls super
        self, path: str, methods: list[str], view_func: Callable[..., Any], **options: Any
    ) -> None:
        # A clone shares it: its classes are made once.
        self._whole = functools.cache(
            functools.partial(Operation, path, methods, view_func, **options)
        )
        # What ninja reads, or changes, to bind the operation to an API and to an address.
        self.path = path
        self.methods = methods
        self.view_func = view_func
        self.is_async = False
        self.url_name = options.get("url_name") or ""
        self.tags = options.get("tags")
        self.throttle_param = options.get("throttle", NOT_SET)
        self.auth_param = options.get("auth", NOT_SET)
        self.auth_callbacks = []
        self._set_auth(self.auth_param)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._whole(), name)

    def clone(self) -> "LateOperation":
        clone = object.__new__(LateOperation)
        clone.__dict__.update(self.__dict__)
        return clone


class LatePathView(PathView):
    def add_operation(
        self, path: str, methods: list[str], view_func: Callable[..., Any], **options: Any
    ) -> Operation:
        operation = LateOperation(path, methods, view_func, **options)
        self.operations.append(operation)
        view_func._ninja_operation = operation  # type: ignore[attr-defined]
        return operation


class Router(ninja.Router):
    """ninja's router, of late operations; their functions are synchronous."""

    def add_api_operation(self, path: str, *args: Any, **options: Any) -> None:
        self.path_operations.setdefault(path, LatePathView())
        super().add_api_operation(path, *args, **options)

"""Operations of the API that take shape at their first call."""

import json
from typing import Any

from django.http import HttpRequest
from django.test import RequestFactory
from ninja import NinjaAPI
from ninja.operation import PathView
from pydantic import BaseModel

from tempo_site.api import api as tempo
from tempo_site.web.late_operations import LateOperation, Router


class Doubled(BaseModel):
    number: int


def double(request: HttpRequest, number: int) -> dict[str, Any]:
    return {"number": number * 2, "more": "left out"}


def view_of(router: Router) -> tuple[PathView, LateOperation]:
    api = NinjaAPI(urls_namespace="late-operations")
    api.add_router("", router)
    (bound,) = [one for one in api._get_bound_routers() if one.template is router]
    view = bound.path_operations["/double"]
    (operation,) = view.operations
    assert isinstance(operation, LateOperation)
    return view, operation


def test_it_takes_shape_at_the_first_call() -> None:
    router = Router()
    router.get("/double", response=Doubled, url_name="double")(double)
    view, operation = view_of(router)
    before = operation._whole.cache_info().currsize

    answer = view.get_view()(RequestFactory().get("/double", {"number": "21"}))

    assert json.loads(answer.content) == {"number": 42}
    assert (before, operation._whole.cache_info().currsize) == (0, 1)


def test_what_does_not_fit_is_refused_as_ever() -> None:
    router = Router()
    router.get("/double", response=Doubled)(double)
    view, _ = view_of(router)
    answer = view.get_view()(RequestFactory().get("/double", {"number": "x"}))
    assert answer.status_code == 422


def test_each_operation_of_tempo_is_late() -> None:
    operations = []
    for router in tempo._get_bound_routers():
        for view in router.path_operations.values():
            operations += view.operations
    assert len(operations) > 100
    assert {type(operation) for operation in operations} == {LateOperation}

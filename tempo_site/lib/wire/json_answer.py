"""JSON of an answer that is made of plain values: ninja would make models of them, and dictionaries of these again."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse

CONTENT_TYPE = "application/json; charset=utf-8"


def answer(content: dict[str, Any]) -> HttpResponse:
    return HttpResponse(json.dumps(content, cls=DjangoJSONEncoder), content_type=CONTENT_TYPE)

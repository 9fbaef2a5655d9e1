"""Messages of acts that can be taken back: the sentence, with a form that does the opposite."""

import json
from typing import TypedDict

from django.contrib import messages
from django.http import HttpRequest


class Undo(TypedDict):
    url: str
    fields: dict[str, str]


def offer(request: HttpRequest, sentence: str, *, url: str, **fields: str) -> None:
    """Say what was done; `url`, posted with the fields, takes all of it back."""
    undo: Undo = {"url": url, "fields": fields}
    messages.success(request, sentence, extra_tags=json.dumps(undo))


def offered(extra_tags: str) -> Undo | None:
    """Return what `offer` has put beside a message; None beside any other."""
    try:
        found: Undo = json.loads(extra_tags)
    except ValueError:
        return None
    return found

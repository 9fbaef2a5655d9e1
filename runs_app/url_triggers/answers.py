"""What a call is answered, as far as it was let in."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse


@dataclass(frozen=True, kw_only=True)
class CallAnswer:
    """What is answered: `content` as JSON; `run` is the id of the run that was started, now or before."""

    status: int
    content: dict[str, Any]
    run: int | None = None
    is_replayed: bool = False


def run_in_words(run_id: int, status: str, *, site: str) -> dict[str, Any]:
    return {"id": run_id, "status": status, "url": f"{site}{reverse('run-detail', args=[run_id])}"}

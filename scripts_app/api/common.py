"""The router of the operations on scripts and schedules, moments and revisions."""

import re
from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja.errors import HttpError
from pydantic import AfterValidator, AwareDatetime

from scripts_app.timing import rule
from tempo_site.web.late_operations import Router

router = Router()

IF_MATCH = {
    "parameters": [
        {
            "in": "header",
            "name": "If-Match",
            "schema": {"type": "string"},
            "description": "The revision in quotes.",
        }
    ]
}


def plausible(moment: datetime) -> datetime:
    # In other years arithmetic with time zones and a hundred intervals would leave the calendar.
    if moment.year not in rule.YEARS:
        raise ValueError(
            f"the year {moment.year} is not between {rule.YEARS[0]} and {rule.YEARS[-1]}"
        )
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(plausible)]


def based_on(request: HttpRequest) -> int | None:
    """Return the revision of the header `If-Match`; None without the header. Raises HttpError."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    revision = re.fullmatch(r'(?:W/)?"([0-9]{1,9})"', header.strip())
    if revision is None:
        raise HttpError(
            400,
            'The header `If-Match` could not be read.\nhint: send the revision in quotes, `"12"`',
        )
    return int(revision[1])

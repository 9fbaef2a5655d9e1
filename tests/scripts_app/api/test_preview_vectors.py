"""The conformance vectors, asked of the API's preview as a program would ask."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.rows import each_row

pytestmark = pytest.mark.django_db

VECTORS = json.loads(
    (Path(__file__).parents[2] / "data" / "cron_vectors.json").read_text(encoding="utf-8")
)


def preview(client: Client, **fields: object) -> tuple[int, Any]:
    """Status and answer of a preview of a cron schedule."""
    body = {"kind": "cron", **fields}
    response = client.post("/api/v1/schedules/preview", body, content_type="application/json")
    return response.status_code, response.json()


@each_row("vector", VECTORS["valid"])
def test_it_shows_the_moments_of_the_vectors(program: Client, vector: dict[str, Any]) -> None:
    count = len(vector["expect"])
    status, answer = preview(
        program, cron=vector["expr"], timezone=vector["tz"], start=vector["start"], count=count
    )
    assert (status, [moment["utc"] for moment in answer["next"]]) == (200, vector["expect"])


@each_row("text", VECTORS["invalid"])
def test_it_refuses_what_is_no_cron_expression_and_names_the_field(
    program: Client, text: str
) -> None:
    status, answer = preview(program, cron=text, timezone="UTC")
    assert (status, "cron" in answer["error"]["fields"]) == (422, True)


@each_row("text", VECTORS["never"])
def test_it_says_of_what_never_happens_that_it_never_does(program: Client, text: str) -> None:
    status, answer = preview(program, cron=text, timezone="UTC")
    assert "never" in (
        answer["error"]["message"] if status == 422 else " ".join(answer["warnings"])
    )

"""Calls of the API within the test's process, with the `program` of the fixture."""

import json
from typing import Any

from django.test import Client


def send(client: Client, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Call the API; returns status and decoded answer."""
    response = client.generic(method, f"/api/v1{path}", json.dumps(body), "application/json")
    return response.status_code, response.json() if response.content else None

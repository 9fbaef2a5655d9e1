"""What hundreds of scripts cost: pages and the API ask as many questions for fifty as for five."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs_app.states import Status
from tests.factories import NOW, make_run, make_schedule, make_script

PLACES = ("Office", "Shop", "Shop/Stock", "")


@pytest.mark.parametrize(
    "address", ["/scripts/", "/", "/scripts/script-0/", "/api/v1/scripts?limit=200"]
)
def test_it_costs_the_same_for_five_and_fifty_scripts(
    browser: Client, key: str, address: str
) -> None:
    headers = {"host": "localhost", "authorization": f"Bearer {key}"}
    client = Client(headers=headers) if address.startswith("/api/") else browser

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    fill(0, 5)
    cost()  # the first time fills Django's own caches
    few = cost()
    fill(5, 50)
    assert cost() == few


def fill(start: int, end: int) -> None:
    """Scripts as people have them: in folders, with tags, a schedule, and a run that failed."""
    for number in range(start, end):
        script = make_script(
            f"Script {number}", folder=PLACES[number % len(PLACES)], tags=["a", f"t{number % 3}"]
        )
        make_schedule(script)
        make_run(script, status=Status.FAILED, finished_at=NOW, duration_s=1.0)

"""What hundreds of scripts cost: pages and the API ask as many questions for fifty as for five."""

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs_app.states import Status
from tests.factories import NOW, make_run, make_schedule, make_script

ADDRESSES = ("/scripts/", "/", "/scripts/script-0/", "/api/v1/scripts?limit=200")
PLACES = ("Office", "Shop", "Shop/Stock", "")


def test_it_costs_the_same_for_five_and_fifty_scripts(browser: Client, program: Client) -> None:
    fill(0, 5)
    costs(browser, program)  # the first time fills Django's own caches
    few = costs(browser, program)
    fill(5, 50)
    assert costs(browser, program) == few


def costs(browser: Client, program: Client) -> dict[str, int]:
    """How many queries each address takes."""
    found = {}
    for address in ADDRESSES:
        client = program if address.startswith("/api/") else browser
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        found[address] = len(queries)
    return found


def fill(start: int, end: int) -> None:
    """Scripts as people have them: in folders, with tags, a schedule, and a run that failed."""
    for number in range(start, end):
        script = make_script(
            f"Script {number}", folder=PLACES[number % len(PLACES)], tags=["a", f"t{number % 3}"]
        )
        make_schedule(script)
        make_run(script, status=Status.FAILED, finished_at=NOW, duration_s=1.0)

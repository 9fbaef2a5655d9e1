"""From a script template to a run that succeeded, in a real Tempo, through the API alone."""

import pytest

from tests.service import Service, wait_for

pytestmark = pytest.mark.slow


def test_hello_runs_as_it_is_and_nothing_starts_it_but_a_person(service: Service) -> None:
    slug = service.post("/templates/hello", {"folder": "Tries"})["slug"]
    (schedule,) = service.get(f"/scripts/{slug}/schedules")["items"]
    assert (schedule["enabled"], schedule["next_at"]) == (False, None)

    wait_for(
        lambda: service.get(f"/scripts/{slug}")["environment"]["state"] == "ready",
        what="its environment",
    )
    for params, name, last in (
        ({}, "world", "step 3 of 3"),
        ({"name": "Ann", "steps": 1}, "Ann", "step 1 of 1"),
    ):
        run = service.finished(service.post(f"/scripts/{slug}/runs", {"params": params})["id"])
        assert (run["status"], run["trigger"]) == ("succeeded", "api"), run
        _, said = service.call("GET", f"/runs/{run['id']}/log")
        assert said.startswith(f"Hello {name}, from Python 3.") and said.endswith(f"{last}\n")

    armed = service.call("PATCH", f"/schedules/{schedule['id']}", {"enabled": True})[1]
    assert armed["next_at"] is not None

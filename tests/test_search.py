"""The search with a real Tempo: what scripts write is found soon, a secret never, and the index may be deleted."""

import shutil
from typing import Any

import pytest

from tests.service import Service, manage, wait_for

SECRET = "zq-7d1f0a93c2e84b56"
CODE = """
import os, sys
print("the token is", os.environ["TOKEN"])
print("needle on line two", file=sys.stderr)
print("hay " * 5000, file=sys.stderr)  # else it would be indexed with the next runs
"""

pytestmark = pytest.mark.slow


def found(service: Service, text: str) -> dict[str, Any]:
    content: dict[str, Any] = service.get(f"/search?q={text}")
    return content


def wait_until_indexed(service: Service) -> None:
    def is_indexed() -> bool:
        has_file = any((service.data / "search").glob("*.sqlite3"))
        return has_file and found(service, "needle")["indexed_percent"] == 100

    wait_for(is_indexed, what="the index")


def test_output_is_found_and_a_secret_is_not(service: Service) -> None:
    slug = service.make_script("Talker", CODE)
    secret = {"value": SECRET, "secret": True}
    assert service.call("PUT", f"/scripts/{slug}/variables/TOKEN", secret)[0] == 200
    run = service.run(slug)["id"]
    assert [item["run"] for item in found(service, "needle")["items"]] == [run]
    wait_until_indexed(service)
    (item,) = found(service, "needle%20stream:stderr")["items"]
    assert (item["run"], item["line"], item["text"]) == (run, 2, "needle on line two")
    for text in (SECRET, SECRET[:12], SECRET[8:], "re:zq-.d1f"):
        assert found(service, text)["items"] == []
    assert manage(service.data, "searchlogs", "needle") == f"#{run} talker 2: needle on line two\n"

    shutil.rmtree(service.data / "search")
    assert [item["run"] for item in found(service, "needle")["items"]] == [run]
    wait_until_indexed(service)
    assert service.is_healthy()

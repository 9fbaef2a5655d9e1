"""No page points to nowhere: followed from the dashboard, through both halves."""

import functools
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs_app.states import Kind, Status, Trigger
from tempo_site.models import ApiKey
from tempo_site.pages import guide
from tests.factories import make_run, make_schedule, make_script

HREF = re.compile(r'<a [^>]*?href="([^"]+)"')
MOST = 190  # breadth first: what lies further are combinations of filters
MOST_OF_USER = 90  # what staff see beside is most of it


@pytest.fixture(scope="module", autouse=True)
def each_page_of_the_guide_once() -> Iterator[None]:
    """A program writes each, and it is the same for both halves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guide, "page", functools.cache(guide.page))
        yield


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "most"), [("staff", MOST), ("user", MOST_OF_USER)], ids=["staff", "user"]
)
def test_every_link_leads_somewhere(
    client: Client, staff: User, user: User, name: str, most: int
) -> None:
    client.force_login({"staff": staff, "user": user}[name])
    script = make_schedule(make_script("Hello World", folder="Ops & more/Ünïcode")).script
    ApiKey.issue(name="home")
    build = make_run(kind=Kind.BUILD, trigger=Trigger.BUILD, environment=script.environment)
    make_run(script, status=Status.FAILED, finished_at=timezone.now())
    make_run(script)
    seen, waiting = set[str](), [(f"/runs/{build.pk}/", "the test"), ("/", "the test")]
    while waiting and len(seen) < most:
        address, found_on = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address, follow=True)
        assert answer.status_code == 200, f"{address}, found on {found_on}"
        if not answer.streaming and "text/html" in answer.headers["Content-Type"]:
            for link in HREF.findall(answer.content.decode()):
                reached = answer.request["PATH_INFO"]  # behind a redirection
                target = urljoin(reached, link.replace("&amp;", "&")).partition("#")[0]
                if target.startswith("/"):
                    waiting.append((target, address))
    assert {
        "/scripts/hello-world/",
        "/scripts/hello-world/edit/",
        "/scripts/hello-world/runs/",
        "/runs/?status=active",
        "/schedules/",
        "/help/user-guide/",
    } <= seen
    assert ("/admin/tempo_site/apikey/" in seen) == (name == "staff")

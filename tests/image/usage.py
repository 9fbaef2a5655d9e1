"""What people do with a container: ask its API by a key, start scripts, open its pages."""

import http.cookiejar
import json
import re
import urllib.parse
import urllib.request
from typing import Any

from tests.image.engine import Container
from tests.service import wait_for

PASSWORD = "correct horse 7"
OPEN = ("queued", "starting", "running")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


def new_key(container: Container) -> str:
    said = container.tempo("createkey", "test")
    return str(re.findall(r"^\S{30,}$", said, re.MULTILINE)[0])


def ask(container: Container, key: str, method: str, path: str, body: object = None) -> Any:
    """The decoded answer of the API."""
    request = urllib.request.Request(f"{container.url}/api/v1{path}", method=method)
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", "application/json")
    if body is not None:
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=60) as answer:
        is_json = answer.headers.get_content_type() == "application/json"
        content = answer.read().decode()
    return json.loads(content) if is_json else content


def begin(container: Container, key: str, code: str) -> int:
    """The number of a run of a new script."""
    slug = ask(container, key, "POST", "/scripts", {"name": "Test", "code": code})["slug"]
    return int(ask(container, key, "POST", f"/scripts/{slug}/runs", {"confirm": True})["id"])


def finished(
    container: Container, key: str, run_id: int, *, limit_s: float = 120
) -> dict[str, Any]:
    """A run, once it has ended."""

    def find() -> dict[str, Any] | None:
        run: dict[str, Any] = ask(container, key, "GET", f"/runs/{run_id}")
        return None if run["status"] in OPEN else run

    return wait_for(find, what="the end of the run", limit_s=limit_s)


def log(container: Container, key: str, run_id: int) -> str:
    return str(ask(container, key, "GET", f"/runs/{run_id}/log"))


def ran(container: Container, code: str) -> tuple[dict[str, Any], str]:
    """A run of a script, once it has ended, and what it wrote."""
    key = new_key(container)
    run = finished(container, key, begin(container, key, code))
    return run, log(container, key, run["id"])


class Browser:
    """A browser in which somebody has logged in."""

    def __init__(self, container: Container, user: str, password: str = PASSWORD) -> None:
        self.url = container.url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)
        self.send("/login/", username=user, password=password)
        assert "Log out" in self.page("/")

    def page(self, path: str) -> str:
        return str(self.opener.open(f"{self.url}{path}", timeout=60).read().decode())

    def send(self, path: str, **fields: str) -> str:
        """Fill in the form of a page and send it to where the page is; the answer."""
        fields["csrfmiddlewaretoken"] = TOKEN.findall(self.page(path))[0]
        form = urllib.parse.urlencode(fields).encode()
        return str(self.opener.open(f"{self.url}{path}", form, timeout=60).read().decode())


def log_in(container: Container) -> Browser:
    """The browser of an admin, made by the command."""
    container.call("sh", "-c", f"echo '{PASSWORD}' | tempo createadmin ann --password-file -")
    return Browser(container, "ann")

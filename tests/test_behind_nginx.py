"""Behind a real nginx with TLS: logging in, cookies, who is whom, WebSockets, and what is said without settings."""

import contextlib
import http.client
import re
import socket
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tempo_site.web.bounded_request import MAX_CONNECTIONS_OF_ADDRESS
from tests.nginx import AS_RECOMMENDED, BARE, BELOW_A_PATH, PATH_TAKEN_OFF, Nginx
from tests.service import PASSWORD, TOKEN, Service
from tests.viewer import LIMIT_S, frames

PROXY = "127.0.0.1"
GOOD, BAD = PASSWORD, "wrong"
Answer = tuple[int, http.client.HTTPMessage, str]

pytestmark = pytest.mark.slow


class Browser:
    """What a browser does at an address of this machine: keeps cookies, sends Origin with forms."""

    def __init__(self, port: int, address: str, *, is_direct: bool = False, base: str = "") -> None:
        self.port, self.address, self.is_direct = port, address, is_direct
        self.base = base
        self.origin = f"{'http' if is_direct else 'https'}://localhost:{port}"
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def ask(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """(status, headers, text) of a page, or of a form that is sent."""
        connection = self._connect()
        all_headers = {"Host": f"localhost:{self.port}", "Cookie": self.cookie, **headers}
        method, body = "GET", None
        if form is not None:
            method, body = "POST", urllib.parse.urlencode(form)
            all_headers |= {
                "Origin": self.origin,
                "Content-Type": "application/x-www-form-urlencoded",
            }
        connection.request(
            method,
            f"{self.base}{path}",
            body,
            {name.replace("_", "-"): value for name, value in all_headers.items()},
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        self.set_cookies = answer.headers.get_all("Set-Cookie", [])
        for cookie in self.set_cookies:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, answer.headers, text

    def _connect(self) -> http.client.HTTPConnection:
        source = (self.address, 0)
        if self.is_direct:
            return http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=30, source_address=source
            )
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=30, source_address=source, context=context
        )

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def log_in(self, password: str = GOOD, **headers: str) -> Answer:
        """Open the page and send the form."""
        page = self.ask("/login/")[2]
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token, page
        form = {"username": "ann", "password": password, "csrfmiddlewaretoken": token[1]}
        return self.ask("/login/", form, **headers)


class Site:
    """A Tempo that trusts nginx, one that knows its public address alone, and one that knows nothing."""

    def __init__(self, trusting: Service, public: Service, nginx: Nginx) -> None:
        self.service, self.public_service = trusting, public
        self.recommended, self.bare, self.public, self.below, self.taken_off = nginx.ports


@pytest.fixture(scope="module")
def site(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both services and nginx."""
    folder = tmp_path_factory.mktemp("proxied")
    trusting = Service.copy_of(
        prepared, folder / "trusting", PYSCHED_TRUSTED_PROXIES=PROXY, PYSCHED_HSTS="true"
    )
    public = Service.copy_of(
        prepared, folder / "public", PYSCHED_TRUSTED_PROXIES=PROXY, PYSCHED_BASE_PATH="/tempo"
    )
    nginx = Nginx(
        folder,
        (trusting.url, AS_RECOMMENDED),
        (trusting.url, BARE),
        (public.url, BARE),
        (public.url, BELOW_A_PATH),
        (public.url, PATH_TAKEN_OFF),
    )
    public.extra["PYSCHED_PUBLIC_URL"] = f"https://localhost:{nginx.ports[2]}/"
    with trusting, public, nginx:
        yield Site(trusting, public, nginx)


def test_one_logs_in_through_it_and_the_cookies_are_for_https_alone(site: Site) -> None:
    browser = Browser(site.recommended, "127.0.0.9")
    status, headers, _ = browser.log_in()
    assert (status, headers["Location"]) == (302, "/")
    assert {cookie.partition("=")[0] for cookie in browser.set_cookies} >= {
        "sessionid",
        "csrftoken",
    }
    assert all("; secure" in cookie.lower() for cookie in browser.set_cookies)
    assert browser.ask("/")[0] == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_knowing_the_public_address_alone_is_enough_to_log_in(site: Site) -> None:
    browser = Browser(site.public, "127.0.0.9")
    assert browser.log_in()[0] == 302
    assert all("; secure" in cookie.lower() for cookie in browser.set_cookies)
    status, headers, _ = browser.ask("/scripts/")
    assert status == 200 and "Strict-Transport-Security" not in headers


def test_where_tempo_cannot_know_its_address_the_page_names_what_to_set(site: Site) -> None:
    status, _, text = Browser(site.bare, "127.0.0.9").log_in()
    assert status == 403
    assert "PYSCHED_PUBLIC_URL" in text and "PYSCHED_TRUSTED_PROXIES" in text
    assert f"https://localhost:{site.bare}" in text and "too old" not in text


def test_each_client_has_attempts_of_its_own_whatever_it_invents(site: Site) -> None:
    stranger, owner = Browser(site.recommended, "127.0.0.2"), Browser(site.recommended, "127.0.0.3")
    failed = 0
    while stranger.log_in(BAD, X_Forwarded_For=f"192.0.2.{failed}")[0] == 200:
        failed += 1
    assert 5 <= failed <= 9  # five in a minute, and a minute may end meanwhile
    status, headers, _ = stranger.log_in(GOOD, X_Forwarded_For="192.0.2.77")
    assert status == 429 and 0 < int(headers["Retry-After"]) <= 60
    assert owner.log_in()[0] == 302
    assert "log-in failed address=127.0.0.2" in site.service.log.read_text()


def test_who_comes_past_the_proxy_is_not_believed(site: Site) -> None:
    stranger = Browser(site.service.port, "127.0.0.4", is_direct=True)
    told = {
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_For": "127.0.0.5",
    }
    status, headers, _ = stranger.ask("/login/", None, **told)
    assert status == 200 and "Strict-Transport-Security" not in headers
    assert not any("secure" in cookie.lower() for cookie in stranger.set_cookies)
    assert stranger.log_in(BAD, **told)[0] == 200
    assert "log-in failed address=127.0.0.4" in site.service.log.read_text()


def test_a_foreign_name_is_refused_behind_the_proxy_too(site: Site) -> None:
    status, _, text = Browser(site.recommended, "127.0.0.9").ask("/login/", Host="evil.example")
    assert status == 400 and "PYSCHED_ALLOWED_HOSTS" in text


@pytest.mark.parametrize(
    ("origin", "status"), [("", 101), ("https://evil.example", 403), ("http://localhost:{}", 403)]
)
def test_a_websocket_comes_from_a_page_of_ours_by_tls(site: Site, origin: str, status: int) -> None:
    browser = Browser(site.recommended, "127.0.0.9")
    browser.log_in()
    headers = {
        "Origin": origin.format(site.recommended) or browser.origin,
        "Cookie": browser.cookie,
    }
    url = f"wss://localhost:{site.recommended}/ws/events/"
    try:
        with connect(
            url,
            additional_headers=headers,
            ssl=ssl._create_unverified_context(),
            proxy=None,
            open_timeout=LIMIT_S,
        ):
            found = 101
    except InvalidStatus as refused:
        found = refused.response.status_code
    assert found == status


def unfinished(site: Site, client: str) -> socket.socket:
    """A request that the proxy passes on for a client, whose body does not come."""
    connection = socket.create_connection((PROXY, site.service.port), timeout=30)
    head = f"POST /login/ HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\nContent-Length: 9\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def test_a_client_holds_so_many_connections_behind_a_proxy_and_others_have_their_own(
    site: Site,
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS_OF_ADDRESS):
            stack.enter_context(unfinished(site, "192.0.2.1"))
        refused = stack.enter_context(unfinished(site, "192.0.2.1"))
        answer = refused.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 429 ") and b"Retry-After: 5" in answer
        other = stack.enter_context(unfinished(site, "192.0.2.2"))
        other.sendall(b"username=")
        assert other.recv(64).startswith(b"HTTP/1.1 403 ")  # a form without a token, which was read


# --- below a path of another site ----------------------------------------------------------------------------------
LIVE = """
import pathlib, time
print("first", flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.02)
print(pathlib.Path("go").stat().st_size)
"""
MB = 2**20


@pytest.fixture(scope="module")
def cookies(site: Site) -> dict[str, str]:
    """Those of ann, who has logged in below the path."""
    browser = Browser(site.below, "127.0.0.8", base="/tempo")
    status, headers, _ = browser.log_in()
    assert (status, headers["Location"]) == (302, "/tempo/")
    assert all("; path=/tempo/" in cookie.lower() for cookie in browser.set_cookies)
    return browser.cookies


def logged_in(site: Site, way: str, cookies: dict[str, str]) -> Browser:
    """The browser of ann, who comes through the proxy that takes the path off or through the other."""
    browser = Browser(getattr(site, way), "127.0.0.9", base="/tempo")
    browser.cookies = dict(cookies)
    return browser


def test_a_whole_way_below_a_path(site: Site, cookies: dict[str, str]) -> None:
    """Watch a run live, upload what it waits for, see it end."""
    browser = logged_in(site, "below", cookies)
    service = site.public_service
    slug = service.make_script("Live", LIVE)
    run_id = int(service.post(f"/scripts/{slug}/runs")["id"])
    url = f"wss://localhost:{site.below}/tempo/ws/runs/{run_id}/?offset=0"
    with connect(
        url,
        additional_headers={"Origin": browser.origin, "Cookie": browser.cookie},
        ssl=ssl._create_unverified_context(),
        proxy=None,
        open_timeout=LIMIT_S,
    ) as socket:
        coming = frames(socket)
        assert "first" in next(frame.body for frame in coming if frame.kind == "o")
        assert upload_through(site.below, slug, b"x" * 2 * MB) == 201
        assert str(2 * MB) in "".join(frame.body for frame in coming)


@pytest.mark.parametrize("way", ["below", "taken_off"])
def test_pages_files_and_addresses_are_below_it(
    site: Site, way: str, cookies: dict[str, str]
) -> None:
    browser = logged_in(site, way, cookies)
    page = browser.ask("/scripts/")[2]
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
    assert addresses and [found for found in addresses if not found.startswith("/tempo/")] == []
    assert 'data-base-path="/tempo"' in page
    style = next(found for found in addresses if found.endswith(".css"))
    assert browser.ask(style.removeprefix("/tempo"))[0] == 200
    assert browser.ask("/healthz")[0] == 200
    assert f"https://localhost:{site.public}/tempo/api/v1/" in browser.ask("/api/v1/docs")[2]


def test_where_a_proxy_lets_no_websockets_through_a_page_still_gets_the_output(
    site: Site, cookies: dict[str, str]
) -> None:
    browser = logged_in(site, "taken_off", cookies)
    run = site.public_service.run(site.public_service.make_script("Told", "print('told')"))
    headers = {"Origin": browser.origin, "Cookie": browser.cookie}
    url = f"wss://localhost:{site.taken_off}/tempo/ws/runs/{run['id']}/?offset=0"
    with pytest.raises(InvalidStatus):
        connect(
            url,
            additional_headers=headers,
            ssl=ssl._create_unverified_context(),
            proxy=None,
            open_timeout=LIMIT_S,
        )
    status, _, text = browser.ask(f"/runs/{run['id']}/output?offset=0")
    assert status == 200 and "told" in text


def test_a_client_cannot_say_below_which_path_tempo_is(site: Site) -> None:
    status, _, text = Browser(site.recommended, "127.0.0.9").ask(
        "/login/", Daphne_Root_Path="/evil"
    )
    assert status == 200 and "/evil" not in text


def upload_through(port: int, slug: str, content: bytes) -> int:
    """Upload the file `go` to a script by the API, through the proxy; returns the status."""
    head = '--cut\r\nContent-Disposition: form-data; name="file"; filename="go"\r\n\r\n'
    body = head.encode() + content + b"\r\n--cut--\r\n"
    headers = {
        "Host": f"localhost:{port}",
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "multipart/form-data; boundary=cut",
    }
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    with contextlib.closing(connection):
        connection.request("POST", f"/tempo/api/v1/scripts/{slug}/files", body, headers)
        return connection.getresponse().status

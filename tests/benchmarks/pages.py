"""What a page costs with 200 scripts and 20,000 runs: the server's time, queries, requests and bytes of a browser."""

import contextlib
import gzip
import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import CDPSession, Error, Page, Response

from tests.benchmarks import seed
from tests.benchmarks.clients import Browser
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.setting import Setting
from tests.pages.browser import browser_of, log_in
from tests.service import Service, manage

ROUNDS, WARM_UP = 20, 3
TIME_BAR_MS, REQUESTS_BAR, BYTES_BAR_KB, EDITOR_BYTES_BAR_KB = 100, 12, 120, 250
CALM_MS = 5_000
SLUG = "nightly-backup"
TELL = "from tests.benchmarks import asking; asking.tell({paths!r})"
ADDRESSES = {
    "dashboard": "/",
    "scripts": "/scripts/",
    "script, overview": f"/scripts/{SLUG}/",
    "script, code": f"/scripts/{SLUG}/edit/",
    "script, schedule": f"/scripts/{SLUG}/schedule/",
    "script, runs": f"/scripts/{SLUG}/runs/",
    "script, versions": f"/scripts/{SLUG}/versions/",
    "script, settings": f"/scripts/{SLUG}/settings/",
    "new script": "/new-script/",
    "runs": "/runs/",
    "runs, failed": "/runs/?status=failed",
    "run": "/runs/{run}/",
    "admin": "/admin/",
    "admin, scripts": "/admin/scripts_app/script/",
    "admin, a script": "/admin/scripts_app/script/1/change/",
    "admin, schedules": "/admin/scripts_app/schedule/",
    "admin, environments": "/admin/scripts_app/environment/",
    "admin, versions": "/admin/scripts_app/version/",
    "admin, runs": "/admin/runs_app/run/",
    "admin, keys": "/admin/tempo_site/apikey/",
    "admin, users": "/admin/auth/user/",
}
WITH_EDITOR = {"script, code", "admin, a script"}


def measure(setting: Setting) -> Iterator[Figure]:
    """Each page alone on the server first, then in a browser that has nothing in its cache."""
    with seeded(setting) as service:
        run = service.get(f"/runs?script={SLUG}&limit=1")["items"][0]["id"]
        paths = {name: path.format(run=run) for name, path in ADDRESSES.items()}
        told = manage(service.data, "shell", "-c", TELL.format(paths=list(paths.values())))
        queries = json.loads(told.splitlines()[-1])  # above it the shell tells what it has imported
        yield from served(service, paths, queries)
        yield from loaded(service, paths)


@contextmanager
def seeded(setting: Setting) -> Iterator[Service]:
    """A Tempo with a month of history, stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="tempo-benchmark-") as folder:
        service = Service.copy_of(setting.prepared, Path(folder) / "data")
        seed.fill(service.data)
        with service:
            yield service


# --- the server ------------------------------------------------------------------------------------------------------
def served(service: Service, paths: dict[str, str], queries: dict[str, int]) -> Iterator[Figure]:
    """The time of each page over a kept connection, beside the smallest answer there is."""
    cookie = Browser(service).cookie_header()
    health_ms, _ = asked(service, "/healthz", cookie)
    for name, path in paths.items():
        samples_ms, content = asked(service, path, cookie)
        yield Figure(
            benchmark="pages",
            figure=f"{name}: server time",
            value=median(samples_ms),
            unit="ms",
            baseline="/healthz",
            baseline_value=median(health_ms),
            bar=TIME_BAR_MS,
            bar_on="value",
            n=len(samples_ms),
            details={
                "p95": round(percentile(samples_ms, 95), 1),
                "queries": queries[path],
                "html_kb": round(len(content) / 1000, 1),
                "html_gzip_kb": round(len(gzip.compress(content)) / 1000, 1),
            },
        )


def asked(
    service: Service, path: str, cookie: str, *, rounds: int = ROUNDS
) -> tuple[list[float], bytes]:
    """Milliseconds of each request after the first few, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    samples_ms, content = [], b""
    for _ in range(WARM_UP + rounds):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        content = answer.read()
        samples_ms.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, f"{path} answered {answer.status}"
    connection.close()
    return samples_ms[WARM_UP:], content


# --- the browser -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Load:
    """What a browser fetched for a page: requests, and bytes with all of them compressed or as they were sent."""

    requests: int
    gzip_kb: float
    sent_kb: float


def loaded(service: Service, paths: dict[str, str]) -> Iterator[Figure]:
    """Requests and bytes of each page with an empty cache, beside those of the log-in page."""
    with browser_of(reduced_motion="no-preference") as page:
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        plain = load(page, session, f"{service.url}/login/")
        log_in(page, service.url)
        for name, path in paths.items():
            found = load(page, session, service.url + path)
            bar = EDITOR_BYTES_BAR_KB if name in WITH_EDITOR else BYTES_BAR_KB
            yield weight(
                f"{name}: page load",
                found.gzip_kb,
                "KB",
                plain.gzip_kb,
                bar,
                {"sent_kb": found.sent_kb},
            )
            requests_bar = None if name in WITH_EDITOR else REQUESTS_BAR
            yield weight(
                f"{name}: requests", found.requests, "requests", plain.requests, requests_bar, {}
            )


def load(page: Page, session: CDPSession, url: str) -> Load:
    """Open a page with an empty cache and wait until it asks for nothing more."""
    session.send("Network.clearBrowserCache")
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page.on("response", note)
    page.goto(url)
    with contextlib.suppress(Error):  # it polls: what came until now is what it took
        page.wait_for_load_state("networkidle", timeout=CALM_MS)
    page.remove_listener("response", note)
    sizes = [sizes_of(answer) for answer in answers if answer.url.startswith("http")]
    return Load(
        requests=len(sizes),
        gzip_kb=round(sum(zipped for zipped, _ in sizes) / 1000, 1),
        sent_kb=round(sum(sent for _, sent in sizes) / 1000, 1),
    )


def sizes_of(answer: Response) -> tuple[int, int]:
    """(bytes with gzip at least, bytes as they came) of an answer's body."""
    sent = answer.request.sizes()["responseBodySize"]
    if answer.headers.get("content-encoding"):
        return sent, sent
    return min(sent, len(gzip.compress(answer.body()))), sent


def weight(
    figure: str,
    value: float,
    unit: str,
    baseline_value: float,
    bar: float | None,
    details: dict[str, float],
) -> Figure:
    """A figure of one page load."""
    return Figure(
        benchmark="pages",
        figure=figure,
        value=value,
        unit=unit,
        baseline="the log-in page",
        baseline_value=baseline_value,
        bar=bar,
        bar_on="value",
        n=1,
        details=details,
    )

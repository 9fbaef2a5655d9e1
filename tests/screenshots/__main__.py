"""Pictures of every page, light, dark, on a phone and a wide screen: `python -m tests.screenshots [--only WORD]`."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Error, Page

from tests.benchmarks import seed
from tests.pages.browser import Look, browser_of, log_in
from tests.screenshots import pages
from tests.service import PASSWORD, ROOT, Service, manage, prepared_data, wait_for

FOLDER = ROOT / "screenshots"
README_FOLDER = ROOT / "docs"
CALM_MS = 5_000
LOOKS_AT_ONCE = 2
SCRIPTS, RUNS = 14, 300
LIVE_LINES = 12

Way = Callable[[Page, "Camera"], None]


class Camera:
    """Takes the pictures of one look; what could not be taken is said and does not stop the others."""

    def __init__(self, page: Page, url: str, look: Look) -> None:
        self.url = url
        self.troubles: list[str] = []
        self._page = page
        self._look = look

    def take_all(self, named: Mapping[str, str]) -> None:
        """A picture of each address."""
        for name, path in named.items():
            self.take(name, path)

    def take(self, name: str, path: str) -> None:
        """Open a page, wait until it is quiet, and keep it from top to bottom."""
        try:
            answer = self._page.goto(self.url + path)
            self.wait_for_calm()
            self._page.screenshot(
                path=FOLDER / f"{name}-{self._look}.png", full_page=True, animations="disabled"
            )
        except Error as error:
            self.troubles.append(f"{name}-{self._look}: {error.message.splitlines()[0]}")
            return
        if answer is not None and answer.status >= 400 and name not in pages.MISSING_ON_PURPOSE:
            self.troubles.append(f"{name}-{self._look}: {path} answered {answer.status}")

    def wait_for_calm(self) -> None:
        """A page that polls is never calm; it is taken as it is."""
        try:
            self._page.wait_for_load_state("networkidle", timeout=CALM_MS)
        except Error:
            return


def in_every_look(url: str, way: Way) -> list[str]:
    """Go a way in each look, in a browser of its own; what could not be taken."""

    def go(look: Look) -> list[str]:
        with browser_of(look) as page:
            camera = Camera(page, url, look)
            way(page, camera)
            return camera.troubles

    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        return [trouble for troubles in pool.map(go, Look) for trouble in troubles]


# --- a new Tempo -----------------------------------------------------------------------------------------------------
def take_first_start(folder: Path, only: str) -> Iterator[str]:
    """The set-up page, then what a newcomer finds behind it."""
    if not any(only in name for name in (*pages.FIRST, *pages.STRANGERS_FIRST)):
        return
    manage(folder, "prepare")
    with Service(folder) as service:
        wanted = pages.filled(pages.STRANGERS_FIRST, {"setup": setup_path(service)}, only)
        yield from in_every_look(service.url, stranger(wanted))
        with browser_of() as page:
            set_up(page, service.url + setup_path(service))
        yield from in_every_look(service.url, signed_in(pages.filled(pages.FIRST, {}, only)))


def setup_path(service: Service) -> str:
    """The path of the set-up address that the service has printed."""
    line = next(line for line in service.log.read_text().splitlines() if "/setup/" in line)
    return "/setup/" + line.partition("/setup/")[2].strip()


def set_up(page: Page, address: str) -> None:
    """Become the first admin."""
    page.goto(address)
    page.fill("[name=username]", "ann")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector("nav")


# --- a Tempo at work -------------------------------------------------------------------------------------------------
def take_seeded(folder: Path, only: str) -> Iterator[str]:
    """Every page, on a month of history, with a run that goes on."""
    if not any(only in name for name in (*pages.SEEDED, *pages.STRANGERS)):
        return
    seed.fill(prepared_data(folder), scripts=SCRIPTS, runs=RUNS)
    with Service(folder) as service:
        facts = furnish(service)
        yield from in_every_look(service.url, stranger(pages.filled(pages.STRANGERS, facts, only)))
        yield from in_every_look(service.url, signed_in(pages.filled(pages.SEEDED, facts, only)))


def furnish(service: Service) -> dict[str, object]:
    """Let three scripts run for real, and name what the addresses need."""
    slug, failing, live = "refresh-the-report-tables", "convert-invoices", "camera-watch"
    channel = furnish_notifications(service)
    old = service.get("/runs?script=nightly-backup&limit=1")["items"][0]["id"]
    succeeded, failed = service.run(slug)["id"], service.run(failing)["id"]
    running = service.post(f"/scripts/{live}/runs")["id"]
    wait_for(
        lambda: len(service.get(f"/runs/{running}/log").splitlines()) > LIVE_LINES,
        what="the live run's lines",
    )
    scripts = service.get("/scripts?limit=200")["items"]
    return {
        "slug": slug,
        "failing": failing,
        "channel": channel,
        "broken": "check-certificates",
        "long": max((script["slug"] for script in scripts), key=len),
        "schedule": service.get(f"/scripts/{slug}/schedules")["items"][0]["id"],
        "succeeded": succeeded,
        "failed": failed,
        "live": running,
        "old": old,
    }


def furnish_notifications(service: Service) -> int:
    """Two channels with the usual rule: a webhook that nobody answers, and a mail. Returns the webhook's id."""
    hook = {
        "name": "Team chat",
        "kind": "webhook",
        "url": "http://127.0.0.1:9/hook",
        "enabled": True,
    }
    mail = {"name": "Admins by mail", "kind": "mail", "to": ["ann@example.org"], "enabled": True}
    channel: int = service.post("/channels", hook)["id"]
    service.post("/channels", mail)
    return channel


def stranger(wanted: Mapping[str, str]) -> Way:
    """A way without a log-in."""
    return lambda _, camera: camera.take_all(wanted)


def signed_in(wanted: Mapping[str, str]) -> Way:
    """A way that begins with the log-in page."""

    def way(page: Page, camera: Camera) -> None:
        if wanted:
            log_in(page, camera.url)
            camera.take_all(wanted)

    return way


def take_for_readme(folder: Path) -> None:
    """The pictures that the README shows: what a window shows of a page, not the whole of it."""
    seed.fill(prepared_data(folder), scripts=SCRIPTS, runs=RUNS)
    with Service(folder) as service:
        facts = furnish(service)
        with browser_of() as page:
            log_in(page, service.url)
            for name, path in pages.filled(pages.README, facts, "").items():
                page.goto(service.url + path)
                Camera(page, service.url, Look.LIGHT).wait_for_calm()
                page.screenshot(path=README_FOLDER / f"{name}.png", animations="disabled")


def main() -> int:
    """Take them; 1 when one could not be taken."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="WORD", help="only pages whose name contains this"
    )
    parser.add_argument(
        "--readme", action="store_true", help="only the pictures in the README, into docs/"
    )
    options = parser.parse_args()
    only: str = options.only
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tempo-screenshots-") as folder:
        if options.readme:
            take_for_readme(Path(folder) / "seeded")
            return 0
        troubles = [
            *take_seeded(Path(folder) / "seeded", only),
            *take_first_start(Path(folder) / "first", only),
        ]
    for trouble in troubles:
        print(f"NOT TAKEN {trouble}", file=sys.stderr)  # noqa: T201
    print(f"{len(list(FOLDER.glob('*.png')))} pictures are in {FOLDER}")  # noqa: T201
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())

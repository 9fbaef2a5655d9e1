"""Every page of both halves in a real browser: light, dark, on a phone; readable, quiet, asking no other host."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tempo_site.lib import humanize
from tests.pages.browser import Handset, browser_of, log_in
from tests.pages.listening import Ears
from tests.service import Service

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202egnp.exe\u202c'
AXE = Axe().axe_script
HOSTILE_SLUG = humanize.safe_name(HOSTILE)
PAGES = [
    "/",
    "/scripts/",
    "/scripts/?q=nothing-is-called-so",
    "/new-script/",
    "/new-script/import/",
    "/import/",
    "/scripts/nightly-backup/",
    "/scripts/nightly-backup/edit/",
    "/statistics/",
    "/retention/",
    "/scripts/nightly-backup/schedule/",
    "/scripts/nightly-backup/schedules/new/",
    "/scripts/nightly-backup/schedules/1/edit/",
    "/scripts/nightly-backup/schedules/1/delete/",
    "/scripts/nightly-backup/schedules/1/pause/",
    "/schedules/",
    "/schedules/calendar/",
    "/pause/",
    "/scripts/nightly-backup/runs/",
    "/scripts/nightly-backup/files/",
    "/scripts/nightly-backup/files/delete/?path=a",
    "/scripts/nightly-backup/files/edit/?path=a.py&new=1",
    "/scripts/?folder=Ops",
    "/new-folder/",
    "/folders/1/",
    "/deleted-scripts/",
    "/scripts/nightly-backup/versions/",
    "/scripts/nightly-backup/versions/1/",
    "/scripts/nightly-backup/variables/",
    "/scripts/nightly-backup/variables/?edit=API_TOKEN",
    "/scripts/nightly-backup/variables/?delete=API_TOKEN",
    "/scripts/nightly-backup/versions/compare/?from=1&to=1",
    "/scripts/nightly-backup/settings/",
    "/variables/",
    "/notifications/",
    "/notifications/channels/new/",
    "/notifications/channels/new/telegram/",
    "/notifications/channels/1/",
    "/notifications/rules/1/",
    "/notifications/deliveries/",
    "/scripts/nightly-backup/notifications/",
    "/scripts/nightly-backup/trigger/",
    "/settings/mail/",
    "/settings/mirror/",
    "/settings/paths/",
    "/settings/general/",
    "/settings/limits/",
    "/settings/security/",
    "/settings/retention/",
    "/settings/backup/",
    "/backups/",
    "/scripts/nightly-backup/environment/",
    "/notifications/rules/new/",
    "/help/configuration/",
    "/system/",
    "/help/user-guide/",
    "/help/?q=schedule",
    "/scripts/nightly-backup/delete/",
    "/environments/",
    "/runs/",
    "/runs/?q=first&status=failed&min_s=0",
    "/search/",
    "/search/?q=re:(",
    "/search/?q=first+-nothing+kind:all",
    "/runs/2/",
    "/runs/3/",
    "/failures/",
    "/nothing-here/",
    "/admin/",
    "/admin/scripts_app/",
    "/admin/scripts_app/script/",
    "/admin/scripts_app/script/add/",
    "/admin/scripts_app/script/1/change/",
    "/admin/scripts_app/script/1/history/",
    "/admin/scripts_app/script/1/delete/",
    "/admin/scripts_app/schedule/",
    "/admin/scripts_app/schedule/add/",
    "/admin/scripts_app/schedule/1/change/",
    "/admin/scripts_app/folder/1/change/",
    "/admin/scripts_app/folder/1/delete/",
    "/admin/scripts_app/version/",
    "/admin/scripts_app/version/1/change/",
    "/admin/scripts_app/variable/",
    "/admin/scripts_app/variable/add/",
    "/admin/scripts_app/variable/1/change/",
    "/admin/scripts_app/environment/",
    "/admin/scripts_app/environment/1/change/",
    "/admin/runs_app/run/",
    "/admin/runs_app/run/3/change/",
    "/admin/runs_app/urltrigger/1/change/",
    "/admin/notifications_app/channel/",
    "/admin/notifications_app/delivery/",
    "/keys/",
    "/keys/new/",
    "/keys/1/",
    "/keys/1/revoke/",
    "/audit/",
    "/admin/tempo_site/apikey/",
    "/admin/tempo_site/apikey/add/",
    "/admin/tempo_site/apikey/1/change/",
    "/admin/tempo_site/apikey/1/delete/",
    "/admin/auth/user/",
    "/admin/auth/user/add/",
    "/admin/auth/user/1/change/",
    "/admin/auth/user/1/password/",
    "/admin/auth/user/1/delete/",
    "/admin/django_q/schedule/",
    "/admin/django_q/success/",
    "/password/",
    "/api/v1/docs",
    f"/scripts/{HOSTILE_SLUG}/",
    f"/scripts/{HOSTILE_SLUG}/edit/",
    f"/scripts/{HOSTILE_SLUG}/settings/",
    f"/scripts/{HOSTILE_SLUG}/notifications/",
    f"/scripts/{HOSTILE_SLUG}/versions/",
    f"/scripts/{HOSTILE_SLUG}/versions/1/",
    f"/scripts/{HOSTILE_SLUG}/versions/compare/?from=1&to=2",
    f"/scripts/{HOSTILE_SLUG}/versions/compare/?from=1&to=2&look=beside",
    f"/scripts/{HOSTILE_SLUG}/versions/turning-point/",
    f"/scripts/{HOSTILE_SLUG}/delete/",
    f"/scripts/?folder={quote(HOSTILE)}&q={quote(HOSTILE)}",
]
FAILING = f"""
import sys
print("\\x1b[32mok\\x1b[0m first table", {HOSTILE!r})
print("\\x1b]0;title\\x07\\x1b[2J\\x1b[1;1Hmoved")
sys.stderr.write("warning: \\x1b[33mdisk is getting full\\x1b[0m\\n")
raise SystemExit(3)
"""
# The structure of a page is the same in every look: it is asked for once, and again what a look can change.
DARK_RULES = ["color-contrast"]
RUN_AXE = """
options => "axe" in window && axe.run(options).then((result) => result.violations)
"""
LOOKED_OVER = """() => {
  const { scrollWidth, clientWidth } = document.documentElement, troubles = [];
  if (document.querySelector("img[src=x]")) troubles.push("takes text for more than text");
  if (scrollWidth > clientWidth) troubles.push(`is ${scrollWidth - clientWidth} px wider than the screen`);
  return troubles;
}"""
ON_A_PHONE = """() => {
  const lists = [...document.querySelectorAll(".scroller:has(> .rows), .rows .results")], troubles = [];
  if (lists.some((list) => list.scrollWidth > list.clientWidth))
    troubles.push("has a list whose rows are no sheets: it scrolls sideways");
  const end = parseFloat(getComputedStyle(document.querySelector(".page")).paddingBlockEnd);
  if (end < (document.querySelector(".bottombar")?.offsetHeight ?? 0))
    troubles.push("has its last lines behind the bar at the bottom");
  return troubles;
}"""
DECIDES_AS_IT_BEGINS = "log-view"  # whether it wraps its lines
PHONE_RULES = ["color-contrast", "target-size", "scrollable-region-focusable", "meta-viewport"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("chromium")]


@pytest.fixture(scope="module")
def furnished(prepared: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Tempo with something on every page: run 1 built the environment, run 2 went well, run 3 failed."""
    folder = tmp_path_factory.mktemp("furnished") / "data"
    with Service.copy_of(prepared, folder, PYSCHED_NAME=HOSTILE[:40]) as service:
        slug = service.make_script(
            "Nightly backup", "print('done')\n", folder="Ops/Nightly", tags=["home"]
        )
        (environment,) = service.get("/environments")["items"]
        service.post(f"/environments/{environment['id']}/rebuild")
        failing = make_hostile_script(service)
        service.make_script("Long" * 50, "print(1)", folder="Long" * 25)
        for rhythm in (
            {"kind": "cron", "cron": "30 2 * * *"},
            {"kind": "interval", "every_s": 86400},
        ):
            service.post(f"/scripts/{slug}/schedules", {**rhythm, "timezone": "Europe/Berlin"})
        for scope, name in (
            (f"/scripts/{slug}", "API_TOKEN"),
            (f"/scripts/{slug}", "TITLE"),
            ("", "SHARED"),
        ):
            variable = {"value": HOSTILE, "secret": name == "API_TOKEN"}
            assert service.call("PUT", f"{scope}/variables/{name}", variable)[0] == 200
        trigger = {"enabled": True, "scheme": "github", "rules": [f"ref == {HOSTILE}"[:200]]}
        assert service.call("PUT", f"/scripts/{slug}/trigger", trigger)[0] == 200
        service.post(f"/scripts/{slug}/trigger/keys")
        hook = {
            "name": HOSTILE[:100],
            "kind": "webhook",
            "url": "http://127.0.0.1:9/",
            "enabled": True,
        }
        service.post(
            "/channels", hook
        )  # nobody listens there: the failed run below is told in vain
        assert service.run(slug)["id"] == 2
        assert service.run(failing, confirm=True)["status"] == "failed"
        yield service


def make_hostile_script(service: Service) -> str:
    """A script whose every text tries to be more than text, with a draft; returns its slug."""
    about = {
        "folder": f"\u05e9\u05dc\u05d5\u05dd {HOSTILE.replace('/', '')}",
        "tags": [HOSTILE[:50]],
        "description": HOSTILE,
    }
    slug = service.make_script(HOSTILE, FAILING, **about)
    assert slug == HOSTILE_SLUG
    hostile = {
        "code": f"{FAILING}\n#{HOSTILE}\n{'z' * 10_000}\n",
        "memory_mb": 100,
        "note": HOSTILE,
    }
    assert service.call("PATCH", f"/scripts/{slug}", hostile)[0] == 200
    code, requirements = f"#{HOSTILE}\n{'y' * 10_000}\n", f"{HOSTILE}\n-r {'x' * 10_000}\n"
    draft = {"code": code, "requirements": requirements, "python_version": HOSTILE[:10]}
    status, answer = service.call("PUT", f"/scripts/{slug}/draft", draft, If_Match='"1"')
    assert status == 200, answer
    return slug


def test_every_page_is_accessible_quiet_and_keeps_to_its_width_light_and_dark_and_on_a_phone(
    furnished: Service,
) -> None:
    ears = Ears(furnished.url)
    with browser_of() as page:
        ears.listen(page)
        page.add_init_script(AXE)  # sent once, not to each page
        log_in(page, furnished.url)
        handset = Handset(page)
        troubles = [
            f"{path} {trouble}"
            for path in PAGES
            for trouble in look_at(page, furnished.url + path, handset)
        ]
        page.goto(f"{furnished.url}/scripts/{HOSTILE_SLUG}/")
        expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert troubles + ears.troubles == []


def look_at(page: Page, url: str, handset: Handset) -> Iterator[str]:
    """What is wrong with one page: markup out of text, sideways scrolling, and what axe finds.

    It is fetched once for all looks, but for what looks at the width of the screen as it begins.
    """
    page.goto(url)
    yield from (f"(light) {finding}" for finding in looked_over(page, []))
    page.emulate_media(color_scheme="dark")
    yield from (f"(dark) {finding}" for finding in findings(page, DARK_RULES))
    page.emulate_media(color_scheme="light")
    with handset.held():
        if page.locator(DECIDES_AS_IT_BEGINS).count():
            page.reload()
        yield from (f"(phone) {finding}" for finding in looked_over(page, PHONE_RULES))
        yield from (f"(phone) {trouble}" for trouble in page.evaluate(ON_A_PHONE))


def looked_over(page: Page, rules: list[str]) -> Iterator[str]:
    """What is wrong with a page as it stands."""
    yield from page.evaluate(LOOKED_OVER)
    yield from findings(page, rules)


def findings(page: Page, rules: list[str]) -> Iterator[str]:
    """axe's findings of any impact, each with its first element."""
    # Else it would report what is right, too.
    options: dict[str, list[str] | str] = {"reporter": "no-passes"}
    if rules:
        options["runOnly"] = rules
    violations = page.evaluate(RUN_AXE, options)
    if violations is False:
        page.evaluate(AXE)
        violations = page.evaluate(RUN_AXE, options)
    for violation in violations:
        yield f"{violation['id']}: {violation['help']}; first at {violation['nodes'][0]['html'][:200]}"

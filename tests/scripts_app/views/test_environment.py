"""The environment page of a script and its API: packages, lock, how far a build is, upgrades."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from runs_app.models import Run
from runs_app.states import Kind, Status, Trigger
from scripts_app.environments import builds, upgrades
from scripts_app.models import Environment, Script
from tempo_site.lib import paths
from tests import building as drivers
from tests.factories import make_run
from tests.scripts_app.environments.test_environments import make_script, pretend_built, wanted

pytestmark = pytest.mark.django_db

NEWER = "humanize==4.1 \\\n    --hash=sha256:aa\n"


def text_of(browser: Client, script: Script, part: str = "") -> str:
    address = reverse("script-environment", args=[script.slug])
    return browser.get(address, {"part": part} if part else {}).content.decode()


def press(browser: Client, script: Script, act: str) -> None:
    assert browser.post(reverse(act, args=[script.slug])).status_code == 302


@pytest.fixture
def built() -> Script:
    script = make_script(requirements="humanize")
    pretend_built(wanted(script))
    return script


def building(script: Script) -> Run:
    """A build that is under way and has said how far it is."""
    environment = wanted(script)
    run = make_run(
        kind=Kind.BUILD,
        environment=environment,
        status=Status.RUNNING,
        trigger=Trigger.BUILD,
        folder="2026-11/9-abc",
    )
    folder = paths.run_folder(run.folder)
    folder.mkdir(parents=True)
    drivers.begin(environment, folder)
    told = {"step": "downloading", "done": 3, "total": 12}
    (folder / builds.PROGRESS).write_text(json.dumps(told))
    return run


def test_the_page_shows_the_packages_of_the_lock(browser: Client, built: Script) -> None:
    page = text_of(browser, built)
    assert "humanize" in page and "4.0" in page and "Upgrade packages" in page


def test_the_lock_can_be_downloaded(browser: Client, built: Script) -> None:
    answer = browser.get(reverse("environment-lock", args=[wanted(built).pk]))
    assert answer.content.decode() == "# Python 3.11.7\nhumanize==4.0\n"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="requirements.lock"'


def test_the_pages_tell_how_far_a_build_is(browser: Client) -> None:
    script = make_script(requirements="humanize")
    building(script)
    for page in (
        text_of(browser, script),
        browser.get(reverse("script-edit", args=[script.slug])).content.decode(),
    ):
        assert "Downloading: 3 of 12 packages" in page and "(step 2 of 5)" in page


def test_the_api_tells_how_far_a_build_is(browser: Client) -> None:
    script = make_script(requirements="humanize")
    run = building(script)
    told: dict[str, Any] = browser.get(f"/api/v1/environments/{wanted(script).pk}").json()
    assert (told["state"], told["step"], told["done"], told["total"]) == (
        "building",
        "downloading",
        3,
        12,
    )
    assert told["build_run"] == run.pk


@pytest.mark.parametrize(
    "told", ["", "{", "[]", '{"step": "dancing", "done": 1, "total": 1}', '{"step": "checking"}']
)
def test_what_no_driver_wrote_is_no_progress(browser: Client, told: str) -> None:
    script = make_script(requirements="humanize")
    run = building(script)
    (paths.run_folder(run.folder) / builds.PROGRESS).write_text(told)
    assert "It is about to begin." in text_of(browser, script, "environment")


def test_an_upgrade_is_compared_and_then_used(browser: Client, built: Script) -> None:
    press(browser, built, "script-upgrade")
    upgrade = Script.objects.get(pk=built.pk).upgrade
    assert upgrade and "built beside the environment in use" in text_of(browser, built)
    pretend_built(upgrade, digest="e" * 32)
    Environment.objects.filter(pk=upgrade.pk).update(lock=NEWER)
    page = text_of(browser, built)
    assert "4.0" in page and "4.1" in page and "changed" in page and "Use it" in page
    press(browser, built, "script-upgrade-use")
    assert Script.objects.get(pk=built.pk).environment == upgrade


def test_an_upgrade_without_anything_newer_says_so(browser: Client, built: Script) -> None:
    pretend_built(upgrades.request(built), digest="e" * 32)
    assert "There is nothing newer" in text_of(browser, built)
    press(browser, built, "script-upgrade-discard")
    assert "Newer packages" not in text_of(browser, built)


def test_the_api_upgrades(browser: Client, built: Script) -> None:
    address = f"/api/v1/scripts/{built.slug}/environment/upgrade"
    assert browser.get(address).status_code == 404
    asked = browser.post(address)
    assert (asked.status_code, asked.json()["environment"]["state"], asked.json()["changes"]) == (
        202,
        "wanted",
        [],
    )
    upgrade = Environment.objects.get(pk=asked.json()["environment"]["id"])
    pretend_built(upgrade, digest="e" * 32)
    Environment.objects.filter(pk=upgrade.pk).update(lock=NEWER)
    change = {"name": "humanize", "kind": "changed", "before": "4.0", "after": "4.1"}
    assert browser.get(address).json()["changes"] == [change]
    assert browser.post(f"{address}/use").json()["id"] == upgrade.pk
    assert browser.delete(address).status_code == 422


def test_the_list_of_environments_costs_the_same_for_one_and_for_many(
    browser: Client, built: Script, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        make_script(f"Script {number}", requirements=f"a{number}")
    with django_assert_max_num_queries(6):
        answer = browser.get("/api/v1/environments").json()
    assert (len(answer["items"]), answer["next_cursor"]) == (6, None)


def test_a_likely_name_is_offered_where_the_index_knows_none() -> None:
    script = make_script(requirements="reqests")
    environment = wanted(script)
    drivers.begin(environment)
    said = "Because reqests was not found in the package registry and you require reqests, we can conclude ..."
    (paths.data() / "built.json").write_text(json.dumps({"error": said}))
    drivers.finish(environment, succeeded=False)
    assert wanted(script).message == f"{said}\nhint: did you mean `requests`?"

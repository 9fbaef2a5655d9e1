"""Where a script began to fail."""

import pytest
from django.test import Client

from runs_app.history import regression
from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Script
from scripts_app.versions.settings_snapshot import SettingDifference
from tests.factories import make_run, make_script

pytestmark = pytest.mark.django_db

S, F, T, C = Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED


@pytest.fixture
def script() -> Script:
    return make_script("Hello", code="print(1)\n")


def history(script: Script, *statuses: Status) -> list[Run]:
    """Runs that ended so, oldest first."""
    return [make_run(script, status=status) for status in statuses]


@pytest.mark.parametrize(
    ("statuses", "good", "bad"),
    [
        ([S, F], 0, 1),
        ([F, S, S, C, T, F, F], 2, 4),
        ([S, F, S], 0, 1),
        ([S, F, S, F], 2, 3),
    ],
)
def test_the_newest_failures_began_there(
    script: Script, statuses: list[Status], good: int, bad: int
) -> None:
    runs = history(script, *statuses)
    point = regression.find_regression(script)
    assert point and (point.good, point.bad) == (runs[good], runs[bad])


@pytest.mark.parametrize("statuses", [[], [S, S], [F, F], [F, S], [C]])
def test_without_a_good_and_a_bad_run_behind_it_there_is_none(
    script: Script, statuses: list[Status]
) -> None:
    history(script, *statuses)
    assert regression.find_regression(script) is None


def test_a_bad_run_of_before_can_be_named(script: Script) -> None:
    runs = history(script, S, F, F, S, F)
    point = regression.find_regression(script, bad=runs[2])
    assert point and (point.good, point.bad) == (runs[0], runs[1])


def test_runs_of_other_scripts_do_not_count(script: Script) -> None:
    history(make_script("Other"), S)
    history(script, F)
    assert regression.find_regression(script) is None


def test_the_same_text_with_other_inputs(script: Script) -> None:
    make_run(script, status=S, params={"day": 1}, isolation="good")
    make_run(script, status=F, params={"day": 2}, isolation="good")
    point = regression.find_regression(script)
    assert point and point.is_same_version
    found = regression.differences(point)
    assert (found.files, found.packages) == ([], [])
    assert found.settings == [
        SettingDifference(name="Inputs", before='{"day": 1}', after='{"day": 2}')
    ]


def test_nothing_that_is_known_of(script: Script) -> None:
    history(script, S, F)
    point = regression.find_regression(script)
    assert point and regression.differences(point).is_same


def test_the_page_of_a_failed_run_leads_there(script: Script, browser: Client) -> None:
    good, bad = history(script, S, F)
    address = f"/scripts/hello/versions/turning-point/?run={bad.pk}"
    assert address in browser.get(f"/runs/{bad.pk}/").content.decode()
    assert "turning-point" not in browser.get(f"/runs/{good.pk}/").content.decode()
    page = browser.get(address).content.decode()
    assert f"/runs/{good.pk}/" in page and "Nothing that Tempo knows of" in page


def test_the_page_says_when_there_is_nothing_to_compare(script: Script, browser: Client) -> None:
    (bad,) = history(script, F)
    assert "turning-point" not in browser.get(f"/runs/{bad.pk}/").content.decode()
    page = browser.get(f"/scripts/hello/versions/turning-point/?run={bad.pk}").content.decode()
    assert "No good run of this script is kept" in page
    other = make_run(make_script("Other"), status=F)
    assert browser.get(f"/scripts/hello/versions/turning-point/?run={other.pk}").status_code == 404
    assert browser.get("/scripts/hello/versions/turning-point/?run=x").status_code == 404

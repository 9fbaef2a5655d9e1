"""What the seeding puts into a data folder is what a month of work would leave there."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from runs_app.models import Run
from runs_app.output import log
from runs_app.states import FINAL, Status
from scripts_app.models import Schedule, Script
from tests.benchmarks import seeding
from tests.benchmarks.samples import SAMPLES

pytestmark = pytest.mark.django_db
MORE = len(SAMPLES) + 3


def test_it_makes_as_many_as_asked_for() -> None:
    seeding.fill(script_count=MORE, run_count=40)
    assert (Script.objects.count(), Run.objects.count()) == (MORE, 40)
    assert len(set(Script.objects.values_list("name", flat=True))) == MORE
    assert Schedule.objects.armed().filter(alarm__isnull=False).exists()


def test_the_history_is_final_in_order_and_younger_than_what_is_deleted() -> None:
    seeding.fill(script_count=5, run_count=60)
    runs = list(Run.objects.order_by("pk"))
    assert {Status(run.status) for run in runs} <= FINAL
    assert [run.created_at for run in runs] == sorted(run.created_at for run in runs)
    assert runs[0].created_at > timezone.now() - timedelta(days=30)
    assert all(run.finished_at and run.finished_at <= timezone.now() for run in runs)


def test_the_last_runs_have_a_log_and_their_pages_open(browser: Client) -> None:
    seeding.fill(script_count=3, run_count=10)
    run = Run.objects.exclude(folder="").latest("pk")
    assert str(run).encode() in b"".join(log.script_bytes(run))
    assert browser.get(f"/runs/{run.pk}/").status_code == 200

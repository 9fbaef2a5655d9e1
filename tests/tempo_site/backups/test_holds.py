"""A restored Tempo begins nothing and tells nobody, until somebody resumes it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from notifications_app.delivery.teller import teller
from notifications_app.models import Delivery
from runs_app.models import Run
from runs_app.scheduler import ticker
from runs_app.states import Status, Trigger
from runs_app.triggers import triggers
from scripts_app.models import Environment, Schedule
from scripts_app.packages import interpreters
from tempo_site.backups import adapting, backup_files, holds
from tempo_site.backups.holds import Hold
from tempo_site.bootstrap import snapshots
from tempo_site.lib import paths
from tempo_site.models import AuditEntry
from tests.factories import NOW, make_run, make_schedule, make_script
from tests.notifications_app.telling import make_channel
from tests.runs_app.url_triggers.sending import call, new_key, switched_on

pytestmark = pytest.mark.django_db


@pytest.fixture
def held() -> Hold:
    hold = Hold(
        backup="tempo.tar.zst",
        made_at=(NOW - timedelta(days=1)).isoformat(),
        restored_at=NOW.isoformat(),
        aside="before-restore-x",
    )
    holds.store(hold)
    return hold


def test_no_schedule_starts_anything_before_it_is_resumed(held: Hold) -> None:
    make_schedule(now=NOW)
    later = NOW + timedelta(minutes=1)
    assert ticker.next_moment_at(now=later) is None
    assert not ticker.step(now=later) and not Run.objects.exists()
    holds.release()
    assert ticker.step(now=later) and Run.objects.count() == 1


def test_nothing_starts_with_the_service(held: Hold) -> None:
    make_schedule(kind=Schedule.Kind.STARTUP)
    ticker.at_start(service_started_at=NOW, now=NOW)
    assert not Run.objects.exists()


def test_a_call_of_a_trigger_is_refused(held: Hold) -> None:
    script = make_script("Deploy")
    token = new_key(switched_on(script))
    assert call("deploy", key=token).status_code == 503
    holds.release()
    assert call("deploy", key=token).status_code == 202


def test_a_person_may_start_a_run(held: Hold) -> None:
    run = triggers.start(make_script(), trigger=Trigger.MANUAL, by="ann", now=NOW)
    assert run.pk


def test_nobody_is_told_anything(held: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel("Tempo", kind="heartbeat")
    woken: list[bool] = []
    monkeypatch.setattr(teller, "wake", lambda: woken.append(True))
    teller.look(now=NOW)
    assert woken == []
    holds.release()
    teller.look(now=NOW)
    assert woken == [True]


def test_a_note_that_cannot_be_read_holds_too() -> None:
    paths.held().write_text("{")
    assert holds.is_held() and holds.current()


def test_resuming_is_in_the_audit(held: Hold) -> None:
    holds.release()
    assert holds.release() is None
    assert [entry.verb for entry in AuditEntry.objects.all()] == ["resumed"]


# --- the rows ------------------------------------------------------------------------------------------------------
def test_what_was_under_way_is_lost_and_what_waited_is_cancelled(held: Hold) -> None:
    script = make_script()
    running = make_run(script, status=Status.RUNNING)
    queued = make_run(script)
    OrmQ.objects.create(key="tempo", payload="x", lock=NOW)
    assert adapting.adapt(now=NOW)
    running.refresh_from_db()
    queued.refresh_from_db()
    assert (running.status, queued.status) == (Status.LOST, Status.CANCELLED)
    assert "when the backup was made" in running.message
    assert not OrmQ.objects.exists()


def test_waiting_messages_are_given_up_and_old_ends_are_told_to_nobody(held: Hold) -> None:
    ended = make_run(make_script(), status=Status.FAILED, finished_at=NOW)
    channel = make_channel()
    for status in Delivery.Status.values:
        Delivery.objects.create(
            channel=channel, event="failed", title="t", status=status, created_at=NOW
        )
    adapting.adapt(now=NOW)
    ended.refresh_from_db()
    assert ended.announced_at
    assert not Delivery.objects.open().exists()
    assert Delivery.objects.filter(status=Delivery.Status.GIVEN_UP).count() == 3


def test_a_python_that_is_elsewhere_here_is_found(held: Hold) -> None:
    script = make_script()
    own = interpreters.own()
    Environment.objects.update(interpreter="/opt/elsewhere/bin/python3", python=own.version)
    adapting.adapt(now=NOW)
    assert script.environment
    script.environment.refresh_from_db()
    assert Path(script.environment.interpreter).exists()


def test_a_python_that_is_not_here_is_left_to_the_health_check(held: Hold) -> None:
    make_script()
    Environment.objects.update(interpreter="/opt/elsewhere/bin/python3", python="3.8.99")
    adapting.adapt(now=NOW)
    assert Environment.objects.get().interpreter


def test_it_is_done_once(held: Hold) -> None:
    assert adapting.adapt(now=NOW)
    make_run(make_script(), status=Status.RUNNING)
    assert not adapting.adapt(now=NOW)
    assert Run.objects.get().status == Status.RUNNING


def test_without_a_restore_nothing_is_changed() -> None:
    make_run(make_script())
    assert not adapting.adapt(now=timezone.now())
    assert Run.objects.get().status == Status.QUEUED


def test_what_cannot_be_used_names_the_newest_whole_backup() -> None:
    paths.make_closed(paths.backups())
    path = backup_files.new_path(paths.backups(), kind="zst", is_sealed=False, now=NOW)
    path.touch()
    assert f"`tempo restore {path}`" in snapshots.hint()

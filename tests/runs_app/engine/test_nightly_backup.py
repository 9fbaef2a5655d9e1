"""A backup every night, made up after a missed one, tried again after a failure, and watched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from notifications_app.events import conditions
from notifications_app.models import Delivery, Event, Incident
from runs_app.engine import nightly_backup
from runs_app.models import Run
from runs_app.programs import backup
from runs_app.states import Kind, Reason, Status, Trigger
from tempo_site.backups import backup_files
from tempo_site.backups.holds import Hold, store
from tempo_site.lib import paths
from tests.notifications_app.telling import make_channel, make_rule

pytestmark = pytest.mark.django_db

EVENING = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
MORNING = EVENING + timedelta(hours=12)


@pytest.fixture(autouse=True)
def somebody(settings: Settings) -> Iterator[None]:
    settings.TIME_ZONE = "UTC"
    user = User.objects.create_user("ann")
    User.objects.filter(pk=user.pk).update(date_joined=EVENING - timedelta(days=30))
    paths.make_closed(paths.backups())
    yield


def make_file(moment: datetime, *, size: int = 10, is_good: bool = True) -> str:
    """A file in the place of a backup."""
    path = backup_files.new_path(paths.backups(), kind="zst", is_sealed=False, now=moment)
    path.write_bytes(bytes(size))
    if is_good:
        facts = f'{{"file_bytes": {size}, "verified_at": "{moment.isoformat()}"}}'
        backup_files.facts_path(path).write_text(facts)
    return path.name


def made(**fields: object) -> Run:
    fields = {"status": Status.SUCCEEDED, "created_at": MORNING, "finished_at": MORNING, **fields}
    params = {"act": backup.MAKE}
    return Run.objects.create(kind=Kind.BACKUP, trigger=Trigger.SCHEDULE, params=params, **fields)


def starts(now: datetime) -> list[str]:
    before = set(Run.objects.values_list("pk", flat=True))
    nightly_backup.look(now=now)
    return [run.params["act"] for run in Run.objects.exclude(pk__in=before)]


def test_its_moment_is_between_a_quarter_to_five_and_to_six_and_stays() -> None:
    moment = nightly_backup.next_moment(EVENING)
    assert moment
    assert timedelta(hours=4, minutes=45) <= moment - EVENING.replace(hour=0) - timedelta(days=1)
    assert moment - EVENING.replace(hour=0) - timedelta(days=1) < timedelta(hours=5, minutes=45)
    assert nightly_backup.next_moment(EVENING + timedelta(hours=1)) == moment
    assert nightly_backup.moment_before(MORNING) == moment


def test_it_is_made_once_a_night() -> None:
    make_file(EVENING)
    assert "make" not in starts(EVENING)
    assert starts(MORNING) == ["make"]
    assert starts(MORNING) == []


def test_a_missed_night_is_made_up() -> None:
    make_file(EVENING - timedelta(days=5))
    assert starts(EVENING) == ["make"]


def test_one_that_was_made_by_hand_since_counts() -> None:
    make_file(MORNING - timedelta(minutes=1))
    assert "make" not in starts(MORNING)


def test_after_a_failure_it_is_tried_again_an_hour_later() -> None:
    made(status=Status.FAILED)
    assert starts(MORNING + timedelta(minutes=59)) == []
    assert starts(MORNING + timedelta(minutes=60)) == ["make"]


def test_a_new_tempo_has_nothing_to_keep_yet() -> None:
    User.objects.update(date_joined=MORNING)
    assert starts(MORNING) == []


def test_none_is_made_where_that_is_switched_off(settings: Settings) -> None:
    settings.BACKUP_DAILY = False
    assert starts(MORNING) == [] and nightly_backup.next_moment(MORNING) is None


def test_none_is_made_while_a_restored_tempo_is_held() -> None:
    store(Hold(backup="x", made_at=EVENING.isoformat(), restored_at="", aside="x"))
    assert starts(MORNING) == []


def test_once_a_week_the_newest_one_is_unpacked() -> None:
    made()
    name = make_file(MORNING)
    assert starts(MORNING + timedelta(hours=1)) == ["verify"]
    assert starts(MORNING + timedelta(hours=2)) == []
    run = Run.objects.get(params__act="verify")
    assert run.params == {"act": "verify", "name": name, "full": True}


# --- what is kept --------------------------------------------------------------------------------------------------
def test_days_weeks_and_months_are_kept(settings: Settings) -> None:
    settings.BACKUP_DAYS, settings.BACKUP_WEEKS, settings.BACKUP_MONTHS = 3, 2, 2
    for day in range(60):
        make_file(EVENING - timedelta(days=day))
    backup_files.delete_old()
    kept = [f"{row.created_at:%m-%d}" for row in backup_files.listed()]
    assert kept == ["11-23", "11-22", "11-21", "10-31"]
    assert not [
        path for path in paths.backups().glob("*.json") if not path.with_suffix("").exists()
    ]


def test_all_of_the_last_day_are_kept() -> None:
    for minutes in range(3):
        make_file(EVENING - timedelta(minutes=minutes))
    assert backup_files.delete_old() == []


def test_the_oldest_go_beyond_the_megabytes_and_the_newest_never(settings: Settings) -> None:
    settings.BACKUP_MB = 1
    for day in range(3):
        make_file(EVENING - timedelta(days=day), size=700_000)
    make_file(EVENING - timedelta(days=9), size=100)
    backup_files.delete_old()
    assert [row.size for row in backup_files.listed()] == [700_000, 100][:1]


# --- what is told --------------------------------------------------------------------------------------------------
def test_a_failure_is_told_until_one_is_well() -> None:
    make_rule(make_channel(), events=[Event.BACKUP_FAILED])
    make_file(MORNING)
    failed = made(status=Status.FAILED, reason=Reason.EXIT_CODE, message="The disk is full.")
    conditions.look(now=MORNING)
    incident = Incident.objects.get(kind=Event.BACKUP_FAILED)
    assert incident.recovered_at is None
    assert "The disk is full." in nightly_backup.why_bad(MORNING)
    failed.delete()
    conditions.look(now=MORNING)
    incident.refresh_from_db()
    assert incident.recovered_at


def test_an_overdue_backup_is_told_until_there_is_one() -> None:
    make_rule(make_channel(), events=[Event.BACKUP_FAILED])
    make_file(MORNING - timedelta(days=3))
    conditions.look(now=MORNING)
    (delivery,) = Delivery.objects.all()
    assert "the last one is of 2026-11-21" in f"{delivery.title} {delivery.facts}"
    make_file(MORNING - timedelta(days=1))
    conditions.look(now=MORNING)
    assert Incident.objects.get(kind=Event.BACKUP_FAILED).recovered_at


def test_a_file_that_was_never_read_back_is_no_good_backup() -> None:
    make_file(MORNING, is_good=False)
    assert nightly_backup.why_bad(MORNING) == "there is none."

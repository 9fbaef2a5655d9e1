"""What a thousand scripts cost: every list asks as many questions for them as for a hundred."""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_q.models import Schedule as Alarm

from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Schedule, Script, Version
from tests.factories import NOW, make_run, make_schedule, make_script

PAGES = (
    "/",
    "/scripts/",
    "/scripts/?folder=Shop",
    "/scripts/?q=copy",
    "/scripts/script-0/",
    "/scripts/script-0/runs/",
    "/scripts/script-0/schedule/",
    "/schedules/",
    "/schedules/calendar/",
    "/runs/",
    "/runs/?status=bad",
    "/failures/",
    "/statistics/",
    "/variables/",
    "/environments/",
    "/retention/",
    "/search/?q=word",
    "/jump/?q=script",
    "/export/",
    "/deleted-scripts/",
    "/backups/",
    "/audit/",
    "/keys/",
    "/notifications/",
    "/notifications/deliveries/",
    "/pause/",
    "/admin/scripts_app/script/",
    "/admin/scripts_app/schedule/",
    "/admin/runs_app/run/",
    "/admin/django_q/schedule/",
)
LISTS = (
    "/api/v1/scripts?limit=50",
    "/api/v1/scripts?limit=200",
    "/api/v1/scripts/script-0/schedules",
    "/api/v1/scripts/script-0/versions",
    "/api/v1/runs?limit=50",
    "/api/v1/runs?status=failed&folder=Shop",
    "/api/v1/queue",
    "/api/v1/failures",
    "/api/v1/folders",
    "/api/v1/environments",
    "/api/v1/statistics",
    "/api/v1/variables",
    "/api/v1/retention",
    "/api/v1/search?q=word",
    "/api/v1/audit",
    "/api/v1/keys",
    "/api/v1/channels",
    "/api/v1/rules",
    "/api/v1/deliveries",
    "/api/v1/views",
)
PLACES = ("Office", "Shop", "Shop/Stock", "")
ORIGINALS = 8

Row = TypeVar("Row", bound=Model)


def test_every_list_asks_as_much_for_a_thousand_scripts_as_for_a_hundred(
    browser: Client, program: Client, staff: User
) -> None:
    browser.force_login(staff)
    originals = [original(number) for number in range(ORIGINALS)]
    costs(browser, program)  # the first time fills caches
    copy(originals, 100 - ORIGINALS)
    few = costs(browser, program)
    copy(originals, 900)
    assert (Script.objects.count(), Schedule.objects.count()) == (1000, 1000)
    assert costs(browser, program) == few


def costs(browser: Client, program: Client) -> dict[str, int]:
    """How many queries each address takes."""
    found = {}
    for client, addresses in ((browser, PAGES), (program, LISTS)):
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(address)
            assert answer.status_code == 200, address
            found[address] = len(queries)
    return found


def original(number: int) -> Script:
    """A script as people have them: in a folder, with tags, a schedule, and a run that failed."""
    place = PLACES[number % len(PLACES)]
    script = make_script(f"Script {number}", folder=place, tags=["a", f"t{number % 3}"])
    make_schedule(script, kind=Schedule.Kind.CRON, cron=f"{number} 4 * * *")
    make_run(script, status=Status.FAILED, finished_at=NOW, duration_s=1.0)
    return script


def copy(originals: Sequence[Script], count: int) -> None:
    """Copy scripts with all that is theirs, by rows alone."""
    begin = Script.objects.count()
    scripts = []
    for number, script in enumerate(islice(cycle(originals), count), begin):
        scripts.append(copied(script, slug=f"copy-{number}", name=f"Copy {number}", version=None))
    Script.objects.bulk_create(scripts)
    pairs = list(zip(cycle(originals), scripts, strict=False))
    versions = [copied(of(Version, old), script=new) for old, new in pairs]
    Version.objects.bulk_create(versions)
    for script, version in zip(scripts, versions, strict=True):
        script.version = version
    Script.objects.bulk_update(scripts, ["version"])
    alarms = [copied(of(Schedule, old).alarm) for old, _ in pairs]
    Alarm.objects.bulk_create(alarms)
    schedules = zip(pairs, alarms, strict=True)
    Schedule.objects.bulk_create(
        copied(of(Schedule, old), script=new, alarm=alarm) for (old, new), alarm in schedules
    )
    Run.objects.bulk_create(
        copied(of(Run, old), script=new, version=new.version) for old, new in pairs
    )


def of(model: type[Row], script: Script) -> Row:
    return model._default_manager.filter(script=script).latest("pk")


def copied(row: Any, **changes: Any) -> Any:
    values = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key and field.name not in changes
    }
    return type(row)(**values, **changes)

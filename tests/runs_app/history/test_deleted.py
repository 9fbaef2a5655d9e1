"""Scripts that were deleted 30 days ago leave nothing but their names."""

from datetime import timedelta

import pytest

from runs_app import launcher_client
from runs_app.history import deleted as history_deleted
from runs_app.models import Run
from scripts_app import scripts
from scripts_app.models import Script
from scripts_app.versions import working_copy
from tempo_site.lib import paths
from tests.factories import NOW, make_run, make_script

LATER = NOW + timedelta(days=31)

pytestmark = pytest.mark.django_db


class Launcher(launcher_client.LauncherClient):
    """Notes what it is asked to remove; one that resists says so."""

    def __init__(self, *, resists: bool = False) -> None:
        self.removed: list[str] = []
        self.resists = resists

    def remove_script(self, slug: str) -> None:
        """Note it."""
        if self.resists:
            raise launcher_client.LauncherRefused("busy")
        self.removed.append(slug)


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    launcher = Launcher()
    monkeypatch.setattr(launcher_client, "launcher", launcher)
    return launcher


def deleted(name: str = "Old") -> Script:
    script = make_script(name)
    working_copy.write(script.pk)
    scripts.delete(script, now=NOW)
    return script


def test_a_script_goes_thirty_days_after_it_was_deleted(launcher: Launcher) -> None:
    script = deleted()
    make_script("Present")
    assert history_deleted.purge(now=NOW + timedelta(days=29)) == 0
    assert history_deleted.purge(now=LATER) == 1
    script.refresh_from_db()
    assert (launcher.removed, script.purged_at, script.versions.count()) == (["old"], LATER, 0)


def test_what_resists_is_tried_again(launcher: Launcher, caplog: pytest.LogCaptureFixture) -> None:
    deleted()
    launcher.resists = True
    assert history_deleted.purge(now=LATER) == 0
    assert "could not be removed: busy" in caplog.text
    launcher.resists = False
    assert history_deleted.purge(now=LATER) == 1


def test_without_a_launcher_nothing_is_lost_but_time() -> None:
    script = deleted()
    assert history_deleted.purge(now=LATER) == 0
    assert paths.script(script.slug).exists()


def test_a_run_that_is_still_going_keeps_the_folder(launcher: Launcher) -> None:
    make_run(deleted(), status="running")
    assert history_deleted.purge(now=LATER) == 0


def test_the_history_keeps_its_runs_and_their_versions_until_they_go(launcher: Launcher) -> None:
    script = deleted()
    run = make_run(script, status="succeeded")
    history_deleted.purge(now=LATER)
    assert Run.objects.get().version == run.version
    Run.objects.all().delete()
    history_deleted.purge(now=LATER)
    assert script.versions.count() == 0

"""The commands `doctor` and `createadmin`."""

import io
import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Script
from scripts_app.packages import index
from tempo_site.bootstrap import doctor
from tempo_site.lib import paths
from tempo_site.lib.console import service_report
from tempo_site.web import forwarded
from tests.factories import make_run, make_script
from tests.service import free_port

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def no_index(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests ask no index of the internet: nobody answers at this one."""
    settings.PACKAGE_INDEX = f"http://user:secret@127.0.0.1:{free_port()}/simple"
    monkeypatch.setattr(index, "RETRIES", 0)


@pytest.fixture
def answering_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which packages are to be had."""

    def answers(now: object) -> Iterator[doctor.Finding]:
        yield doctor.Finding(part="packages", state=doctor.OK, text="the index answers")

    monkeypatch.setitem(doctor.LOOKS, "packages", answers)


def found(part: str) -> list[doctor.Finding]:
    """What the doctor finds of a part."""
    return list(doctor.LOOKS[part](timezone.now()))


@pytest.mark.usefixtures("answering_index")
def test_a_machine_that_is_well_ends_with_0() -> None:
    printed = io.StringIO()
    call_command("doctor", "--json", stdout=printed)
    findings = [json.loads(line) for line in printed.getvalue().splitlines()]
    assert {each["part"] for each in findings} == set(doctor.LOOKS)
    assert {each["state"] for each in findings} <= {"ok", "note"}


def test_what_is_to_be_mended_is_listed_and_ends_with_1(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.MIN_FREE_MB = 2**40
    monkeypatch.setattr(os, "defpath", str(tmp_path))  # no Python lies where uv looks
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=printed)
    assert end.value.code == 1
    _, _, to_mend = printed.getvalue().partition("To mend:\n")
    assert "- disk: only" in to_mend and "- packages: the index does not answer" in to_mend
    assert "No interpreter" not in to_mend
    assert "  hint: " in to_mend and "secret" not in printed.getvalue()


def test_it_tells_of_a_mail_server_that_cannot_be_reached(settings: LazySettings) -> None:
    assert found("mail")[0].text == "no mail leaves"
    settings.SMTP_SERVER, settings.SMTP_PORT = "127.0.0.1", free_port()
    (finding,) = found("mail")
    assert finding.state == doctor.MEND and "cannot be reached" in finding.text


def test_it_tells_of_a_clock_that_went_back() -> None:
    make_run(make_script(), created_at=timezone.now() + timedelta(hours=2))
    assert [finding.state for finding in found("clock")] == [doctor.OK, doctor.NOTE, doctor.MEND]


class ClockOfOthers(BaseHTTPRequestHandler):
    """Asks for a log-in, by a clock that is an hour behind."""

    def do_HEAD(self) -> None:
        self.send_response_only(401)
        an_hour_ago = timezone.now() - timedelta(hours=1)
        self.send_header("Date", format_datetime(an_hour_ago))
        self.end_headers()


def test_it_compares_the_clock_with_that_of_the_index(settings: LazySettings) -> None:
    assert found("clock")[1].state == doctor.NOTE  # nobody answers
    with HTTPServer(("127.0.0.1", 0), ClockOfOthers) as server:
        threading.Thread(target=server.handle_request).start()
        settings.PACKAGE_INDEX = f"http://user:secret@127.0.0.1:{server.server_port}/simple/"
        finding = found("clock")[1]
    assert finding.state == doctor.MEND and finding.text.startswith("3,60")
    assert "secret" not in finding.text


def test_it_tells_the_proxies_that_the_service_was_reached_through(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarded, "_proxies", {})
    monkeypatch.setattr(service_report, "_told", {})
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.5")]
    for peer in ("10.0.0.5", "10.0.0.6", "9.9.9.9"):
        headers = [(b"X-Forwarded-For", b"192.0.2.1"), (b"X-Forwarded-Proto", b"https")]
        forwarded.true_scope({"type": "http", "client": [peer, 4711], "headers": headers})
    _, trusted, near, far = found("proxy")
    assert (trusted.state, near.state, far.state) == (doctor.OK, doctor.MEND, doctor.NOTE)
    assert trusted.text == "10.0.0.5 was heard, with x-forwarded-for, x-forwarded-proto"
    assert near.hint.endswith("PYSCHED_TRUSTED_PROXIES=10.0.0.6")


def test_a_folder_that_was_never_prepared_is_named_once_and_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", str(paths.database()))
    monkeypatch.delitem(doctor.LOOKS, "packages")
    findings = list(doctor.examine(timezone.now()))
    to_mend = [finding.text for finding in findings if finding.state == doctor.MEND]
    assert to_mend == ["it is not prepared"]
    assert not paths.database().exists()


def test_it_tells_the_isolation_that_runs_can_have_and_that_one_really_had() -> None:
    assert found("isolation")[0].text == "no script has run yet"
    service_report.tell("isolation", {"grade": "good", "why": "It has a user of its own."})
    assert found("isolation")[0].text == "scripts can have `good`. It has a user of its own."
    fields = {"isolation": "basic", "isolation_why": "There is no Landlock."}
    run = make_run(make_script(), status=Status.SUCCEEDED, **fields)
    _, finding = found("isolation")
    assert finding.state == doctor.NOTE
    assert finding.text == f"run {run.pk} had `basic`. There is no Landlock."


def test_a_look_that_fails_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(now: object) -> Iterator[doctor.Finding]:
        raise OSError("broken")

    monkeypatch.setattr(doctor, "LOOKS", {"disk": fails, "engine": doctor.LOOKS["engine"]})
    first, second = doctor.examine(timezone.now())
    assert (first.state, first.text) == (doctor.MEND, "could not be looked at: broken")
    assert second.part == "engine"
    assert not Run.objects.exists()


def make_admin(password: str, tmp_path: Path, *argv: str) -> str:
    """Give the command with a password in a file."""
    (tmp_path / "password").write_text(f"{password}\nsecond line\n")
    printed = io.StringIO()
    call_command(
        "createadmin", "ann", "--password-file", str(tmp_path / "password"), *argv, stdout=printed
    )
    return printed.getvalue()


def test_createadmin_makes_an_admin_and_later_changes_the_password(tmp_path: Path) -> None:
    assert make_admin(PASSWORD, tmp_path) == "Admin `ann` was made.\n"
    ann = User.objects.get()
    assert Script.objects.get().name == "Hello Tempo"  # as behind the set-up page
    assert ann.is_staff and ann.is_superuser and ann.check_password(PASSWORD)
    answer = json.loads(make_admin(f"{PASSWORD} staple", tmp_path, "--json"))
    assert answer == {"name": "ann", "created": False}
    ann.refresh_from_db()
    assert ann.check_password(f"{PASSWORD} staple")


@pytest.mark.parametrize("password", ["", "12345678", "short"])
def test_createadmin_refuses_what_is_no_password(password: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Nothing was changed"):
        make_admin(password, tmp_path)
    assert not User.objects.exists()


def test_createadmin_lets_an_ordinary_user_be(user: User, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no admin; nothing was changed"):
        make_admin(PASSWORD, tmp_path)
    user.refresh_from_db()
    assert not user.is_staff

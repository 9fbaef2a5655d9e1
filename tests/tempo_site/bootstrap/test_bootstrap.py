"""What is put in place before the service starts."""

import fcntl
import shutil
import stat
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from scripts_app.models import Script
from tempo_site.bootstrap import bootstrap, first_start
from tempo_site.lib import paths
from tests.service import manage

PASSWORD = "correct horse"


# --- the first admin -----------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_admin_of_the_settings_is_made(settings: LazySettings, said: list[str]) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = "root", PASSWORD
    bootstrap.create_admin(said.append)
    user = get_user_model().objects.get(username="root")
    assert user.is_superuser and user.check_password(PASSWORD)


@pytest.mark.django_db
def test_an_admin_that_is_there_is_left_alone(
    settings: LazySettings, staff: User, said: list[str]
) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = staff.username, "another horse"
    bootstrap.create_admin(said.append)
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)
    assert said == []


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "password"), [("", ""), ("root", ""), ("", PASSWORD)])
def test_without_a_name_and_a_password_no_admin_is_made(
    settings: LazySettings, said: list[str], name: str, password: str
) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = name, password
    bootstrap.create_admin(said.append)
    assert said == ["There is no admin yet."]
    assert not get_user_model().objects.exists()


@pytest.mark.django_db
def test_the_admin_of_the_settings_finds_the_starter_script(
    settings: LazySettings, said: list[str]
) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = "root", PASSWORD
    bootstrap.create_admin(said.append)
    assert [(script.name, script.enabled) for script in Script.objects.all()] == [
        ("Hello Tempo", False)
    ]


@pytest.mark.django_db
def test_an_admin_of_the_settings_ends_the_set_up_address(
    settings: LazySettings, said: list[str]
) -> None:
    assert first_start.token()
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = "root", PASSWORD
    bootstrap.create_admin(said.append)
    assert not paths.setup_token().exists()


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["short", "password"])
def test_a_weak_password_is_refused_and_not_shown(
    settings: LazySettings, said: list[str], password: str
) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = "root", password
    bootstrap.create_admin(said.append)
    assert said[0].startswith("PYSCHED_ADMIN_PASSWORD was refused")
    assert not get_user_model().objects.exists()


@pytest.mark.django_db
def test_a_user_with_the_admins_name_does_not_stop_the_start(
    settings: LazySettings, user: User, said: list[str]
) -> None:
    settings.ADMIN_USER, settings.ADMIN_PASSWORD = user.username, PASSWORD
    bootstrap.create_admin(said.append)
    assert "PYSCHED_ADMIN_USER" in said[0]


# --- the whole -----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.usefixtures("static_root", "umask")
def test_the_data_folder_is_closed_to_other_users(
    settings: LazySettings, tmp_path: Path, staff: User, said: list[str]
) -> None:
    settings.DATA_PATH = tmp_path / "fresh"
    bootstrap.prepare(said.append)
    folders = [paths.data(), paths.runs(), paths.environments(), paths.cache(), paths.bells()]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


@pytest.mark.django_db
@pytest.mark.usefixtures("static_root", "umask")
def test_an_ignored_secret_and_an_ignored_api_key_are_told(
    settings: LazySettings, staff: User, said: list[str]
) -> None:
    settings.SECRET_KEY_NOTICE, settings.DEFAULT_API_KEY = "The secret was ignored.", "your-api-key"
    bootstrap.prepare(said.append)
    assert any("The secret was ignored." in line for line in said)
    assert any("PYSCHED_DEFAULT_API_KEY" in line for line in said)


def test_a_second_prepare_has_nothing_to_do(prepared: Path, tmp_path: Path) -> None:
    own = shutil.copytree(prepared, tmp_path / "own", symlinks=True)
    assert manage(own, "prepare", "--stopped") == ""


def test_an_upgrade_is_refused_while_tempo_runs(prepared: Path, tmp_path: Path) -> None:
    own = shutil.copytree(prepared, tmp_path / "own", symlinks=True)
    with (own / "run/service.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(AssertionError, match=f"Tempo already runs on the data folder {own}"):
            manage(own, "prepare", "--stopped")


def test_the_database_is_for_its_owner_alone(prepared: Path) -> None:
    assert stat.S_IMODE((prepared / "tempo.sqlite3").stat().st_mode) == 0o600

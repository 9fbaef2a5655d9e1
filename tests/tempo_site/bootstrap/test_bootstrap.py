"""What is put in place before the service starts."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management import CommandError

from scripts_app.models import Script
from tempo_site.bootstrap import bootstrap, first_start
from tempo_site.lib import paths
from tests.service import manage

PASSWORD = "correct horse"


@pytest.fixture
def said() -> list[str]:
    """The lines that were told."""
    return []


@pytest.fixture
def static_root(settings: LazySettings, tmp_path: Path) -> Path:
    """A collection of its own, of one small folder."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "page.css").write_text("a {}")
    settings.DEBUG = False
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "collected"
    hashed = {"BACKEND": "tempo_site.lib.static_storage.HashedStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": hashed}
    return tmp_path / "collected"


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask is the process's: put it back."""
    before = os.umask(0o022)
    yield
    os.umask(before)


# --- static files --------------------------------------------------------------------------------------------------
def test_static_files_are_collected_once(static_root: Path, said: list[str]) -> None:
    for _ in range(2):
        bootstrap.collect_static(said.append)
    assert (static_root / "page.css").read_text() == "a {}"
    assert said == ["Static files are collected."]


def test_two_that_start_at_once_collect_once(static_root: Path, said: list[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: bootstrap.collect_static(said.append), range(2)))
    assert said == ["Static files are collected."]


def test_a_changed_static_file_is_collected_again(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    bootstrap.collect_static(said.append)
    (tmp_path / "source" / "page.css").write_text("b { color: red }")
    bootstrap.collect_static(said.append)
    assert (static_root / "page.css").read_text() == "b { color: red }"


def test_a_changed_static_file_is_collected_even_with_an_older_time(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    bootstrap.collect_static(said.append)
    (tmp_path / "source" / "page.css").write_text("b { color: red }")
    os.utime(tmp_path / "source" / "page.css", (1_000_000_000, 1_000_000_000))
    bootstrap.collect_static(said.append)
    assert (static_root / "page.css").read_text() == "b { color: red }"


def test_a_static_file_that_is_gone_stays_for_pages_that_are_open(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "source" / "old.js").write_text("1")
    bootstrap.collect_static(said.append)
    (tmp_path / "source" / "old.js").unlink()
    bootstrap.collect_static(said.append)
    assert (static_root / "old.js").exists()


def test_a_static_file_of_two_releases_ago_is_removed(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    page = tmp_path / "source" / "page.css"
    hashed = []
    for color in ("red", "green", "blue"):
        page.write_text(f"b {{ color: {color} }}" + " " * 1000)
        bootstrap.collect_static(said.append)
        hashed.append({path.name for path in static_root.iterdir()})
    first, second, third = hashed
    assert first < second, "those of the release before stay"
    assert len(first - third) == 2, "one hashed file and its .gz"
    assert len(second & third) == len(second) - 2


@pytest.mark.usefixtures("umask")
def test_everybody_may_read_what_was_collected(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "source" / "js").mkdir()
    (tmp_path / "source" / "js" / "page.js").write_text("1")
    os.umask(0o077)
    bootstrap.collect_static(said.append)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (static_root, *static_root.rglob("*"))
    }
    assert {modes.pop("collected"), modes.pop("js")} == {0o755}
    assert set(modes.values()) == {0o644}


def test_times_within_a_second_do_not_count(
    static_root: Path, tmp_path: Path, said: list[str]
) -> None:
    page = tmp_path / "source" / "page.css"
    os.utime(page, ns=(5 * 10**9 + 123, 5 * 10**9 + 123))
    bootstrap.collect_static(said.append)
    os.utime(page, (5, 5))  # as an image keeps it
    bootstrap.collect_static(said.append)
    assert said == ["Static files are collected."]


def test_who_may_not_collect_uses_what_is_there_and_says_so(
    static_root: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.collect_static(said.append)
    (tmp_path / "source" / "page.css").write_text("b { color: red }")
    monkeypatch.setattr(bootstrap, "_may_collect", lambda: False)
    bootstrap.collect_static(said.append)
    assert (static_root / "page.css").read_text() == "a {}"
    assert said[1].startswith("Static files are older than their sources: user ")


def test_who_may_not_collect_and_has_none_is_told_what_to_do(
    static_root: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_may_collect", lambda: False)
    with pytest.raises(
        CommandError, match=f"cannot be written to {static_root} by user .*\\nhint: "
    ):
        bootstrap.collect_static(said.append)


def test_development_needs_no_collected_files(
    static_root: Path, settings: LazySettings, said: list[str]
) -> None:
    settings.DEBUG = True
    bootstrap.collect_static(said.append)
    assert not static_root.exists()


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


def test_a_second_prepare_has_nothing_to_do(prepared: Path) -> None:
    assert manage(prepared, "prepare") == ""


def test_the_database_is_for_its_owner_alone(prepared: Path) -> None:
    assert stat.S_IMODE((prepared / "tempo.sqlite3").stat().st_mode) == 0o600

"""Fixtures that any test may use."""

import fcntl
import gc
import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db import connection
from django.template import Context, RequestContext, Template
from django.test import Client, override_settings
from django.test.signals import template_rendered
from pytest_django import Settings

from notifications_app.delivery.teller import teller
from notifications_app.rules import book
from notifications_app.rules.book import Book
from runs_app.engine import unsettled
from runs_app.execution import execution
from runs_app.history import history
from scripts_app.files import open_paths
from tempo_site import auth
from tempo_site.accounts import attempts
from tempo_site.audit import net
from tempo_site.lib import encryption, paths
from tempo_site.models import ApiKey
from tempo_site.stored_settings import store
from tests.service import Service, migrated_data, prepared_data

# It is here already, so that not every test with a secret begins a program to encrypt it.
importlib.import_module(encryption.LIBRARY)

# How long an example takes says something about the machine alone, which is busy.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

Contents = list[tuple[str, list[str], list[str], int]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: with several workers none of them is then left for the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of collected tests stay to the end: the collector of garbage need not walk them again and again.

    A page makes more objects than its threshold of 700, most of which are gone when it comes.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        gc.enable()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that is up to date and empty, made once: the migrations take three seconds."""
    return made_once(tmp_path_factory, "migrated", migrated_data)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The database of the tests is there already."""
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, migrated: Path) -> None:
    """The database of the tests begins as a copy, and keeps a log, as `serve` sees to it for a real one."""
    shutil.copyfile(migrated / paths.DATABASE, connection.settings_dict["TEST"]["NAME"])
    options = connection.settings_dict["OPTIONS"]
    options["init_command"] = f"PRAGMA journal_mode=WAL; {options['init_command']}"


@pytest.fixture(scope="session", autouse=True)
def cheap_settings() -> Iterator[None]:
    """What all tests have in common; set once, as each setting tells all of Django that it has changed."""
    with override_settings(
        MIN_FREE_MB=0,
        MIN_FREE_PERCENT=0,
        # Else each test client would look at every static file there is.
        WHITENOISE_AUTOREFRESH=True,
        # A real one takes 0.3 s a user.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ):
        yield


@pytest.fixture(scope="session", autouse=True)
def one_context_a_page(django_test_environment: None) -> None:
    """An answer of the test client has the context of its page, and no copy for each of the hundred parts of it."""

    def render(template: Template, context: Context) -> str:
        if isinstance(context, RequestContext) and context.template is template:
            template_rendered.send(sender=template, template=template, context=context)
        return template.nodelist.render(context)

    Template._render = render  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def untouched_folders() -> dict[Path, Contents]:
    """Data folders that are as they were made, each with its contents: most tests never touch theirs."""
    return {}


@pytest.fixture(autouse=True)
def data_folder(
    request: pytest.FixtureRequest, settings: Settings, untouched_folders: dict[Path, Contents]
) -> Iterator[Path]:
    """Each test has a data folder of its own: one that no test before it has touched."""
    if "tmp_path" in request.fixturenames or not untouched_folders:
        settings.DATA_PATH = request.getfixturevalue("tmp_path") / "data"
        paths.make_all()
        folder, contents = settings.DATA_PATH, contents_of(settings.DATA_PATH)
    else:
        folder, contents = untouched_folders.popitem()
        settings.DATA_PATH = folder
    yield folder
    if contents_of(folder) == contents:
        untouched_folders[folder] = contents


def contents_of(folder: Path) -> Contents:
    """Every folder within one, with its mode and the names in it."""
    return [
        (path, names, files, Path(path).stat().st_mode) for path, names, files in os.walk(folder)
    ]


@pytest.fixture(autouse=True)
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a memory of its own."""
    caches["limits"].clear()
    attempts.forget_all()
    monkeypatch.setattr(execution, "_accepted", {})
    monkeypatch.setattr(auth, "_failed_at", {})
    monkeypatch.setattr(execution, "_first_handed_over", {})
    monkeypatch.setattr(unsettled, "_tries", {})
    monkeypatch.setattr(history, "_retries", {})
    monkeypatch.setattr(store, "memory", store.SettingRows())
    monkeypatch.setattr(open_paths, "memory", open_paths.OpenPathRows())
    monkeypatch.setattr(store.memory, "_rows", {})  # as a service that has read its empty tables
    monkeypatch.setattr(open_paths.memory, "_rows", [])
    monkeypatch.setattr(book, "_book", Book())  # as the engine's first pass reads it
    monkeypatch.setattr(book, "_read_at", None)
    monkeypatch.setattr(teller, "wake", lambda: None)  # its thread would see none of a test's rows
    monkeypatch.setattr(teller, "_is_at_work", False)
    monkeypatch.setattr(history, "_unmarked", set())


@pytest.fixture(autouse=True)
def every_act_is_in_the_audit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does by a request or a command leaves a row in the audit."""
    silent: list[str] = []
    monkeypatch.setattr(net, "catch", lambda request: silent.append(net.view_name(request)))
    monkeypatch.setattr(net, "catch_command", silent.append)
    yield
    assert silent == []


@pytest.fixture
def user(db: None) -> User:
    """An ordinary user."""
    return get_user_model().objects.create_user("ann", password="correct horse")


@pytest.fixture
def staff(db: None) -> User:
    """A user who may enter the admin."""
    return get_user_model().objects.create_superuser("root", password="correct horse")


@pytest.fixture
def browser(client: Client, user: User) -> Client:
    """Django's test client, logged in."""
    client.force_login(user)
    return client


@pytest.fixture
def key(db: None) -> str:
    """The token of an API key with full scope."""
    return ApiKey.issue(name="tests")[1]


@pytest.fixture
def program(key: str) -> Client:
    """A client with a key of full scope."""
    return Client(headers={"host": "localhost", "authorization": f"Bearer {key}"})


@pytest.fixture(scope="session")
def prepared(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with all that a script without packages needs to run, to be copied for each service."""

    def prepare(folder: Path) -> None:
        shutil.copyfile(migrated / paths.DATABASE, folder / paths.DATABASE)
        prepared_data(folder, has_environment=True)

    return made_once(tmp_path_factory, "prepared", prepare)


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a Tempo that was started once, on an empty one, and that nobody has set up."""

    def start_and_stop(folder: Path) -> None:
        with Service(folder):
            pass

    return made_once(tmp_path_factory, "untouched", start_and_stop)


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """A folder that all workers of pytest-xdist share: whoever comes first makes it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, making = base / name, base / f"{name}.making"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making.mkdir(mode=0o700)
            make(making)
            making.rename(folder)
    return folder


@pytest.fixture
def service(prepared: Path, tmp_path: Path) -> Iterator[Service]:
    """A real Tempo: launcher, web and engine, on a port of its own."""
    with Service.copy_of(prepared, tmp_path / "service") as running:
        yield running

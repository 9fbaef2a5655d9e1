"""Variables of a container: its zone and its umask, and the path that a proxy shows."""

import pytest

from tempo_site.lib.env import Env


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a process in the image."""
    for name in ("TEMPO_TZ", "TZ", "UMASK", "PYSCHED_UMASK", "PYSCHED_BASE_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPO_CONTAINER", "true")
    return monkeypatch


def test_tz_is_the_zone_of_a_container(container: pytest.MonkeyPatch) -> None:
    container.setenv("TZ", "Europe/Berlin")
    assert Env().zone_of_container() == "Europe/Berlin"


def test_the_zone_that_django_puts_into_tz_is_not_taken_for_the_operators(
    container: pytest.MonkeyPatch,
) -> None:
    assert Env().zone_of_container() == ""
    container.setenv("TZ", "UTC")  # as `serve` leaves it to `web`
    assert Env().zone_of_container() == ""


def test_an_unknown_tz_is_named(container: pytest.MonkeyPatch) -> None:
    container.setenv("TZ", "Berlin")
    env = Env()
    assert env.zone_of_container() == ""
    assert [problem[:2] for problem in env.problems] == [("TZ", "Berlin")]


def test_outside_of_a_container_tz_and_umask_are_the_machines(
    container: pytest.MonkeyPatch,
) -> None:
    container.delenv("TEMPO_CONTAINER")
    container.setenv("TZ", "Europe/Berlin")
    container.setenv("UMASK", "077")
    env = Env()
    assert (env.zone_of_container(), env.umask("PYSCHED_UMASK")) == ("", None)


@pytest.mark.parametrize(("text", "umask"), [("022", 0o22), ("0002", 0o2), ("000", 0)])
def test_an_umask_is_octal(container: pytest.MonkeyPatch, text: str, umask: int) -> None:
    container.setenv("UMASK", text)
    assert Env().umask("PYSCHED_UMASK") == umask


def test_tempos_own_variable_goes_before_the_containers(container: pytest.MonkeyPatch) -> None:
    container.setenv("UMASK", "077")
    container.setenv("PYSCHED_UMASK", "002")
    assert Env().umask("PYSCHED_UMASK") == 0o2


def test_the_images_user_is_asked_for_by_either_name(container: pytest.MonkeyPatch) -> None:
    container.setenv("PUID", "99")
    container.setenv("PGID", "100")
    container.setenv("PYSCHED_PGID", "1000")
    found = [Env().user(name, default="") for name in ("PYSCHED_PUID", "PYSCHED_PGID")]
    assert found == [99, 1000]


@pytest.mark.parametrize("text", ["18", "999", "u=rwx", "7777"])
def test_what_is_no_umask_is_named(container: pytest.MonkeyPatch, text: str) -> None:
    container.setenv("UMASK", text)
    env = Env()
    assert env.umask("PYSCHED_UMASK") is None
    assert [problem[1] for problem in env.problems] == [text]


@pytest.mark.parametrize("text", ["/tempo", "/tempo/", "/apps/tempo"])
def test_a_base_path_has_no_slash_at_its_end(container: pytest.MonkeyPatch, text: str) -> None:
    container.setenv("PYSCHED_BASE_PATH", text)
    assert Env().base_path("PYSCHED_BASE_PATH") == text.rstrip("/")


@pytest.mark.parametrize("text", ["tempo", "/tempo//x", "/tempo/../x", "/tempo?x", "/t mpo"])
def test_what_is_no_base_path_is_named(container: pytest.MonkeyPatch, text: str) -> None:
    container.setenv("PYSCHED_BASE_PATH", text)
    env = Env()
    assert env.base_path("PYSCHED_BASE_PATH") == ""
    assert [problem[1] for problem in env.problems] == [text]

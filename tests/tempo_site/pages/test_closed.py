"""Every address is closed to strangers: walked from the URL configuration, so that a new one cannot be forgotten."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern

from tests.factories import make_run, make_schedule, make_script

OPEN = {"/login/", "/logout/"}  # the log-in page itself, and the way out
SAMPLES = {
    "slug": "hello-world",
    "int": "1",
    "str": "1",
    "path": "1",
    "anypath": "1",
    "drf_format_suffix": ".json",
}
REFUSALS = {401, 403, 404, 405}


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[str]:
    """Every address of these patterns, with sample values in place of its parameters."""
    for pattern in patterns:
        path = prefix + sample(pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, path)
        else:
            yield path


def sample(pattern: URLPattern | URLResolver) -> str:
    """A pattern's part of an address."""
    route = str(pattern.pattern)
    if not isinstance(pattern.pattern, RoutePattern):
        return "scripts_app/" if "app_label" in route else "anything"
    for name, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        for written in (f"<{kind}:{name}>", f"<{name}>"):
            route = route.replace(written, SAMPLES[kind])
    return route


ADDRESSES = sorted(set(addresses(get_resolver().url_patterns)))


def is_refused(status: int, location: str) -> bool:
    """Whether an answer is a refusal, or the way to the log-in page."""
    return status in REFUSALS or (
        status == 302 and location.startswith((reverse("login"), reverse("admin:login")))
    )


def test_the_walk_finds_the_pages() -> None:
    assert {
        "/",
        "/scripts/hello-world/run/",
        "/runs/1/output",
        "/admin/scripts_app/script/add/",
    } <= set(ADDRESSES)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_strangers_are_refused_everywhere(client: Client, method: str) -> None:
    make_run(make_schedule(make_script()).script)
    answers = {path: getattr(client, method)(path) for path in ADDRESSES if path not in OPEN}
    let_in = [
        (path, answer.status_code)
        for path, answer in answers.items()
        if not is_refused(answer.status_code, answer.headers.get("Location", ""))
    ]
    assert let_in == []


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_a_key_opens_no_page_whatever_its_scope_and_the_method(key: str, method: str) -> None:
    make_run(make_schedule(make_script()).script)
    client = Client(headers={"x-api-key": key, "authorization": f"Bearer {key}"})
    pages = [path for path in ADDRESSES if path not in OPEN and not path.startswith("/api/v1/")]
    answers = {path: getattr(client, method)(path) for path in pages}
    let_in = [
        (path, answer.status_code)
        for path, answer in answers.items()
        if not is_refused(answer.status_code, answer.headers.get("Location", ""))
    ]
    assert let_in == []


@pytest.mark.django_db
def test_the_raw_log_and_the_output_are_closed_too(client: Client) -> None:
    run = make_run(make_script())
    for name in ("run-log", "run-output", "run-detail"):
        assert (
            client.get(reverse(name, args=[run.pk]))
            .headers["Location"]
            .startswith("/login/?next=/runs/")
        )

"""What every answer passes through."""

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from tempo_site.middleware import (
    POLICY,
    HostMiddleware,
    PageMiddleware,
    StaticFilesMiddleware,
)
from tests.rows import each_row


def answer(request: HttpRequest) -> HttpResponse:
    """Stand for the rest of the site."""
    return HttpResponse("reached")


def ask(**headers: str) -> HttpResponse:
    """Send a request through the Host check."""
    request = RequestFactory().get("/")
    request.META.pop("HTTP_HOST", None)
    request.META |= headers
    return HostMiddleware(answer)(request)


def test_a_host_of_ours_is_let_through() -> None:
    assert ask(HTTP_HOST="tower.local:8000").content == b"reached"


@each_row("host", ["evil.com", "", "evil.com/.local", "[::1].evil.com"])
def test_a_foreign_host_gets_400_with_a_hint(host: str) -> None:
    response = ask(HTTP_HOST=host)
    assert response.status_code == 400
    assert b"hint: add it to PYSCHED_ALLOWED_HOSTS" in response.content


def test_a_forwarded_host_does_not_stand_in_for_the_real_one() -> None:
    assert ask(HTTP_HOST="evil.com", HTTP_X_FORWARDED_HOST="localhost").status_code == 400


def test_a_refused_name_is_shown_as_text_and_cut() -> None:
    response = ask(HTTP_HOST="<script>" + "x" * 10_000 + ".com")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert len(response.content) < 500


def test_the_operators_patterns_decide_when_there_are_some(settings: LazySettings) -> None:
    settings.HOST_PATTERNS = ["tempo.example.org"]
    assert ask(HTTP_HOST="tempo.example.org").status_code == 200
    assert ask(HTTP_HOST="localhost").status_code == 400


def test_a_foreign_host_is_refused_before_the_page_is_looked_for(client: Client) -> None:
    assert client.get("/login/", headers={"host": "evil.com"}).status_code == 400
    assert client.get("/nothing-here", headers={"host": "evil.com"}).status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/login/", "localhost"),
        ("/", "localhost"),
        ("/nothing-here", "localhost"),
        ("/admin/login/", "localhost"),
        ("/api/v1/runs", "localhost"),
        ("/static/css/site.css", "localhost"),
        ("/login/", "evil.com"),
    ],
)
def test_every_answer_carries_the_policy(client: Client, path: str, host: str) -> None:
    assert client.get(path, headers={"host": host}).headers.get("Content-Security-Policy") == POLICY


def test_the_policy_allows_no_inline_script_style_or_frame() -> None:
    assert "default-src 'self'" in POLICY and "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY


def test_a_view_may_set_a_policy_of_its_own() -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "sandbox"})
    response = PageMiddleware(lambda request: own)(RequestFactory().get("/"))
    assert response.headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/api/v1/runs", "/api/v1/nothing", "/api/v1/openapi.json", "/login/"]
)
def test_what_the_api_and_pages_tell_is_kept_by_nobody(program: Client, path: str) -> None:
    assert program.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("path", "host"), [("/login/", "localhost"), ("/login/", "evil.com")])
def test_no_answer_is_taken_for_another_type(client: Client, path: str, host: str) -> None:
    answer = client.get(path, headers={"host": host})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
@pytest.mark.parametrize("is_secure", [True, False])
def test_a_cookie_given_by_tls_is_for_tls_alone(client: Client, is_secure: bool) -> None:
    cookies = client.get("/login/", secure=is_secure).cookies.values()
    assert cookies and all(bool(cookie["secure"]) is is_secure for cookie in cookies)


def test_the_public_name_is_this_servers(settings: LazySettings) -> None:
    settings.PUBLIC_URL = "https://tempo.example.org:8443"
    assert ask(HTTP_HOST="tempo.example.org:8443").status_code == 200
    assert ask(HTTP_HOST="www.tempo.example.org").status_code == 400


# --- static files ----------------------------------------------------------------------------------------------------
@pytest.fixture
def files(tmp_path: Path, settings: LazySettings) -> StaticFilesMiddleware:
    """Static files as they are collected: a style sheet, compressed too, and beside the folder a file of others."""
    settings.WHITENOISE_AUTOREFRESH = settings.WHITENOISE_USE_FINDERS = False
    settings.STATIC_ROOT = tmp_path / "static"
    (tmp_path / "static" / "css").mkdir(parents=True)
    (tmp_path / "static" / "css" / "site.css").write_bytes(b"plain" * 9)
    (tmp_path / "static" / "css" / "site.css.gz").write_bytes(b"compressed")
    (tmp_path / "secret").write_bytes(b"secret")
    return StaticFilesMiddleware(answer)


def body(response: HttpResponse) -> bytes:
    return b"".join(response)


def test_a_static_file_is_looked_at_when_it_is_asked_for(files: StaticFilesMiddleware) -> None:
    assert files.files == {}
    for _ in range(2):
        assert body(files(RequestFactory().get("/static/css/site.css"))) == b"plain" * 9
    assert list(files.files) == ["/static/css/site.css"]


def test_a_static_file_is_sent_compressed_to_those_who_take_it(
    files: StaticFilesMiddleware,
) -> None:
    request = RequestFactory().get("/static/css/site.css", headers={"Accept-Encoding": "gzip"})
    response = files(request)
    assert (response.headers["Content-Encoding"], body(response)) == ("gzip", b"compressed")


@each_row(
    "path",
    [
        "/static/css/site.css.gz",
        "/static/css/",
        "/static/css",
        "/static/nothing.css",
        "/static/../secret",
        "/static//../secret",
        "/static/css/../../secret",
        "/static/%2e%2e/secret",
        "/static/\0",
        "/static/" + "x" * 5000,
        "/css/site.css",
    ],
)
def test_nothing_else_is_taken_for_a_static_file(files: StaticFilesMiddleware, path: str) -> None:
    request = RequestFactory().get("/")
    request.path_info = path
    assert body(files(request)) == b"reached"
    assert files.files == {}

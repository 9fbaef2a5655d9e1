"""Forms that are sent twice, as by a double click, without any JavaScript: they act once."""

import re
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from runs_app.models import Run
from runs_app.states import Status
from scripts_app.models import Schedule, Script
from tempo_site.models import ApiKey
from tempo_site.repeated_forms import MAX_KEPT, RepeatedFormMiddleware
from tests.factories import make_run, make_script
from tests.scripts_app.views.schedule_form import FORM

HEADERS = {"accept": "text/html,*/*;q=0.8"}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
LIMIT_S = 20

# The name of a form's address, the name of the page where it stands, and what is typed. `{}` is the script.
FORMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a script": ("script-new", "script-new", {"name": "Fresh"}),
    "a copy": ("script-duplicate", "script-settings", {"name": "Other"}),
    "a schedule": ("schedule-new", "schedule-new", FORM),
    "a run": ("script-run", "script-runs", {}),
    "runs of a list": ("script-list", "script-list", {"act": "run", "slug": "hello-world"}),
    "a run of the admin": ("admin:scripts_app_script_act", "admin:scripts_app_script_change", {}),
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(staff: User) -> Client:
    """A browser of the staff, whose forms need their tokens."""
    strict = Client(enforce_csrf_checks=True, headers=HEADERS)
    strict.force_login(staff)
    return strict


def token_of(desk: Client, page: str) -> str:
    """The token in a page's forms, another one at each visit."""
    found = TOKEN.search(desk.get(page).content.decode())
    assert found, page
    return found[1]


def address(name: str, script: Script) -> str:
    """Where something of a script, or of none, stands."""
    if name.startswith("admin:"):
        args: list[Any] = [script.pk, "run"] if name.endswith("_act") else [script.pk]
        return reverse(name, args=args)
    return reverse(name, args=[] if name in ("script-new", "script-list") else [script.slug])


def counts() -> tuple[int, int, int]:
    return Script.objects.count(), Schedule.objects.count(), Run.objects.count()


@pytest.mark.parametrize("name", FORMS)
def test_what_is_sent_twice_is_made_once(desk: Client, name: str) -> None:
    script = make_script()
    form_name, page_name, fields = FORMS[name]
    form_url, page_url = address(form_name, script), address(page_name, script)
    form = {**fields, "csrfmiddlewaretoken": token_of(desk, page_url)}
    before = counts()
    first = desk.post(form_url, form)
    made = counts()
    second = desk.post(form_url, form)
    assert sum(made) == sum(before) + 1
    assert counts() == made
    assert first.status_code == second.status_code == 302
    assert first.headers["Location"] == second.headers["Location"]
    desk.post(form_url, {**form, "csrfmiddlewaretoken": token_of(desk, page_url)})
    assert counts() != made, "the page that is opened again acts again"


def test_the_same_run_is_begun_again_once(desk: Client) -> None:
    script = make_script()
    run = make_run(script, status=Status.SUCCEEDED)
    form = {"csrfmiddlewaretoken": token_of(desk, reverse("run-detail", args=[run.pk]))}
    answers = [desk.post(reverse("run-again", args=[run.pk]), form) for _ in range(3)]
    assert Run.objects.count() == 2
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_the_message_of_the_act_comes_with_the_second_answer_too(desk: Client) -> None:
    script = make_script()
    form = {"csrfmiddlewaretoken": token_of(desk, address("script-list", script))}
    form |= {"act": "disable", "slug": script.slug}
    desk.post(reverse("script-list"), form)
    del desk.cookies["messages"]  # the browser had given up the first request
    answer = desk.post(reverse("script-list"), form)
    assert "isabled" in desk.get(answer.headers["Location"]).content.decode()


def test_a_key_that_is_asked_for_twice_is_one_key_and_its_token_is_shown(desk: Client) -> None:
    page = reverse("admin:tempo_site_apikey_add")
    form = {"name": "ci", "scope": "run", "csrfmiddlewaretoken": token_of(desk, page)}
    first, second = desk.post(page, form), desk.post(page, form)
    assert ApiKey.objects.count() == 1
    assert first.content == second.content and b"ci" in first.content


def test_other_content_from_the_same_page_is_another_act(desk: Client) -> None:
    token = token_of(desk, reverse("script-new"))
    for name in ("One", "Two"):
        desk.post(reverse("script-new"), {"name": name, "csrfmiddlewaretoken": token})
    assert Script.objects.count() == 2


def test_another_session_is_not_answered_with_what_the_first_one_got(
    desk: Client, user: User
) -> None:
    token = token_of(desk, reverse("script-new"))
    form = {"name": "One", "csrfmiddlewaretoken": token}
    desk.post(reverse("script-new"), form)
    stranger = Client(enforce_csrf_checks=True, headers=HEADERS)
    assert stranger.post(reverse("script-new"), form).status_code == 403


# --- the middleware alone -----------------------------------------------------------------------------------------
def posted(**fields: str) -> HttpRequest:
    form = {"csrfmiddlewaretoken": "a", **fields}
    return RequestFactory().post("/somewhere", form, headers=HEADERS)


def test_the_second_waits_for_the_first_that_is_still_acting() -> None:
    acts: list[HttpRequest] = []
    is_acting, may_end = threading.Event(), threading.Event()

    def act(request: HttpRequest) -> HttpResponse:
        acts.append(request)
        is_acting.set()
        assert may_end.wait(LIMIT_S)
        return HttpResponse(f"act {len(acts)}")

    middleware = RepeatedFormMiddleware(act)
    answers: list[bytes] = []
    clicks = [
        threading.Thread(target=lambda: answers.append(middleware(posted()).content))
        for _ in range(3)
    ]
    clicks[0].start()
    assert is_acting.wait(LIMIT_S)
    for click in clicks[1:]:
        click.start()
    may_end.set()
    for click in clicks:
        click.join(LIMIT_S)
    assert answers == [b"act 1"] * 3
    assert len(acts) == 1


def test_what_failed_may_be_sent_again() -> None:
    statuses = iter([503, 500, 302])
    middleware = RepeatedFormMiddleware(lambda _: HttpResponse(status=next(statuses)))
    assert [middleware(posted()).status_code for _ in range(4)] == [503, 500, 302, 302]


def test_what_a_script_in_the_page_asks_for_is_always_asked() -> None:
    times = iter(range(9))
    middleware = RepeatedFormMiddleware(lambda _: HttpResponse(str(next(times))))
    form = {"csrfmiddlewaretoken": "a"}
    asked = RequestFactory().post("/schedule-preview/", form, headers={"accept": "*/*"})
    assert [middleware(asked).content for _ in range(2)] == [b"0", b"1"]


def test_it_remembers_a_bounded_number_of_forms_and_no_long_answers() -> None:
    middleware = RepeatedFormMiddleware(lambda request: HttpResponse("x" * 100_000))
    for number in range(3 * MAX_KEPT):
        middleware(posted(number=str(number)))
    kept = middleware._sendings.values()
    assert len(kept) <= MAX_KEPT + 1
    assert all(sending.answer is None for sending in kept)

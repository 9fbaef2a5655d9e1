"""What the frame around every page shows: places to go, notices, a pause, the engine's state, the version."""

import tomllib
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from scripts_app.schedules import global_pause
from tempo_site import health

MANAGE = "Manage"
VERSION: str = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"][
    "version"
]


@dataclass(frozen=True, kw_only=True)
class Place:
    """An entry of the navigation: `key` is the two keys that lead there, `section` the heading above it, if any."""

    label: str
    url: str
    symbol: str
    key: str
    is_here: bool
    section: str = ""


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Costs no query: the log-in check loaded the user, the engine tells its state from memory, and
    `pause` is asked for by the template that shows it, so that the parts of a page which are fetched alone are spared.

    A stranger (log-in page, errors before the log-in check) gets an empty frame.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"chrome": {"navigation": [], "notices": []}}
    state = health.health_report()
    return {
        "chrome": {
            "navigation": navigation(request.path, is_staff=user.is_staff),
            "notices": notices(state, is_staff=user.is_staff),
            "pause": SimpleLazyObject(partial(global_pause.current_pause, timezone.now())),
            "engine_is_well": state["status"] == "ok",
            "version": VERSION,
        }
    }


def navigation(path: str, *, is_staff: bool) -> list[Place]:
    """The places a user may go to; `path` tells where they are."""
    home, scripts, runs = reverse("dashboard"), reverse("script-list"), reverse("run-list")
    is_at_scripts = path.startswith((scripts, reverse("script-new")))
    places = [
        Place(label="Dashboard", url=home, symbol="dashboard", key="g d", is_here=path == home),
        Place(label="Scripts", url=scripts, symbol="scripts", key="g s", is_here=is_at_scripts),
        Place(label="Runs", url=runs, symbol="runs", key="g r", is_here=path.startswith(runs)),
        _environments(path),
    ]
    return [*places, *_places_of_staff(path)] if is_staff else places


def _environments(path: str) -> Place:
    url = reverse("environment-list")
    is_here = path.startswith(url)
    return Place(
        label="Environments",
        url=url,
        symbol="environments",
        key="g n",
        is_here=is_here,
        section=MANAGE,
    )


def _places_of_staff(path: str) -> list[Place]:
    keys, engine = reverse("admin:tempo_site_apikey_changelist"), reverse("admin:index")
    variables = reverse("variables")
    at_variables = path.startswith(variables)
    at_keys = path.startswith(keys)
    at_engine = path.startswith(engine) and not at_keys
    return [
        Place(
            label="Variables",
            url=variables,
            symbol="variables",
            key="g v",
            is_here=at_variables,
            section=MANAGE,
        ),
        Place(
            label="API keys", url=keys, symbol="keys", key="g k", is_here=at_keys, section=MANAGE
        ),
        Place(
            label="Engine",
            url=engine,
            symbol="engine",
            key="g e",
            is_here=at_engine,
            section=MANAGE,
        ),
    ]


def notices(state: dict[str, Any], *, is_staff: bool) -> list[str]:
    """Sentences that belong above every page until their cause is gone."""
    found = []
    if state["failing"] == ["disk"]:
        found.append(f"No new run starts: {state['parts']['disk']}.")
    elif state["failing"]:
        parts = "; ".join(f"{name}: {state['parts'][name]}" for name in state["failing"])
        found.append(f"Nothing may start at the moment. {parts}")
    if is_staff and settings.SECRET_KEY_NOTICE:
        found.append(settings.SECRET_KEY_NOTICE)
    return found

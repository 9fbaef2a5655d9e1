"""The frame around every page: places to go, notices, a pause, the engine's state, the version."""

from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from scripts_app.schedules import global_pause
from tempo_site import health
from tempo_site.backups import holds
from tempo_site.backups.holds import Hold
from tempo_site.pages import guide
from tempo_site.stored_settings import general, store
from tempo_site.stored_settings.registry import SECTIONS

MANAGE, STAFF = "Manage", "Staff"


@dataclass(frozen=True, kw_only=True)
class NavigationEntry:
    """An entry of the navigation: `key` is the two keys that lead there, `section` the heading above, or ""."""

    label: str
    url: str
    symbol: str
    key: str
    is_here: bool
    section: str = ""
    is_in_bar: bool = True  # at the bottom of a phone's screen, where there is room for four


class FrameContext(TypedDict):
    navigation: list[NavigationEntry]
    settings_places: Any  # a lazy object: the tabs of the settings, a list of Place
    help_url: str
    notices: list[str]
    pause: Any  # a lazy object: the current pause, or None
    hold: Hold | None  # since a backup was restored
    engine_is_well: bool
    engine_troubles: str
    name: str  # of this Tempo, or ""
    version: str
    base_path: str


# For strangers: the log-in page, and errors before the log-in check.
EMPTY_FRAME: FrameContext = {
    "navigation": [],
    "settings_places": [],
    "help_url": "",
    "notices": [],
    "pause": None,
    "hold": None,
    "engine_is_well": False,
    "engine_troubles": "",
    "name": "",
    "version": "",
    "base_path": settings.BASE_PATH,
}


def frame_context(request: HttpRequest) -> dict[str, FrameContext]:
    """Return the context of every template: the frame under the name `chrome`. Costs no query."""
    # The log-in check loaded the user, engine and settings are told from memory, and `pause` is asked for by the
    # template that shows it, so that the parts of a page which are fetched alone are spared.
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"chrome": EMPTY_FRAME}
    report = health.health_report()
    frame: FrameContext = {
        "navigation": navigation(request.path, is_staff=user.is_staff),
        "settings_places": SimpleLazyObject(partial(settings_places, request.path)),
        "help_url": help_url(request),
        "notices": notices(report, is_staff=user.is_staff),
        "pause": SimpleLazyObject(partial(global_pause.current_pause, timezone.now())),
        "hold": holds.current(),
        "engine_is_well": report["status"] == "ok",
        "engine_troubles": troubles(report),
        "name": str(store.value(general.NAME)),
        "version": settings.VERSION,
        "base_path": settings.BASE_PATH,
    }
    return {"chrome": frame}


def navigation(path: str, *, is_staff: bool) -> list[NavigationEntry]:
    home = reverse("dashboard")
    places = [
        NavigationEntry(
            label="Dashboard", url=home, symbol="dashboard", key="g d", is_here=path == home
        ),
        _scripts(path),
        _place(path, "Schedules", "schedule-list", "schedule", "g c"),
        _place(path, "Runs", "run-list", "runs", "g r"),
        _place(path, "Statistics", "statistics", "statistics", "g a", is_in_bar=False),
        _place(path, "Failures", "failure-list", "alert", "g f", is_in_bar=False),
        _place(path, "Search", "search", "search", "g l", is_in_bar=False),
        _place(path, "Environments", "environment-list", "environments", "g n", section=MANAGE),
        _place(path, "API", "api-1:openapi-view", "api", "g p", section=MANAGE, is_in_bar=False),
    ]
    places.append(_place(path, "Help", "help", "help", "g b", section=MANAGE, is_in_bar=False))
    if is_staff:
        places += _places_of_staff(path)
    return places


def _scripts(path: str) -> NavigationEntry:
    url = reverse("script-list")
    beside = ("script-new", "import-scripts", "deleted-scripts", "folder-new")
    is_here = path.startswith((url, *map(reverse, beside), f"{reverse('dashboard')}folders/"))
    return NavigationEntry(label="Scripts", url=url, symbol="scripts", key="g s", is_here=is_here)


def _place(
    path: str,
    label: str,
    url_name: str,
    symbol: str,
    key: str,
    *,
    section: str = "",
    is_in_bar: bool = True,
) -> NavigationEntry:
    url = reverse(url_name)
    return NavigationEntry(
        label=label,
        url=url,
        symbol=symbol,
        key=key,
        is_here=path.startswith(url),
        section=section,
        is_in_bar=is_in_bar,
    )


def _places_of_staff(path: str) -> list[NavigationEntry]:
    # Not by name, which would load the whole admin.
    admin = f"{reverse('dashboard')}admin/"
    users = f"{admin}auth/user/"
    is_in_users = path.startswith(users)
    is_in_admin = path.startswith(admin) and not is_in_users
    places = [
        ("Settings", "settings-first", "settings", "g t"),
        ("Variables", "variables", "variables", "g v"),
        ("Notifications", "notifications", "bell", "g m"),
        ("API keys", "key-list", "keys", "g k"),
        ("Retention", "retention", "retention", "g h"),
        ("Backups", "backup-list", "backups", "g b"),
        ("Audit", "audit", "audit", "g u"),
        ("System", "system", "engine", "g e"),
    ]
    return [
        *(_place(path, *place, section=STAFF) for place in places),
        _place_in_admin("Users", users, "user", "g w", is_here=is_in_users),
        _place_in_admin("Admin", admin, "admin", "g i", is_here=is_in_admin),
    ]


def _place_in_admin(
    label: str, url: str, symbol: str, key: str, *, is_here: bool
) -> NavigationEntry:
    return NavigationEntry(
        label=label, url=url, symbol=symbol, key=key, is_here=is_here, section=STAFF
    )


def help_url(request: HttpRequest) -> str:
    """Return where the guide speaks of this page."""
    match = request.resolver_match
    name, _, part = guide.address_of(match.view_name if match else "").partition("#")
    if not name:
        return reverse("help")
    return f"{reverse('help-page', args=[name])}{'#' if part else ''}{part}"


def settings_places(path: str) -> list[NavigationEntry]:
    """Return the tabs of the settings, for staff."""
    places = []
    for section in SECTIONS.values():
        url = reverse("settings", args=[section.slug])
        places.append(_tab(path, section.title, url))
    places.append(_tab(path, "Paths", reverse("open-paths")))
    return places


def _tab(path: str, label: str, url: str) -> NavigationEntry:
    return NavigationEntry(label=label, url=url, symbol="", key="", is_here=path == url)


def troubles(report: dict[str, Any]) -> str:
    parts = report["parts"]
    return "; ".join(f"{name}: {parts[name]}" for name in report["failing"])


def notices(report: dict[str, Any], *, is_staff: bool) -> list[str]:
    sentences = []
    failing = report["failing"]
    parts = report["parts"]
    if failing == ["disk"]:
        sentences.append(f"No new run starts: {parts['disk']}.")
    elif failing:
        sentences.append(f"Nothing may start now. {troubles(report)}")
    if is_staff and settings.SECRET_KEY_NOTICE:
        sentences.append(settings.SECRET_KEY_NOTICE)
    if is_staff:
        sentences += health.isolation().get("warnings", [])
    return sentences

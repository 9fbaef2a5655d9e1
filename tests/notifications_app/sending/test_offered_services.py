"""Which services and options of apprise are offered, compared with the apprise that is installed."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager

from notifications_app.channels import offered_services
from notifications_app.channels.offered_services import (
    NOT_OFFERED,
    OPTIONS,
    REFUSED_OPTIONS,
    SERVICES,
    ServiceRefused,
)
from notifications_app.delivery.letters import Letter
from notifications_app.sending import apprise_services
from tests.notifications_app.sending.receivers import WebReceiver
from tests.refusals import refusal
from tests.rows import each_row

IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
PLUGINS = NotificationManager()
NOT_OFFERED_AT_ALL = frozenset(" ".join(NOT_OFFERED.values()).split())
# What a plugin may not import to be offered: its connections would not be recorded, or they need no network.
OTHER_WAYS = {
    "socket",
    "smtplib",
    "subprocess",
    "ctypes",
    "syslog",
    "asyncio",
    "ssl",
    "dbus",
    "gi",
    "paho",
}


def imported_by(plugin: Any) -> set[str]:
    module = Path(inspect.getfile(plugin))
    files = [module] if module.parent.name == "plugins" else sorted(module.parent.glob("*.py"))
    return {name for file in files for name in IMPORT.findall(file.read_text())}


def test_each_service_of_apprise_is_offered_or_refused_with_a_reason() -> None:
    assert set(PLUGINS.schemas(include_disabled=True)) == SERVICES | NOT_OFFERED_AT_ALL
    assert not SERVICES & NOT_OFFERED_AT_ALL


def test_each_option_of_an_offered_service_was_judged() -> None:
    options = {name for schema in SERVICES for name in PLUGINS[schema].template_args}
    assert options == OPTIONS | REFUSED_OPTIONS
    assert not OPTIONS & REFUSED_OPTIONS


def test_offered_services_speak_by_requests_alone() -> None:
    others = {schema: OTHER_WAYS.intersection(imported_by(PLUGINS[schema])) for schema in SERVICES}
    assert {schema: found for schema, found in others.items() if found} == {}


@each_row(
    "url",
    [
        "discord://123/abc",
        "ntfys://tk_a@ntfy.example.org/topic?priority=high&auth=token",
        "TGRAM://123:abc/456",
        "slack://a/b/c/?footer=no;image=no",
    ],
)
def test_an_address_of_an_offered_service_passes(url: str) -> None:
    assert refusal(lambda: offered_services.check(url), ServiceRefused) == ""


@each_row(
    "url",
    [
        "mailto://user:pass@example.org",
        "syslog://",
        "dbus://",
        "https://discord.com/api/webhooks/1/a",
        "file:///etc/passwd",
        "unknown://x",
        "discord",
        "",
        "ntfy://a\n@b/c",
        "ntfy://" + "a" * 3000,
        "ntfy://host/topic?verify=no",
        "ntfy://host/topic?priority=high;verify=no",
        "ntfy://host/topic?VERIFY=no",
        "ntfy://host/topic?%76erify=no",
        "ntfy://host/topic?+X-Header=a",
        "ntfy://host/topic?:token=a",
        "ntfy://host/topic?attach=file:///etc/passwd",
        "slack://a/b/c/?template=/etc/passwd",
        "discord://1/a?optional=yes",
        "discord://1/a?redirect=yes",
        "discord://1/a?rto=100000",
        "discord://1/a?retry=10&wait=100",
        "discord://1/a?a=b?verify=no",
    ],
)
def test_all_else_is_refused(url: str) -> None:
    with pytest.raises(ServiceRefused):
        offered_services.check(url)


def test_apprise_reads_no_option_that_the_check_did_not_see(
    receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offered_services, "check", lambda url: None)  # as if it had been outwitted
    target = {"url": "gotifys://gotify.example.org/AbCdEfGhIjKlMnO?verify=no"}
    letter = Letter(id="1", kind="apprise", target=target, content={"title": "t", "text": "x"})
    assert apprise_services.send(letter).outcome == "refused"
    assert receiver.received == []

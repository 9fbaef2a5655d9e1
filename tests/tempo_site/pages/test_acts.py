"""Whatever a page can do, the API can too: each address of a page that takes a form, and the operation that does it."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from tempo_site.api import api
from tests.factories import make_run, make_script
from tests.tempo_site.pages.test_closed import sample

OF_BROWSERS = {
    "setup": "the first admin is made on a page, or by `createadmin`",
    "login": "a program shows a key",
    "logout": "a program has no session",
    "password": "people's passwords are their own",
    "run-add-package": "`PATCH /scripts/{slug}` with `requirements`",
    "run-use-tmpdir": "`PUT /scripts/{slug}/draft` with the code",
    "crontab-import": "the command `importcrontab`; a crontab's lines are looked through by a person",
    "mail-to-offer": "an answer to a question of the import; `POST /channels` and `POST /rules` do it",
    "schedule-calendar": "the address of somebody's own calendar",
    "setup-backup": "before there is an admin, or by the command `restore`",
    "setup-backup-upload": "before there is an admin, or by the command `restore`",
    "backup-upload": "a program on the machine puts the file into `backups/`",
    "backup-restore": "it ends this Tempo for another one: asked for by a person, or by the command `restore`",
    "backup-resume": "a person has looked whether the old machine still runs, or `restore --resume`",
    "backup-verify": "every backup is read back when it is made",
    "open-paths": "what scripts may open on the machine is said by whoever has it before them",
    "url-trigger": "it is for programs already",
}
ACTS = {
    "backup-make": "POST /backups",
    "key-new": "POST /keys",
    "key-edit": "PATCH /keys/{key_id}",
    "key-rotate": "POST /keys/{key_id}/rotate",
    "key-revoke": "DELETE /keys/{key_id}",
    "settings": "PATCH /settings",
    "script-list": "PATCH /scripts/{slug}",
    "script-new": "POST /scripts",
    "folder-new": "POST /folders",
    "folder-edit": "PATCH /folders/{folder_id}",
    "folder-delete": "DELETE /folders/{folder_id}",
    "script-restore": "POST /scripts/{slug}/restore",
    "import-scripts": "POST /import",
    "import-preview": "POST /import",
    "script-overview": "POST /scripts/{slug}/runs",
    "script-edit": "PATCH /scripts/{slug}",
    "script-run": "POST /scripts/{slug}/runs",
    "script-run-with": "POST /scripts/{slug}/runs",
    "script-switch": "PATCH /scripts/{slug}",
    "script-rebuild": "POST /environments/{environment_id}/rebuild",
    "script-take-over": "PATCH /scripts/{slug}",
    "script-upgrade": "POST /scripts/{slug}/environment/upgrade",
    "script-upgrade-use": "POST /scripts/{slug}/environment/upgrade/use",
    "script-upgrade-discard": "DELETE /scripts/{slug}/environment/upgrade",
    "environment-rebuild": "POST /environments/{environment_id}/rebuild",
    "python-install": "POST /pythons",
    "python-move": "POST /pythons/move",
    "script-outside-edit": "POST /scripts/{slug}/outside-edit",
    "script-file-list": "POST /scripts/{slug}/files",
    "script-file-edit": "POST /scripts/{slug}/files",
    "script-file-delete": "DELETE /scripts/{slug}/files/{path}",
    "script-duplicate": "POST /scripts/{slug}/duplicate",
    "script-draft-discard": "DELETE /scripts/{slug}/draft",
    "schedule-new": "POST /scripts/{slug}/schedules",
    "schedule-edit": "PATCH /schedules/{schedule_id}",
    "schedule-switch": "PATCH /schedules/{schedule_id}",
    "schedule-delete": "DELETE /schedules/{schedule_id}",
    "schedule-pause": "PATCH /schedules/{schedule_id}",
    "schedule-resume": "PATCH /schedules/{schedule_id}",
    "schedule-skip": "POST /schedules/{schedule_id}/skip-next",
    "schedule-list": "PATCH /schedules/{schedule_id}",
    "schedule-preview": "POST /schedules/preview",
    "version-restore": "POST /scripts/{slug}/versions/{number}/restore",
    "version-note": "PATCH /scripts/{slug}/versions/{number}",
    "script-variables": "PUT /scripts/{slug}/variables/{name}",
    "script-settings": "PATCH /scripts/{slug}",
    "script-delete": "DELETE /scripts/{slug}",
    "variables": "PUT /variables/{name}",
    "pause-all": "POST /pause",
    "resume-all": "DELETE /pause",
    "run-view-save": "PUT /views/{name}",
    "run-view-delete": "DELETE /views/{name}",
    "retention": "PUT /retention",
    "retention-now": "POST /retention/delete-now",
    "retention-remove": "DELETE /retention/{limits_id}",
    "run-cancel": "POST /runs/{run_id}/cancel",
    "run-again": "POST /scripts/{slug}/runs",
    "run-rerun": "POST /runs/{run_id}/rerun",
    "script-trigger": "PUT /scripts/{slug}/trigger",
    "trigger-key-new": "POST /scripts/{slug}/trigger/keys",
    "trigger-key-revoke": "DELETE /scripts/{slug}/trigger/keys/{key_id}",
    "trigger-secret": "PUT /scripts/{slug}/trigger",
    "trigger-test": "POST /scripts/{slug}/runs",
    "channel-new": "POST /channels",
    "channel-edit": "PATCH /channels/{channel_id}",
    "channel-test": "POST /channels/{channel_id}/test",
    "channel-resume": "POST /channels/{channel_id}/resume",
    "channel-secret": "POST /channels/{channel_id}/secret",
    "channel-delete": "DELETE /channels/{channel_id}",
    "rule-new": "POST /rules",
    "rule-edit": "PATCH /rules/{rule_id}",
    "rule-delete": "DELETE /rules/{rule_id}",
    "delivery-act": "POST /deliveries/{delivery_id}/again",
    "test-mail": "POST /channels/{channel_id}/test",
}
# The admin is for rows that have pages or commands of their own, beside users; its acts call the same verbs.
PROGRAMS = ("/admin/", "/api/")


def named_addresses(
    patterns: list[URLPattern | URLResolver], prefix: str = "/"
) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        path = prefix + sample(pattern)
        if isinstance(pattern, URLResolver):
            yield from named_addresses(pattern.url_patterns, path)
        elif not isinstance(pattern.pattern, RoutePattern) or path.startswith(PROGRAMS):
            continue
        elif pattern.name:  # others lead to where something lies today
            yield pattern.name, path


@pytest.mark.django_db
def test_every_page_that_takes_a_form_has_an_operation_or_a_reason(admin_client: Client) -> None:
    make_run(make_script())
    taking = {
        name
        for name, path in named_addresses(get_resolver().url_patterns)
        if name == "logout" or admin_client.post(path).status_code != 405
    }
    assert taking == ACTS.keys() | OF_BROWSERS.keys()


def test_the_operations_are_there() -> None:
    found = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    assert set(ACTS.values()) <= found

"""Every page there is, by the name of its picture."""

from collections.abc import Mapping

STRANGERS_FIRST = {"setup": "{setup}", "login-first": "/login/"}
STRANGERS = {"login": "/login/"}
# Behind the set-up, before anything was made: what a newcomer sees.
FIRST = {
    "first-dashboard": "/",
    "first-scripts": "/scripts/",
    "first-notifications": "/notifications/",
    "first-runs": "/runs/",
    "first-script": "/scripts/hello-tempo/",
    "first-script-code": "/scripts/hello-tempo/edit/",
    "first-script-runs": "/scripts/hello-tempo/runs/",
    "first-script-schedule": "/scripts/hello-tempo/schedule/",
    "first-admin": "/admin/",
}
# A Tempo that has worked for a month. {slug} is a script in good order, {failing} one that fails, {broken} one without
# its environment; {live}, {succeeded}, {failed} and {old} are runs.
SEEDED = {
    "dashboard": "/",
    "scripts": "/scripts/",
    "scripts-failing": "/scripts/?state=failing",
    "scripts-nothing-found": "/scripts/?q=nothing-is-called-so",
    "new-script": "/new-script/",
    "import-from-cron": "/new-script/import/",
    "export-and-import": "/import/",
    "script-overview": "/scripts/{slug}/",
    "statistics": "/statistics/",
    "retention": "/retention/",
    "script-code": "/scripts/{slug}/edit/",
    "script-code-broken": "/scripts/{broken}/edit/",
    "script-code-long-name": "/scripts/{long}/edit/",
    "script-schedule": "/scripts/{slug}/schedule/",
    "schedule-new": "/scripts/{slug}/schedules/new/",
    "schedule-edit": "/scripts/{slug}/schedules/{schedule}/edit/",
    "schedule-delete": "/scripts/{slug}/schedules/{schedule}/delete/",
    "script-runs": "/scripts/{slug}/runs/",
    "script-versions": "/scripts/{slug}/versions/",
    "version": "/scripts/{slug}/versions/1/",
    "script-settings": "/scripts/{slug}/settings/",
    "script-notifications": "/scripts/{failing}/notifications/",
    "script-trigger": "/scripts/{slug}/trigger/",
    "script-delete": "/scripts/{slug}/delete/",
    "notifications": "/notifications/",
    "notifications-kinds": "/notifications/channels/new/",
    "notifications-new": "/notifications/channels/new/telegram/",
    "notifications-channel": "/notifications/channels/{channel}/",
    "notifications-rule": "/notifications/rules/1/",
    "notifications-deliveries": "/notifications/deliveries/",
    "settings-mail": "/settings/mail/",
    "settings-paths": "/settings/paths/",
    "settings-general": "/settings/general/",
    "settings-limits": "/settings/limits/",
    "system": "/system/",
    "help": "/help/user-guide/",
    "help-found": "/help/?q=schedule",
    "schedules": "/schedules/",
    "schedule-calendar": "/schedules/calendar/",
    "runs": "/runs/",
    "runs-failed": "/runs/?status=failed",
    "runs-nothing-found": "/runs/?status=missed",
    "failures": "/failures/",
    "run-succeeded": "/runs/{succeeded}/",
    "run-failed": "/runs/{failed}/",
    "run-live": "/runs/{live}/",
    "run-old": "/runs/{old}/",
    "not-found": "/nothing-here/",
    "admin": "/admin/",
    "admin-scripts": "/admin/scripts_app/script/",
    "admin-script-add": "/admin/scripts_app/script/add/",
    "admin-script": "/admin/scripts_app/script/1/change/",
    "admin-script-delete": "/admin/scripts_app/script/1/delete/",
    "admin-script-history": "/admin/scripts_app/script/1/history/",
    "admin-schedules": "/admin/scripts_app/schedule/",
    "admin-schedule": "/admin/scripts_app/schedule/{schedule}/change/",
    "admin-environments": "/admin/scripts_app/environment/",
    "admin-versions": "/admin/scripts_app/version/",
    "admin-runs": "/admin/runs_app/run/",
    "admin-run-failed": "/admin/runs_app/run/{failed}/change/",
    "admin-run-live": "/admin/runs_app/run/{live}/change/",
    "keys": "/keys/",
    "key-new": "/keys/new/",
    "key": "/keys/1/",
    "audit": "/audit/",
    "admin-keys": "/admin/tempo_site/apikey/",
    "admin-key-add": "/admin/tempo_site/apikey/add/",
    "admin-users": "/admin/auth/user/",
    "admin-user-add": "/admin/auth/user/add/",
    "admin-user": "/admin/auth/user/1/change/",
    "admin-alarms": "/admin/django_q/schedule/",
    "password": "/password/",
}
README = {"dashboard": "/", "run": "/runs/{succeeded}/"}
MISSING_ON_PURPOSE = {"not-found"}


def filled(pages: Mapping[str, str], facts: Mapping[str, object], only: str) -> dict[str, str]:
    """Those pages whose name contains `only`, with the facts in their addresses."""
    return {name: path.format(**facts) for name, path in pages.items() if only in name}

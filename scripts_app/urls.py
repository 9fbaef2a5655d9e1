"""Addresses of the scripts' pages."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from scripts_app.views import (
    crontab,
    environment,
    exchange,
    files,
    folders,
    inputs,
    lists,
    machine,
    outside_edits,
    overview,
    pauses,
    schedules,
    script,
    settings,
    statistics,
    variables,
    versions,
)
from scripts_app.views.all_schedules import calendar, page
from scripts_app.views.staff import open_paths

urlpatterns = [
    path("scripts/", lists.script_list, name="script-list"),
    # Outside of scripts/: a script may be called "new".
    path("new-script/", settings.script_new, name="script-new"),
    path("new-folder/", folders.folder_new, name="folder-new"),
    path("folders/<int:pk>/", folders.folder_edit, name="folder-edit"),
    path("folders/<int:pk>/delete/", folders.folder_delete, name="folder-delete"),
    path("deleted-scripts/", folders.deleted_scripts, name="deleted-scripts"),
    path("deleted-scripts/<slug:slug>/restore/", folders.script_restore, name="script-restore"),
    path("new-script/import/", crontab.crontab_import, name="crontab-import"),
    path("import/", exchange.import_page, name="import-scripts"),
    path("import/<slug:token>/", exchange.import_preview, name="import-preview"),
    path("export/", exchange.export_file, name="export-scripts"),
    path("scripts/<slug:slug>/", overview.script_overview_page, name="script-overview"),
    path(
        "scripts/<slug:slug>/overview/",
        RedirectView.as_view(pattern_name="script-overview", permanent=True),
    ),
    path("scripts/<slug:slug>/edit/", script.script_edit, name="script-edit"),
    path("scripts/<slug:slug>/run/", script.script_run, name="script-run"),
    path("scripts/<slug:slug>/run-with/", inputs.script_run_with, name="script-run-with"),
    path("scripts/<slug:slug>/switch/", script.script_switch, name="script-switch"),
    path("scripts/<slug:slug>/rebuild/", environment.script_rebuild, name="script-rebuild"),
    path(
        "scripts/<slug:slug>/environment/",
        environment.script_environment,
        name="script-environment",
    ),
    path(
        "scripts/<slug:slug>/environment/take-over/",
        environment.script_take_over,
        name="script-take-over",
    ),
    path(
        "scripts/<slug:slug>/environment/upgrade/",
        environment.script_upgrade,
        name="script-upgrade",
    ),
    path(
        "scripts/<slug:slug>/environment/upgrade/use/",
        environment.script_upgrade_use,
        name="script-upgrade-use",
    ),
    path(
        "scripts/<slug:slug>/environment/upgrade/discard/",
        environment.script_upgrade_discard,
        name="script-upgrade-discard",
    ),
    path("statistics/", statistics.statistics, name="statistics"),
    re_path(r"^statistics\.(csv|json)$", statistics.statistics_export, name="statistics-file"),
    re_path(r"^scripts\.(csv|json)$", lists.script_export, name="script-list-file"),
    re_path(r"^schedules\.(csv|json)$", lists.schedule_export, name="schedule-list-file"),
    re_path(
        r"^scripts/(?P<slug>[-a-zA-Z0-9_]+)/overview\.(?P<suffix>csv|json)$",
        overview.overview_export,
        name="overview-file",
    ),
    path("environments/", machine.environment_list, name="environment-list"),
    path("environments/<int:pk>/rebuild/", machine.environment_rebuild, name="environment-rebuild"),
    path("environments/pythons/install/", machine.python_install, name="python-install"),
    path("environments/pythons/move/", machine.python_move, name="python-move"),
    path(
        "environments/<int:pk>/requirements.lock",
        environment.environment_lock,
        name="environment-lock",
    ),
    path(
        "scripts/<slug:slug>/outside-edit/",
        outside_edits.script_outside_edit,
        name="script-outside-edit",
    ),
    path("scripts/<slug:slug>/files/", files.script_file_list, name="script-file-list"),
    path(
        "scripts/<slug:slug>/files/download/",
        files.script_file_download,
        name="script-file-download",
    ),
    path("scripts/<slug:slug>/files/edit/", files.script_file_edit, name="script-file-edit"),
    path("scripts/<slug:slug>/files/delete/", files.script_file_delete, name="script-file-delete"),
    path("scripts/<slug:slug>/duplicate/", settings.script_duplicate, name="script-duplicate"),
    path(
        "scripts/<slug:slug>/draft/discard/",
        script.script_draft_discard,
        name="script-draft-discard",
    ),
    path("scripts/<slug:slug>/schedule/", schedules.script_schedule, name="script-schedule"),
    path("scripts/<slug:slug>/schedules/new/", schedules.schedule_new, name="schedule-new"),
    path(
        "scripts/<slug:slug>/schedules/<int:pk>/edit/",
        schedules.schedule_edit,
        name="schedule-edit",
    ),
    path(
        "scripts/<slug:slug>/schedules/<int:pk>/switch/",
        schedules.schedule_switch,
        name="schedule-switch",
    ),
    path(
        "scripts/<slug:slug>/schedules/<int:pk>/delete/",
        schedules.schedule_delete,
        name="schedule-delete",
    ),
    path(
        "scripts/<slug:slug>/schedules/<int:pk>/pause/",
        pauses.schedule_pause,
        name="schedule-pause",
    ),
    path(
        "scripts/<slug:slug>/schedules/<int:pk>/skip/",
        pauses.schedule_skip,
        name="schedule-skip",
    ),
    path(
        "scripts/<slug:slug>/schedules/<int:pk>/resume/",
        pauses.schedule_resume,
        name="schedule-resume",
    ),
    path("scripts/<slug:slug>/versions/", versions.script_versions, name="script-versions"),
    path(
        "scripts/<slug:slug>/versions/compare/", versions.versions_compare, name="versions-compare"
    ),
    path(
        "scripts/<slug:slug>/versions/turning-point/",
        versions.last_good_to_first_bad,
        name="turning-point",
    ),
    path(
        "scripts/<slug:slug>/versions/<int:number>/restore/",
        versions.version_restore,
        name="version-restore",
    ),
    path(
        "scripts/<slug:slug>/versions/<int:number>/note/",
        versions.version_note,
        name="version-note",
    ),
    path(
        "scripts/<slug:slug>/versions/<int:number>/", versions.version_detail, name="version-detail"
    ),
    path("scripts/<slug:slug>/variables/", variables.script_variables, name="script-variables"),
    path("scripts/<slug:slug>/settings/", settings.script_settings, name="script-settings"),
    path("scripts/<slug:slug>/delete/", settings.script_delete, name="script-delete"),
    path("settings/paths/", open_paths.open_path_list, name="open-paths"),
    path("schedules/", page.schedule_list, name="schedule-list"),
    path("schedules/calendar/", calendar.calendar_page, name="schedule-calendar"),
    path("schedules.ics", calendar.schedule_calendar_feed, name="schedule-calendar-feed"),
    path("schedule-preview/", schedules.schedule_preview, name="schedule-preview"),
    path("variables/", variables.variables_for_all, name="variables"),
    path("pause/", pauses.pause_all, name="pause-all"),
    path("resume/", pauses.resume_all, name="resume-all"),
]

"""Addresses of the runs' pages."""

from django.urls import path, re_path

from runs_app.views import detail, failures, lists, retention, search, trigger_tab, url_trigger

urlpatterns = [
    path("search/", search.search_page, name="search"),
    path("runs/", lists.run_list, name="run-list"),
    path("runs/views/", lists.view_save, name="run-view-save"),
    path("runs/views/<int:pk>/delete", lists.view_delete, name="run-view-delete"),
    path("runs.csv", lists.run_export, {"suffix": "csv"}, name="runs-csv"),
    path("runs.json", lists.run_export, {"suffix": "json"}, name="runs-json"),
    path("retention/", retention.retention_page, name="retention"),
    path("retention/now", retention.retention_now, name="retention-now"),
    path("retention/<int:pk>/remove", retention.retention_remove, name="retention-remove"),
    path("runs/<int:pk>/", detail.run_detail, name="run-detail"),
    path("runs/<int:pk>/cancel", detail.run_cancel, name="run-cancel"),
    path("runs/<int:pk>/again", detail.run_again, name="run-again"),
    path("runs/<int:pk>/rerun", failures.run_rerun, name="run-rerun"),
    path("runs/<int:pk>/add-package", failures.run_add_package, name="run-add-package"),
    path("runs/<int:pk>/use-tmpdir", failures.run_use_tmpdir, name="run-use-tmpdir"),
    path("runs/<int:pk>/log", detail.run_log, name="run-log"),
    path("runs/<int:pk>/output", detail.run_output, name="run-output"),
    path("runs/<int:pk>/lines", detail.run_lines, name="run-lines"),
    path("scripts/<slug:slug>/runs/", lists.script_runs, name="script-runs"),
    path("trigger/<path:slug>", url_trigger.url_trigger, name="url-trigger"),
    path("scripts/<slug:slug>/trigger/", trigger_tab.script_trigger, name="script-trigger"),
    path("scripts/<slug:slug>/trigger/key", trigger_tab.key_new, name="trigger-key-new"),
    path(
        "scripts/<slug:slug>/trigger/keys/<int:pk>/revoke",
        trigger_tab.key_revoke,
        name="trigger-key-revoke",
    ),
    path("scripts/<slug:slug>/trigger/secret", trigger_tab.secret_change, name="trigger-secret"),
    path("scripts/<slug:slug>/trigger/test", trigger_tab.trigger_test, name="trigger-test"),
    path("failures/", failures.failure_list, name="failure-list"),
    re_path(r"^failures\.(csv|json)$", failures.failure_export, name="failure-file"),
    re_path(r"^search\.(csv|json)$", search.search_export, name="search-file"),
]

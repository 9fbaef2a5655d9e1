"""Addresses of the scripts' pages."""

from django.urls import path

from scripts_app.views import lists, schedules, script

urlpatterns = [
    path("scripts/", lists.script_list, name="script-list"),
    path("new-script/", script.script_new, name="script-new"),  # outside of scripts/: a script may be called "new"
    path("scripts/<slug:slug>/", script.script_detail, name="script-detail"),
    path("scripts/<slug:slug>/edit/", script.script_edit, name="script-edit"),
    path("scripts/<slug:slug>/run/", script.script_run, name="script-run"),
    path("scripts/<slug:slug>/switch/", script.script_switch, name="script-switch"),
    path("scripts/<slug:slug>/rebuild/", script.script_rebuild, name="script-rebuild"),
    path("scripts/<slug:slug>/delete/", script.script_delete, name="script-delete"),
    path("scripts/<slug:slug>/schedules/new/", schedules.schedule_new, name="schedule-new"),
    path("scripts/<slug:slug>/schedules/<int:pk>/edit/", schedules.schedule_edit, name="schedule-edit"),
    path("scripts/<slug:slug>/schedules/<int:pk>/delete/", schedules.schedule_delete, name="schedule-delete"),
]

"""Addresses of the scripts' pages."""

from django.urls import path

from scripts_app import views

urlpatterns = [
    path("scripts/", views.script_list, name="script-list"),
    path("new-script/", views.script_new, name="script-new"),  # outside of scripts/: a script may be called "new"
    path("scripts/<slug:slug>/", views.script_detail, name="script-detail"),
    path("scripts/<slug:slug>/edit/", views.script_edit, name="script-edit"),
    path("scripts/<slug:slug>/run/", views.script_run, name="script-run"),
    path("scripts/<slug:slug>/switch/", views.script_switch, name="script-switch"),
    path("scripts/<slug:slug>/rebuild/", views.script_rebuild, name="script-rebuild"),
    path("scripts/<slug:slug>/delete/", views.script_delete, name="script-delete"),
    path("scripts/<slug:slug>/schedules/new/", views.schedule_new, name="schedule-new"),
    path("scripts/<slug:slug>/schedules/<int:pk>/edit/", views.schedule_edit, name="schedule-edit"),
    path("scripts/<slug:slug>/schedules/<int:pk>/delete/", views.schedule_delete, name="schedule-delete"),
]

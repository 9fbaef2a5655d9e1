"""Addresses of the runs' pages."""

from django.urls import path

from runs_app import views

urlpatterns = [
    path("runs/", views.run_list, name="run-list"),
    path("runs/<int:pk>/", views.run_detail, name="run-detail"),
    path("runs/<int:pk>/cancel", views.run_cancel, name="run-cancel"),
    path("runs/<int:pk>/log", views.run_log, name="run-log"),
    path("runs/<int:pk>/output", views.run_output, name="run-output"),
]

"""The runs app: trigger, queue, run, output, history."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """Everything between a trigger and a recorded end."""

    name = "runs_app"
    verbose_name = "Runs"

"""The scripts app: what runs, with what, when."""

from django.apps import AppConfig


class ScriptsConfig(AppConfig):
    """Knows nothing of runs."""

    name = "scripts_app"
    verbose_name = "Scripts"

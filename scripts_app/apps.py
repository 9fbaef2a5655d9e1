"""The scripts app: what runs, with what, when."""

from django.apps import AppConfig


class ScriptsConfig(AppConfig):
    name = "scripts_app"
    verbose_name = "Scripts"

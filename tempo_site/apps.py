"""The site's own app and its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator


class TempoSiteConfig(AppConfig):
    name = "tempo_site"
    verbose_name = "Access"

    def ready(self) -> None:
        """Put bounds into Tempo's words, in forms and rows alike, and register the system checks.

        Django wants the registry filled before the latter are imported.
        """
        MinValueValidator.message = "Use %(limit_value)s or more."
        MaxValueValidator.message = "Use %(limit_value)s or less."
        MaxLengthValidator.message = (
            "Use at most %(limit_value)s characters: here are %(show_value)s."
        )
        from tempo_site import checks  # noqa: F401, PLC0415


class TempoAdminConfig(SimpleAdminConfig):
    """The admin, without a look for its parts at each start of a command: `tempo_site/urls.py` does that."""

    default_site = "tempo_site.adminsite.TempoAdminSite"

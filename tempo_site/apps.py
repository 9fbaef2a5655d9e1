"""The site's own app and its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig


class TempoSiteConfig(AppConfig):
    name = "tempo_site"
    verbose_name = "Access"

    def ready(self) -> None:
        """Register the system checks: Django wants the registry filled before they are imported."""
        from tempo_site import checks  # noqa: F401, PLC0415


class TempoAdminConfig(SimpleAdminConfig):
    """The admin, without a look for its parts at each start of a command: `tempo_site/urls.py` does that."""

    default_site = "tempo_site.adminsite.TempoAdminSite"

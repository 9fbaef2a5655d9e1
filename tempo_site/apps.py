"""The site's own app and its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class TempoSiteConfig(AppConfig):
    """API keys, checks, commands and wiring."""

    name = "tempo_site"
    verbose_name = "Access"

    def ready(self) -> None:
        """Register the system checks: Django wants the registry filled before they are imported."""
        from tempo_site import checks  # noqa: F401, PLC0415


class TempoAdminConfig(AdminConfig):
    """Django's admin with Tempo's site class."""

    default_site = "tempo_site.adminsite.TempoAdminSite"

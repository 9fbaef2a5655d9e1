"""Addresses of Tempo's pages in messages: from PYSCHED_PUBLIC_URL, else none is invented."""

from django.conf import settings
from django.urls import reverse

from notifications_app.models import Rule
from runs_app.models import Run
from scripts_app.models import Script
from tempo_site.lib import origins


def of_run(run: Run | None) -> str:
    if run is None:
        return ""
    return _absolute(reverse("run-detail", args=[run.pk]))


def of_script(script: Script | None) -> str:
    if script is None:
        return ""
    return _absolute(reverse("script-overview", args=[script.slug]))


def of_rule(rule: Rule | None) -> str:
    if rule is None:
        return ""
    return _absolute(reverse("rule-edit", args=[rule.pk]))


def _absolute(path: str) -> str:
    if not settings.PUBLIC_URL:
        return ""
    return f"{settings.PUBLIC_URL}{origins.with_base(path)}"

"""Admin of environments: to be looked at; the builds are Tempo's."""

from django.contrib import admin, messages
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from scripts_app.environments import environments
from scripts_app.models import Environment
from tempo_site import auth
from tempo_site.admin_base import ReadOnlyAdmin, chip

MAX_REQUIREMENTS = 80  # characters


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    acts = ("rebuild",)
    places = (("Pythons and disk", "environment-list"),)
    change_form_template = "admin/scripts_app/environment/change_form.html"
    list_display = ("python", "state_chip", "requirements_in_short", "created_at", "ready_at")
    list_filter = ("state",)
    fields = (
        "python",
        "interpreter",
        "state",
        "message",
        "requirements",
        "lock",
        "digest",
        "created_at",
        "ready_at",
        "builds",
    )

    def do_rebuild(self, request: auth.SignedInRequest, environment: Environment) -> None:
        environments.renew(environment)
        self.message_user(request, "It is built again from its lock.", messages.SUCCESS)

    @admin.display(description="state", ordering="state")
    def state_chip(self, environment: Environment) -> SafeString:
        return chip(environment.state, environment.state)

    @admin.display(description="requirements")
    def requirements_in_short(self, environment: Environment) -> str:
        words = ", ".join(" ".join(environment.requirement_lines).split())
        if len(words) <= MAX_REQUIREMENTS:
            return words
        return f"{words[: MAX_REQUIREMENTS - 1]}…"

    @admin.display(description="built by")
    def builds(self, environment: Environment) -> SafeString:
        return format_html('<a href="{}?kind=build">runs of kind build</a>', reverse("run-list"))

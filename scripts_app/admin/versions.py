"""Admin of versions: to be looked at, and to be restored by the same verb as everywhere."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from scripts_app import scripts
from scripts_app.models import Version
from scripts_app.versions import settings_snapshot
from tempo_site import auth
from tempo_site.admin_base import ReadOnlyAdmin, lines

CHOOSE_TWO = "Tick two versions of the same script, the older and the newer one."
LONG_TEXTS = ("code", "requirements", "environment__lock", "environment__requirements")


@admin.register(Version)
class VersionAdmin(ReadOnlyAdmin):
    acts = ("restore",)
    actions = ("compare_selected",)
    change_form_template = "admin/scripts_app/version/change_form.html"
    list_display = ("script", "number", "is_draft", "saved_by", "note", "created_at")
    list_display_links = ("script", "number")
    list_filter = ("is_draft",)
    list_select_related = ("script",)
    search_fields = ("script__name", "note")
    fields = (
        "script",
        "number",
        "is_draft",
        "saved_by",
        "note",
        "created_at",
        "python_version",
        "environment",
        "settings_then",
        "syntax_error",
        "code",
        "requirements",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        rows: QuerySet[Version] = super().get_queryset(request)
        return rows.select_related("script", "environment").defer(*LONG_TEXTS)

    @admin.display(description="settings")
    def settings_then(self, version: Version) -> SafeString:
        return lines(settings_snapshot.in_words(version.settings))

    def view_on_site(self, obj: Version) -> str | None:
        if obj.script.deleted_at:
            return None
        return reverse("version-detail", args=[obj.script.slug, obj.number])

    @admin.action(description="Compare two selected versions")
    def compare_selected(
        self, request: HttpRequest, rows: QuerySet[Version]
    ) -> HttpResponse | None:
        chosen = list(rows.order_by("number"))
        if len(chosen) != 2 or chosen[0].script_id != chosen[1].script_id:
            self.message_user(request, CHOOSE_TWO, messages.WARNING)
            return None
        older, newer = chosen
        address = reverse("versions-compare", args=[older.script.slug])
        return redirect(f"{address}?from={older.number}&to={newer.number}")

    def do_restore(self, request: auth.SignedInRequest, version: Version) -> HttpResponse | None:
        try:
            restored = scripts.restore_version(
                version.script, version, by=request.user, now=timezone.now()
            )
        except scripts.ScriptError as refusal:
            self.message_user(request, f"{version} was not restored. {refusal}", messages.ERROR)
            return None
        self.message_user(
            request,
            f"{version} of `{version.script.name}` is back, as {restored}.",
            messages.SUCCESS,
        )
        self.log_change(request, version, f"Restored as {restored}.")
        return redirect("admin:scripts_app_version_change", restored.pk)

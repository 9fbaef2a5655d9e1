"""Admin of folders: made, moved, deleted while empty, by the same verbs as everywhere."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from scripts_app import deletion, folders
from scripts_app.admin.base import ActingAdmin, ActingMixin
from scripts_app.models import Folder
from scripts_app.validation import ScriptError


class FolderAdminForm(ActingMixin, forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Folder
        fields = ("path",)

    def _post_clean(self) -> None:
        pass  # the verb assigns to the row and checks it

    def act(self) -> Folder:
        folder: Folder = self.instance
        if folder.pk:
            return folders.move(folder, path=self.cleaned_data["path"])
        folder.pk = folders.create(self.cleaned_data["path"]).pk
        folder.refresh_from_db()
        return folder


@admin.register(Folder)
class FolderAdmin(ActingAdmin):
    form = FolderAdminForm
    stays = "Only an empty folder can be deleted here: move what is in it first."
    list_display = ("path", "script_count")
    search_fields = ("path",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Folder]:
        present = Count("scripts", filter=Q(scripts__deleted_at=None))
        rows: QuerySet[Folder] = super().get_queryset(request).annotate(count=present)
        return rows

    def delete_model(self, request: HttpRequest, obj: Folder) -> None:
        deletion.delete_folder(obj, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Folder]) -> None:
        for folder in queryset:
            try:
                deletion.delete_folder(folder, now=timezone.now())
            except ScriptError as refusal:
                self.message_user(request, str(refusal), messages.ERROR)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names = [str(folder) for folder in objs]
        full = {branch.pk: branch.count for branch in folders.tree() if not branch.is_empty}
        protected = []
        for folder in objs:
            if folder.pk in full:
                protected.append(f"`{folder}` holds {_content(full[folder.pk])}")
        return names, {str(self.opts.verbose_name_plural): len(names)}, set(), protected

    @admin.display(description="scripts", ordering="count")
    def script_count(self, folder: Folder) -> int:
        return folder.count  # type: ignore[attr-defined,no-any-return]  # annotated above


def _content(script_count: int) -> str:
    return f"{script_count} of them" if script_count else "folders"

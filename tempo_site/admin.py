"""Admin of API keys, and django-q2's rows to look at: their payloads are code, so nobody edits them."""

from typing import Any

import django_q.admin  # noqa: F401 - registers its models, which are then taken from it
from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Success
from django_q.models import Schedule as Alarm

from tempo_site.adminsite import ReadOnlyAdmin
from tempo_site.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Keys are issued and revoked; the token is shown once."""

    list_display = ("name", "scope", "prefix", "created_by", "created_at", "last_used_at")
    list_select_related = ("created_by",)
    fields = ("name", "scope", "prefix", "created_by", "created_at", "last_used_at")
    readonly_fields = ("prefix", "created_by", "created_at", "last_used_at")
    search_fields = ("name",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """A new key has a name and a scope only."""
        return super().get_fields(request, obj) if obj else ("name", "scope")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]
        """Issue a new key by the verb; its token is in the message and nowhere else."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key, token = ApiKey.issue(name=obj.name, scope=obj.scope, created_by=request.user)
        obj.pk, obj.prefix, obj.digest = key.pk, key.prefix, key.digest
        self.message_user(request, f"Copy this key now, it is not shown again: {token}", messages.WARNING)


class EngineRowAdmin(ReadOnlyAdmin):
    """A row of django-q2; pickled columns are never loaded."""

    pickled: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the payloads alone: reading them would run them."""
        return super().get_queryset(request).defer(*self.pickled)


class ResultAdmin(EngineRowAdmin):
    """What the engine did."""

    pickled = ("args", "kwargs", "result")
    list_display = fields = ("name", "func", "started", "stopped", "success", "attempt_count")
    search_fields = ("name", "func")


class AlarmAdmin(EngineRowAdmin):
    """Alarms of schedules, and housekeeping."""

    pickled = ("args", "kwargs")
    list_display = fields = ("name", "func", "schedule_type", "next_run", "cluster")
    search_fields = ("name", "func")


class QueuedAdmin(EngineRowAdmin):
    """What waits in the engine's queue."""

    pickled = ("payload",)
    list_display = fields = ("id", "key", "lock")


for _model, _admin in ((Success, ResultAdmin), (Failure, ResultAdmin), (Alarm, AlarmAdmin), (OrmQ, QueuedAdmin)):
    admin.site.unregister(_model)
    admin.site.register(_model, _admin)

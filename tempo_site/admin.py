"""Admin of API keys, settings and users, and of django-q2's rows, which are shown only: their payloads are code."""

from collections.abc import Iterable, Iterator
from typing import Any

import django_q.admin  # noqa: F401 - registers its models, which are then taken from it
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.safestring import SafeString
from django_q.models import Failure, OrmQ, Success
from django_q.models import Schedule as Alarm

from tempo_site import auth
from tempo_site.accounts import keys, users
from tempo_site.admin_base import DeletesByVerb, ReadOnlyAdmin, RowAdmin, chip, lines
from tempo_site.audit import reading
from tempo_site.forms import KEY_SCOPES
from tempo_site.lib import origins
from tempo_site.models import ApiKey, AuditEntry, Setting
from tempo_site.stored_settings.registry import FIELDS


@admin.register(ApiKey)
class ApiKeyAdmin(DeletesByVerb, RowAdmin):
    stays = "Programs that use it are refused from now on. The runs they started stay."
    list_display = ("name", "scope", "beginning", "created_by", "created_at", "last_used_at")
    list_filter = ("scope", "is_limited")
    list_select_related = ("created_by",)
    fields = (
        "name",
        "scope",
        "beginning",
        "is_limited",
        "created_by",
        "created_at",
        "last_used_at",
    )
    readonly_fields = ("beginning", "is_limited", "created_by", "created_at", "last_used_at")
    search_fields = ("name", "prefix")
    radio_fields = {"scope": admin.VERTICAL}

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ("name", "scope")
        return super().get_fields(request, obj)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["choices"] = list(KEY_SCOPES.items())
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    @admin.display(description="begins with", ordering="prefix")
    def beginning(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**buttons, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        now = timezone.now()
        if change:
            stored = ApiKey.objects.get(pk=obj.pk)
            keys.change(stored, now=now, **{name: getattr(obj, name) for name in form.changed_data})
            return
        by = request.user if isinstance(request.user, User) else None
        key, token = keys.create(name=obj.name, scope=obj.scope, by=by, now=now)
        obj.pk = key.pk
        obj.token = token  # type: ignore[attr-defined]  # for `response_add`

    def delete_one(self, row: ApiKey) -> None:
        keys.revoke(row)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        token = obj.token  # type: ignore[attr-defined]  # set above
        example = origins.absolute(request, reverse("api-1:list_scripts"))
        context = {"key": obj, "token": token, "example": example}
        response = TemplateResponse(request, "keys/token.html", context)
        add_never_cache_headers(response)
        return response


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "name", "verb", "kind", "object_name")
    list_filter = ("actor", "verb", "kind")
    fields = (*list_display, "address", "object_id", "before_and_after")
    search_fields = ("name", "object_name", "address")
    show_full_result_count = False

    @admin.display(description="before and after")
    def before_and_after(self, entry: AuditEntry) -> SafeString:
        changes = entry.changes.items()
        return lines(f"{name}: {reading.before_and_after(value)}" for name, value in changes)


@admin.register(Setting)
class SettingAdmin(ReadOnlyAdmin):
    """What was saved on the pages of settings; they are changed there, where their checks are."""

    list_display = ("name", "value_in_short", "updated_at", "updated_by")
    fields = ("name", "value_in_short", "updated_at", "updated_by")

    @admin.display(description="value")
    def value_in_short(self, row: Setting) -> str | SafeString:
        field = FIELDS.get(row.name)
        if field is None or field.is_secret:
            return chip("on", "secret, set")
        return str(row.value)


class NewUserForm(BaseUserCreationForm):  # type: ignore[type-arg]  # no generic at run time
    class Meta:
        model = User
        fields = ("username", "email", "is_staff")


class UserForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """The fields of a user that may be changed; `by` is the user who changes them."""

    by: User

    class Meta:
        model = User
        fields = ("username", "email", "is_active", "is_staff")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        stored = User.objects.get(pk=self.instance.pk)
        is_active = bool(values.get("is_active"))
        is_staff = bool(values.get("is_staff"))
        try:
            users.check(stored, is_active=is_active, is_staff=is_staff, by=self.by)
        except users.UserRefused as refusal:
            self.add_error(refusal.field, str(refusal))
        return values


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # no generic at run time
    """A new password for a user. Django's choice of no password is left out: there is no other way to log in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)
        for field in self.fields.values():
            field.required = True


USER_FIELDS = ("username", "email", "is_active", "is_staff", "last_login", "date_joined")
NEW_USER_FIELDS = ("username", "password1", "password2", "email", "is_staff")
USER_HELP = {
    "is_staff": "Sees the admin and the settings. Whatever is about scripts and runs, every user may do.",
    "is_active": "Off: cannot log in any more. Better than deleting when the name should stay with what they did.",
}


class TempoUserAdmin(RowAdmin, UserAdmin):  # type: ignore[type-arg]  # no generic at run time
    stays = (
        "Scripts, versions, runs, API keys and what the audit says stay; keys forget who made them."
    )
    form = UserForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = ((None, {"fields": USER_FIELDS}),)
    add_fieldsets = ((None, {"fields": NEW_USER_FIELDS}),)
    readonly_fields = ("last_login", "date_joined")
    add_form_template = "admin/change_form.html"
    change_form_template = "admin/auth/user/change_form.html"
    change_user_password_template = "admin/auth/user/password.html"

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, help_texts=USER_HELP, **kwargs)
        form.by = request.user
        return form

    def delete_model(self, request: auth.SignedInRequest, obj: User) -> None:  # type: ignore[override]
        users.delete(obj, by=request.user)

    def delete_queryset(self, request: auth.SignedInRequest, queryset: QuerySet[User]) -> None:  # type: ignore[override]
        for user in queryset:
            try:
                users.delete(user, by=request.user)
            except users.UserRefused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)

    def get_deleted_objects(self, objs: Any, request: auth.SignedInRequest) -> Any:  # type: ignore[override]
        names = [str(row) for row in objs]
        counts = {str(self.opts.verbose_name_plural): len(names)}
        reasons = list(_reasons_to_stay(objs, request.user))
        return names, counts, set(), reasons


def _reasons_to_stay(rows: Iterable[User], by: User) -> Iterator[str]:
    for user in rows:
        try:
            users.check_delete(user, by=by)
        except users.UserRefused as refusal:
            yield str(refusal)


class EngineRowAdmin(ReadOnlyAdmin):
    pickled: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.pickled)


class ResultAdmin(EngineRowAdmin):
    pickled = ("args", "kwargs", "result")
    list_display = fields = ("name", "func", "started", "stopped", "success", "attempt_count")
    search_fields = ("name", "func")


class AlarmAdmin(EngineRowAdmin):
    pickled = ("args", "kwargs")
    list_display = fields = ("name", "func", "schedule_type", "next_run", "cluster")
    search_fields = ("name", "func")


class QueuedAdmin(EngineRowAdmin):
    pickled = ("payload",)
    list_display = fields = ("id", "key", "lock")


admin.site.unregister(Group)  # Tempo has no roles
admin.site.unregister(User)
admin.site.register(User, TempoUserAdmin)
for _model, _admin in (
    (Success, ResultAdmin),
    (Failure, ResultAdmin),
    (Alarm, AlarmAdmin),
    (OrmQ, QueuedAdmin),
):
    admin.site.unregister(_model)
    admin.site.register(_model, _admin)

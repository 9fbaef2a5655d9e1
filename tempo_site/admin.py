"""Admin of API keys and users, and django-q2's rows to look at: their payloads are code, so nobody edits them."""

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
from django.utils.cache import add_never_cache_headers
from django_q.models import Failure, OrmQ, Success
from django_q.models import Schedule as Alarm

from tempo_site import auth
from tempo_site.accounts import users
from tempo_site.admin_base import ReadOnlyAdmin, RowAdmin
from tempo_site.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(RowAdmin):
    """Keys are issued and revoked; the token is shown once."""

    stays = "Programs that use it are refused from now on. The runs they started stay."
    list_display = ("name", "scope", "beginning", "created_by", "created_at", "last_used_at")
    list_filter = ("scope",)
    list_select_related = ("created_by",)
    fields = ("name", "scope", "beginning", "created_by", "created_at", "last_used_at")
    readonly_fields = ("beginning", "created_by", "created_at", "last_used_at")
    search_fields = ("name", "prefix")
    radio_fields = {"scope": admin.VERTICAL}

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        """A new key has a name and a scope only."""
        return super().get_fields(request, obj) if obj else ("name", "scope")

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say what each scope allows."""
        kwargs["choices"] = list(SCOPES.items())
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    @admin.display(description="begins with", ordering="prefix")
    def beginning(self, key: ApiKey) -> str:
        """What of its token is known."""
        return f"{key.prefix}…"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One button: what follows is the key, whatever was pressed."""
        others = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, {**others, **(extra_context or {})})

    def save_model(
        self,
        request: HttpRequest,
        obj: ApiKey,
        form: forms.ModelForm,  # type: ignore[type-arg]
        change: bool,
    ) -> None:
        """Issue a new key by the verb; its token goes to the answer of this request and nowhere else."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key, obj.token = ApiKey.issue(name=obj.name, scope=obj.scope, created_by=request.user)  # type: ignore[attr-defined]
        obj.pk, obj.prefix, obj.digest = key.pk, key.prefix, key.digest

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the token. No redirect: nothing on the way would have to keep it."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"API key {obj.name}",
            "opts": self.opts,
            "key": obj,
            "token": obj.token,  # type: ignore[attr-defined]  # set above
            "example": request.build_absolute_uri(reverse("api-1:list_scripts")),
        }
        response = TemplateResponse(request, "admin/tempo_site/apikey/issued.html", context)
        add_never_cache_headers(response)
        return response


SCOPES = {
    ApiKey.Scope.FULL.value: "full: read, run, create, change and delete",
    ApiKey.Scope.RUN.value: "run: read, start and cancel runs",
    ApiKey.Scope.READ.value: "read: look, change nothing",
}


class NewUserForm(BaseUserCreationForm):  # type: ignore[type-arg]  # no generic at run time
    """A name, a password twice, and what they may do."""

    class Meta:
        model = User
        fields = ("username", "email", "is_staff")


class UserForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """What may be changed about a user; someone who can enter the admin always stays. `by` is who changes it."""

    by: User

    class Meta:
        model = User
        fields = ("username", "email", "is_active", "is_staff")

    def clean(self) -> dict[str, Any]:
        """Refuse what would leave the admin without anybody."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        stored = User.objects.get(pk=self.instance.pk)
        try:
            is_active, is_staff = bool(values.get("is_active")), bool(values.get("is_staff"))
            users.check(stored, is_active=is_active, is_staff=is_staff, by=self.by)
        except users.UserRefused as refusal:
            self.add_error(refusal.field, str(refusal))
        return values


class NewPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # no generic at run time
    """A new password for a user. Without Django's way to take it away: there is no other way to log in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("usable_password", None)
        for field in self.fields.values():
            field.required = True


WHAT_STAFF_IS = {
    "is_staff": "Sees the admin and the settings. Whatever is about scripts and runs, every user may do.",
    "is_active": "Off: cannot log in any more. Better than deleting when the name should stay with what they did.",
}


class TempoUserAdmin(RowAdmin, UserAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Equal users; staff see the admin as well."""

    stays = (
        "Scripts, versions, runs and API keys stay; keys forget who made them. What the user did in "
        "the admin is deleted with them: to keep that, switch the user off instead."
    )
    form = UserForm
    add_form = NewUserForm
    change_password_form = NewPasswordForm
    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("username", "email")
    filter_horizontal = ()
    fieldsets = (
        (
            None,
            {"fields": ("username", "email", "is_active", "is_staff", "last_login", "date_joined")},
        ),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "password1", "password2", "email", "is_staff")}),
    )
    readonly_fields = ("last_login", "date_joined")
    add_form_template = "admin/change_form.html"
    change_form_template = "admin/auth/user/change_form.html"
    change_user_password_template = "admin/auth/user/password.html"

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Say what the two switches mean; let the form know who changes them."""
        form: Any = super().get_form(
            request, obj, change=change, help_texts=WHAT_STAFF_IS, **kwargs
        )
        form.by = request.user
        return form

    def delete_model(self, request: auth.SignedInRequest, obj: User) -> None:  # type: ignore[override]
        """Delete by the verb."""
        users.delete(obj, by=request.user)

    def delete_queryset(self, request: auth.SignedInRequest, queryset: QuerySet[User]) -> None:  # type: ignore[override]
        """Delete each by the verb; who has to stay stays, with the reason as a message."""
        for user in queryset:
            try:
                users.delete(user, by=request.user)
            except users.UserRefused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)

    def get_deleted_objects(self, objs: Any, request: auth.SignedInRequest) -> Any:  # type: ignore[override]
        """Name the users, and who of them has to stay; `stays` says the rest."""
        names = [str(row) for row in objs]
        return (
            names,
            {str(self.opts.verbose_name_plural): len(names)},
            set(),
            [*_reasons_to_stay(objs, request.user)],
        )


def _reasons_to_stay(rows: Iterable[User], by: User) -> Iterator[str]:
    for user in rows:
        try:
            users.check_delete(user, by=by)
        except users.UserRefused as refusal:
            yield str(refusal)


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

"""Admin of channels: a new one begins with the choice of its kind."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from notifications_app.admin.base import PageFormAdmin, PageFormMixin
from notifications_app.channels import channels, kinds
from notifications_app.channels.channels import InvalidChannel
from notifications_app.delivery import trial
from notifications_app.forms import ChannelForm
from notifications_app.models import Channel
from notifications_app.views.channels import secret_page
from tempo_site.admin_base import chip

ADDRESS_IS_KEPT = "Its address is stored and not shown. Fill in all of it again to change it."


class ChannelAdminForm(PageFormMixin, ChannelForm, forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Channel
        fields = ()


@admin.register(Channel)
class ChannelAdmin(PageFormAdmin):
    form = ChannelAdminForm
    stays = "Its rules and deliveries go with it."
    actions = ("enable_selected", "disable_selected", "resume_selected", "test_selected")
    list_display = ("name", "kind", "state", "shown_address", "last_answer_at", "last_outcome")
    list_filter = ("kind", "enabled")
    list_select_related = ("script",)
    search_fields = ("name",)
    told_fields = (
        *("kind", "state", "shown_address", "last_answer_at", "last_outcome", "last_answer"),
        *("message", "suspended_recipients", "created_at", "updated_at"),
    )

    def new_row(self, request: HttpRequest) -> Channel:
        return kinds.new_channel(request.GET.get("kind", ""))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if kinds.is_known(request.GET.get("kind", "")):
            return super().add_view(request, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            "title": "New channel",
            "opts": self.opts,
            "kinds": kinds.choices(),
        }
        return TemplateResponse(request, "admin/notifications_app/channel/kinds.html", context)

    def response_add(
        self, request: HttpRequest, obj: Channel, post_url_continue: str | None = None
    ) -> HttpResponse:
        if obj.kind == Channel.Kind.WEBHOOK and not obj.secret:
            return secret_page(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def get_fieldsets(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        words = ADDRESS_IS_KEPT if obj and obj.preset else ""
        return [(None, {"fields": self.get_fields(request, obj), "description": words})]

    def view_on_site(self, obj: Channel) -> str:
        return reverse("channel-edit", args=[obj.pk])

    @admin.display(description="state", ordering="enabled")
    def state(self, channel: Channel) -> SafeString:
        if channel.suspended_at:
            return chip("failed", "put aside")
        if not channel.enabled:
            return chip("off", "disabled")
        return chip("on", "enabled")

    @admin.action(description="Enable selected channels")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        self._switch(request, rows, is_on=True)

    @admin.action(description="Disable selected channels")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        self._switch(request, rows, is_on=False)

    def _switch(self, request: HttpRequest, rows: QuerySet[Channel], *, is_on: bool) -> None:
        for channel in rows:
            try:
                channels.save(channel, {"enabled": is_on})
            except InvalidChannel as refusal:
                self.message_user(request, f"{channel.name}: {refusal}", messages.ERROR)

    @admin.action(description="Use selected channels again")
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        for channel in rows:
            channels.resume(channel)

    @admin.action(description="Send a test by selected channels")
    def test_selected(self, request: HttpRequest, rows: QuerySet[Channel]) -> None:
        for channel in rows:
            answer = trial.send_test(channel, now=timezone.now())
            level = messages.SUCCESS if answer.outcome == trial.SENT else messages.ERROR
            sentence = f"{channel.name}: {answer.outcome}. {answer.answer}"
            self.message_user(request, sentence, level)

    def delete_one(self, row: Channel) -> None:
        channels.remove(row)

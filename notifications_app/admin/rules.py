"""Admin of rules."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from notifications_app.admin.base import PageFormAdmin, PageFormMixin
from notifications_app.forms import RuleForm
from notifications_app.models import Rule
from notifications_app.rules import rules, words
from notifications_app.rules.rules import RuleError


class RuleAdminForm(PageFormMixin, RuleForm, forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Rule
        fields = ()


@admin.register(Rule)
class RuleAdmin(PageFormAdmin):
    form = RuleAdminForm
    stays = "What was told stays. A wider rule counts again where there is one."
    actions = ("enable_selected", "disable_selected")
    list_display = ("scope", "channel", "events_in_words", "enabled")
    list_filter = ("enabled", "channel")
    list_select_related = ("channel", "script", "folder")
    told_fields = ("created_at", "updated_at")

    def new_row(self, request: HttpRequest) -> Rule:
        return Rule(events=list(rules.DEFAULT_EVENTS))

    def view_on_site(self, obj: Rule) -> str:
        return reverse("rule-edit", args=[obj.pk])

    @admin.display(description="events")
    def events_in_words(self, rule: Rule) -> str:
        return words.events_of(rule)

    @admin.action(description="Enable selected rules")
    def enable_selected(self, request: HttpRequest, rows: QuerySet[Rule]) -> None:
        self._switch(request, rows, is_on=True)

    @admin.action(description="Disable selected rules")
    def disable_selected(self, request: HttpRequest, rows: QuerySet[Rule]) -> None:
        self._switch(request, rows, is_on=False)

    def _switch(self, request: HttpRequest, rows: QuerySet[Rule], *, is_on: bool) -> None:
        for rule in rows:
            try:
                rules.save(rule, {"enabled": is_on})
            except RuleError as refusal:
                self.message_user(request, f"{rule}: {refusal}", messages.ERROR)

    def delete_one(self, row: Rule) -> None:
        rules.remove(row)

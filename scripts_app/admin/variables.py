"""Admin of variables: the value of a secret is taken, never shown, and not in the history either."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from scripts_app.admin.base import ActingAdmin, ActingMixin
from scripts_app.forms import VariableForm
from scripts_app.models import Script, Variable
from scripts_app.validation import ScriptError
from scripts_app.variables import variables
from tempo_site.admin_base import chip

MAX_VALUE = 80  # characters shown in the list


class VariableAdminForm(ActingMixin, forms.ModelForm, VariableForm):  # type: ignore[type-arg]
    """The form of a variable, with the script to choose; script and name of a stored variable cannot be changed."""

    class Meta:
        model = Variable
        fields = ("script", "name", "is_secret")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial = {**self.initial, **VariableForm.values_of(self.instance)}
        if "script" in self.fields:
            self.fields["script"].queryset = Script.objects.present()  # type: ignore[attr-defined]
            self.fields["script"].empty_label = "for all scripts"  # type: ignore[attr-defined]

    def _post_clean(self) -> None:
        pass  # the verb assigns to the row and checks it

    def full_clean(self) -> None:
        super().full_clean()
        if self._errors and self.is_bound and self.data.get("is_secret"):
            self.forget_value()  # a refused secret is not shown again

    @method_decorator(sensitive_variables())
    def act(self) -> Variable:
        row: Variable = self.instance
        values = self.cleaned_data
        script, name = row.script, row.name
        if not row.pk:
            script, name = values["script"], values["name"]
            if variables.variables_of(script).filter(name=name).exists():
                raise ScriptError(f"There is a variable `{name}` already", field="name")
        saved = variables.save(
            script,
            name=name,
            value=values["value"],
            is_secret=values["is_secret"],
            by=self.user.get_username(),
        )
        row.pk = saved.pk
        row.refresh_from_db()
        return row


@admin.register(Variable)
class VariableAdmin(ActingAdmin):
    form = VariableAdminForm
    stays = "Runs that start from now on are without it."
    list_display = ("name", "scope", "value_in_short", "updated_at", "updated_by")
    list_filter = ("is_secret",)
    list_select_related = ("script",)
    search_fields = ("name", "script__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variable]:
        rows: QuerySet[Variable] = super().get_queryset(request)
        return rows.filter(script__deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Variable | None = None) -> Any:
        if obj is None:
            return ()
        return ("script", "name", "updated_at", "updated_by")

    def get_fields(self, request: HttpRequest, obj: Variable | None = None) -> Any:
        fields = ("script", "name", "value", "is_secret")
        return (*fields, "updated_at", "updated_by") if obj else fields

    @method_decorator(sensitive_post_parameters("value"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(*args, **kwargs)

    @admin.display(description="for", ordering="script__name")
    def scope(self, row: Variable) -> str:
        if row.script is None:
            return "all scripts"
        return row.script.name

    @admin.display(description="value")
    def value_in_short(self, row: Variable) -> str | SafeString:
        if row.is_secret:
            return chip("on", "secret, set")
        return row.value[:MAX_VALUE]

    def delete_one(self, row: Variable) -> None:
        variables.remove(row.script, row.name)

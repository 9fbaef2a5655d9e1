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


class VariableAdminForm(ActingMixin, forms.ModelForm, VariableForm):  # type: ignore[type-arg]
    """The form of a variable, with the script to choose; whose it is and its name stay what they were."""

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
        """Leave the row alone: the verb assigns and checks."""

    def full_clean(self) -> None:
        """Validate, then act; a refused secret is not shown again."""
        super().full_clean()
        if self._errors and self.is_bound and self.data.get("is_secret"):
            self.forget_value()

    @method_decorator(sensitive_variables())
    def act(self) -> Variable:
        """Save it. A new one does not take the place of another."""
        row: Variable = self.instance
        values = self.cleaned_data
        script = row.script if row.pk else values["script"]
        name = row.name if row.pk else values["name"]
        if not row.pk and variables.variables_of(script).filter(name=name).exists():
            raise ScriptError(f"There is a variable `{name}` already", field="name")
        by = self.user.get_username()
        secret, value = values["is_secret"], values["value"]
        row.pk = variables.save(script, name=name, value=value, is_secret=secret, by=by).pk
        row.refresh_from_db()
        return row


@admin.register(Variable)
class VariableAdmin(ActingAdmin):
    """Variables of scripts, and those for all."""

    form = VariableAdminForm
    stays = "Runs that start from now on are without it."
    list_display = ("name", "scope", "shown", "updated_at", "updated_by")
    list_filter = ("is_secret",)
    list_select_related = ("script",)
    search_fields = ("name", "script__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variable]:
        """Without those of deleted scripts."""
        rows: QuerySet[Variable] = super().get_queryset(request)
        return rows.filter(script__deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Variable | None = None) -> Any:
        """What is not changed any more."""
        return ("script", "name", "updated_at", "updated_by") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Variable | None = None) -> Any:
        """What it is, then who changed it when."""
        return (
            "script",
            "name",
            "value",
            "is_secret",
            *(("updated_at", "updated_by") if obj else ()),
        )

    @method_decorator(sensitive_post_parameters("value"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; its value appears in no report of an error."""
        return super().changeform_view(*args, **kwargs)

    @admin.display(description="for", ordering="script__name")
    def scope(self, row: Variable) -> str:
        """Whose it is."""
        return row.script.name if row.script else "all scripts"

    @admin.display(description="value")
    def shown(self, row: Variable) -> str | SafeString:
        """The beginning of a plain one."""
        return chip("secret, set", "on") if row.is_secret else row.value[:80]

    def delete_one(self, row: Variable) -> None:
        """Delete by the verb."""
        variables.remove(row.script, row.name)

"""The form of a page as a form of the admin."""

from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from tempo_site.admin_base import DeletesByVerb, RowAdmin


class PageFormMixin:
    """Before a page's form and ModelForm: the verb is the last check, so that its refusal is an error of a field.

    The admin calls the form once and is told not to save again.
    """

    new_row: Any = None  # what is filled in where nothing is stored yet
    instance: Any
    is_bound: bool
    fields: dict[str, forms.Field]
    _errors: Any

    def __init__(self, data: Any = None, files: Any = None, *, instance: Any = None, **_: Any):
        row = instance or self.new_row
        super().__init__(row, data)  # type: ignore[call-arg]
        self.instance = row
        for field in self.fields.values():
            field.help_text = field.help_text.replace("`", "")  # the admin knows no code in words

    def full_clean(self) -> None:
        super().full_clean()  # type: ignore[misc]
        if self.is_bound and not self._errors:
            super().save()  # type: ignore[misc]

    def _post_clean(self) -> None:
        pass  # the verb assigns to the row and checks it

    def save(self, commit: bool = True) -> Any:
        return self.instance

    def save_m2m(self) -> None:
        pass


class PageFormAdmin(DeletesByVerb, RowAdmin):
    """Shows the fields of a page's form, and behind them those of `told_fields`, which are only shown."""

    told_fields: tuple[str, ...] = ()

    def new_row(self, request: HttpRequest) -> Model:
        """Return what the form for a new row begins with."""
        raise NotImplementedError

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        new_row = None if obj else self.new_row(request)
        return type(self.form.__name__, (self.form,), {"new_row": new_row})

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        form: forms.Form = self.get_form(request, obj)(instance=obj)
        return [*form.fields, *self.get_readonly_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.told_fields if obj else ()

    @method_decorator(sensitive_post_parameters())
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        pass  # the form has saved it

"""Forms of the admin that save by a verb, and the pages around the forms."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from scripts_app.forms import attempt
from scripts_app.packages import interpreters
from tempo_site.admin_base import DeletesByVerb, RowAdmin


class ActingMixin:
    """A model form whose last check is the verb: a refusal is an error at a field, never a failed page.

    The admin calls the form once, in the transaction of the view, and is told not to save again.
    """

    user: User
    _errors: Any
    is_bound: bool

    def full_clean(self) -> None:
        super().full_clean()  # type: ignore[misc]
        if self.is_bound and not self._errors and self.has_work():
            attempt(self, self.act)  # type: ignore[arg-type]

    def has_work(self) -> bool:
        return True

    def act(self) -> object:
        """Call the verb. Raises ScriptError or TimingError."""
        raise NotImplementedError


class ActingAdmin(DeletesByVerb, RowAdmin):
    """Saves by the verb of the form. A form that is shown again with an error has saved no row at all."""

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"user": request.user})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        # Pythons that were not asked yet are started by this: not within the transaction.
        interpreters.discover()
        with transaction.atomic():
            response = super().changeform_view(request, object_id, form_url, extra_context)
            context = getattr(response, "context_data", None) or {}
            if context.get("errors"):  # a part of the page may have acted before
                transaction.set_rollback(True)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        pass  # the form has acted

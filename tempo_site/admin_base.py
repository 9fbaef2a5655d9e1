"""Base classes of the admin's pages: rows to look at, buttons that call verbs, words about a deletion."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin, ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from tempo_site.audit import reading, trail
from tempo_site.models import AuditEntry

MAX_WORDS = 20
MAX_HISTORY = 200


class LookOnly:
    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DeletesByVerb:
    """Rows that the admin deletes by their verb, one by one."""

    opts: Any

    def delete_one(self, row: Any) -> None:
        raise NotImplementedError

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_one(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_one(row)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names = [str(row) for row in objs]
        return names, {str(self.opts.verbose_name_plural): len(names)}, set(), []


class RowAdmin(ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """A model's pages. `acts` names its buttons: `run` is the method `do_run(request, row)`, asked for by POST."""

    acts: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()  # words and url names of pages beside the list
    stays = ""  # a sentence: what a deletion does not take
    list_per_page = 50
    show_facets = ShowFacets.NEVER  # a count for each choice of a filter costs many queries
    view_on_site: Any = False

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        words = search_term.split()[:MAX_WORDS]
        return super().get_search_results(request, queryset, " ".join(words))

    def get_action_choices(
        self, request: HttpRequest, default_choices: Any = (("", "Choose…"),)
    ) -> list[tuple[str, str]]:
        return super().get_action_choices(request, list(default_choices))

    @property
    def media(self) -> forms.Media:
        return forms.Media()

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        view = self.admin_site.admin_view(self.act_view)
        return [path("<path:object_id>/act/<str:act>/", view, name=name), *super().get_urls()]

    # The history of a row is the audit's: Django's own log is not written. What a verb has recorded is not said twice.
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, obj, "created")

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, obj, "changed", _changed_fields(message))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        # Asked before the rows go; verbs record what they delete.
        if not isinstance(self, DeletesByVerb):
            for row in queryset:
                trail.record("deleted", row)

    def history_of(self, row: Any) -> QuerySet[AuditEntry]:
        return reading.entries_of_row(row)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "History",
            "object": row,
            "opts": self.opts,
            "now": timezone.now(),
            "entries": self.history_of(row)[:MAX_HISTORY],
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def _record(
        self, request: HttpRequest, row: Any, verb: str, changes: dict[str, Any] | None = None
    ) -> None:
        if not getattr(request, "is_audited", False):
            trail.record(verb, row, changes=changes)

    def act_view(self, request: HttpRequest, object_id: str, act: str) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, unquote(object_id))
        if row is None or act not in self.acts:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id} that one could {act}.")
        do_act: Callable[[HttpRequest, Any], HttpResponse | None] = getattr(self, f"do_{act}")
        return do_act(request, row) or self._back(request, row)

    def _back(self, request: HttpRequest, row: Any) -> HttpResponse:
        target = request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(target, allowed_hosts=None):
            return redirect(target)
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return redirect(reverse(name, args=[row.pk]))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = capfirst(str(self.opts.verbose_name_plural))
        places = [(words, reverse(name)) for words, name in self.places]
        own = {"title": title, "stays": self.stays, "places": places}
        extra = {**own, **(extra_context or {})}
        response = super().changelist_view(request, extra)
        context = getattr(response, "context_data", None) or {}
        # The action that deletes asks first, on a page that takes no extra context.
        if "deletable_objects" in context:
            context["stays"] = self.stays
        return response

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {"stays": self.stays, **(extra_context or {})}
        return super().delete_view(request, object_id, extra)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["adminform"].form.label_suffix = ""
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {"title": f"New {self.opts.verbose_name}", **(extra_context or {})}
        return super().add_view(request, form_url, extra)


class ReadOnlyAdmin(LookOnly, RowAdmin):
    actions: Any = None


def _changed_fields(message: Any) -> dict[str, Any]:
    # Names alone: a form may hold a secret.
    names = []
    for part in message if isinstance(message, list) else []:
        names += part.get("changed", {}).get("fields", [])
    return {"fields": ", ".join(names)} if names else {}


def lines(texts: Iterable[str]) -> SafeString:
    return format_html_join(SafeString("<br>"), "{}", ((text,) for text in texts))


def chip(state: str, words: str) -> SafeString:
    return format_html('<span class="status status-{}">{}</span>', state, words.lower())


def switch_chip(is_on: bool) -> SafeString:
    if is_on:
        return chip("on", "on")
    return chip("off", "off")

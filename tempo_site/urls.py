"""All addresses: pages, admin, API. Health and WebSockets are answered in asgi.py."""

from django.urls import URLResolver, include, path, re_path
from django.urls.resolvers import RoutePattern

from tempo_site import views
from tempo_site.api import api, unknown

handler500 = "tempo_site.views.failed_page"


class LateResolver(URLResolver):
    """Addresses that Django imports when somebody comes there, or asks for an address of them by name."""

    def _populate(self) -> None:
        # Of a namespace, Django takes the addresses from `url_patterns`; here it would look through them beforehand.
        pass


# Imported at the start, the admin would take 3 MB of memory on machines where nobody opens it.
admin = LateResolver(
    RoutePattern("admin/"), "tempo_site.admin_urls", app_name="admin", namespace="admin"
)

urlpatterns = [
    # First, since programs ask most often.
    path("api/v1/", api.urls),
    re_path("^api/", unknown),
    path("", views.dashboard, name="dashboard"),
    path("setup/<str:token>/", views.setup, name="setup"),
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("password/", views.password, name="password"),
    path("jump/", views.jump, name="jump"),
    path("keys/", views.key_list, name="key-list"),
    path("keys/new/", views.key_new, name="key-new"),
    path("keys/<int:pk>/", views.key_edit, name="key-edit"),
    path("keys/<int:pk>/rotate/", views.key_rotate, name="key-rotate"),
    path("keys/<int:pk>/revoke/", views.key_revoke, name="key-revoke"),
    path("audit/", views.audit, name="audit"),
    path("help/", views.help_first, name="help"),
    path("help/<slug:name>/", views.help_page, name="help-page"),
    path("system/", views.system_page, name="system"),
    path("settings/", views.settings_first, name="settings-first"),
    path("", include("scripts_app.urls")),
    path("settings/<slug:slug>/", views.settings_section, name="settings"),
    path("", include("runs_app.urls")),
    path("", include("notifications_app.urls")),
    admin,
]

"""All addresses of the admin, which finds its parts when they are asked for."""

from django.contrib import admin

admin.autodiscover()

urlpatterns = admin.site.urls[0]

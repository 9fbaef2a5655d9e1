"""WebSocket addresses."""

from django.urls import path

from runs_app.consumers import EventsConsumer, RunOutputConsumer

websocket_urlpatterns = [
    path("ws/runs/<int:run_id>/", RunOutputConsumer.as_asgi()),
    path("ws/events/", EventsConsumer.as_asgi()),
]

"""REST operations on channels, rules and deliveries."""

from notifications_app.api import channels, deliveries, rules
from notifications_app.api.common import router

__all__ = ["channels", "deliveries", "router", "rules"]

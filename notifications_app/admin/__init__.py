"""Admin of channels, rules, incidents and deliveries.

Channels and rules are made and changed by the forms of their pages, and all by the same verbs; what Tempo wrote is
looked at. No address and no secret is shown.
"""

from notifications_app.admin import channels as channels
from notifications_app.admin import deliveries as deliveries
from notifications_app.admin import rules as rules

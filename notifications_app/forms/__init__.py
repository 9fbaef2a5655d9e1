"""Forms of channels and rules, for pages and admin alike; a verb's refusal becomes an error of a field."""

from notifications_app.forms.channel import ChannelForm
from notifications_app.forms.deliveries import DeliveryFilterForm
from notifications_app.forms.rule import RuleForm

__all__ = ["ChannelForm", "DeliveryFilterForm", "RuleForm"]

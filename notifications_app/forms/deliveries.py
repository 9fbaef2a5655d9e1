"""The filter above the list of deliveries."""

from typing import Any

from django import forms

from notifications_app.models import Channel, Delivery

STATUSES = [("", "Any"), *((status.value, status.label.lower()) for status in Delivery.Status)]


class DeliveryFilterForm(forms.Form):
    channel = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=STATUSES)
    before = forms.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")
        rows = Channel.objects.values_list("pk", "name")
        self.fields["channel"].choices = [("", "All"), *rows]  # type: ignore[attr-defined]  # a ChoiceField

"""Addresses of the pages on telling people."""

from django.urls import path, re_path

from notifications_app.views import channels, deliveries, offers, overview, rules, script

urlpatterns = [
    path("notifications/", overview.overview, name="notifications"),
    path("notifications/channels/new/", channels.channel_kinds, name="channel-kinds"),
    path("notifications/channels/new/<slug:kind>/", channels.channel_new, name="channel-new"),
    path("notifications/channels/<int:pk>/", channels.channel_edit, name="channel-edit"),
    path("notifications/channels/<int:pk>/test/", channels.channel_test, name="channel-test"),
    path("notifications/channels/<int:pk>/resume/", channels.channel_resume, name="channel-resume"),
    path("notifications/channels/<int:pk>/secret/", channels.channel_secret, name="channel-secret"),
    path("notifications/channels/<int:pk>/delete/", channels.channel_delete, name="channel-delete"),
    path("notifications/rules/new/", rules.rule_new, name="rule-new"),
    path("notifications/rules/<int:pk>/", rules.rule_edit, name="rule-edit"),
    path("notifications/rules/<int:pk>/delete/", rules.rule_delete, name="rule-delete"),
    path("notifications/deliveries/", deliveries.delivery_list, name="delivery-list"),
    re_path(
        r"^notifications/deliveries\.(csv|json)$",
        deliveries.delivery_export,
        name="delivery-file",
    ),
    path("notifications/deliveries/<int:pk>/", deliveries.delivery_act, name="delivery-act"),
    path("notifications/offers/<int:pk>/", offers.mail_to_offer, name="mail-to-offer"),
    path("notifications/test-mail/", offers.test_mail, name="test-mail"),
    path(
        "scripts/<slug:slug>/notifications/",
        script.script_notifications,
        name="script-notifications",
    ),
]

"""The services of apprise that are offered, by the beginning of their addresses, and what may stand behind the `?`.

The lists are written down so that `web` need not import apprise; a test compares them with the version in use, so that
each service and option that an upgrade brings is looked at before it is offered.
"""

from collections.abc import Iterable
from urllib.parse import unquote

_SERVICES = """
46elks acs apprise apprises atalk awswhatsapp azure bale bark barks betterstack bluesky brevo bsky bulksms
bulkvs burstsms chanify clickatell clicksend cliq cm d7sms dapnet dingtalk discord dot eight00com elks emby
embys enigma2 enigma2s evolution evolutions exotel feishu firehydrant flock flowtriq flowtriqs fluxer fluxers
freemobile gchat github goalert goalerts gorush gorushs gotify gotifys groundmail groupme guilded gupshup
hassio hassios httpsms humhub humhubs ifttt ilert incidentio infobip instagram jellyfin jellyfins jira join
kakao kakaotalk kaleyra kavenegar klr kodi kodis kook kudosity kumulos lametric lametrics lark lauther lfg
line mailersend mailgun mastodon mastodons matrix matrixs misskey misskeys mmost mmosts mobilemessage
mobilemsg msg91 msgbird ncloud nclouds nctalk nctalks nexmo notica noticas notifiarr notifico notificos
notifyapp notifyre ntfy ntfys o365 octopush onebot onebots onesignal opsgenie opsimate opsimates pagerduty
pagertree parsep parseps pbul pinglet pinglets pingram pjet pjets plivo postmark pover prowl psafer psafers
push pushdeer pushdeers pushed pushme pushplus pushward pushy qq reddit resend revolt ringc rocket rockets
ryver schan sendgrid sendpulse serwersms ses seven sfr signal signalgrid signals signl4 simplepush sinch slack
smsc smseagle smseagles smsmanager smsmgr smstunnel smtp2go sns sparkpost spike splunk spugpush spush
squadcast stackfield strmlabs synology synologys telesign telnyx tgram threema toot toots trigv trigvs twilio
twist viber victorops voipms vonage webex wechat wecom wecombot whapi whatsapp workflow workflows wpush
wxpusher wxteams xbmc xbmcs xmatters youlmk zalo zcliq zohocliq zoom zulip
"""
SERVICES = frozenset(_SERVICES.split())
NOT_OFFERED = {
    "it opens sockets of its own, whose answers nobody could be told": (
        "amqp amqps aprs deltachat deltachats growl irc ircs mqtt mqtts nostr rsyslog smpp smpps xmpp xmpps"
    ),
    "it reaches the desktop or the machine itself": "blink1 dbus gio glib gnome kde macosx qt syslog windows",
    "Tempo sends mail itself, with a checked certificate": "mailto mailtos",
    "it reads files of this machine for its keys": "fcm session sessions sogs vapid",
    "it signs by a library that Tempo does not bring": "tweet twitter x",
    "Tempo's own webhook signs what it sends": "form forms json jsons xml xmls",
}
_OPTIONS = """
access ack action actions ad album alert alert_type alerting_scenario alias amount api-version apikey app
app_id app_token app_ver archive assignees auth avatar avatar_url badge batch bcc blocks border bot_id
bot_token botname broadcast bucket call campaign category cc channel channels class click client_key collapse
color company content contents copy country critical critical_volume currency cycles decode dedup delay delete
detect device dither_kernel dither_type duration email entity entity_id env event event_type expire
external_id failure fields filtering flags flair_id flair_text flash footer footer_logo format from gateway
group gwid header hq href hsreq icon icon_type icon_url id identifier image image_href image_url info interval
key kind label labels lang language level link links location login master_key max_parts mdv modal mode
msgtype name nid nsfw oauth_id oauth_secret option pa path ping platform policy powerautomate prefix preview
priority profile project purpose push_key recipients ref refresh region repeat replies reply reply_to resubmit
route routeid routing_key savesent secret sender sensitive service severity shared short_url sid sig signature
silent snooze sound sound_href source special_text_color spi spoiler sptag status subtitle success tags
task_key team team_wait test thirdparty thread thread_name tid timestamp to token topic topic_auth_token
topic_code translit ttl tts txgroups type unicode urgency urgent url url_label url_prefix url_title validity
ver version vibration visibility voice volume warning workspace wrap xtags
"""
OPTIONS = frozenset(_OPTIONS.split())
# Options that switch checks off, read files, follow redirections, call a failure a success or hold the sender up.
_REFUSED_OPTIONS = """
attach autoverify cache callback callbackurl cto discovery e2ee emojis endpoint file_url filename media method
optional overflow redirect retry rto store template timeout tz verify wait webhook
"""
REFUSED_OPTIONS = frozenset(_REFUSED_OPTIONS.split())
MAX_LENGTH = 2_000


class ServiceRefused(ValueError):
    """An address of a service that is not offered. The text is for the person who typed it."""


def schema_of(url: str) -> str:
    return url.partition("://")[0].lower()


def check(url: str) -> None:
    """Raise ServiceRefused unless this is an address of a service that is offered, with options that are offered."""
    schema, _, rest = url.partition("://")
    schema = schema.lower()
    if not rest or len(url) > MAX_LENGTH or not url.isprintable():
        raise ServiceRefused("the address has to look like `service://...`, on one line")
    for reason, refused in NOT_OFFERED.items():
        if schema in refused.split():
            raise ServiceRefused(f"`{schema}://` is not offered: {reason}")
    if schema not in SERVICES:
        raise ServiceRefused(f"`{schema}://` is no service that Tempo knows")
    # As apprise does: options are parted by `&` and by `;`.
    parts = rest.partition("?")[2].replace(";", "&").split("&")
    check_options(unquote(part.partition("=")[0]) for part in parts if part)


def check_options(names: Iterable[str]) -> None:
    """Raise ServiceRefused for an option that is not offered."""
    for name in names:
        if name.lower().strip() not in OPTIONS:
            raise ServiceRefused(f"the option `{name}` is not offered")

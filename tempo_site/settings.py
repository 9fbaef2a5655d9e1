"""Settings of Tempo; each PYSCHED_* variable is described in docs/configuration.md."""

import os
import sys
from pathlib import Path
from typing import Any

import environ

from runs_app.launcher.identity import file_access
from tempo_site.lib import secret_key, zone
from tempo_site.lib.env import CONTAINER, Env
from tempo_site.version import VERSION as VERSION

# Twisted loads TLS when it finds pyOpenSSL, which daphne requires; Tempo speaks plain HTTP and saves 6 MB without.
sys.modules.setdefault("OpenSSL", None)  # type: ignore[arg-type]  # None: Python's own word for "must not be imported"

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env(as_owner=file_access.as_owner_at)
if (BASE_DIR / ".env").is_file():
    environ.Env.read_env(BASE_DIR / ".env")

# --- what the operator decides -------------------------------------------------------------------------------------
DATA_PATH = Path(env.str("PYSCHED_DATA_PATH", default=str(BASE_DIR / "data")))
DATA_PATH = DATA_PATH.expanduser().absolute()
NAME = env.str("PYSCHED_NAME", default="")
DEBUG = env.switch("PYSCHED_DEBUG", default=False)
IS_CONTAINER = CONTAINER in os.environ
configured_key = env.secret("PYSCHED_SECRET_KEY")
try:
    with file_access.as_owner_at(DATA_PATH / secret_key.NAME):
        SECRET_KEY, SECRET_KEY_NOTICE = secret_key.choose(configured_key, DATA_PATH)
except OSError as problem:
    # Nothing can work on such a folder; the system checks say so before the service starts.
    SECRET_KEY, SECRET_KEY_NOTICE = secret_key.for_this_process(), ""
    hint = f"{problem.strerror}. Tempo runs as user {os.geteuid()}: give it that folder, or choose another."
    env.problems.append(("PYSCHED_DATA_PATH", str(DATA_PATH), hint))
OLD_SECRET_KEY = env.secret("PYSCHED_OLD_SECRET_KEY")
HOST_PATTERNS = env.list("PYSCHED_ALLOWED_HOSTS", default=[])
PUBLIC_URL = env.public_url("PYSCHED_PUBLIC_URL")
BASE_PATH = env.base_path("PYSCHED_BASE_PATH")
TRUSTED_PROXIES = env.networks("PYSCHED_TRUSTED_PROXIES")
HSTS = env.switch("PYSCHED_HSTS", default=False)
SESSION_DAYS = env.int("PYSCHED_SESSION_DAYS", default=14)
CONFIGURED_TIME_ZONE = env.zone("PYSCHED_TIME_ZONE", default="") or env.zone_of_container()
with file_access.as_owner_at(zone.file_in(DATA_PATH)):
    TIME_ZONE, TIME_ZONE_NOTICE = zone.choose(CONFIGURED_TIME_ZONE, DATA_PATH)
DEFAULT_API_KEY = env.secret("PYSCHED_DEFAULT_API_KEY")
ADMIN_USER = env.str("PYSCHED_ADMIN_USER", default="")
ADMIN_PASSWORD = env.secret("PYSCHED_ADMIN_PASSWORD")
RATELIMIT_ENABLE = env.switch("PYSCHED_RATE_LIMIT_ENABLED", default=True)
DEFAULT_TIMEOUT_S = env.int("PYSCHED_DEFAULT_SCRIPT_TIMEOUT", default=300)
DEFAULT_MEMORY_MB = env.int("PYSCHED_DEFAULT_MEMORY_LIMIT", default=512)
DEFAULT_PROCESSES = env.int("PYSCHED_DEFAULT_PROCESSES", default=64)
DEFAULT_OUTPUT_MB = env.int("PYSCHED_DEFAULT_OUTPUT_LIMIT", default=10)
DEFAULT_FILE_MB = env.int("PYSCHED_DEFAULT_FILE_SIZE_LIMIT", default=2048)
DEFAULT_NICE = env.int("PYSCHED_NICE", default=5)
MAX_TIMEOUT_S = env.int("PYSCHED_MAX_SCRIPT_TIMEOUT", default=0)
MAX_MEMORY_MB = env.int("PYSCHED_MAX_MEMORY_LIMIT", default=0)
MAX_CPU_S = env.int("PYSCHED_MAX_CPU", default=0)
MAX_PROCESSES = env.int("PYSCHED_MAX_PROCESSES", default=0)
MAX_OUTPUT_MB = env.int("PYSCHED_MAX_OUTPUT_LIMIT", default=0)
MAX_FILE_MB = env.int("PYSCHED_MAX_FILE_SIZE_LIMIT", default=0)
OUTPUT_KILL_MB = env.int("PYSCHED_OUTPUT_KILL", default=1024)
MAX_UPLOAD_MB = env.int("PYSCHED_MAX_UPLOAD_MB", default=100)
OPEN_FILES = env.int("PYSCHED_OPEN_FILES", default=1024)
PUID = env.user("PYSCHED_PUID", default="")
PGID = env.user("PYSCHED_PGID", default="")
UMASK = env.umask("PYSCHED_UMASK")
SCRIPT_USERS = env.users("PYSCHED_SCRIPT_USERS", default="50000-59999")
EXTRA_READ_PATHS = env.list("PYSCHED_EXTRA_READ_PATHS", default=[])
EXTRA_WRITE_PATHS = env.list("PYSCHED_EXTRA_WRITE_PATHS", default=[])
REQUIRE_ISOLATION = env.str("PYSCHED_REQUIRE_ISOLATION", default="")
MAX_CONCURRENT_RUNS = env.int("PYSCHED_MAX_CONCURRENT_RUNS", default=20)
MAX_QUEUED_RUNS = env.int("PYSCHED_MAX_QUEUED_RUNS", default=10_000)
STOP_GRACE_S = env.int("PYSCHED_GRACE", default=10)
SHUTDOWN_GRACE_S = env.int("PYSCHED_SHUTDOWN_GRACE", default=5)
BUILD_TIMEOUT_S = env.int("PYSCHED_BUILD_TIMEOUT", default=900)
KEEP_DAYS = env.int("PYSCHED_KEEP_DAYS", default=30)
KEEP_RUNS = env.int("PYSCHED_KEEP_RUNS", default=1000)
KEEP_MB = env.int("PYSCHED_KEEP_MB", default=2048)
KEEP_AUDIT_DAYS = env.int("PYSCHED_KEEP_AUDIT_DAYS", default=365)
KEEP_AUDIT_ROWS = env.int("PYSCHED_KEEP_AUDIT_ROWS", default=1_000_000)
MIN_FREE_MB = env.int("PYSCHED_MIN_FREE_MB", default=500)
MIN_FREE_PERCENT = env.int("PYSCHED_MIN_FREE_PERCENT", default=5)
PACKAGE_INDEX = env.str("PYSCHED_PACKAGE_INDEX", default="")
PACKAGE_FIND_LINKS = env.str("PYSCHED_PACKAGE_FIND_LINKS", default="")
PACKAGE_TRUSTED_HOSTS = env.list("PYSCHED_PACKAGE_TRUSTED_HOSTS", default=[])
ALLOW_DIRECT_URLS = env.switch("PYSCHED_ALLOW_DIRECT_URLS", default=False)
KEEP_ENVIRONMENT_DAYS = env.int("PYSCHED_KEEP_ENVIRONMENT_DAYS", default=30)
REBUILD_BROKEN = env.switch("PYSCHED_REBUILD_BROKEN", default=True)
PYTHON_PATHS = env.list("PYSCHED_PYTHON_PATHS", default=[])
SMTP_SERVER = env.str("SMTP_SERVER", default="")
SMTP_PORT = env.int("SMTP_PORT", default=587)
SMTP_SECURITY = env.str("SMTP_SECURITY", default="auto")
SMTP_USERNAME = env.str("SMTP_USERNAME", default="")
SMTP_PASSWORD = env.secret("SMTP_PASSWORD")
FROM_EMAIL = env.str("FROM_EMAIL", default="")
MIRROR = env.switch("PYSCHED_MIRROR", default=False)
MIRROR_ADDRESS = env.str("PYSCHED_MIRROR_ADDRESS", default="")
MIRROR_TOKEN = env.secret("PYSCHED_MIRROR_TOKEN")
MIRROR_KEY_FILE = env.str("PYSCHED_MIRROR_KEY_FILE", default="")
EMAIL_PROVIDER = env.str("PYSCHED_EMAIL_PROVIDER", default="")
EMAIL_API_KEY = env.secret("PYSCHED_EMAIL_API_KEY")
BACKUP_DAILY = env.switch("PYSCHED_BACKUP_DAILY", default=True)
BACKUP_PASSPHRASE = env.secret("PYSCHED_BACKUP_PASSPHRASE")
BACKUP_LOGS = env.switch("PYSCHED_BACKUP_LOGS", default=False)
BACKUP_PATH = env.str("PYSCHED_BACKUP_PATH", default="")
BACKUP_REMOTE = env.str("PYSCHED_BACKUP_REMOTE", default="")
# On no page: rclone's configuration can name commands.
BACKUP_RCLONE_CONFIG = env.str("PYSCHED_BACKUP_RCLONE_CONFIG", default="")
BACKUP_RESTIC_PASSWORD_PATH = env.str("PYSCHED_BACKUP_RESTIC_PASSWORD_PATH", default="")
BACKUP_DAYS = env.int("PYSCHED_BACKUP_DAYS", default=7)
BACKUP_WEEKS = env.int("PYSCHED_BACKUP_WEEKS", default=4)
BACKUP_MONTHS = env.int("PYSCHED_BACKUP_MONTHS", default=12)
BACKUP_MB = env.int("PYSCHED_BACKUP_MB", default=5120)
BACKUP_FILE_MB = env.int("PYSCHED_BACKUP_FILE_MB", default=1024)
NOTIFY_PRIVATE = env.switch("PYSCHED_NOTIFY_PRIVATE", default=True)

SETTINGS_PROBLEMS = env.problems
GIVEN_BY_ENVIRONMENT = env.given
SECRET_FILES = env.secret_files

# --- Django --------------------------------------------------------------------------------------------------------
# The real check is tempo_site.middleware.HostMiddleware: Django has no word for "any IP address".
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "daphne",
    "tempo_site.apps.TempoSiteConfig",
    "scripts_app.apps.ScriptsConfig",
    "runs_app.apps.RunsConfig",
    "notifications_app.apps.NotificationsConfig",
    "tempo_site.apps.TempoAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "channels",
    "django_q",
    "django_ratelimit",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "tempo_site.middleware.PageMiddleware",
    "tempo_site.middleware.HostMiddleware",
    "tempo_site.middleware.StaticFilesMiddleware",
    # Outside of sessions and messages: their cookies belong to the answer that is given again.
    "tempo_site.repeated_forms.RepeatedFormMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tempo_site.middleware.AuditMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "tempo_site.urls"
ASGI_APPLICATION = "tempo_site.asgi.application"
TEMPLATES = [
    {
        "NAME": "django",
        "BACKEND": "tempo_site.web.late_templates.LateTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tempo_site.pages.frame.frame_context",
            ],
        },
    },
]
# A log (WAL; tempo_site/bootstrap/database.py sees to it) and FULL: no acknowledged commit is lost in a power cut.
# IMMEDIATE: no deadlock between readers that turn writers. No connection checkpoints by itself (lib/checkpoints.py).
# Up to fifteen threads have a connection, each with a cache of its own: in KB, the kernel has the pages once more.
DATABASE_LOG_BYTES = 4 * 2**20
DATABASES = {
    "default": {
        "ENGINE": "tempo_site.lib.sqlite",
        "NAME": DATA_PATH / "tempo.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            # Of each thread's connection: what a start of a run or a pass of the settler needs. A prepared SELECT of
            # runs takes up to 80 KB, and preparing it again 0.1 ms. Python keeps 128.
            "cached_statements": 20,
            "timeout": float(os.environ.get("TEMPO_DATABASE_TIMEOUT_S", "20")),
            "init_command": "PRAGMA synchronous=FULL; PRAGMA cache_size=-500; PRAGMA temp_store=MEMORY;"
            f" PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit={DATABASE_LOG_BYTES};",
        },
        "TEST": {"NAME": DATA_PATH / "test.sqlite3"},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOCAL_MEMORY = "django.core.cache.backends.locmem.LocMemCache"
CACHES = {
    "default": {"BACKEND": LOCAL_MEMORY},
    # What counts how often somebody comes: 0.5 KB each, so a flood of addresses takes 5 MB and no more. The one that
    # was not seen for longest goes first, and whoever is counted at the moment stays.
    "limits": {
        "BACKEND": LOCAL_MEMORY,
        "LOCATION": "limits",
        "OPTIONS": {"MAX_ENTRIES": 10_000, "CULL_FREQUENCY": 10},
    },
}
RATELIMIT_USE_CACHE = "limits"
# django-ratelimit asks for memcached or Redis, which processes share. One process serves all requests here; its threads
# share this memory, and it counts under a lock.
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.E003", "django_ratelimit.W001"]
# A page is a member of its groups for as long as it is open: the layer would drop it without a word after a day, by
# the clock of the wall.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels.layers.InMemoryChannelLayer",
        "CONFIG": {"capacity": 2000, "group_expiry": 1000 * 365 * 86400},
    }
}
Q_CLUSTER: dict[str, Any] = {
    "name": "tempo",
    "orm": "default",
    "broker_class": "tempo_site.lib.waking_broker.WakingBroker",
    "cache": "default",
    "workers": 2,
    "queue_limit": 50,
    "timeout": 30,
    "retry": 60,
    "max_attempts": 1,
    "ack_failures": True,
    "recycle": 0,
    "save_limit": 50,
    "scheduler": False,
    "catch_up": False,
    "bulk": 10,
    "poll": 0,
    "log_level": "WARNING",
    "label": "Engine",
}
# How long an open WebSocket may outlive a log-out, a new password, a user switched off, a revoked key.
SOCKET_RECHECK_S = float(os.environ.get("TEMPO_SOCKET_RECHECK_S", "3"))

LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
DATETIME_FORMAT = "Y-m-d H:i:s T"  # never a time without its zone
# The same format where Django writes a time by the language's own format.
FORMAT_MODULE_PATH = ["tempo_site.formats"]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"  # how errors look is one of our templates
STATIC_URL = f"{BASE_PATH}/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "tempo_site.lib.packaged_files.PackagedFilesFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "tempo_site.lib.static_storage.HashedStaticFilesStorage"},
}
if DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = DEBUG

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
# Of all that Django makes an address of; `asgi.py` gives each request a path that begins with it.
FORCE_SCRIPT_NAME = BASE_PATH or None
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = f"{BASE_PATH}/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
CSRF_FAILURE_VIEW = "tempo_site.views.form_refused"
SECURE_HSTS_SECONDS = 365 * 86_400 if HSTS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Over plain HTTP browsers ignore this header, and say so on every page.
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = (
    8 * 1024 * 1024
)  # a page with a text of 1 MB, however a form writes its characters
DATA_UPLOAD_MAX_NUMBER_FILES = 1000  # of a folder that is imported
AUTHENTICATION_BACKENDS = ["tempo_site.accounts.backends.StaffBackend"]
PASSWORD_HASHERS = ["tempo_site.accounts.hashers.PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 8},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "daphne": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
        "django-q": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "asyncio": {"level": "WARNING"},
        "autobahn": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},  # each 4xx would be a line
    },
}

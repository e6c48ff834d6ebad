"""Django's settings. Everything that differs between hosts comes from the environment:

DATABASE_URL, REDIS_URL      the servers (manage.py starts its own when they are not set)
KANPU_PRODUCTION=1           secrets must be given, cookies are secure, DEBUG is off for good
KANPU_SECRET_KEY[_FILE]      Django's signing key
KANPU_SECRET_KEY_FALLBACKS   earlier ones, comma-separated, while sessions and links signed with them are good; or _FILE
KANPU_HOSTS                  host names, comma-separated
KANPU_KEYRING                the file with the private keys: workers and card issuing only, never API servers
KANPU_VAULT_KEYS             the file with the vault's keys: offices, portal, imports; never API servers or workers
KANPU_VAULT_KEYS_TEXT        the same keys themselves, where they come from the environment
KANPU_PORTAL_URL             the portal's address as residents type it: printed in letters
KANPU_AUDIT_KEY              the key that signs the audit log's checkpoints: where the log is sequenced, nowhere else
KANPU_AUDIT_LOG              folder for the log's checkpoints and leaves, outside the database
KANPU_ARCHIVE                folder of the Parquet archive, shared by all hosts
KANPU_DEMO=1                 the demo's own database and Redis prefix on those servers
"""

from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import SELF

from config.env import ROOT, earlier_secrets, env, secret

BASE_DIR = ROOT
PRODUCTION = env.bool("KANPU_PRODUCTION", False)
DEMO = env.bool("KANPU_DEMO", False)
DEBUG = False
SECRET_KEY = secret("KANPU_SECRET_KEY", production=PRODUCTION)
SECRET_KEY_FALLBACKS = earlier_secrets("KANPU_SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.list("KANPU_HOSTS", ["localhost", "127.0.0.1", "[::1]"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "drf_spectacular_sidecar",
    "pgtrigger",
    "rest_framework",
    "apps.audit",
    "apps.schemes",
    "apps.merchants",
    "apps.residents",
    "apps.purchases",
    "apps.accruals",
    "apps.refunds",
    "apps.portal",
    "apps.console",
    "apps.simulator",
]
MIDDLEWARE = [
    "apps.merchants.requests.RequestIdMiddleware",
    "apps.audit.middleware.origin_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- servers -------------------------------------------------------------------------------------------
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        env.str("DATABASE_URL"), engine="config.postgresql", conn_max_age=None, conn_health_checks=True
    )
}
_options = DATABASES["default"].setdefault("OPTIONS", {})  # those of the address, TLS say, are kept
_options.setdefault("application_name", "kanpu")
# Acknowledged means durable, whatever the server's own default is.
_options["options"] = f"{_options.get('options', '')} -c synchronous_commit=on".strip()
if DEMO:
    DATABASES["default"]["NAME"] = "kanpu_demo"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = env.str("REDIS_URL")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": f"{DATABASES['default']['NAME']}:",
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE = {
    # Written as months close; written anew only without what residents withdrew while the run is open.
    "archive": {"task": "accruals.archive", "schedule": 24 * 3600},
    "lapse": {"task": "refunds.lapse", "schedule": 24 * 3600},
    "retention": {"task": "refunds.retention", "schedule": 24 * 3600},
}

KANPU_KEYRING = env.path("KANPU_KEYRING", None)
KANPU_VAULT_KEYS = env.path("KANPU_VAULT_KEYS", None)
KANPU_VAULT_KEYS_TEXT = env.str("KANPU_VAULT_KEYS_TEXT", "")
KANPU_PORTAL_URL = env.str("KANPU_PORTAL_URL", "")
KANPU_AUDIT_KEY = Path(env.path("KANPU_AUDIT_KEY", ROOT / "var" / "secrets" / "audit.pem"))
KANPU_AUDIT_LOG = Path(env.path("KANPU_AUDIT_LOG", ROOT / "var" / ("demo/audit" if DEMO else "audit")))
KANPU_ARCHIVE = Path(env.path("KANPU_ARCHIVE", ROOT / "var" / ("demo/archive" if DEMO else "archive")))

# --- sign-in, language, safety ---------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"

LANGUAGE_CODE = "ja"
LANGUAGES = [("ja", "日本語"), ("en", "English")]
LOCALE_PATHS = [ROOT / "locale"]
TIME_ZONE = "Asia/Tokyo"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "var" / "static"
STATICFILES_DIRS = [ROOT / "config" / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.merchants.requests.JsonAlways",
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "apps.merchants.requests.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS says nothing that the OpenAPI document does not say
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Kanpu POS API",
    "VERSION": "1",
    "DESCRIPTION": "Tills report purchases by tax tier, never by item, and read back what became of them.",
    "SERVE_INCLUDE_SCHEMA": False,
    "TAGS": [{"name": name} for name in ("purchases", "terminals", "tiers", "keys and cards")],
    "APPEND_COMPONENTS": {
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "kp_test_… or kp_live_…"}}
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"httpx": {"level": "WARNING"}},
}

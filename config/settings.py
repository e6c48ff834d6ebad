"""Django's settings. Everything that differs between hosts comes from the environment:

DATABASE_URL, REDIS_URL      the servers (manage.py starts its own when they are not set)
KANPU_PRODUCTION=1           secrets must be given, cookies are secure, DEBUG is off for good
KANPU_SECRET_KEY[_FILE]      Django's signing key
KANPU_SECRET_KEY_FALLBACKS   earlier ones, comma-separated, while sessions and links signed with them are good; or _FILE
KANPU_FACTOR_KEY[_FILE]      seals secrets of authenticator programs and recovery codes: kept for good, on all hosts
KANPU_HOSTS                  host names, comma-separated
KANPU_KEYRING                the file with the private keys: workers and card issuing only, never API servers
KANPU_VAULT_KEYS             the file with the vault's keys: offices, portal, imports; never API servers or workers
KANPU_VAULT_KEYS_TEXT        the same keys themselves, where they come from the environment
KANPU_PORTAL_URL             the portal's address as residents type it: printed in letters
KANPU_OIDC_ISSUER            the government's identity provider (OpenID Connect), if residents may sign in with it; and
KANPU_OIDC_CLIENT_ID         Kanpu's name there,
KANPU_OIDC_CLIENT_SECRET[_FILE]  its secret,
KANPU_OIDC_ACR               what the provider calls a sign-in with two factors: without it, Kanpu asks for its own too
EMAIL_URL                    the mail server, smtp+tls://user:password@host:587 (console: where it is not set)
KANPU_MAIL_FROM              from whom residents get e-mail
KANPU_COSTS                  a JSON file of what running it costs, for /transparency (docs/portal.md)
KANPU_AUDIT_KEY              the key that signs the audit log's checkpoints: where the log is sequenced, nowhere else
KANPU_AUDIT_LOG              folder for the log's checkpoints and leaves, outside the database
KANPU_ARCHIVE                folder of the Parquet archive, shared by all hosts
KANPU_PAYOUTS                folder of the files for the bank, where payouts are made and nowhere else
KANPU_STRIPE_KEY[_FILE]      Stripe's secret key, where payments are sent and in workers, if refunds go through Stripe
KANPU_STRIPE_WEBHOOK_SECRET[_FILE]  what Stripe signs its webhooks with: web servers
KANPU_STRIPE_URL             another address than Stripe's own, for test keys only
KANPU_LOG_LEVEL=INFO         commands that are no servers say in their log what they do, too
KANPU_METRICS                folder in which this host's processes add up what they count; /metrics shows it
KANPU_METRICS_TOKEN[_FILE]   who bears it may read /metrics; in production nobody else may
KANPU_DEMO=1                 the demo: its own database and Redis prefix on those servers, no second factor asked for;
                             never with KANPU_PRODUCTION
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import SELF
from django.core.exceptions import ImproperlyConfigured

from config.env import ROOT, earlier_secrets, env, given, origin_of, secret
from config.mail import mail_settings

BASE_DIR = ROOT
PRODUCTION = env.bool("KANPU_PRODUCTION", False)
DEMO = env.bool("KANPU_DEMO", False)
if PRODUCTION and DEMO:  # which asks nobody for a second factor
    raise ImproperlyConfigured("KANPU_PRODUCTION and KANPU_DEMO do not go together. Unset KANPU_DEMO.")
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
    "django_htmx",
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
    "apps.inspections",
    "apps.payouts",
    "apps.portal",
    "apps.console",
    "apps.upkeep",
    "apps.simulator",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "axes",
]
MIDDLEWARE = [
    "apps.merchants.requests.RequestIdMiddleware",
    "apps.audit.middleware.origin_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "apps.merchants.requests.https_middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.portal.middleware.ended_session_middleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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
# A host that is gone without a word, on either end, is noticed within half a minute: not after the system's two hours,
# in which an API server would wait for an answer, or a session that nobody has any more hold a terminal's row.
_options.setdefault("connect_timeout", 5)
_alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
for _name, _value in (_alive | {"tcp_user_timeout": 30_000}).items():
    _options.setdefault(_name, _value)
# Acknowledged means durable, whatever the server's own default is.
_server = {"synchronous_commit": "on", "tcp_user_timeout": "30s"} | {f"tcp_{name}": _alive[name] for name in _alive}
_options["options"] = " ".join(
    [_options.get("options", ""), *(f"-c {name}={_server[name]}" for name in _server)]
).strip()
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
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE = {
    # Written as months close; written anew only without what residents withdrew while the run is open.
    "beat": {"task": "upkeep.beat", "schedule": 60},  # a sign of life
    "archive": {"task": "accruals.archive", "schedule": 24 * 3600},
    "find_alarms": {"task": "inspections.find_alarms", "schedule": 24 * 3600},
    "lapse": {"task": "refunds.lapse", "schedule": 24 * 3600},
    "retention": {"task": "refunds.retention", "schedule": 24 * 3600},
    "merchants": {"task": "inspections.merchants", "schedule": 24 * 3600},
    "samples": {"task": "inspections.samples", "schedule": 60},  # for one whose ring was lost
    # A bell that was not heard, a worker that was killed, files that were kept long enough.
    "exports": {"task": "inspections.exports", "schedule": 60},
    # Webhooks that were not heard, calls whose answer was lost, payouts that fail after they were paid.
    "stripe": {"task": "payouts.stripe", "schedule": 60},
    "packs": {"task": "inspections.forget_packs", "schedule": 24 * 3600},
}

KANPU_KEYRING = env.path("KANPU_KEYRING", None)
KANPU_VAULT_KEYS = env.path("KANPU_VAULT_KEYS", None)
KANPU_VAULT_KEYS_TEXT = env.str("KANPU_VAULT_KEYS_TEXT", "")
KANPU_PORTAL_URL = env.str("KANPU_PORTAL_URL", "")
KANPU_COSTS = env.path("KANPU_COSTS", None)
KANPU_AUDIT_KEY = Path(env.path("KANPU_AUDIT_KEY", ROOT / "var" / "secrets" / "audit.pem"))
KANPU_AUDIT_LOG = Path(env.path("KANPU_AUDIT_LOG", ROOT / "var" / ("demo/audit" if DEMO else "audit")))
KANPU_ARCHIVE = Path(env.path("KANPU_ARCHIVE", ROOT / "var" / ("demo/archive" if DEMO else "archive")))
KANPU_METRICS = env.path("KANPU_METRICS", None)
if KANPU_METRICS:  # read by prometheus_client when it is imported
    Path(KANPU_METRICS).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(KANPU_METRICS)
KANPU_METRICS_TOKEN = given("KANPU_METRICS_TOKEN")
KANPU_PAYOUTS = Path(env.path("KANPU_PAYOUTS", ROOT / "var" / ("demo/payouts" if DEMO else "payouts")))
KANPU_STRIPE_KEY = given("KANPU_STRIPE_KEY")
KANPU_STRIPE_WEBHOOK_SECRET = given("KANPU_STRIPE_WEBHOOK_SECRET")
KANPU_STRIPE_URL = env.str("KANPU_STRIPE_URL", "https://api.stripe.com").rstrip("/")

# --- e-mail --------------------------------------------------------------------------------------------
globals().update(mail_settings(env.str("EMAIL_URL", "console:")))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("KANPU_MAIL_FROM", "Kanpu <kanpu@localhost>")

# --- sign-in, language, safety ---------------------------------------------------------------------------
# Counters of guesses and used codes: in PostgreSQL, the same for all processes. Redis may be emptied at any time.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "portal_counter",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
SESSION_ENGINE = "apps.audit.session_store"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "apps.audit.user_store.UserStore"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "apps.audit.passwords.PlaceWordsValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login"

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "apps.portal.adapters.address_of"
AXES_USERNAME_CALLABLE = "apps.portal.adapters.counted_name"
AXES_LOCKOUT_TEMPLATE = "account/locked_out.html"
AXES_RESET_ON_SUCCESS = AXES_DISABLE_ACCESS_LOG = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = AXES_VERBOSE = False

ACCOUNT_ADAPTER = "apps.portal.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# Guesses of a user's codes, and of a password by who is signed in. Of passwords at the sign-in Axes keeps count.
ACCOUNT_RATE_LIMITS = {"login_failed": "5/15m/key", "reauthenticate": "10/15m/user", "login": None}
MFA_ADAPTER = "apps.portal.adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "apps.portal.sign_in_forms.FactorForm",
    "reauthenticate": "apps.portal.sign_in_forms.FactorAgainForm",
    "activate_totp": "apps.portal.sign_in_forms.ProgramForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RATE_LIMITS = {"webauthn_login": None}  # a signature cannot be guessed
MFA_REAUTHENTICATION_REQUIRED = False  # our own guard asks again, by one rule for all pages
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 12
MFA_TOTP_ISSUER = "Kanpu"
MFA_TOTP_TOLERANCE = 1
KANPU_FACTOR_KEY = secret("KANPU_FACTOR_KEY", production=PRODUCTION)

KANPU_OIDC_ISSUER = env.str("KANPU_OIDC_ISSUER", "").rstrip("/")
KANPU_OIDC_ACR = env.str("KANPU_OIDC_ACR", "")
SOCIALACCOUNT_ADAPTER = "apps.portal.adapters.IdentityAdapter"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if KANPU_OIDC_ISSUER:
    _asked = {"prompt": "login", "max_age": "300"} | ({"acr_values": KANPU_OIDC_ACR} if KANPU_OIDC_ACR else {})
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "government",
                "name": "government",
                "client_id": env.str("KANPU_OIDC_CLIENT_ID"),
                "secret": secret("KANPU_OIDC_CLIENT_SECRET", production=True),
                "settings": {"server_url": KANPU_OIDC_ISSUER, "scope": ["openid"], "auth_params": _asked},
            }
        ],
    }

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
        "form-action": [SELF, *([origin_of(KANPU_OIDC_ISSUER)] if KANPU_OIDC_ISSUER else [])],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
# Balancers and watchers may ask without TLS; the API refuses, see apps.merchants.requests.https_middleware.
SECURE_REDIRECT_EXEMPT = ["^health/", "^metrics$", "^v1(/|$)"]
SESSION_COOKIE_AGE = 12 * 3600  # then whoever it is signs in again; or after a rest (apps.audit.session_store)
if PRODUCTION:  # no other host can set these
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
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
    "formatters": {"json": {"()": "apps.kernel.logs.JsonLines"}},
    "filters": {"without_answers": {"()": "apps.kernel.logs.WithoutAnswers"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        # Servers say what they do in any case: apps.kernel.logs.tell_what_is_done.
        "apps": {"level": env.str("KANPU_LOG_LEVEL", "WARNING")},
        "config": {"level": env.str("KANPU_LOG_LEVEL", "WARNING")},
        "django.request": {"filters": ["without_answers"]},
        "django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False},
    },
}

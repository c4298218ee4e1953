"""Django's settings, all of them derived from Tipstaff's own (`tipstaff.config`)."""

import os
import re
from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from tipstaff import config
from tipstaff.host.keys import read_or_make

TIPSTAFF = config.load(None, os.environ)
PACKAGE = Path(__file__).resolve().parent.parent

SECRET_KEY = read_or_make(TIPSTAFF.server.data_folder / "keys" / "signing.key")
DEBUG = False
ALLOWED_HOSTS = ["*"]  # The portal's name is the operator's; links are made from `web.public_url`, never from Host.
ROOT_URLCONF = "tipstaff.site.urls"
WSGI_APPLICATION = "tipstaff.site.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True
PROCRASTINATE_IMPORT_PATHS = ["tipstaff.wiring.jobs"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",
    "procrastinate.contrib.django",
    "tipstaff.ledger",
    "tipstaff.registry",
    "tipstaff.attribution",
    "tipstaff.editions",
    "tipstaff.intake",
    "tipstaff.sensors",
    "tipstaff.cases",
    "tipstaff.notices",
    "tipstaff.enforcement",
    "tipstaff.webhooks",
    "tipstaff.legal",
    "tipstaff.web",
]

MIDDLEWARE = [
    "tipstaff.web.peer.Peer",
    "tipstaff.web.security.Headers",
    "tipstaff.web.public.garden.Garden",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tipstaff.web.wire.Folded",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "tipstaff.web.slashes.Slashes",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tipstaff.web.sessions.Seen",
    "tipstaff.web.eyes.Eyes",
    "tipstaff.web.reader.AsRead",
    "tipstaff.web.api.door.Door",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database(url: str) -> dict[str, Any]:
    """Raises BadSetting without a word of the URL: what the parser complains of may be the password."""
    parts: dict[str, Any] | None
    try:
        parts = {k: str(v) for k, v in conninfo_to_dict(url).items() if v is not None}
    except ProgrammingError:
        parts = None
    # A password with @ or / in it that is not written as %40 or %2F is parsed, and read as host or port.
    if parts is None or "@" in parts.get("host", "") or re.search(r"[^\d,]", parts.get("port", "")):
        raise config.BadSetting(
            f"{TIPSTAFF.where('server', 'database_url')} is no URL that PostgreSQL can read; write "
            "postgresql://user:password@host:5432/name, with %40 for @, %2F for / and %20 for a space in a password."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "tipstaff"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        # Without it nothing is ever prepared, whatever a query asks for; Django's own queries are not either way.
        "OPTIONS": {**parts, "prepare_threshold": 5},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


FLOWS_FOLDER = TIPSTAFF.server.flows_folder or TIPSTAFF.server.data_folder / "flows"
DATABASES = {"default": _database(TIPSTAFF.server.database_url or "postgresql:///tipstaff")}

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/console/"
LOGOUT_REDIRECT_URL = "/login"

_HTTPS = TIPSTAFF.public_url.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [TIPSTAFF.public_url] if _HTTPS else []
if _HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

FILE_UPLOAD_HANDLERS = ["tipstaff.web.uploads.InMemory"]

STATIC_URL = "/static/"
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"}},
    "filters": {
        "links": {"()": "tipstaff.site.quiet.HideLinks"},
        "messages": {"()": "tipstaff.site.quiet.HideMessages"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["links", "messages"]}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("TIPSTAFF_LOG_LEVEL", "INFO")},
    "loggers": {
        "procrastinate": {"level": "WARNING"},
        "mail.log": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
    },
}

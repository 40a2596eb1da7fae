"""Django's settings, all derived from the environment table in config.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .config import Config, pairs
from .databases import bounded, databases, email
from .logs import logging_config
from .security import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parents[2]
CONFIG = Config(os.environ)
HOME = CONFIG.home

DEBUG = CONFIG.switch("ORKESTRA_DEBUG")
PUBLIC_URL = CONFIG.text("ORKESTRA_PUBLIC_URL").rstrip("/") or f"http://localhost:{CONFIG.text('ORKESTRA_PORT')}"
SECRET_KEY = CONFIG.text("ORKESTRA_SECRET_KEY")
SECRET_KEY_FALLBACKS = CONFIG.text("ORKESTRA_SECRET_KEY_OLD").split()
SIGNING_KEY_PEM = CONFIG.text("ORKESTRA_SIGNING_KEY")
DISCLOSURE_TENANT = CONFIG.text("ORKESTRA_DISCLOSURE_TENANT")
ENCRYPTION_KEYS = CONFIG.text("ORKESTRA_ENCRYPTION_KEY") or ",".join([SECRET_KEY, *SECRET_KEY_FALLBACKS])
ENCRYPTION_KEY_FILE = CONFIG.path("ORKESTRA_ENCRYPTION_KEY")
DNS_SERVER = CONFIG.text("ORKESTRA_DNS")
SECURITY_CONTACT = CONFIG.text("ORKESTRA_SECURITY_CONTACT")
METRICS_PORT = CONFIG.metrics_port
METRICS_TOKEN = CONFIG.text("ORKESTRA_METRICS_TOKEN")
TRUSTED_PROXIES = CONFIG.number("ORKESTRA_TRUSTED_PROXIES")
_direct = "DATABASE_DIRECT_URL" if CONFIG.text("DATABASE_DIRECT_URL") else "DATABASE_URL"
DATABASE_DIRECT_URL = bounded(CONFIG.text(_direct), _direct)
SURFACE = CONFIG.surface
PUBLIC_HTTPS = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "apps.trust",
    "apps.operations",
    "apps.ai",
    "apps.forms",
    "apps.approvals",
    "apps.accounts",
    "apps.billing",
    "apps.flags",
    "apps.comms",
    "apps.audit",
    "apps.tenants",
    "apps.ui",
    "apps.tenants.apps.PlatformAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "procrastinate.contrib.django",
]

PROCRASTINATE_ON_APP_READY = "apps.tenants.jobs.only_signed_tasks"

MIDDLEWARE = [
    "apps.tenants.middleware.RequestId",
    "apps.operations.middleware.Measured",
    "apps.accounts.headers.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.trust.policy.middleware.PolicyMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.gateway.Gateway",
]

ROOT_URLCONF = "orkestra.urls"
WSGI_APPLICATION = "orkestra.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    }
]

DATABASES = databases(CONFIG)
DATABASE_ROUTERS = ["apps.tenants.router.RoleRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []

CACHES = {
    "default": {
        "BACKEND": "apps.accounts.lasting.LastingCache",
        "LOCATION": CONFIG.text("REDIS_URL") or "unix:///nonexistent/valkey.sock",
        "KEY_FUNCTION": "apps.tenants.cache.walled_key",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
            "CONNECTION_POOL_KWARGS": {"retry": None},
            "REDIS_CLIENT_CLASS": "apps.operations.errors.MeasuredRedis",
        },
    }
}

EMAIL_URL = CONFIG.text("EMAIL_URL")
for _name, _value in email(EMAIL_URL).items():
    globals()[_name] = _value
AI_URL = CONFIG.text("ORKESTRA_AI_URL").rstrip("/")
AI_KEY = CONFIG.text("ORKESTRA_AI_KEY")
AI_MODEL = CONFIG.text("ORKESTRA_AI_MODEL")
AI_PRICE = CONFIG.text("ORKESTRA_AI_PRICE")
AI_KILLED = CONFIG.switch("ORKESTRA_AI_KILLED")
DEFAULT_FROM_EMAIL = SERVER_EMAIL = CONFIG.text("ORKESTRA_MAIL_FROM")

COMMS_WEBHOOK_SECRETS = pairs("ORKESTRA_COMMS_WEBHOOK_SECRETS", CONFIG.text("ORKESTRA_COMMS_WEBHOOK_SECRETS"))
STRIPE_WEBHOOK_SECRETS = CONFIG.text("ORKESTRA_STRIPE_WEBHOOK_SECRETS").split()
STRIPE_KEY = CONFIG.text("ORKESTRA_STRIPE_KEY")
STRIPE_PRICES = pairs("ORKESTRA_STRIPE_PRICES", CONFIG.text("ORKESTRA_STRIPE_PRICES"))
STRIPE_API = "https://api.stripe.com"
WEBHOOK_MAX_BYTES = 256 * 1024

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = HOME / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

ATTACHMENTS_ROOT = HOME / "files"
BACKUPS_ROOT = HOME / "backups"
EXPORTS_ROOT = HOME / "exports"
IS_DEMO = (HOME / "demo-seeded").exists()
SIGN_UP_IS_OPEN = CONFIG.sign_up_is_open(demo=IS_DEMO)
EGRESS_LOOPBACK = CONFIG.switch("ORKESTRA_EGRESS_LOOPBACK") and not IS_DEMO
ATTACHMENT_MAX_BYTES = 20 * 1024 * 1024
REQUEST_MAX_BYTES = 3 * ATTACHMENT_MAX_BYTES + 1024 * 1024
FILE_UPLOAD_TEMP_DIR = str(HOME / "tmp") if (HOME / "tmp").is_dir() else None
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.accounts.authentication.GatewayAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.tenants.permission.Permitted"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.tenants.parsers.BoundedJSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.tenants.api.handle",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orkestra",
    "DESCRIPTION": "Forms and approval workflows, each act in a log that anyone can verify.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TenantRoleEnum": "apps.accounts.rules.Role",
        "LowerRoleEnum": "apps.accounts.service_accounts_api.ROLES",
        "FormRoleEnum": "apps.forms.models.GrantRole",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.tenants.description.describe_refusals",
    ],
}

LOGGING = logging_config(DEBUG)
LOGGING_CONFIG = "logging.config.dictConfig"

"""Sign-in, cookies, passwords and browser hardening: the settings a reviewer reads first."""

from __future__ import annotations

import os
from datetime import timedelta

from csp.constants import NONCE, NONE, SELF, STRICT_DYNAMIC

from .config import Config

_config = Config(os.environ)
_public = _config.text("ORKESTRA_PUBLIC_URL").rstrip("/") or f"http://localhost:{_config.text('ORKESTRA_PORT')}"
_https = _public.startswith("https://")
_host = _public.split("://", 1)[-1].split("/", 1)[0].rsplit(":", 1)[0]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "apps.accounts.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

ALLOWED_HOSTS = sorted({_host, "localhost", "127.0.0.1", "[::1]"})
CSRF_TRUSTED_ORIGINS = [_public]
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = _https
CSRF_FAILURE_VIEW = "apps.accounts.views.csrf_failure"
SESSION_ENGINE = "apps.accounts.sessions"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())  # without use
SESSION_ABSOLUTE_SECONDS = int(timedelta(days=7).total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-orkestra" if _https else "orkestra"
CSRF_COOKIE_NAME = "__Host-orkestra-csrf" if _https else "orkestra-csrf"
SESSION_EXPIRE_AT_BROWSER_CLOSE = False
BROWSER_COOKIE_NAME = "__Host-orkestra-browser" if _https else "orkestra-browser"  # see apps/accounts/known.py
BROWSER_COOKIE_AGE = int(timedelta(days=365).total_seconds())

ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
MFA_ADAPTER = "apps.accounts.second_factor.SecondFactorAdapter"
ACCOUNT_FORMS = {
    "reset_password": "apps.accounts.inputs.ResetInput",
    "change_password": "apps.accounts.inputs.PasswordChangeInput",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn"]  # recovery codes are ours: allauth keeps them as a seed
MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
MFA_FORMS = {
    "activate_totp": "apps.accounts.factor_forms.AppForm",
    "authenticate": "apps.accounts.factor_forms.CodeForm",
    "reauthenticate": "apps.accounts.factor_forms.CodeAgainForm",
    "authenticate_webauthn": "apps.accounts.factor_forms.PasskeyForm",
    "reauthenticate_webauthn": "apps.accounts.factor_forms.PasskeyAgainForm",
}
MFA_TOTP_ISSUER = "Orkestra"
MFA_TOTP_TOLERANCE = 0  # with a tolerance, a used code would be good once more in the next period
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses come from invitations, and sign-in is by them
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # a reset for nobody sends nothing, and looks like any other
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Ours count in PostgreSQL (apps.accounts.limits); of allauth's only those for people who are signed in.
ACCOUNT_RATE_LIMITS = {
    **dict.fromkeys(
        ["login", "login_failed", "reset_password", "reset_password_from_key", "confirm_email", "request_login_code"]
    ),
    "change_password": "10/m/user",
    "reauthenticate": "10/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = _config.number("ORKESTRA_TRUSTED_PROXIES")
LOGIN_URL = "/account/login/"
LOGIN_REDIRECT_URL = "/account/start/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"

ACCESS_TOKEN_LIFETIME = timedelta(minutes=5)
REFRESH_IDLE_LIFETIME = timedelta(days=14)
REFRESH_ABSOLUTE_LIFETIME = timedelta(days=30)

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _config.number("ORKESTRA_TRUSTED_PROXIES") else None
SECURE_CONTENT_TYPE_NOSNIFF = True

# Django's admin cannot carry nonces; apps.accounts.headers gives it script-src 'self' and no Trusted Types.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE, STRICT_DYNAMIC],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": [NONE],
    }
}

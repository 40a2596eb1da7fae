"""Whether the mail server answers; mails wait in the outbox while it does not."""

from __future__ import annotations

import smtplib

from django.conf import settings

SECONDS = 1.0


def check() -> str:
    """ok, down, or off where mails go to the terminal and no server is named."""
    if not settings.EMAIL_URL.startswith("smtp"):
        return "off"
    kind = smtplib.SMTP_SSL if settings.EMAIL_USE_SSL else smtplib.SMTP
    try:
        with kind(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=SECONDS) as server:
            server.noop()
    except (OSError, smtplib.SMTPException):
        return "down"
    return "ok"

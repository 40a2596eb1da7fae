"""A link for a new password. Whoever asks learns nothing: that an account is there is found out by a job, after the answer."""

from __future__ import annotations

import hashlib

from allauth.account.forms import default_token_generator
from allauth.account.internal.userkit import filter_users_by_email
from allauth.account.utils import url_str_to_user_pk, user_pk_to_url_str
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from apps.comms.actions import queue_mail
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID

from ..models import User
from .asked import opened, promise
from .sessions import reset_asked

PURPOSE = "password reset that is asked for"


def ask_for_reset(email: str) -> None:
    """Promise to look for an account of this address; the same work whether there is one or not."""
    promise("accounts.mail_reset_link", PURPOSE, email)


def mail_reset_link(sealed: str) -> None:
    """Mail a link to the person of an address, where there is one who may sign in, and record that it was asked for."""
    with opened(PURPOSE, sealed) as asked:
        with tenant_context(NOBODY):
            found = filter_users_by_email(asked["email"], is_active=True, prefer_verified=True, for_login=True)
        for user in found:
            if not user.is_service:
                _mail(user, asked["email"])


def lock_for_reset(uidb36: str) -> None:
    """Let the others who use a link of this person wait until the caller's transaction ends; then it is used."""
    try:
        pk = url_str_to_user_pk(uidb36)
    except ValueError:
        return
    User.objects.select_for_update().filter(pk=pk).first()


def _mail(user: User, email: str) -> None:
    with tenant_context(NOBODY):
        key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    link = f"{settings.PUBLIC_URL}{path}"
    with transaction.atomic():
        with as_system(PLATFORM_TENANT_ID):
            queue_mail(
                to=email,
                template="account/mail/password_reset",
                context={"link": link, "name": user.name},
                dedupe=f"password-reset:{hashlib.sha256(link.encode()).hexdigest()}",
                user_id=user.pk,
            )
        reset_asked(user)

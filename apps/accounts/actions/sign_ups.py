"""Signing up: a link proves the address, and opening it makes a person, their organisation and its first owner, once."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from apps.audit.actions import record
from apps.comms.actions import queue_mail
from apps.tenants.caller import called_for
from apps.tenants.context import NOBODY, as_visitor, current, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from apps.tenants.refusals import NotFound

from .. import links
from ..models import User
from ..pseudonyms import account_of
from .asked import opened, promise
from .people import create_proven_person, create_tenant

PURPOSE = "sign-up that is asked for"
TRIAL = timedelta(days=30)


def ask_for_sign_up(email: str) -> None:
    """Promise a mail to this address; the same work whether somebody has it here or not."""
    promise("accounts.mail_sign_up", PURPOSE, email)


@transaction.atomic
def mail_sign_up(sealed: str) -> None:
    """Mail the link to a stranger, and to a person that they have an account; a program is mailed nothing."""
    with opened(PURPOSE, sealed) as asked:
        email = asked["email"]
        with tenant_context(NOBODY):
            known = User.objects.filter(email__iexact=email).first()
        account = account_of(email)
        with as_visitor(PLATFORM_TENANT_ID), called_for(account):  # by nobody: whoever asks has shown nothing yet
            record("sign_up.asked", facts={"account": str(account)})
            if known is None:
                _mail(email, "sign_up", "account_sign_up_link", word=links.make(links.SIGN_UP, email, email))
            elif known.is_active and not known.is_service:
                _mail(email, "sign_up_known", "account_login")


def look_at_sign_up(word: str) -> str:
    """The address that a link proves. Raises NotFound for one that is unknown, used, replaced, too old or too late."""
    email = links.look(links.SIGN_UP, word)
    with tenant_context(NOBODY):
        if User.objects.filter(email__iexact=email).exists():
            raise NotFound()
    return email


@transaction.atomic
def sign_up(word: str, *, name: str, password: str, organisation: str, slug: str, timezone: str) -> tuple[User, Tenant]:
    """Make whoever holds the link a person, with an organisation on trial that they own; all of it or nothing.

    Raises NotFound for a link that opens nothing, Invalid for a weak password, Refused for an address that is taken.
    """
    user = create_proven_person(email=links.use(links.SIGN_UP, word), name=name, password=password)
    tenant = create_tenant(
        slug=slug, name=organisation, timezone=timezone, owner=user, trial=TRIAL, credential="sign_up"
    )
    return user, tenant


def begin_organisation(user: User, *, organisation: str, slug: str, timezone: str) -> Tenant:
    """A further organisation of somebody who has an account: on trial as the first, and theirs.

    Raises Refused for an address that is taken.
    """
    credential = current().credential
    return create_tenant(
        slug=slug, name=organisation, timezone=timezone, owner=user, trial=TRIAL, credential=credential
    )


def _mail(email: str, template: str, page: str, **place: str) -> None:
    queue_mail(
        to=email,
        template=f"account/mail/{template}",
        context={"link": f"{settings.PUBLIC_URL}{reverse(page, kwargs=place)}", "email": email},
        dedupe=f"sign-up:{new_id()}",
        user_id=None,
    )

"""Mails to a tenant's owners about what lets their people in."""

from __future__ import annotations

from django.conf import settings

from apps.comms.actions import queue_mail

from .. import people
from . import txt
from .models import SsoDomain


def tell_domain_missing(domain: SsoDomain, *, is_only: bool) -> None:
    """The record of a proven domain was not found: what it was, and what becomes of the domain without it."""
    words = {
        "tenant": domain.tenant.name,
        "domain": domain.domain,
        "place": txt.place(domain.domain),
        "proof": txt.proof(domain.challenge),
        "is_only": is_only,
        "link": f"{settings.PUBLIC_URL}/t/{domain.tenant.slug}/settings/sso/",
    }
    for owner in people.owners():
        queue_mail(
            to=owner.email,
            template="account/mail/domain_missing",
            context={"name": owner.name, **words},
            dedupe=f"domain-missing:{domain.pk}:{domain.checked_at}:{owner.user_id}",
            user_id=owner.user_id,
        )

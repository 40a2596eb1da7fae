"""Both doors as a person uses them: a browser that is signed in, and the API with a token."""

from __future__ import annotations

import time

from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import Member, User
from apps.accounts.tokens import issue_access
from apps.tenants import clock
from apps.tenants.ids import new_id


class Api(APIClient):
    """The API's door. `as_(member)` sends that member's real access token."""

    def as_(self, who: Member | User) -> Api:
        member = who if isinstance(who, Member) else None
        token = issue_access(
            user=member.user_id if member else who.pk,
            tenant=member.tenant_id if member else None,
            family=new_id(),
            auth_time=clock.now(),
            amr="pwd",
            platform=member is None and who.is_platform_admin,
        )
        client = Api()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client


def browser(who: Member | User) -> Client:
    """A Django client in which this person has just signed in by password."""
    user = who.user if isinstance(who, Member) else who
    client = Client(enforce_csrf_checks=False)
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client

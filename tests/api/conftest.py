"""What tests of the API share."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.accounts import actions
from apps.accounts.models import User
from apps.tenants.context import NOBODY, tenant_context
from tests.cast import PASSWORD
from tests.models import ModelServer


@pytest.fixture
def model(settings):
    server = ModelServer()
    settings.AI_URL, settings.AI_MODEL, settings.AI_PRICE = server.url, "small-1", "1/2"
    yield server
    server.end()


@pytest.fixture
def admin(_real_database: None) -> User:
    user = actions.create_person(email=f"admin-{uuid4().hex[:8]}@orkestra.example", name="Ada Root", password=PASSWORD)
    actions.make_super_admin(user)
    return user


@pytest.fixture
def browser(admin: User) -> Client:
    """Signed in through the form, so that the sign-in is fresh."""
    client = Client()
    answer = client.post("/account/login/", {"login": admin.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


@pytest.fixture
def made_up_passkeys() -> Iterator[None]:
    """Passkeys that no device made go with the test: the probe of passkeys reads all that are stored."""
    yield
    with tenant_context(NOBODY):
        Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).delete()

"""An act about a person and its entry are one: where the entry cannot be written, nothing was done."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import get_resolver

from apps.accounts.actions import sessions
from apps.accounts.factor_views import AppView
from apps.accounts.models import RecoveryCode, User
from apps.accounts.one_act import OneAct
from tests.api.test_second_factor import code_of, set_up
from tests.cast import PASSWORD
from tests.clients import browser

NEW = "another long horse battery"
CHANGING = {
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_add_webauthn",
    "mfa_remove_webauthn",
    "account_change_password",
}


def state(user):
    """What these pages change."""
    found = User.objects.get(pk=user.pk)
    return (
        found.password,
        sorted(Authenticator.objects.filter(user=user).values_list("pk", "type")),
        sorted(RecoveryCode.objects.filter(user=user).values_list("hashed", flat=True)),
    )


def change_password(client, user):
    return client.post("/account/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})


def set_an_app_up(client, user):
    page = client.get("/account/2fa/totp/activate/").content.decode()
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page)[1]
    return client.post("/account/2fa/totp/activate/", {"code": code_of(secret)})


def give_the_app_up(client, user):
    return client.post("/account/2fa/totp/deactivate/")


def remove_a_passkey(client, user):
    return client.post(f"/account/2fa/webauthn/keys/{Authenticator.objects.get(user=user, type='webauthn').pk}/remove/")


def make_codes(client, user):
    return client.post("/account/2fa/recovery-codes/generate/")


@pytest.mark.parametrize("act", [change_password, set_an_app_up, give_the_app_up, remove_a_passkey, make_codes])
def test_without_its_entry_nothing_is_done_and_with_it_all_is(acme, monkeypatch, act):
    user = acme.editor.user
    if act in {give_the_app_up, make_codes}:
        set_up(user)
    if act is remove_a_passkey:
        Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key", "credential": {}})
    client = browser(acme.editor)
    client.raise_request_exception = False
    confirm(client)
    before = state(user)
    with monkeypatch.context() as broken:
        broken.setattr(sessions, "record", fails)
        assert act(client, user).status_code == 500
    assert state(user) == before
    client = browser(acme.editor)
    confirm(client)
    assert act(client, user).status_code == 302
    assert state(user) != before


def fails(*args, **kwargs):
    raise RuntimeError("The log takes nothing.")


def confirm(client: Client) -> None:
    """As if this browser had just shown password and factor."""
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "password", "at": time.time(), "reauthenticated": True},
        {"method": "mfa", "type": "totp", "at": time.time(), "reauthenticated": True},
    ]
    session.save()


def test_every_page_of_the_library_that_changes_something_is_one_act():
    views = {
        one.name: one.callback.view_class
        for part in get_resolver().url_patterns
        for one in getattr(part, "url_patterns", [])
        if getattr(one, "name", None) in CHANGING
    }
    assert set(views) == CHANGING
    assert [name for name, view in views.items() if not issubclass(view, OneAct | AppView)] == []

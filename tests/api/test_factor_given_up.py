"""A second factor that was given up counts no more: what it had opened ends, and a short password does not stand alone."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.accounts import actions
from apps.accounts.models import User
from apps.tenants.clock import now
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import Tenant
from apps.tenants.refusals import NotSignedIn
from tests.api.test_second_factor import LOGIN, code_of, set_up
from tests.attack.test_ends_that_race import while_uncommitted
from tests.cast import PASSWORD

pytestmark = pytest.mark.usefixtures("made_up_passkeys")

SECOND = "/account/2fa/authenticate/"
SHORT = "seven ch"


class Browser:
    """The editor's, signed in with an app; time stands still and goes on by half minutes, so that each code is a new one."""

    def __init__(self, company, secret, traveller):
        self.company, self.secret, self.traveller = company, secret, traveller
        self.client = self.sign_in()

    def code(self):
        self.traveller.shift(60)
        return code_of(self.secret)

    def sign_in(self, password=PASSWORD):
        client = Client()
        client.post(LOGIN, {"login": self.company.editor.email, "password": password})
        assert client.post(SECOND, {"code": self.code()}).status_code == 302
        return client

    def gives_up(self):
        self.client.post("/account/2fa/reauthenticate/", {"code": self.code()})
        assert self.client.post("/account/2fa/totp/deactivate/")["Location"] == "/account/2fa/"

    def sets_password(self, word):
        body = {"oldpassword": PASSWORD, "password1": word, "password2": word}
        assert self.client.post("/account/password/change/", body).status_code == 302


@pytest.fixture
def browser(acme, settings):
    settings.IS_DEMO = False
    secret, _codes = set_up(acme.editor.user)
    with time_machine.travel((int(time.time()) // 30 + 4) * 30 + 1, tick=False) as traveller:
        yield Browser(acme, secret, traveller)


def require_one(company):
    with as_system(company.id):
        Tenant.objects.filter(pk=company.id).update(factor_required_from=now() - timedelta(days=1))


def token(api, company, password=PASSWORD, **more):
    return api.post(
        "/api/v1/auth/token", {"email": company.editor.email, "password": password, "tenant": company.slug, **more}
    )


def test_the_session_opens_no_tenant_that_requires_one(acme, browser):
    require_one(acme)
    assert browser.client.get(acme.url("forms/")).status_code == 200
    browser.gives_up()
    assert browser.client.get(acme.url("forms/")).status_code == 403


def test_tokens_and_other_browsers_end(api, acme, browser):
    made, other = token(api, acme, otp=browser.code()).json(), browser.sign_in()
    assert other.get(acme.url("forms/")).status_code == 200
    browser.gives_up()
    assert api.post("/api/v1/auth/refresh", {"refresh": made["refresh"]}).status_code == 401
    assert api.get("/api/v1/me", headers={"Authorization": f"Bearer {made['access']}"}).status_code == 401
    assert other.get(acme.url("forms/")).status_code == 302
    assert browser.client.get(acme.url("forms/")).status_code == 200


def test_one_of_two_ends_nothing(acme, browser):
    with tenant_context(NOBODY):
        Authenticator.objects.create(user=acme.editor.user, type="webauthn", data={"name": "Key", "credential": {}})
    other = browser.sign_in()
    browser.gives_up()
    assert other.get(acme.url("forms/")).status_code == 200


def test_a_code_that_was_shown_just_before_opens_no_token_just_after(acme, browser):
    with tenant_context(NOBODY):
        read = User.objects.get(pk=acme.editor.user_id)
    browser.gives_up()
    with pytest.raises(NotSignedIn):
        actions.open_family(read, tenant=acme.id, amr="pwd otp")


def test_whoever_gave_it_up_confirms_by_password(browser):
    browser.gives_up()
    browser.traveller.shift(400)
    asked = browser.client.get("/account/2fa/totp/activate/")
    assert asked["Location"].startswith("/account/reauthenticate/")
    answer = browser.client.post(asked["Location"], {"password": PASSWORD})
    assert answer["Location"] == "/account/2fa/totp/activate/"
    assert browser.client.get(answer["Location"]).status_code == 200


def test_a_short_password_signs_in_at_no_door_and_the_way_to_a_longer_one_is_shown(api, acme, browser):
    browser.sets_password(SHORT)
    browser.sign_in(SHORT)
    browser.gives_up()
    page = Client().post(LOGIN, {"login": acme.editor.email, "password": SHORT})
    assert page.status_code == 403
    assert 'href="/account/password/reset/"' in page.content.decode()
    answer = token(api, acme, SHORT)
    assert (answer.status_code, answer.json()["code"]) == (403, "password_too_short")
    assert answer.json()["reset"].endswith("/account/password/reset/")
    confirmed = browser.client.post("/account/reauthenticate/", {"password": SHORT})
    assert confirmed.status_code == 403


def test_in_a_demo_the_password_that_its_starter_chose_will_do(api, acme, browser, settings):
    browser.sets_password(SHORT)
    browser.gives_up()
    settings.IS_DEMO = True
    assert token(api, acme, SHORT).status_code == 200


def test_a_long_password_goes_on_alone(api, acme, browser):
    browser.gives_up()
    assert token(api, acme).status_code == 200
    assert Client().post(LOGIN, {"login": acme.editor.email, "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize("guess", ["wrong", "wrong horse battery"])
def test_a_guesser_learns_nothing_of_how_long_it_is(api, acme, browser, guess):
    browser.sets_password(SHORT)
    browser.gives_up()
    stranger = {"email": f"nobody@{acme.slug}.example", "password": guess}
    unknown = api.post("/api/v1/auth/token", stranger).json()
    wrong = token(api, acme, guess).json()
    assert {**wrong, "request_id": ""} == {**unknown, "request_id": ""}
    assert wrong["code"] == "wrong_credentials"
    page = Client().post(LOGIN, {"login": acme.editor.email, "password": guess})
    assert page.status_code == 200
    assert "longer" not in page.content.decode()


def test_a_switched_off_person_is_answered_as_anybody(api, acme, browser):
    browser.sets_password(SHORT)
    browser.gives_up()
    with tenant_context(NOBODY):
        User.objects.filter(pk=acme.editor.user_id).update(is_active=False)
    assert token(api, acme, SHORT).json()["code"] == "wrong_credentials"


def test_the_page_says_before_what_will_end(browser):
    browser.client.post("/account/2fa/reauthenticate/", {"code": browser.code()})
    page = browser.client.get("/account/2fa/totp/deactivate/").content.decode()
    assert "fewer than 15 characters" in page


def test_of_two_given_up_at_one_moment_the_second_is_the_last(acme, browser):
    with tenant_context(NOBODY):
        Authenticator.objects.create(user=acme.editor.user, type="webauthn", data={"name": "Key", "credential": {}})
    other = browser.sign_in()
    gone = [("DELETE FROM mfa_authenticator WHERE user_id = %s AND type = 'webauthn'", [acme.editor.user_id])]
    held = ("SELECT 1 FROM accounts_user WHERE id = %s FOR NO KEY UPDATE", [acme.editor.user_id])
    while_uncommitted([held, *gone], browser.gives_up)
    assert other.get(acme.url("forms/")).status_code == 302

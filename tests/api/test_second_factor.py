"""The second factor: set up, asked for at every door, used once, and no way around it."""

from __future__ import annotations

import re
import time

import pyotp
import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.accounts.sessions import SessionStore
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.cast import PASSWORD, person

LOGIN = "/account/login/"


def code_of(secret: str, moment: float | None = None) -> str:
    """What an independent generator shows."""
    return pyotp.TOTP(secret).at(int(time.time() if moment is None else moment))


def set_up(user):
    """Set up an app for a person as they would in their browser; (secret, recovery codes)."""
    client, secret = with_app(user)
    codes = shown_codes(client)
    assert len(codes) == 10
    return secret, codes


def with_app(user):
    """A browser in which an app was just set up, and whose next page shows the recovery codes; (browser, secret)."""
    client = Client()
    client.post(LOGIN, {"login": user.email, "password": PASSWORD})
    asked = client.get("/account/2fa/totp/activate/")
    assert asked["Location"].startswith("/account/reauthenticate/")
    page = client.post(asked["Location"], {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page)[1]
    with time_machine.travel(time.time(), tick=False):  # else the half minute may end between the two
        answer = client.post("/account/2fa/totp/activate/", {"code": code_of(secret)})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    assert answer["Location"] == "/account/2fa/recovery-codes/"
    return client, secret


def shown_codes(client):
    """The recovery codes that their page shows."""
    page = client.get("/account/2fa/recovery-codes/").content.decode()
    return re.findall(r"<li><code>([A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4})</code>", page)


@pytest.fixture
def protected(acme):
    """The company's editor with an app; time stands still at the start of a later half minute."""
    secret, codes = set_up(acme.editor.user)
    later = (int(time.time()) // 30 + 4) * 30 + 1
    with time_machine.travel(later, tick=False):
        yield acme, secret, codes


def token(api, company, **more):
    body = {"email": company.editor.user.email, "password": PASSWORD, "tenant": company.slug, **more}
    return api.post("/api/v1/auth/token", body)


def test_the_password_alone_opens_no_page(client_of, protected):
    acme, secret, _codes = protected
    answer = client_of.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    assert answer["Location"].startswith("/account/2fa/authenticate/")
    assert ">Code</label>" in client_of.get("/account/2fa/authenticate/").content.decode()
    assert client_of.get(acme.url()).status_code == 302
    assert client_of.get("/account/2fa/").status_code == 302
    assert client_of.post("/account/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client_of.get(acme.url()).status_code == 302
    assert client_of.post("/account/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
    assert client_of.get(acme.url()).status_code == 200


def test_the_password_alone_opens_no_token(api, protected):
    acme, secret, _codes = protected
    answer = token(api, acme)
    assert (answer.status_code, answer.json()["code"]) == (401, "otp_required")
    assert token(api, acme, otp="000000").json()["code"] == "otp_wrong"
    assert token(api, acme, otp=code_of(secret)).status_code == 200


def test_a_code_is_good_once_whichever_door_took_it(api, client_of, protected):
    acme, secret, _codes = protected
    assert token(api, acme, otp=code_of(secret)).status_code == 200
    assert token(api, acme, otp=code_of(secret)).json()["code"] == "otp_wrong"
    client_of.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    client_of.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    assert client_of.get(acme.url()).status_code == 302


def test_a_code_of_the_half_minute_before_is_good_once_and_none_older_than_one_that_was_used(api, protected):
    acme, secret, _codes = protected
    late = code_of(secret, time.time() - 30)
    assert token(api, acme, otp=late).status_code == 200
    assert token(api, acme, otp=late).status_code == 401
    assert token(api, acme, otp=code_of(secret)).status_code == 200
    assert token(api, acme, otp=late).status_code == 401


@pytest.mark.parametrize("seconds", [-60, 30])
def test_a_code_of_another_half_minute_is_wrong(api, protected, seconds):
    acme, secret, _codes = protected
    assert token(api, acme, otp=code_of(secret, time.time() + seconds)).status_code == 401


def test_a_recovery_code_opens_once(api, protected):
    acme, secret, codes = protected
    assert token(api, acme, otp=codes[3]).status_code == 200
    assert token(api, acme, otp=codes[3]).status_code == 401
    assert token(api, acme, otp=codes[4]).status_code == 200
    page = Client()
    page.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    page.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    assert page.post("/account/2fa/recovery-codes/generate/").status_code == 302
    assert token(api, acme, otp=codes[5]).status_code == 401, "new ones end the old"
    with as_system(acme.id):
        assert Entry.objects.get(action="factor.codes_made").actor_id == acme.editor.pk


def test_guessing_codes_is_slowed_down_even_for_the_right_one(api, protected):
    acme, secret, _codes = protected
    answers = [token(api, acme, otp=f"{number:06}").json()["code"] for number in range(12)]
    assert answers[-1] == "too_many_tries"
    assert token(api, acme, otp=code_of(secret)).status_code == 429


def test_the_person_is_told_once_when_somebody_with_their_password_guesses_codes(api, protected):
    acme, _secret, _codes = protected
    for number in range(9):
        token(api, acme, otp=f"{number:06}")
    with as_system(PLATFORM_TENANT_ID):
        rows = OutboxMessage.objects.filter(to=acme.editor.email)
        assert rows.filter(body__contains="too many wrong codes").count() == 1


def test_a_stranger_learns_nothing_before_the_password_is_right(api, protected):
    acme, _secret, _codes = protected
    answer = api.post("/api/v1/auth/token", {"email": acme.editor.user.email, "password": "wrong horse battery"})
    assert answer.json()["code"] == "wrong_credentials"


def test_a_reset_password_does_not_go_around_it(client_of, protected):
    from tests.api.test_signing_in import link_mailed_to

    acme, _secret, _codes = protected
    client_of.post("/account/password/reset/", {"email": acme.editor.user.email})
    form = client_of.get(link_mailed_to(acme.editor.user), follow=True)
    new = "another long horse battery"
    client_of.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert client_of.get(acme.url()).status_code == 302
    answer = client_of.post(LOGIN, {"login": acme.editor.user.email, "password": new})
    assert "/account/2fa/" in answer["Location"]


@pytest.mark.parametrize("door", ["change", "reset"])
def test_a_sign_in_half_way_ends_with_the_password_that_it_began_with(client_of, protected, door):
    from tests.api.test_signing_in import link_mailed_to

    acme, secret, codes = protected
    half = Client()
    assert half.post(LOGIN, {"login": acme.editor.email, "password": PASSWORD})["Location"].startswith("/account/2fa/")
    new = {"password1": "another long horse battery", "password2": "another long horse battery"}
    if door == "change":
        client_of.post(LOGIN, {"login": acme.editor.email, "password": PASSWORD})
        client_of.post("/account/2fa/authenticate/", {"code": codes[0]})
        changed = client_of.post("/account/password/change/", {"oldpassword": PASSWORD, **new})
    else:
        client_of.post("/account/password/reset/", {"email": acme.editor.email})
        form = client_of.get(link_mailed_to(acme.editor.user), follow=True)
        changed = client_of.post(form.request["PATH_INFO"], new)
    assert changed.status_code == 302
    assert half.post("/account/2fa/authenticate/", {"code": code_of(secret)})["Location"] == LOGIN
    assert half.get(acme.url()).status_code == 302
    assert half.get("/account/2fa/authenticate/")["Location"] == LOGIN


def test_a_stolen_session_cannot_switch_it_off_without_the_factor(client_of, protected):
    acme, secret, _codes = protected
    client_of.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    client_of.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    with time_machine.travel(time.time() + 600, tick=False):
        answer = client_of.post("/account/2fa/totp/deactivate/")
        assert "reauthenticate" in answer["Location"]
    with tenant_context(NOBODY):
        assert Authenticator.objects.filter(user_id=acme.editor.user_id, type="totp").exists()


def test_secrets_are_stored_encrypted(protected):
    acme, secret, codes = protected
    with database.superuser() as connection:
        rows = connection.execute("SELECT data::text FROM mfa_authenticator WHERE user_id = %s", [acme.editor.user_id])
        text = str(rows.fetchall())
    assert secret not in text
    assert not any(code in text for code in codes)


def test_with_a_tenant_bound_the_factors_of_others_are_not_there(protected, globex):
    with as_system(globex.id):
        assert not Authenticator.objects.filter(user_id=protected[0].editor.user_id).exists()


def test_the_log_says_that_a_second_factor_was_shown(api, protected):
    acme, secret, _codes = protected
    token(api, acme, otp=code_of(secret))
    with as_system(acme.id):
        found = Entry.objects.filter(action="session.opened", actor_id=acme.editor.pk).latest("time")
    assert found.facts["amr"] == "pwd otp"


@pytest.fixture
def admin(acme, settings):
    settings.IS_DEMO = False
    user = person("admin", f"{acme.slug}.orkestra")
    with database.superuser() as connection:
        connection.execute("UPDATE accounts_user SET is_platform_admin = true WHERE id = %s", [user.pk])
    user.refresh_from_db()
    return user


def test_a_super_admin_without_a_second_factor_gets_nowhere(api, client_of, admin):
    client_of.post(LOGIN, {"login": admin.email, "password": PASSWORD})
    assert client_of.get("/admin/").status_code == 403
    pair = api.post("/api/v1/auth/token", {"email": admin.email, "password": PASSWORD}).json()
    answer = api.post("/api/v1/platform/audit/verify", headers={"Authorization": f"Bearer {pair['access']}"})
    assert answer.status_code == 403
    assert answer.json()["code"] == "second_factor"


def test_a_super_admin_with_one_gets_in(api, client_of, admin):
    old = api.post("/api/v1/auth/token", {"email": admin.email, "password": PASSWORD}).json()
    secret, _codes = set_up(admin)
    with time_machine.travel((int(time.time()) // 30 + 4) * 30 + 1, tick=False):
        client_of.post(LOGIN, {"login": admin.email, "password": PASSWORD})
        client_of.post("/account/2fa/authenticate/", {"code": code_of(secret)})
        assert client_of.get("/admin/").status_code == 200
    with time_machine.travel((int(time.time()) // 30 + 8) * 30 + 1, tick=False):
        body = {"email": admin.email, "password": PASSWORD, "otp": code_of(secret)}
        pair = api.post("/api/v1/auth/token", body).json()
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        assert api.get("/api/v1/platform/audit/verify", headers=bearer).status_code == 200
        before = {"Authorization": f"Bearer {old['access']}"}
        assert api.get("/api/v1/platform/audit/verify", headers=before).status_code in {401, 403}


def notices(user):
    with as_system(PLATFORM_TENANT_ID):
        return [mail.body for mail in OutboxMessage.objects.filter(user_id=user.pk, template="account/mail/notice")]


def test_the_person_is_told_by_mail_about_each_new_and_lost_factor(protected):
    acme, secret, _codes = protected
    (first,) = notices(acme.editor.user)
    assert "authenticator app was set up" in first
    client = Client()
    client.post(LOGIN, {"login": acme.editor.user.email, "password": PASSWORD})
    client.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    with time_machine.travel(time.time() + 60, tick=False):
        client.post("/account/2fa/reauthenticate/", {"code": code_of(secret)})
        assert client.post("/account/2fa/totp/deactivate/")["Location"] == "/account/2fa/"
    assert len([text for text in notices(acme.editor.user) if "is gone" in text]) == 1


def test_the_person_is_told_by_mail_about_a_key_in_their_name(api, acme):
    made = api.as_(acme.owner).post("/api/v1/api-keys", {"name": "x", "scopes": ["forms.read"]}).json()
    (text,) = notices(acme.owner.user)
    assert made["shown"] in text
    assert made["key"] not in text


def test_new_recovery_codes_lie_nowhere_in_the_clear_until_they_are_shown(acme):
    client, _secret = with_app(acme.editor.user)
    assert_sealed_until_shown(client)
    assert client.post("/account/2fa/recovery-codes/generate/").status_code == 302
    assert_sealed_until_shown(client)


def test_the_secret_of_an_app_lies_nowhere_in_the_clear_while_it_is_set_up(acme):
    client = Client()
    client.post(LOGIN, {"login": acme.editor.email, "password": PASSWORD})
    asked = client.get("/account/2fa/totp/activate/")["Location"]
    pages = [client.post(asked, {"password": PASSWORD}, follow=True)]
    pages.append(client.post("/account/2fa/totp/activate/", {"code": "000000"}))
    shown = {re.search(r"<code>([A-Z2-7]{32})</code>", page.content.decode())[1] for page in pages}
    assert len(shown) == 1, "a wrong code keeps the secret that the app has"
    kept = SessionStore(client.session.session_key).load()
    assert not shown & set(re.findall("[A-Z2-7]{32}", str(kept)))
    with time_machine.travel(time.time(), tick=False):
        answer = client.post("/account/2fa/totp/activate/", {"code": code_of(shown.pop())})
    assert answer["Location"] == "/account/2fa/recovery-codes/"
    assert "mfa.totp.secret" not in client.session


def test_a_secret_whose_key_has_gone_meanwhile_is_a_new_one(acme):
    client = Client()
    client.post(LOGIN, {"login": acme.editor.email, "password": PASSWORD})
    asked = client.get("/account/2fa/totp/activate/")["Location"]
    client.post(asked, {"password": PASSWORD}, follow=True)
    session = client.session
    session["mfa.totp.secret"] = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    session.save()
    answer = client.post("/account/2fa/totp/activate/", {"code": code_of(session["mfa.totp.secret"])})
    assert answer.status_code == 200
    assert session["mfa.totp.secret"] not in answer.content.decode()


def assert_sealed_until_shown(client):
    """What lies in the session's row before the page of the codes holds none of them; the page shows them once."""
    kept = str(SessionStore(client.session.session_key).load())
    codes = shown_codes(client)
    assert len(codes) == 10
    assert not [code for code in codes if code in kept or code.replace("-", "") in kept]
    assert shown_codes(client) == []

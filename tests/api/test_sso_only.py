"""Only single sign-on: who still gets past the provider, that somebody always does, and what a lost domain opens."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client

from apps.accounts.actions import change_role, deactivate
from apps.accounts.models import Member
from apps.accounts.rules import Role
from apps.accounts.sso import actions, txt
from apps.accounts.sso.models import SsoDomain
from apps.comms.models import OutboxMessage
from apps.operations.models import Alarm
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context, with_changes
from apps.tenants.models import Tenant
from apps.tenants.refusals import Refused
from tests.api.test_second_factor import LOGIN, code_of
from tests.api.test_sso_settings import only, switch  # noqa: F401
from tests.attack.test_ends_that_race import while_uncommitted
from tests.cast import PASSWORD, acting_as
from tests.sso import acts, come, known_as

pytestmark = pytest.mark.usefixtures("made_up_passkeys")

SECOND = "/account/2fa/authenticate/"


def sign_in(member, secret):
    """A browser in which the member gave password and code."""
    client = Client()
    client.post(LOGIN, {"login": member.email, "password": PASSWORD})
    client.post(SECOND, {"code": code_of(secret)})
    return client


def later(minutes=2):
    return time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=False)


@pytest.fixture
def alone(only):  # noqa: F811
    """(company, the only owner for emergencies, their app's secret, another owner)."""
    acme, _connection, secret = only
    return acme, acme.owner, secret, acme.member("second", Role.OWNER)


def test_whoever_is_no_owner_any_more_is_none_for_emergencies(alone):
    acme, keeper, secret, second = alone
    set_up_as_keeper(acme, second)
    with acting_as(second), with_changes(amr=("pwd", "hwk")):
        change_role(keeper, Role.VIEWER, by=second)
    with later():
        client = sign_in(keeper, secret)
        assert client.get(acme.url()).status_code in {302, 403}
    assert acts(acme, "sso.passed_by") == []


def set_up_as_keeper(acme, member):
    """Name a member as a further owner for emergencies, with a factor."""
    with tenant_context(NOBODY):
        Authenticator.objects.create(user=member.user, type="webauthn", data={"name": "Key", "credential": {}})
    with acting_as(acme.owner):
        actions.set_sso_only(Tenant.objects.get(pk=acme.id), on=True, break_glass=[acme.owner, member], by=acme.owner)


@pytest.mark.parametrize("act", ["change_role", "deactivate"])
def test_the_last_owner_for_emergencies_stays_one(alone, act):
    acme, keeper, _secret, second = alone
    with acting_as(second), pytest.raises(Refused) as refused:
        change_role(keeper, Role.MEMBER, by=second) if act == "change_role" else deactivate(keeper, by=second)
    assert (refused.value.code, "only owner" in str(refused.value.detail)) == ("last_break_glass", True)
    with as_system(acme.id):
        assert Member.objects.for_emergencies().get().pk == keeper.pk


def test_without_only_single_sign_on_an_owner_leaves_as_before(alone):
    acme, keeper, _secret, second = alone
    switch(acme, on=False)
    with acting_as(second):
        assert not deactivate(keeper, by=second).is_active


def test_one_of_two_for_emergencies_may_go_but_not_the_one_with_the_only_factor(alone):
    acme, keeper, _secret, second = alone
    set_up_as_keeper(acme, second)
    with tenant_context(NOBODY):
        Authenticator.objects.filter(user=second.user).delete()
    with acting_as(second), pytest.raises(Refused):
        change_role(keeper, Role.MEMBER, by=second)
    with acting_as(keeper), with_changes(amr=("pwd", "otp")):
        assert change_role(second, Role.MEMBER, by=keeper).role == Role.MEMBER


def gives_up(client, secret):
    with later(4):
        client.post("/account/2fa/reauthenticate/", {"code": code_of(secret)})
        return client.post("/account/2fa/totp/deactivate/")


def test_the_only_owner_for_emergencies_keeps_the_last_factor_and_reads_why(alone):
    acme, keeper, secret, _second = alone
    with later():
        client = sign_in(keeper, secret)
    answer = gives_up(client, secret)
    assert answer.status_code == 422
    assert "is the only owner who gets into" in answer.content.decode()
    with later(6):
        assert sign_in(keeper, secret).get(acme.url()).status_code == 200
    assert acts(acme, "factor.removed") == []


def test_the_only_owner_for_emergencies_keeps_the_last_passkey_too(alone):
    _acme, keeper, secret, _second = alone
    with tenant_context(NOBODY):
        key = Authenticator.objects.create(user=keeper.user, type="webauthn", data={"name": "Key", "credential": {}})
    with later():
        client = sign_in(keeper, secret)
    assert gives_up(client, secret)["Location"] == "/account/2fa/"
    with later(5):
        answer = client.post(f"/account/2fa/webauthn/keys/{key.pk}/remove/")
    assert answer.status_code == 422
    assert "is the only owner who gets into" in answer.content.decode()


def test_with_another_for_emergencies_the_factor_may_go(alone):
    acme, keeper, secret, second = alone
    set_up_as_keeper(acme, second)
    with later():
        client = sign_in(keeper, secret)
    assert gives_up(client, secret)["Location"] == "/account/2fa/"


def test_whoever_gives_the_factor_up_at_the_moment_of_being_named_is_not_named(only):  # noqa: F811
    company, _connection, _secret = only
    switch(company, on=False)
    owners = "SELECT 1 FROM accounts_member WHERE tenant_id = %s AND role = 'owner' FOR NO KEY UPDATE"
    gone = [(owners, [company.id]), ("DELETE FROM mfa_authenticator WHERE user_id = %s", [company.owner.user_id])]
    with pytest.raises(Refused):
        while_uncommitted(gone, lambda: switch(company))


@pytest.fixture
def lost(only, monkeypatch):  # noqa: F811
    """(company, connection); each call looks once more for the domain's record, which is gone unless `found`."""
    acme, connection, _secret = only
    answers = {"found": False}
    monkeypatch.setattr(txt, "has_text", lambda place, text: answers["found"])

    def look(times=1, found=False):
        answers["found"] = found
        with as_system(acme.id):
            for _day in range(times):
                actions.check_domain(SsoDomain.objects.get())
            return SsoDomain.objects.get()

    return acme, connection, look


def test_a_record_that_is_lost_for_days_lets_no_password_in(lost, api):
    acme, _connection, look = lost
    assert look(5).verified_at is not None
    client = Client()
    assert client.post(LOGIN, {"login": acme.editor.email, "password": PASSWORD}).status_code == 403
    assert client.get(acme.url()).status_code == 302
    body = {"email": acme.editor.email, "password": PASSWORD, "tenant": acme.slug}
    assert api.post("/api/v1/auth/token", body).json()["code"] == "sso_required"
    assert acts(acme, "sso.domain_lost") == []


def test_the_owners_are_told_once_at_the_first_miss_and_whoever_watches_too(lost):
    acme, _connection, look = lost
    for times in (1, 1):
        look(times)
        with as_system(acme.id):
            (mail,) = OutboxMessage.objects.filter(template="account/mail/domain_missing")
    assert (mail.to, "passwords do not open" in mail.body) == (acme.owner.email, True)
    look(3)
    assert [entry.facts["misses"] for entry in acts(acme, "sso.domain_missing")] == [1, 3]


def test_a_security_event_tells_of_it(lost, monkeypatch):
    _acme, _connection, look = lost
    raised = []
    monkeypatch.setattr(actions, "security_event", lambda kind, **facts: raised.append((kind, facts["misses"])))
    look(5)
    assert raised == [("domain_missing", 1), ("domain_missing", 3)]
    assert "domain_missing" in dict(Alarm._meta.get_field("kind").choices)


def test_nobody_new_joins_by_a_lost_record_and_whoever_is_linked_goes_on(lost, idp):
    acme, connection, look = lost
    with as_system(acme.id):
        actions.link(connection, subject="s-1", member=acme.editor)
    look(3)
    linked, new = Client(), Client()
    come(linked, connection, idp, "s-1", **known_as(acme.editor))
    assert linked.get(acme.url()).status_code == 200
    claims = {"email": f"new@{acme.slug}.example", "email_verified": True, "name": "New"}
    assert come(new, connection, idp, "s-2", **claims).status_code == 403


def test_the_page_says_that_the_record_is_missing_until_it_is_back(only, lost):  # noqa: F811
    acme, _connection, look = lost
    with later():
        client = sign_in(acme.owner, only[2])
    look()
    assert "The last look did not find its record." in client.get(acme.url("settings/sso/")).content.decode()
    look(2)
    assert "Its record is gone" in client.get(acme.url("settings/sso/")).content.decode()
    assert look(found=True).misses == 0
    assert "Proven by its DNS" in client.get(acme.url("settings/sso/")).content.decode()


def test_with_passwords_let_in_again_the_lost_domain_is_given_up(lost):
    acme, _connection, look = lost
    look(4)
    switch(acme, on=False)
    assert look().verified_at is None
    assert len(acts(acme, "sso.domain_lost")) == 1


def test_only_single_sign_on_is_not_switched_on_by_a_lost_record(lost):
    acme, _connection, look = lost
    look(3)
    switch(acme, on=False)
    with pytest.raises(Refused):
        switch(acme)

"""Every door by which somebody comes in, and that none is weaker than the second factor that a person or tenant asks for."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
import time_machine
from django.test import Client

from apps.accounts import actions, gateway, second_factor
from apps.accounts.doors import RULES, Door
from apps.accounts.models import Member
from apps.accounts.sso.actions import link
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context, with_changes
from apps.tenants.models import Tenant
from tests import identity_provider
from tests.api.test_people import link_of
from tests.api.test_second_factor import set_up
from tests.api.test_signing_in import link_mailed_to
from tests.api.test_signing_up import mails_to, typed
from tests.cast import PASSWORD, acting_as
from tests.sso import come, connect, known_as, prove

# Each open address that can lead to a session or a token, and the test below that tries it.
DOORS = {
    r"/account/(login|password/reset)(/|\Z)": {"by_password", "by_reset"},
    r"/account/invitation/[A-Za-z0-9_-]{20,64}/\Z": {"by_invitation"},
    r"/account/signup/((sent|[A-Za-z0-9_-]{20,128})/)?\Z": {"by_sign_up"},
    r"/account/sso/([a-z0-9-]+/(callback/)?)?\Z": {"by_provider"},
    r"/account/2fa/authenticate/\Z": {"by_password"},
    r"/admin/login/\Z": {"by_admin"},
    r"/api/v1/auth/(token|refresh|revoke)\Z": {"by_token", "by_refresh"},
}
LEADS_NOWHERE = {
    r"/\Z", r"/security\Z", r"/static/", r"/favicon\.ico\Z", r"/api/v1/schema\Z", r"/healthz/(live|ready)\Z",
    r"/\.well-known/(security\.txt|jwks\.json)\Z", r"/api/v1/trust/(controls|claims)\Z",
}  # fmt: skip


@pytest.fixture
def idp(settings):
    settings.EGRESS_LOOPBACK = settings.SIGN_UP_IS_OPEN = True
    with identity_provider.serving() as provider:
        yield provider


def require(company, days=0):
    with acting_as(company.owner), with_changes(amr=("pwd", "otp")):
        actions.require_factor(Tenant.objects.get(pk=company.id), days=days, by=company.owner)


def sign_in(member, password=PASSWORD):
    client = Client()
    client.post("/account/login/", {"login": member.email, "password": password})
    return client


def by_password(acme, api, idp):
    return sign_in(acme.editor).get(acme.url()).status_code


def by_reset(acme, api, idp):
    client = Client()
    client.post("/account/password/reset/", {"email": acme.editor.email})
    form = client.get(link_mailed_to(acme.editor.user), follow=True)
    new = "another long horse battery"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    first = client.get(acme.url()).status_code
    return min(first, sign_in(acme.editor, new).get(acme.url()).status_code)


def by_token(acme, api, idp):
    body = {"email": acme.editor.email, "password": PASSWORD, "tenant": acme.slug}
    return api.post("/api/v1/auth/token", body).status_code


def by_refresh(acme, api, idp):
    """A family of before, taken while nothing was asked for."""
    pair = acme.pair
    answer = api.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]})
    if answer.status_code != 200:
        return answer.status_code
    return api.get("/api/v1/forms", headers={"Authorization": f"Bearer {answer.json()['access']}"}).status_code


def by_switch(acme, api, idp):
    answer = api.as_(acme.editor.user).post("/api/v1/auth/switch", {"tenant": acme.slug})
    return answer.status_code


def by_access_token(acme, api, idp):
    return api.as_(acme.editor).get("/api/v1/forms").status_code


def by_old_session(acme, api, idp):
    return acme.session.get(acme.url()).status_code


def by_invitation(acme, api, idp):
    """A new person by the link, who has no second factor; for them the tenant's demand alone counts."""
    email = f"guest@{acme.slug}.other.example"
    with acting_as(acme.owner):
        actions.invite(email=email, role="member", by=acme.owner)
    client = Client()
    client.post(link_of(acme, email), {"name": "Guest", "password": PASSWORD})
    client.post("/account/login/", {"login": email, "password": PASSWORD})
    return client.get(acme.url()).status_code


def by_sign_up(acme, api, idp):
    """Whoever is there already is mailed no link: the mail leads to the sign-in."""
    client = Client()
    client.post("/account/signup/", {"email": acme.editor.email})
    for _subject, text in mails_to(acme.editor.email):
        place = re.search(r"https?://[^/]+(/\S+)", text)[1]
        client.post(place, {"login": acme.editor.email, **typed(f"x{acme.slug}")})
    return client.get(acme.url()).status_code


def by_provider(acme, api, idp):
    prove(acme)
    connection = connect(acme, idp)
    client = Client()
    come(client, connection, idp, "s-1", **known_as(acme.editor, amr=["mfa", "otp"]))
    client.post("/account/sso/link/")
    return client.get(acme.url()).status_code


def by_again(acme, api, idp):
    """The question “is it really you?”, answered by the password, renews no second factor."""
    client = acme.session
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client.get(acme.url()).status_code


def by_admin(acme, api, idp):
    client = sign_in(acme.editor)
    client.get("/admin/login/", follow=True)
    return client.get(acme.url()).status_code


def by_key(acme, api, idp):
    """A person's API key, made while nothing was asked for."""
    return _by_bearer(acme.key)


def by_new_key(acme, api, idp):
    """A key made now, by the token and by the session of before."""
    sent = {"name": "CI", "scopes": ["forms.read"]}
    page = acme.owner_session.post(acme.url("settings/api-keys/"), sent | {"days": "9"})
    assert "ork_" not in page.content.decode()
    return max(page.status_code, api.as_(acme.owner).post("/api/v1/api-keys", sent).status_code)


def by_service_account(acme, api, idp):
    """A new service account, and a new key of the one that is there."""
    door, account = api.as_(acme.owner), str(acme.robot.pk)
    made = door.post("/api/v1/service-accounts", {"name": "Other", "role": "member"})
    key = door.post("/api/v1/api-keys", {"name": "CI", "scopes": ["forms.read"], "service_account": account})
    assert made.status_code == key.status_code
    return key.status_code


def _by_bearer(text):
    return Client().get("/api/v1/forms", headers={"Authorization": f"Bearer {text}"}).status_code


ALL = [by_password, by_reset, by_token, by_refresh, by_switch, by_access_token, by_old_session, by_invitation,
       by_sign_up, by_provider, by_again, by_admin, by_key, by_new_key, by_service_account]  # fmt: skip
# Each kind of credential that the gateway takes, and the doors that try it.
CREDENTIALS = {
    "session": {"by_password", "by_old_session", "by_provider"},
    "jwt": {"by_token", "by_access_token", "by_refresh", "by_switch"},
    "api_key": {"by_key", "by_new_key", "by_service_account"},
}


def test_every_open_address_is_a_door_that_is_tried_or_leads_nowhere():
    tried = {door.__name__ for door in ALL}
    open_ = {rule.pattern.pattern for rule in RULES if rule.door is Door.PUBLIC}
    strange = {path for path in open_ if path not in DOORS and path not in LEADS_NOWHERE and "account" in path}
    assert strange == set()
    assert set().union(*DOORS.values()) <= tried


def test_every_kind_of_credential_has_its_doors():
    taken = set(re.findall(r'credential="(\w+)"', Path(gateway.__file__).read_text()))
    assert taken == set(CREDENTIALS)
    assert set().union(*CREDENTIALS.values()) <= {door.__name__ for door in ALL}


@pytest.fixture
def before(acme, api):
    """What was opened before anything was asked for."""
    body = {"email": acme.editor.email, "password": PASSWORD, "tenant": acme.slug}
    acme.pair = api.post("/api/v1/auth/token", body).json()
    acme.session, acme.owner_session = sign_in(acme.editor), sign_in(acme.owner)
    with acting_as(acme.owner):
        acme.robot = actions.create_service_account(name="Robot", role="member", by=acme.owner)
        asked = {"name": "CI", "scopes": ["forms.read"], "days": 30, "by": acme.owner}
        _row, acme.key = actions.create_api_key(**asked)
        _row, acme.robot_key = actions.create_api_key(**asked, account=acme.robot)
    assert {_by_bearer(acme.key), _by_bearer(acme.robot_key)} == {200}
    assert acme.session.get(acme.url()).status_code == 200
    return acme


@pytest.mark.parametrize("door", ALL, ids=lambda door: door.__name__)
def test_no_door_opens_a_tenant_that_asks_for_a_second_factor_without_one(before, api, idp, door):
    require(before)
    assert door(before, api, idp) in {302, 401, 403}


@pytest.mark.parametrize(
    "door", [by_password, by_reset, by_sign_up, by_token, by_provider, by_admin], ids=lambda d: d.__name__
)
def test_no_door_goes_around_the_second_factor_of_a_person(before, api, idp, door):
    set_up(before.editor.user)
    assert door(before, api, idp) in {302, 401, 403}


def test_a_key_opens_again_once_its_person_could_show_a_factor_and_a_program_is_asked_for_none(before, api, idp):
    require(before)
    assert (_by_bearer(before.key), _by_bearer(before.robot_key)) == (403, 200)
    connection = connect(before, idp, factor_trust="said")
    with as_system(before.id):
        identity = link(connection, subject="s-1", member=before.owner)
    assert _by_bearer(before.key) == 200  # the provider's factor counts here
    with as_system(before.id):
        identity.delete()
    assert _by_bearer(before.key) == 403
    set_up(before.owner.user)
    assert _by_bearer(before.key) == 200


def test_before_the_day_a_banner_tells_and_nothing_is_closed(before, api):
    require(before, days=14)
    assert "second factor is needed here" in before.session.get(before.url()).content.decode()
    assert api.as_(before.editor).get("/api/v1/forms").status_code == 200
    with time_machine.travel(clock.now() + timedelta(days=15), tick=False):
        assert sign_in(before.editor).get(before.url()).status_code == 403


def test_whoever_has_none_is_led_to_set_one_up_and_then_gets_in(before):
    require(before)
    page = before.session.get(before.url())
    assert page.status_code == 403
    assert "/account/2fa/" in page.content.decode()
    secret, _codes = set_up(before.editor.user)
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        client = sign_in(before.editor)
        client.post("/account/2fa/authenticate/", {"code": pyotp.TOTP(secret).at(clock.now())})
        assert client.get(before.url()).status_code == 200


@pytest.mark.parametrize(
    ("trust", "amr", "opens"),
    [
        ("never", ["mfa"], False),
        ("said", ["mfa"], True),
        ("said", ["pwd"], False),
        ("said", None, False),
        ("always", None, True),
    ],
)
def test_the_factor_of_a_provider_counts_only_where_the_tenant_trusts_it(before, idp, trust, amr, opens):
    require(before)
    prove(before)
    connection = connect(before, idp, factor_trust=trust)
    with as_system(before.id):
        link(connection, subject="s-1", member=before.editor)
    client = Client()
    come(client, connection, idp, "s-1", **({"amr": amr} if amr else {}))
    assert (client.get(before.url()).status_code == 200) is opens


def test_a_trusted_provider_spares_the_code_and_an_untrusted_one_does_not(before, idp):
    set_up(before.editor.user)
    prove(before)
    for trust, place in (("never", "/account/2fa/authenticate/"), ("always", before.url())):
        connection = connect(before, idp, factor_trust=trust, name=trust)
        with as_system(before.id):
            link(connection, subject="s-1", member=before.editor)
        assert come(Client(), connection, idp, "s-1")["Location"] == place


def test_an_owner_without_one_cannot_lock_themselves_out(before, browse):
    client = browse(before.owner)
    client.post(before.url("settings/security/second-factor/"), {"days": "0"})
    with as_system(before.id):
        assert Tenant.objects.get(pk=before.id).factor_required_from is None


def test_asking_again_gives_nobody_more_time(before):
    require(before, days=7)
    with as_system(before.id):
        first = Tenant.objects.get(pk=before.id).factor_required_from
    require(before, days=30)
    with as_system(before.id):
        assert Tenant.objects.get(pk=before.id).factor_required_from == first


def test_of_racing_doors_one_takes_a_code(before):
    """Twenty times, five at once, pages and tokens alike, from connections of their own."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    secret, _codes = set_up(before.editor.user)
    user = before.editor.user

    def take(code):
        try:
            with tenant_context(NOBODY):
                return second_factor.verify(user, code)
        finally:
            connections.close_all()

    for round_ in range(20):
        with time_machine.travel(clock.now() + timedelta(minutes=2 + round_), tick=False):
            code = pyotp.TOTP(secret).at(clock.now())
            with ThreadPoolExecutor(5) as pool:
                won = [kind for kind in pool.map(_quiet(take), [code] * 5) if kind]
        assert won == ["totp"]
        from apps.accounts.models import Kept

        Kept.objects.all().delete()


def _quiet(take):
    from apps.accounts.limits import TooMany

    def tried(code):
        try:
            return take(code)
        except TooMany:
            return None

    return tried


def test_members_are_counted_by_whether_they_have_one(before):
    with as_system(before.id):
        people = list(Member.objects.active().values_list("user_id", flat=True))
        assert second_factor.how_many(people) == 0
    set_up(before.editor.user)
    with as_system(before.id):
        assert second_factor.how_many(people) == 1

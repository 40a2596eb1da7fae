"""Settings → SSO: providers, domains proven by DNS, only single sign-on and the owner for emergencies, and its keys."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client

from apps.accounts.sso import actions
from apps.accounts.sso.models import SsoConnection, SsoDomain
from apps.audit.models import Entry
from apps.tenants import clock, encryption
from apps.tenants.context import as_system
from apps.tenants.job_signing import signed
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from tests import database, name_server
from tests.api.test_second_factor import code_of, set_up
from tests.cast import PASSWORD, acting_as
from tests.identity_provider import CLIENT, SECRET
from tests.sso import acts, come, connect, known_as, leave, mail_domain, prove


@pytest.fixture
def dns(settings):
    with name_server.answering() as server:
        settings.DNS_SERVER = server.address
        yield server


def asked(idp, **more):
    body = {
        "kind": "oidc", "name": "Acme login", "issuer": idp.issuer, "client_id": CLIENT, "client_secret": SECRET,
        "default_role": "viewer", "factor_trust": "never",
    }  # fmt: skip
    return body | more


def test_an_owner_adds_tries_changes_and_removes_a_provider(browse, acme, idp):
    client = browse(acme.owner)
    answer = client.post(acme.url("settings/sso/add/"), asked(idp))
    page = client.get(answer["Location"]).content.decode()
    assert re.search(r"/account/sso/[0-9a-f-]{36}/callback/", page)
    assert SECRET not in page
    with as_system(acme.id):
        made = SsoConnection.objects.get()
    assert acme.slug in client.get(acme.url("settings/sso/")).content.decode()
    change = asked(idp, name="Another name", client_secret="", default_role="member")
    assert client.post(answer["Location"], change).status_code == 302
    with as_system(acme.id):
        made.refresh_from_db()
        assert (made.name, made.default_role, made.secret) == ("Another name", "member", SECRET)
    assert client.post(answer["Location"], {"do": "remove"}).status_code == 302
    assert Client().get(f"/account/sso/{made.pk}/").status_code == 404
    for action in ("sso.connected", "sso.changed", "sso.removed"):
        assert len(acts(acme, action)) == 1
    with database.superuser() as connection:
        rows = connection.execute("SELECT convert_from(body, 'UTF8') FROM audit_entry WHERE action LIKE 'sso.%'")
        assert SECRET not in str(rows.fetchall())


def test_what_was_typed_stays_when_no_provider_answers(browse, acme, idp):
    answer = browse(acme.owner).post(acme.url("settings/sso/add/"), asked(idp, issuer=f"{idp.issuer}/elsewhere"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f"{idp.issuer}/elsewhere" in page
    assert "Acme login" in page
    assert SECRET not in page


@pytest.mark.parametrize("who", ["editor", "viewer"])
@pytest.mark.parametrize("path", ["settings/sso/", "settings/sso/add/"])
def test_only_owners_see_it(browse, acme, who, path):
    assert browse(getattr(acme, who)).get(acme.url(path)).status_code == 403


def test_another_tenants_provider_does_not_exist(browse, acme, globex, idp):
    connection = connect(acme, idp)
    domain = prove(acme)
    client = browse(globex.owner)
    assert client.get(globex.url(f"settings/sso/{connection.pk}/")).status_code == 404
    assert client.post(globex.url(f"settings/sso/{connection.pk}/"), {"do": "remove"}).status_code == 404
    assert client.post(globex.url(f"settings/sso/domains/{domain.pk}/"), {"do": "remove"}).status_code == 404


@pytest.mark.parametrize("path", ["settings/sso/", "settings/sso/add/", "settings/sso/only/"])
def test_a_change_asks_whether_it_is_really_them(browse, acme, idp, path):
    client = browse(acme.owner)
    with time_machine.travel(clock.now() + timedelta(minutes=6), tick=False):
        answer = client.post(acme.url(path), asked(idp, domain="acme.example"))
    assert answer.status_code == 302
    assert "reauthenticate" in answer["Location"]
    with as_system(acme.id):
        assert not SsoConnection.objects.exists()
        assert not SsoDomain.objects.exists()


def test_a_domain_is_proven_by_the_record_that_its_own_dns_holds(browse, acme, dns):
    client = browse(acme.owner)
    domain = mail_domain(acme)
    client.post(acme.url("settings/sso/"), {"domain": f"  {domain.upper()} "})
    page = client.get(acme.url("settings/sso/")).content.decode()
    place = re.search(r"<code>(_orkestra\.[^<]+)</code>", page)[1]
    proof = re.search(r"<code>(orkestra-verification=[^<]+)</code>", page)[1]
    with as_system(acme.id):
        row = SsoDomain.objects.get()
    check = acme.url(f"settings/sso/domains/{row.pk}/")
    wrong = ([], ["something else"], [proof[:-1]], [proof + "x"], ["v=spf1 -all"])
    for texts in wrong:
        dns.texts = {place: texts}
        client.post(check, {"do": "check"})
        with as_system(acme.id):
            assert actions.proven_domains() == frozenset()
    dns.texts = {domain: [proof], f"www.{domain}": [proof]}
    client.post(check, {"do": "check"})
    with as_system(acme.id):
        assert actions.proven_domains() == frozenset()
    dns.texts = {place: ["v=spf1 -all", proof]}
    client.post(check, {"do": "check"})
    with as_system(acme.id):
        assert actions.proven_domains() == frozenset({domain})
    assert len(acts(acme, "sso.domain_verified")) == 1
    assert dns.asked[-1] == place


def test_the_record_of_one_tenant_proves_nothing_for_another(acme, globex, dns):
    with acting_as(acme.owner):
        first = actions.add_domain(domain="shared.example", by=acme.owner)
    with acting_as(globex.owner):
        second = actions.add_domain(domain="shared.example", by=globex.owner)
    dns.texts = {"_orkestra.shared.example": [f"orkestra-verification={first.challenge}"]}
    with as_system(globex.id):
        assert actions.check_domain(second) is False
        assert actions.proven_domains() == frozenset()


@pytest.mark.every_tenant
def test_a_proven_domain_is_given_up_after_three_misses_and_no_answer_is_no_miss(acme, dns, monkeypatch):
    from apps.accounts.sso import txt
    from apps.accounts.tasks import look_at_domains

    monkeypatch.setattr(txt, "SECONDS", 0.3)
    row = prove(acme)
    dns.is_silent = True
    for _day in range(4):
        look_at_domains(**signed("accounts.look_at_domains", {"timestamp": 0}))
    with as_system(acme.id):
        assert actions.proven_domains() == {row.domain}
    dns.is_silent = False
    look_at_domains(**signed("accounts.look_at_domains", {"timestamp": 0}))
    look_at_domains(**signed("accounts.look_at_domains", {"timestamp": 0}))
    with as_system(acme.id):
        assert actions.proven_domains() == {row.domain}
    look_at_domains(**signed("accounts.look_at_domains", {"timestamp": 0}))
    with as_system(acme.id):
        assert actions.proven_domains() == frozenset()
    assert len(acts(acme, "sso.domain_lost")) == 1


@pytest.mark.parametrize("domain", ["", "acme", "a b.example", "https://acme.example", "*.example", "a" * 64 + ".example",
                                    "acme.example/x", "-a.example", "1.2.3.4", "löwe.example"])  # fmt: skip
def test_what_is_no_domain_is_refused_and_kept_in_the_field(browse, acme, domain):
    answer = browse(acme.owner).post(acme.url("settings/sso/"), {"domain": domain})
    assert answer.status_code == 422


@pytest.fixture
def only(acme, idp):
    """Only single sign-on, with the owner for emergencies; (company, connection, the owner's app)."""
    secret, _codes = set_up(acme.owner.user)
    prove(acme)
    connection = connect(acme, idp)
    switch(acme)
    return acme, connection, secret


def switch(company, on=True):
    with acting_as(company.owner):
        tenant = Tenant.objects.get(pk=company.id)
        actions.set_sso_only(tenant, on=on, break_glass=[company.owner], by=company.owner)


def test_it_is_switched_on_only_with_a_way_in_and_a_way_back(browse, acme, idp):
    client = browse(acme.owner)
    on = {"on": "on", "break_glass": str(acme.owner.pk)}
    assert client.post(acme.url("settings/sso/only/"), on).status_code == 422
    connect(acme, idp)
    assert client.post(acme.url("settings/sso/only/"), on).status_code == 422
    prove(acme)
    assert client.post(acme.url("settings/sso/only/"), on).status_code == 422  # no second factor
    with as_system(acme.id):
        assert not Tenant.objects.get(pk=acme.id).is_sso_only


def test_then_a_password_opens_no_page(only, client_of):
    acme, _connection, _secret = only
    answer = client_of.post("/account/login/", {"login": acme.editor.email, "password": PASSWORD})
    assert answer.status_code == 403
    assert f"/account/sso/{acme.slug}/" in answer.content.decode()
    assert client_of.get(acme.url()).status_code == 302
    wrong = client_of.post("/account/login/", {"login": acme.editor.email, "password": "wrong horse battery"})
    assert f"/account/sso/{acme.slug}/" not in wrong.content.decode()


def test_then_a_password_opens_no_token_by_any_door(only, api):
    acme, _connection, _secret = only
    body = {"email": acme.editor.email, "password": PASSWORD}
    for tenant in ({"tenant": acme.slug}, {}):
        answer = api.post("/api/v1/auth/token", body | tenant)
        assert (answer.status_code, answer.json()["code"]) == (403, "sso_required")
    assert api.as_(acme.editor).get("/api/v1/forms").json()["code"] == "sso_required"
    answer = api.as_(acme.editor.user).post("/api/v1/auth/switch", {"tenant": acme.slug})
    assert answer.json()["code"] == "sso_required"


def test_sessions_and_tokens_of_before_end_at_the_next_request(acme, idp, api, browse):
    set_up(acme.owner.user)
    prove(acme)
    connect(acme, idp)
    client = browse(acme.editor)
    pair = api.post(
        "/api/v1/auth/token", {"email": acme.editor.email, "password": PASSWORD, "tenant": acme.slug}
    ).json()
    assert client.get(acme.url()).status_code == 200
    switch(acme)
    assert client.get(acme.url()).status_code == 403
    bearer = {"Authorization": f"Bearer {pair['access']}"}
    assert api.get("/api/v1/forms", headers=bearer).status_code in {401, 403}
    assert api.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401


def test_the_provider_still_opens_it(only, idp):
    acme, connection, _secret = only
    client = Client()
    come(client, connection, idp, "s-1", **known_as(acme.editor))
    client.post("/account/sso/link/")
    assert client.get(acme.url()).status_code == 200


def test_a_provider_that_is_left_half_way_opens_nothing_for_a_password(only, idp):
    acme, connection, _secret = only
    client = Client()
    come(client, connection, idp, "s-1", **known_as(acme.editor))
    client.post("/account/login/", {"login": acme.editor.email, "password": PASSWORD})
    assert client.get(acme.url()).status_code in {302, 403}


def test_an_address_outside_the_proven_domains_goes_on_by_password(only, client_of):
    acme, _connection, _secret = only
    with database.superuser() as connection:
        connection.execute(
            "UPDATE accounts_user SET email = %s WHERE id = %s",
            [f"guest@{acme.slug}.other.example", acme.viewer.user_id],
        )
    email = f"guest@{acme.slug}.other.example"
    client_of.post("/account/login/", {"login": email, "password": PASSWORD})
    assert client_of.get(acme.url()).status_code == 200


def test_a_person_of_another_tenant_too_keeps_their_password_for_that_one(only, globex, client_of):
    from apps.accounts import actions as people

    acme, _connection, _secret = only
    with acting_as(globex.owner):
        people.add_member(acme.editor.user, role="viewer", by=globex.owner)
    client_of.post("/account/login/", {"login": acme.editor.email, "password": PASSWORD})
    assert client_of.get(globex.url()).status_code == 200
    assert client_of.get(acme.url()).status_code == 403


def test_a_reset_password_is_no_way_around(only, client_of):
    from tests.api.test_signing_in import link_mailed_to

    acme, _connection, _secret = only
    client_of.post("/account/password/reset/", {"email": acme.editor.email})
    form = client_of.get(link_mailed_to(acme.editor.user), follow=True)
    new = "another long horse battery"
    client_of.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert client_of.get(acme.url()).status_code == 302
    client_of.post("/account/login/", {"login": acme.editor.email, "password": new})
    assert client_of.get(acme.url()).status_code in {302, 403}


def test_the_owner_for_emergencies_gets_in_with_a_second_factor_and_it_is_logged(only, client_of):
    acme, _connection, secret = only
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        client_of.post("/account/login/", {"login": acme.owner.email, "password": PASSWORD})
        assert client_of.get(acme.url()).status_code == 302
        client_of.post("/account/2fa/authenticate/", {"code": code_of(secret)})
        assert client_of.get(acme.url()).status_code == 200
    assert len(acts(acme, "sso.passed_by")) == 1


def test_the_owner_for_emergencies_does_not_get_in_by_password_alone(only):
    acme, _connection, _secret = only
    with database.superuser() as connection:
        connection.execute("DELETE FROM mfa_authenticator WHERE user_id = %s", [acme.owner.user_id])
    client = Client()
    client.post("/account/login/", {"login": acme.owner.email, "password": PASSWORD})
    assert client.get(acme.url()).status_code == 403


def test_the_last_provider_and_the_last_domain_stay_while_it_is_on(only, browse):
    from apps.tenants.refusals import Refused

    acme, connection, _secret = only
    with acting_as(acme.owner):
        with pytest.raises(Refused):
            actions.remove_connection(connection, by=acme.owner)
        with pytest.raises(Refused):
            actions.remove_domain(SsoDomain.objects.get(), by=acme.owner)
        assert SsoDomain.objects.count() == 1


def test_a_dangerous_act_asks_the_provider_again_and_wants_a_fresh_answer(acme, idp):
    prove(acme)
    connection = connect(acme, idp, factor_trust="always")
    with as_system(acme.id):
        actions.link(connection, subject="s-1", member=acme.owner)
    client = Client()
    come(client, connection, idp, "s-1")
    later = clock.now() + timedelta(minutes=6)
    with time_machine.travel(later, tick=False):
        answer = client.post(acme.url("settings/sso/"), {"domain": "more.example"})
        assert answer["Location"].startswith(f"/account/sso/{connection.pk}/?again=1")
        query = urlsplit(answer["Location"]).query
        url = leave(client, connection, f"?{query}")
        assert parse_qs(urlsplit(url).query)["max_age"] == ["0"]
        old = idp.agrees(url, "s-1", auth_time=int(later.timestamp()) - 3600)
        assert client.get(old).status_code == 403
        url = leave(client, connection, f"?{query}")
        back = client.get(idp.agrees(url, "s-1", auth_time=int(later.timestamp())))
        assert back["Location"] == "/account/again/"
        assert client.post(acme.url("settings/sso/"), {"domain": "more.example"})["Location"] == acme.url(
            "settings/sso/"
        )
    with as_system(acme.id):
        assert SsoDomain.objects.filter(domain="more.example").exists()


def test_a_change_of_keys_seals_everything_anew_while_it_goes_on_working(acme, idp, settings, tmp_path, capsys):
    file = tmp_path / "encryption"
    file.write_text(settings.ENCRYPTION_KEYS + "\n" if settings.ENCRYPTION_KEYS else "first\n")
    original = encryption.ring()
    file.write_text(",".join(_texts(settings)) + "\n")
    settings.ENCRYPTION_KEY_FILE = str(file)
    assert [key.name for key in encryption.ring()] == [key.name for key in original]
    secret, _codes = set_up(acme.editor.user)
    connection = connect(acme, idp)
    try:
        call_command("rotate_encryption_key")
        assert encryption.ring()[0].name != original[0].name
        assert len(encryption.ring()) == 1
        with as_system(PLATFORM_TENANT_ID):
            told = Entry.objects.filter(action="encryption_key.rotated").latest("time").facts
        assert told["key"] == encryption.ring()[0].name
        assert (told["older"], told["kept"]) == ([key.name for key in original], False)
        with as_system(acme.id):
            connection.refresh_from_db()
            assert encryption.is_current(connection.client_secret)
            assert connection.secret == SECRET
        with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
            client = Client()
            client.post("/account/login/", {"login": acme.editor.email, "password": PASSWORD})
            client.post("/account/2fa/authenticate/", {"code": code_of(secret)})
            assert client.get(acme.url()).status_code == 200
    finally:
        # Other tests of this process have secrets under the key of before: bring them home.
        file.write_text(",".join([*_texts(settings), file.read_text().strip()]) + "\n")
        call_command("rotate_encryption_key", keep_keys=True)
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def _texts(settings):
    from pathlib import Path

    place = settings.CONFIG.path("ORKESTRA_ENCRYPTION_KEY")
    text = Path(place).read_text() if place else settings.CONFIG.text("ORKESTRA_ENCRYPTION_KEY") or settings.SECRET_KEY
    return [part.strip() for part in text.split(",") if part.strip()]

"""Signing in by a tenant's own provider: who gets in, as whom, and into what."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from apps.accounts import actions as people
from apps.accounts.models import Member, User
from apps.accounts.rules import Role
from apps.accounts.sso import actions
from apps.accounts.sso.models import SsoConnection, SsoIdentity
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID, Tenant
from tests import database
from tests.api.test_people import link_of
from tests.api.test_quotas import limit, used
from tests.cast import PASSWORD, acting_as, person
from tests.identity_provider import SECRET
from tests.sso import acts, come, connect, known_as, leave, mail_domain, prove


@pytest.fixture
def acme_idp(acme, idp):
    """The company's provider, with its domain proven."""
    prove(acme)
    return connect(acme, idp)


def linked(client, connection, idp, member, subject="s-1", **more):
    """Come, and say yes to the question whether that is you."""
    asked = come(client, connection, idp, subject, **known_as(member, **more))
    assert asked["Location"] == "/account/sso/link/", asked.content.decode()[-1500:]
    return client.post("/account/sso/link/")


def test_the_way_out_carries_pkce_state_nonce_and_an_address_of_its_own(client_of, acme, acme_idp):
    query = {name: values[0] for name, values in parse_qs(urlsplit(leave(client_of, acme_idp)).query).items()}
    assert query["code_challenge_method"] == "S256"
    assert query["response_type"] == "code"
    assert query["redirect_uri"].endswith(f"/account/sso/{acme_idp.pk}/callback/")
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    again = {name: values[0] for name, values in parse_qs(urlsplit(leave(client_of, acme_idp)).query).items()}
    assert again["state"] != query["state"]
    assert again["nonce"] != query["nonce"]


def test_a_member_says_that_it_is_them_before_the_first_sign_in_and_never_again(client_of, acme, acme_idp, idp):
    asked = come(client_of, acme_idp, idp, "s-1", **known_as(acme.editor))
    assert asked["Location"] == "/account/sso/link/"
    assert client_of.get(acme.url()).status_code == 302
    assert acme.editor.email in client_of.get("/account/sso/link/").content.decode()
    assert client_of.post("/account/sso/link/")["Location"] == acme.url()
    assert client_of.get(acme.url()).status_code == 200
    assert len(acts(acme, "sso.linked")) == 1
    other = Client()
    # Afterwards the subject counts alone; another address, or none, changes nothing.
    assert come(other, acme_idp, idp, "s-1", email="x@elsewhere.example")["Location"] == acme.url()
    assert other.get(acme.url()).status_code == 200
    assert [entry.facts["amr"] for entry in acts(acme, "session.opened")] == ["fed", "fed"]


def test_a_person_whose_account_a_provider_opens_from_now_on_is_told_by_mail_once(acme, acme_idp, idp):
    def told(user):
        with as_system(PLATFORM_TENANT_ID):
            return list(OutboxMessage.objects.filter(user_id=user.pk, template="account/mail/notice"))

    asked = Client()
    come(asked, acme_idp, idp, "s-1", **known_as(acme.editor))
    assert told(acme.editor.user) == []  # nothing has changed until they said that it is them
    asked.post("/account/sso/link/")
    come(Client(), acme_idp, idp, "s-1")
    (mail,) = told(acme.editor.user)
    assert mail.to == acme.editor.email
    assert f"the identity provider of {acme.tenant.name} signs you in there" in mail.body
    assert "/account/sessions/" in mail.body
    with acting_as(acme.owner):
        actions.unlink(SsoIdentity.objects.get(connection=acme_idp), by=acme.owner)
    linked(Client(), acme_idp, idp, acme.editor, "s-2")
    assert len(told(acme.editor.user)) == 2


def test_somebody_new_of_a_proven_domain_joins_with_the_default_role(client_of, acme, acme_idp, idp):
    email = f"new@{mail_domain(acme)}"
    answer = come(client_of, acme_idp, idp, "s-9", email=email, email_verified=True, name="Nell New")
    assert answer["Location"] == acme.url()
    assert client_of.get(acme.url()).status_code == 200
    with as_system(acme.id):
        made = Member.objects.select_related("user").get(user__email=email)
    assert (made.role, made.name, made.user.has_usable_password()) == ("viewer", "Nell New", False)
    assert len(acts(acme, "sso.joined")) == 1


def test_the_address_may_come_from_the_userinfo_of_the_same_subject(client_of, acme, acme_idp, idp):
    idp.userinfo = {"sub": "s-9", "email": f"new@{mail_domain(acme)}", "email_verified": True}
    assert come(client_of, acme_idp, idp, "s-9")["Location"] == acme.url()


def test_an_invited_person_joins_with_the_role_of_the_invitation(client_of, acme, acme_idp, idp):
    email = f"asked@{mail_domain(acme)}"
    with acting_as(acme.owner):
        people.invite(email=email, role="member", by=acme.owner)
    come(client_of, acme_idp, idp, "s-9", email=email, email_verified=True)
    with as_system(acme.id):
        assert Member.objects.get(user__email=email).role == "member"
    assert len(acts(acme, "invitation.accepted")) == 1


def test_a_full_plan_refuses_the_newcomer_with_402_and_makes_nobody(client_of, acme, idp):
    prove(acme)
    connection = connect(acme, idp)
    limit(acme, "members", used(acme, "members"))
    email = f"new@{mail_domain(acme)}"
    answer = come(client_of, connection, idp, "s-9", email=email, email_verified=True)
    assert answer.status_code == 402
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "over_quota"
    with tenant_context(NOBODY):
        assert not User.objects.filter(email=email).exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "new@{domain}"},
        {"email": "new@{domain}", "email_verified": False},
        {"email": "new@{domain}", "email_verified": "yes"},
        {"email": "new@other.example", "email_verified": True},
        {"email": "new@sub.{domain}", "email_verified": True},
        {"email": "new@{domain}.evil.example", "email_verified": True},
        {"email": ["new@{domain}"], "email_verified": True},
        {},
    ],
)
def test_an_address_that_is_not_verified_in_a_proven_domain_lets_nobody_in(client_of, acme, acme_idp, idp, claims):
    def filled(value):
        return value.replace("{domain}", mail_domain(acme)) if isinstance(value, str) else value

    idp.userinfo = {"sub": "s-9"}
    answer = come(client_of, acme_idp, idp, "s-9", **{name: filled(value) for name, value in claims.items()})
    assert answer.status_code == 403
    assert client_of.get(acme.url()).status_code == 302
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "address_not_proven"


def test_a_domain_that_is_only_named_proves_nothing(client_of, acme, idp):
    connection = connect(acme, idp)
    with acting_as(acme.owner):
        actions.add_domain(domain=mail_domain(acme), by=acme.owner)
    assert come(client_of, connection, idp, "s-1", **known_as(acme.owner)).status_code == 403


def test_google_needs_the_workspace_not_only_an_address_in_the_domain():
    from apps.accounts.sso.rules import Said, may_match

    domains = frozenset({"acme.example"})
    assert may_match("google", Said("1", "a@acme.example", "", "acme.example", ()), domains)
    assert not may_match("google", Said("1", "a@acme.example", "", "", ()), domains)
    assert not may_match("google", Said("1", "a@acme.example", "", "evil.example", ()), domains)


def test_a_shut_out_member_stays_out(client_of, acme, acme_idp, idp):
    linked(Client(), acme_idp, idp, acme.editor)
    with acting_as(acme.owner):
        people.deactivate(acme.editor, by=acme.owner)
    assert come(client_of, acme_idp, idp, "s-1", **known_as(acme.editor)).status_code == 403
    assert client_of.get(acme.url()).status_code == 302


def test_another_subject_with_the_address_of_a_linked_member_is_refused(client_of, acme, acme_idp, idp):
    linked(Client(), acme_idp, idp, acme.editor, "s-1")
    assert come(client_of, acme_idp, idp, "s-2", **known_as(acme.editor)).status_code == 403
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "another_subject"


def test_somebody_known_elsewhere_is_not_taken_over(client_of, acme, acme_idp, idp):
    outsider = person("outsider", acme.slug)
    answer = come(client_of, acme_idp, idp, "s-9", email=outsider.email, email_verified=True)
    assert answer.status_code == 403
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "known_elsewhere"


@pytest.fixture
def both(acme, globex):
    """Somebody of both companies, whose address is in the domain of the first."""
    with acting_as(globex.owner):
        people.add_member(acme.editor.user, role="member", by=globex.owner)
    return acme.editor


def test_a_session_by_a_provider_opens_its_own_tenant_and_nothing_else(acme, globex, acme_idp, idp, both):
    by_password = Client()
    by_password.post("/account/login/", {"login": both.email, "password": PASSWORD})
    assert by_password.get(globex.url()).status_code == 200
    client = Client()
    linked(client, acme_idp, idp, both)
    assert client.get(acme.url()).status_code == 200
    assert client.get(globex.url()).status_code == 404
    assert globex.slug not in client.get(acme.url()).content.decode()
    assert globex.slug not in client.get("/account/start/", follow=True).content.decode()


@pytest.mark.parametrize(
    "path",
    ["/account/password/change/", "/account/2fa/", "/account/2fa/totp/activate/", "/account/2fa/recovery-codes/",
     "/account/2fa/recovery-codes/generate/", "/account/2fa/totp/deactivate/", "/account/reauthenticate/",
     "/account/organisation/"],
)  # fmt: skip
def test_a_session_by_a_provider_manages_nothing_that_would_open_another_tenant(settings, acme, acme_idp, idp, path):
    settings.SIGN_UP_IS_OPEN = True
    client = Client()
    linked(client, acme_idp, idp, acme.editor)
    assert client.get(path).status_code == 404
    assert client.post(path, {"code": "1", "password1": "x", "password2": "x"}).status_code == 404


@pytest.mark.parametrize("role", [Role.OWNER, Role.VIEWER])
def test_a_session_by_a_provider_is_shown_no_link_that_it_cannot_open(settings, acme, acme_idp, idp, role):
    settings.SIGN_UP_IS_OPEN = True
    client = Client()
    linked(client, acme_idp, idp, acme.owner if role == Role.OWNER else acme.viewer)
    for page in (acme.url(), "/account/start/"):
        links = set(re.findall(r'href="(/[^"#]*)"', client.get(page, follow=True).content.decode()))
        assert acme.url() in links
        for link in links:
            assert client.get(link, follow=True).status_code == 200, link


def test_a_session_by_a_provider_is_no_super_admins(acme, acme_idp, idp):
    with database.superuser() as connection:
        connection.execute("UPDATE accounts_user SET is_platform_admin = true WHERE id = %s", [acme.editor.user_id])
    client = Client()
    linked(client, acme_idp, idp, acme.editor)
    assert client.get("/admin/").status_code == 404


def test_a_session_by_a_provider_accepts_no_invitation_of_another_tenant(acme, globex, acme_idp, idp):
    with acting_as(globex.owner):
        people.invite(email=acme.editor.email, role="member", by=globex.owner)
    client = Client()
    linked(client, acme_idp, idp, acme.editor)
    client.post(link_of(globex, acme.editor.email))
    with as_system(globex.id):
        assert not Member.objects.filter(user_id=acme.editor.user_id).exists()


def test_what_is_done_by_a_provider_is_told_to_no_other_tenant(acme, globex, acme_idp, idp, both):
    client = Client()
    linked(client, acme_idp, idp, both)
    client.post("/account/logout/")
    assert len(acts(acme, "session.opened")) == 1
    assert len(acts(acme, "session.closed")) == 1
    assert acts(globex, "session.opened") == []
    assert acts(globex, "session.closed") == []


def test_removing_the_provider_ends_what_it_opened_and_its_id_opens_nothing_more(acme, acme_idp, idp):
    client = Client()
    linked(client, acme_idp, idp, acme.editor)
    with acting_as(acme.owner):
        actions.remove_connection(acme_idp, by=acme.owner)
    assert client.get(acme.url()).status_code == 404
    assert Client().get(f"/account/sso/{acme_idp.pk}/").status_code == 404
    with as_system(acme.id):
        assert SsoConnection.objects.get(pk=acme_idp.pk).client_secret == ""


@pytest.mark.parametrize(
    ("before", "amr", "after", "counts"),
    [("always", [], "never", False), ("said", ["otp"], "never", False), ("always", [], "said", False),
     ("always", ["otp"], "said", True), ("said", ["otp"], "always", True)],
)  # fmt: skip
def test_a_providers_factor_counts_as_its_tenant_trusts_it_at_the_next_request(acme, idp, before, amr, after, counts):
    prove(acme)
    connection = connect(acme, idp, factor_trust=before)
    with as_system(acme.id):
        Tenant.objects.filter(pk=acme.id).update(factor_required_from=clock.now())
        actions.link(connection, subject="s-1", member=acme.editor)
    client = Client()
    come(client, connection, idp, "s-1", amr=amr)
    assert client.get(acme.url()).status_code == 200
    asked = {"name": "x", "client_id": connection.client_id, "client_secret": "", "default_role": "viewer"}
    with acting_as(acme.owner):
        actions.change_connection(connection, **asked, factor_trust=after, by=acme.owner)
    assert client.get(acme.url()).status_code == (200 if counts else 403)


def test_unlinking_ends_the_session_and_the_next_one_asks_again(acme, acme_idp, idp):
    client = Client()
    linked(client, acme_idp, idp, acme.editor)
    with acting_as(acme.owner):
        actions.unlink(SsoIdentity.objects.get(connection=acme_idp), by=acme.owner)
    assert client.get(acme.url()).status_code == 404
    assert come(Client(), acme_idp, idp, "s-1", **known_as(acme.editor))["Location"] == "/account/sso/link/"


def test_coming_back_leads_to_the_page_that_was_wanted_and_to_no_other_site(acme, acme_idp, idp):
    linked(Client(), acme_idp, idp, acme.editor)
    wanted = acme.url("forms/")
    assert come(Client(), acme_idp, idp, "s-1", query=f"?next={wanted}")["Location"] == wanted
    for target in ("https://evil.example/", "//evil.example", "/t/other/", f"/t/{acme.slug}/\\..\\..//evil.example"):
        answer = come(Client(), acme_idp, idp, "s-1", query=f"?next={target}")
        assert answer["Location"].startswith(acme.url()) or answer["Location"] == acme.url()


def test_the_address_of_a_person_finds_the_provider_of_its_proven_domain(client_of, acme, acme_idp):
    page = client_of.post("/account/sso/", {"email": f"anybody@{mail_domain(acme)}"}).content.decode()
    assert f"/account/sso/{acme_idp.pk}/" in page
    nothing = client_of.post("/account/sso/", {"email": "anybody@nowhere.example"})
    assert nothing.status_code == 422
    assert "anybody@nowhere.example" in nothing.content.decode()


def test_a_domain_that_another_tenant_only_names_leads_nobody_there(client_of, acme, acme_idp, globex, idp):
    connect(globex, idp)
    with acting_as(globex.owner):
        actions.add_domain(domain=mail_domain(acme), by=globex.owner)
    page = client_of.post("/account/sso/", {"email": f"anybody@{mail_domain(acme)}"}).content.decode()
    assert globex.tenant.name not in page


def test_the_tenants_address_leads_to_its_provider(client_of, acme, acme_idp):
    assert client_of.get(f"/account/sso/{acme.slug}/")["Location"] == f"/account/sso/{acme_idp.pk}/"
    assert client_of.get("/account/sso/no-such-tenant/").status_code == 404


def test_the_client_secret_is_stored_encrypted(acme, acme_idp):
    with database.superuser() as connection:
        row = connection.execute("SELECT client_secret FROM accounts_ssoconnection WHERE id = %s", [acme_idp.pk])
        stored = str(row.fetchone())
    assert SECRET not in stored
    with as_system(acme.id):
        assert SsoConnection.objects.get(pk=acme_idp.pk).secret == SECRET


def test_a_sign_in_by_a_provider_replaces_the_session_that_was_there(acme, acme_idp, idp):
    client = Client()
    client.post("/account/login/", {"login": acme.owner.email, "password": PASSWORD})
    before = client.session.session_key
    linked(client, acme_idp, idp, acme.editor)
    assert client.session.session_key != before
    assert acme.editor.name in client.get(acme.url()).content.decode()


def test_of_two_who_say_yes_to_the_question_the_second_is_told_why_not(acme, acme_idp, idp):
    browsers = [Client(), Client()]
    for client in browsers:
        come(client, acme_idp, idp, "s-1", **known_as(acme.editor))
    answers = [client.post("/account/sso/link/") for client in browsers]
    assert [answer.status_code for answer in answers] == [302, 403]
    assert "linked already" in answers[1].content.decode()
    assert len(acts(acme, "sso.linked")) == 1
    assert [entry.facts["reason"] for entry in acts(acme, "sso.refused")] == ["linked_already"]

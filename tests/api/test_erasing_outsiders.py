"""What is kept of people who are no members of a tenant: visitors from support, public senders, who came by a provider."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.accounts.actions.privacy import erase_private_values
from apps.accounts.limits import Limit
from apps.accounts.models import Member
from apps.audit import private
from apps.audit.models import Entry, PrivateValue
from apps.audit.sealer import seal
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.api.test_public_forms import TYPED, public, send
from tests.cast import acting_as, super_admin
from tests.clients import browser
from tests.sso import come, connect, known_as, mail_domain, prove

AGENT = "Outsider/1 (her-laptop)"


def kept(company) -> int:
    """How many values of this browser lie beside a company's log."""
    with as_system(company.id):
        return PrivateValue.objects.filter(value=AGENT).count()


def erased(email: str, tenant: str | None = None) -> str:
    """What the command says."""
    said = StringIO()
    call_command("erase_person", email, tenant=tenant, stdout=said)
    return said.getvalue()


def attested(company) -> None:
    """Everything that is gone from a company's log is attested there."""
    seal(company.id)
    with as_system(company.id):
        found = private.examine()
    assert (found.lost, found.broken) == (0, [])
    assert found.erased


def visitor(*companies):
    """A Super Admin who has changed something in each of these on a visit."""
    admin = super_admin(f"root-{new_id().hex}@a.example")
    for company in companies:
        client = browser(admin)
        client.post(
            "/admin/accounts/supportvisit/add/", {"tenant": str(company.id), "reason": "Ticket 4711: it stops."}
        )
        body = {"name": "Renamed", "timezone": "UTC"}
        answer = client.post(company.url("settings/general/"), body, headers={"User-Agent": AGENT})
        assert answer.status_code == 302
    return admin


def test_whoever_is_erased_everywhere_leaves_no_address_in_tenants_that_they_visited(acme, globex):
    admin = visitor(acme, globex)
    assert kept(acme)
    assert kept(globex)
    said = erased(admin.email)
    assert f"{acme.slug}: " in said
    assert f"{globex.slug}: " in said
    for company in (acme, globex):
        assert kept(company) == 0
        attested(company)
        with as_system(company.id):
            assert not PrivateValue.objects.filter(person=admin.pk).exists()
            assert Entry.objects.get(action="privacy.erased").facts["person"] == str(admin.pk)


def test_of_a_visitor_one_tenant_alone_can_be_cleared(acme, globex):
    admin = visitor(acme, globex)
    assert globex.slug not in erased(admin.email, acme.slug)
    assert kept(acme) == 0
    assert kept(globex) > 0
    with pytest.raises(CommandError, match="Nobody"):
        erased(admin.email, acme.slug)


def test_what_a_public_sender_left_is_erased_by_the_address_they_gave(api, acme, globex):
    mail, other = (f"{new_id().hex}@elsewhere.example" for _number in range(2))
    for company, sender in ((acme, mail), (acme, other), (globex, mail)):
        if company is globex or sender == mail:
            public(api, company)
        sent = send(Client(headers={"User-Agent": AGENT}), company, item=sender.upper())
        assert sent.status_code == 302
    others = kept(acme) // 2
    assert f"{acme.slug}: " in erased(mail)
    assert (kept(acme), kept(globex)) == (others, 0)
    attested(acme)
    attested(globex)
    with as_system(acme.id):
        assert not Entry.objects.filter(body__contains=mail.encode()).exists()
    erased(other, acme.slug)
    assert kept(acme) == 0
    with pytest.raises(CommandError, match="Nothing is kept"):
        erased(other)


def test_what_a_sender_left_whose_address_gets_no_more_mail_is_erased_as_well(api, acme, monkeypatch):
    monkeypatch.setattr("apps.forms.actions.public.MAILED_REPORTS", Limit("public.contact", 0, 60))
    mail = f"{new_id().hex}@elsewhere.example"
    public(api, acme)
    send(Client(headers={"User-Agent": AGENT}), acme, item=mail)
    erased(mail)
    assert kept(acme) == 0
    with as_system(PLATFORM_TENANT_ID):
        assert not PrivateValue.objects.filter(value=AGENT).exists()


def test_what_a_sender_without_an_address_left_is_nobodys(api, acme):
    public(api, acme)
    assert send(Client(headers={"User-Agent": AGENT}), acme, TYPED).status_code == 302
    with as_system(acme.id):
        assert set(PrivateValue.objects.filter(value=AGENT).values_list("person", flat=True)) == {None}


def test_a_refused_answer_of_a_provider_is_erased_by_the_address_that_it_named_or_that_was_typed(acme, idp):
    prove(acme)
    connection = connect(acme, idp)
    named, typed = f"named-{new_id().hex}@other.example", f"typed-{new_id().hex}@{mail_domain(acme)}"
    client = Client(headers={"User-Agent": AGENT})
    assert come(client, connection, idp, "s-1", email=named, email_verified=True).status_code == 403
    client.post("/account/sso/", {"email": typed})
    assert come(client, connection, idp, "s-1", nonce="another").status_code == 403
    assert kept(acme) == 2
    for email in (named, typed):
        erased(email)
    assert kept(acme) == 0
    attested(acme)
    with as_system(acme.id):
        (first, second) = Entry.objects.filter(action="sso.refused")
    assert first.facts["account"] != second.facts["account"]


@pytest.mark.parametrize("by", ["the page", "the command"])
def test_the_first_sign_in_by_a_provider_is_erased_with_its_person(acme, idp, by):
    prove(acme)
    connection = connect(acme, idp)
    client = Client(headers={"User-Agent": AGENT})
    come(client, connection, idp, "s-1", **known_as(acme.editor))
    client.post("/account/sso/link/")
    email = f"new-{new_id().hex}@{mail_domain(acme)}"
    come(Client(headers={"User-Agent": AGENT}), connection, idp, "s-9", email=email, email_verified=True)
    with as_system(acme.id):
        assert not PrivateValue.objects.filter(value=AGENT, person=None).exists()
        people = [acme.editor, Member.objects.select_related("user").get(user__email=email)]
    for member in people:
        if by == "the command":
            erased(member.email)
        else:
            with acting_as(acme.owner):
                erase_private_values(member, by=acme.owner)
    assert kept(acme) == 0
    attested(acme)


def test_no_value_beside_a_tenants_log_is_attested_by_an_erasure_of_somebody_elses(api, acme):
    mail, other = (f"{new_id().hex}@elsewhere.example" for _number in range(2))
    public(api, acme)
    for sender in (mail, other):
        send(Client(headers={"User-Agent": AGENT}), acme, item=sender)
    erased(mail)
    with database.superuser() as admin:
        admin.execute("DELETE FROM audit_privatevalue WHERE tenant_id = %s AND value = %s", [acme.id, AGENT])
    with as_system(acme.id):
        assert private.examine().lost > 0

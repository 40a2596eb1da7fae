"""Inviting is limited as every mail to a stranger is: by who sends, and by who would get it, whatever the tenant."""

from __future__ import annotations

import pytest

from apps.accounts import limits
from apps.accounts.limits import Limit
from apps.accounts.pseudonyms import account_of
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID

TEMPLATE = "account/mail/invitation"


@pytest.fixture
def stranger(acme):
    return f"stranger@{acme.slug}.elsewhere.example"


def invite(api, company, email):
    return api.as_(company.owner).post("/api/v1/invitations", {"email": email, "role": "member"})


def mails(email, *companies):
    count = 0
    for company in companies:
        with as_system(company.id):
            count += OutboxMessage.objects.filter(template=TEMPLATE, to=email).count()
    return count


def passed(limit, subject):
    """The entries that this limit was passed for this subject."""
    with as_system(PLATFORM_TENANT_ID):
        rows = list(Entry.objects.filter(action="limit.passed"))
    wanted = {"limit": limit, "subject": str(account_of(subject))}
    return [row for row in rows if wanted.items() <= row.facts.items()]


def test_a_stranger_gets_few_invitations_from_all_tenants_together(api, browse, acme, globex, stranger):
    here = invite(api, acme, stranger).json()["id"]
    there = invite(api, globex, stranger).json()["id"]
    for _time in range(3):
        assert api.as_(acme.owner).post(f"/api/v1/invitations/{here}/resend").status_code == 201
    for _time in range(3):
        answer = api.as_(globex.owner).post(f"/api/v1/invitations/{there}/resend")
        assert answer.status_code == 429
    assert browse(acme.owner).post(acme.url(f"settings/invitations/{here}/"), {"do": "resend"}).status_code == 429
    assert invite(api, acme, stranger.upper()).status_code == 429
    assert mails(stranger, acme, globex) == 5
    (entry,) = passed("invitations.address", stranger)
    assert entry.facts["account"] == str(account_of(stranger))
    assert invite(api, globex, f"another-{stranger}").status_code == 201


def test_what_a_tenant_sends_beyond_its_limit_stands_in_the_log_once(api, acme, globex, stranger, monkeypatch):
    monkeypatch.setattr(limits, "INVITATIONS_OF_TENANT", Limit("invitations.tenant", 2, 3600))
    answers = [invite(api, acme, f"{number}.{stranger}").status_code for number in range(5)]
    assert answers == [201, 201, 429, 429, 429]
    assert len(passed("invitations.tenant", str(acme.id))) == 1
    assert invite(api, globex, stranger).status_code == 201

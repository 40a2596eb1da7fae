"""Every form of every page of a tenant, sent during a support visit: what a visitor may write stands in one list.

Whoever adds a form decides here whether a visitor may send it; nothing that lasts beyond the visit, leads data out or
speaks for the owner may.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.approvals.models import Delegation
from apps.forms.models import Form, Grant, Submission
from apps.tenants import clock
from apps.tenants.context import as_system
from tests.attack.test_every_page_form import ACTS, Act, _of, stage  # noqa: F401
from tests.cast import super_admin
from tests.clients import browser

# Beside a form of each page, what its buttons do, and what is the owner's own.
MORE = [
    Act("streams:act", lambda s: {"do": "rotate"}, _of("stream")),
    Act("streams:act", lambda s: {"do": "resume"}, _of("stream")),
    Act("streams:act", lambda s: {"do": "test"}, _of("stream")),
    Act("comms:webhook_act", lambda s: {"do": "rotate"}, _of("hook")),
    Act("comms:webhook_act", lambda s: {"do": "test"}, _of("hook")),
    Act("forms:discard", at=_of("owners_draft")),
    Act("forms:draft", lambda s: {"item": "B", "total": "4", "do": "save"}, _of("owners_draft")),
    Act("approvals:end", at=_of("owners_stand_in")),
]
MAY = {
    # Settings, teams and forms, which a visit is there to help with; the owners read each act in their log.
    "accounts:general", "accounts:teams", "accounts:team", "accounts:team leave", "ai:switch", "ai:cap",
    "forms:edit", "forms:form", "forms:preview", "forms:access", "forms:access filling", "forms:revoke", "forms:delete",
    "forms:take",
    # Addresses that are there already: whether they are told, and what they are told again.
    "comms:webhook_act on", "comms:webhook_act off", "comms:webhook_act test", "comms:webhook_resend",
    "streams:act pause", "streams:act resume", "streams:act test",
}  # fmt: skip


def name_of(act: Act, fields: dict[str, Any]) -> str:
    """The act in words: its page, and what is done there where it does several things."""
    which = fields.get("do") or next((one for one in ("leave", "filling") if one in fields), "")
    return f"{act.name} {which}".strip()


@pytest.fixture
def visitor(stage):  # noqa: F811
    """A Super Admin on a visit to the company, in a browser; the owner owns its forms, and has a draft and a stand-in."""
    acme = stage.acme
    with as_system(acme.id):
        for form in Form.objects.exclude(pk=stage.lost):
            Grant.objects.create(form=form, principal_type="USER", principal_member=acme.owner, role="OWNER")
        sent = Submission.objects.get(pk=stage.submission)
        stage.owners_draft = Submission.objects.create(
            form=sent.form, form_version=sent.form_version, submitter=acme.owner, draft_data={"item": "A"}
        ).pk
        stage.owners_stand_in = Delegation.objects.create(
            person=acme.owner, stand_in=acme.editor, created_by=acme.owner, starts_at=clock.now(),
            ends_at=clock.now() + timedelta(days=1),
        ).pk  # fmt: skip
    admin = super_admin(f"root@{acme.slug}.example")
    client: Client = browser(admin)
    entered = {"tenant": str(acme.id), "reason": "Ticket 4711: it does not publish."}
    assert client.post("/admin/accounts/supportvisit/add/", entered)["Location"] == acme.url()
    return client


def test_a_visit_writes_what_the_list_says_and_nothing_else(stage, visitor):  # noqa: F811
    acme, let_in = stage.acme, set()
    for act in [*MORE, *ACTS]:
        fields = act.fields(stage)
        path = reverse(act.name, kwargs={"tenant": acme.slug, **act.at(stage)}) + act.query
        answer = visitor.post(path, fields)
        assert answer.status_code < 500, act.name
        if answer.status_code not in {403, 404}:
            let_in.add(name_of(act, fields))
    assert (sorted(let_in - MAY), sorted(MAY - let_in)) == ([], [])
    with as_system(acme.id):
        assert Submission.objects.filter(pk=stage.owners_draft).exists()
        assert Delegation.objects.get(pk=stage.owners_stand_in).ended_at is None

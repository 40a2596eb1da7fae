"""What an entry once told of is not enough: a row that is not as the newest entry about it says is found and named."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.apps import apps

from apps.accounts import actions as people
from apps.accounts import support
from apps.accounts.models import ApiKey, TeamMember
from apps.accounts.sso import actions as sso
from apps.accounts.sso.models import SsoIdentity
from apps.approvals import actions as approvals
from apps.audit.reconcile import reconcile
from apps.comms import actions as webhooks
from apps.flags import actions as flags
from apps.flags.models import Flag
from apps.forms import actions as forms
from apps.forms.models import Form, Grant
from apps.operations.streams import actions as streams
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context, with_changes
from apps.tenants.models import Tenant
from apps.tenants.slots import slots
from tests import database, identity_provider
from tests.attack.standing import FREE
from tests.cast import acting_as, super_admin
from tests.forms import published, step
from tests.sso import connect

BACK = "INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, %({row})s::jsonb)).*"
# What is compared -> what somebody with the whole database does to a row of it, behind the log.
TURNED = {
    "accounts.Member.role": "UPDATE accounts_member SET role = 'owner' WHERE id = %(viewer)s",
    "accounts.Member.is_active": "UPDATE accounts_member SET is_active = true WHERE id = %(gone)s",
    "accounts.TeamMember.seat": BACK.format(table="accounts_teammember", row="seat"),
    "accounts.Invitation.role": "UPDATE accounts_invitation SET role = 'owner' WHERE tenant_id = %(tenant)s",
    "accounts.ApiKey.scopes": "UPDATE accounts_apikey SET scopes = '[\"members.write\"]' WHERE tenant_id = %(tenant)s",
    "accounts.ApiKey.member": "UPDATE accounts_apikey SET member_id = %(viewer)s WHERE tenant_id = %(tenant)s",
    "accounts.ApiKey.revoked": "UPDATE accounts_apikey SET revoked_at = NULL WHERE tenant_id = %(tenant)s",
    "accounts.SsoConnection.issuer": "UPDATE accounts_ssoconnection SET issuer = 'https://evil.example' WHERE tenant_id = %(tenant)s",
    "accounts.SsoConnection.factor_trust": "UPDATE accounts_ssoconnection SET factor_trust = 'always' WHERE tenant_id = %(tenant)s",
    "accounts.SsoConnection.removed": "UPDATE accounts_ssoconnection SET removed_at = NULL WHERE tenant_id = %(tenant)s",
    "accounts.SsoDomain.verified": "UPDATE accounts_ssodomain SET verified_at = now() WHERE tenant_id = %(tenant)s",
    "accounts.SsoIdentity.subject": "UPDATE accounts_ssoidentity SET subject = 'evil' WHERE tenant_id = %(tenant)s",
    "accounts.SsoIdentity.link": BACK.format(table="accounts_ssoidentity", row="link"),
    "accounts.SupportVisit.closed": "UPDATE accounts_supportvisit SET closed_at = NULL WHERE tenant_id = %(tenant)s",
    "tenants.Tenant.sso_only": "UPDATE tenants_tenant SET is_sso_only = true WHERE id = %(tenant)s",
    "tenants.Tenant.factor": "UPDATE tenants_tenant SET factor_required_from = NULL WHERE id = %(tenant)s",
    "tenants.Tenant.is_active": "UPDATE tenants_tenant SET is_active = false WHERE id = %(tenant)s",
    "forms.Grant.stands": BACK.format(table="forms_grant", row="grant"),
    "forms.Form.filling": "UPDATE forms_form SET filling = 'public' WHERE tenant_id = %(tenant)s",
    "approvals.Case.state": "UPDATE approvals_case SET state = 'approved' WHERE tenant_id = %(tenant)s",
    "approvals.Delegation.ended": "UPDATE approvals_delegation SET ended_at = NULL WHERE tenant_id = %(tenant)s",
    "operations.Stream.url": "UPDATE operations_stream SET url = 'https://evil.example/in' WHERE tenant_id = %(tenant)s",
    "comms.WebhookEndpoint.url": "UPDATE comms_webhookendpoint SET url = 'https://evil.example/in' WHERE tenant_id = %(tenant)s",
    "flags.FlagOverride.is_on": "UPDATE flags_flagoverride SET is_on = NOT is_on WHERE tenant_id = %(tenant)s",
}  # fmt: skip


def kept(row) -> str:
    """A row as it lies in the database, to be put back later."""
    with database.superuser() as admin:
        sql = f"SELECT to_jsonb(r) FROM {row._meta.db_table} r WHERE id = %s"
        return json.dumps(admin.execute(sql, [row.pk]).fetchone()[0])


@pytest.fixture
def settled(acme, api, settings):
    """A company in which everything that is compared was done, and some of it taken back; what the attacks need."""
    settings.EGRESS_LOOPBACK = True
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = {"data": {"item": "A", "total": 5}}
    assert api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", sent).status_code == 201
    team, gone, found = acme.team("Buyers", acme.editor), acme.member("gone"), {}
    with acting_as(acme.owner), with_changes(amr=("pwd", "otp")):
        found["seat"] = kept(TeamMember.objects.get(team=team))
        people.leave_team(team, acme.editor, by=acme.owner)
        people.deactivate(gone, by=acme.owner)
        people.invite(email=f"new@{acme.slug}.example", role="member", by=acme.owner)
        people.create_api_key(name="Reader", scopes=["forms.read"], days=3, by=acme.owner)
        people.revoke_api_key(ApiKey.objects.get(), by=acme.owner)
        people.require_factor(Tenant.objects.get(pk=acme.id), days=14, by=acme.owner)
        give = {"principal_type": "USER", "principal_id": str(acme.editor.pk), "role": "REVIEWER"}
        grant = forms.grant_access(Form.objects.get(pk=form), by=acme.owner, **give)
        found["grant"] = kept(grant)
        forms.revoke_access(Grant.objects.get(pk=grant.pk), by=acme.owner)
        stand_in(acme)
        switch()
        sent_out(acme)
        single_sign_on(acme, found)
    visit(acme)
    return found | {"tenant": acme.id, "viewer": acme.viewer.pk, "gone": gone.pk}


def switch():
    """On for this tenant, and off again: an older entry tells of what the attack goes back to."""
    with tenant_context(NOBODY):
        flag = Flag.objects.filter(key="turned").first() or flags.create_flag(key="turned", description="A flag")
    for is_on in (True, False):
        flags.set_override(flag, is_on)


def sent_out(acme):
    """The log to a stream, and events to a webhook that moved once."""
    streams.add_stream(url="https://siem.example/in?key=s3cret", by=acme.owner)
    made, _secret = webhooks.create_endpoint(url="https://a.example/in", events=["submission.sent"], by=acme.owner)
    webhooks.change_endpoint(made, url="https://b.example/in", by=acme.owner)


def stand_in(acme):
    now = clock.now()
    made = approvals.set_stand_in(
        acme.reviewer, stand_in=acme.editor, starts_at=now, ends_at=now + timedelta(days=1), note="x", by=acme.reviewer
    )
    approvals.end_stand_in(made, by=acme.reviewer)


def single_sign_on(acme, found):
    with identity_provider.serving() as provider:
        connection, other = connect(acme, provider), connect(acme, provider, name="other")
    sso.remove_connection(other, by=acme.owner)
    sso.add_domain(domain=f"{acme.slug}.example", by=acme.owner)
    sso.set_sso_only(Tenant.objects.get(pk=acme.id), on=False, break_glass=[], by=acme.owner)
    sso.link(connection, subject="s-1", member=acme.editor)
    second = sso.link(connection, subject="s-2", member=acme.reviewer)
    found["link"] = kept(second)
    sso.unlink(SsoIdentity.objects.get(pk=second.pk), by=acme.owner)


def visit(acme):
    admin = super_admin(f"root@{acme.slug}.other")
    with with_changes(user=admin.pk, credential="session", auth_time=clock.now(), amr=("otp",)):
        support.leave(acme.id, support.enter(acme.tenant, by=admin, reason="They asked for help.").pk, by=admin)


def test_a_row_that_is_not_as_the_newest_entry_says_is_found_and_named(settled):
    assert set(TURNED) == {one.key for one in slots.settled}
    tenant = settled["tenant"]
    with as_system(tenant):
        assert reconcile().whole, reconcile().reason
    for key, statement in TURNED.items():
        model = apps.get_model(".".join(key.split(".")[:2]))
        table, owner = model._meta.db_table, "id" if key.startswith("tenants.") else "tenant_id"
        with database.superuser() as admin:
            admin.execute(FREE)
            admin.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE {owner} = %s", [tenant])
            assert admin.execute(statement, settled).rowcount >= 1, key
            with as_system(tenant):
                found = reconcile()
            assert [(one.kind, one.how) for one in found.found] == [(key, "otherwise")], (key, found.reason)
            admin.execute(f"DELETE FROM {table} WHERE {owner} = %s", [tenant])
            admin.execute(f"INSERT INTO {table} SELECT * FROM kept")
    with as_system(tenant):
        assert reconcile().whole

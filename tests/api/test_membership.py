"""The statement that each API request asks finds what the rule of memberships finds, and nothing else."""

from __future__ import annotations

import pytest
from django.forms.models import model_to_dict

from apps.accounts.membership import membership
from apps.accounts.models import Member
from apps.tenants.context import TenantContext, tenant_context
from tests import database

CHANGES = {
    "nothing": "SELECT %(tenant)s, %(user)s, %(member)s",
    "the member is shut out": "UPDATE accounts_member SET is_active = false WHERE id = %(member)s",
    "the person is off": "UPDATE accounts_user SET is_active = false WHERE id = %(user)s",
    "the tenant is off": "UPDATE tenants_tenant SET is_active = false WHERE id = %(tenant)s",
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_the_membership_that_the_rule_finds(acme, globex, change):
    editor = acme.editor
    with database.superuser() as connection:
        connection.execute(CHANGES[change], {"tenant": acme.id, "user": editor.user_id, "member": editor.pk})
    with tenant_context(TenantContext(user=editor.user_id)):
        expected = Member.memberships.of(editor.user_id).filter(tenant_id=acme.id).first()
        found = membership(editor.user_id, acme.id)
        assert membership(editor.user_id, globex.id) is None
        assert membership(globex.owner.user_id, globex.id) is None  # another person than the one who is bound
        assert (found is None) is (expected is None) is (change != "nothing")
        if found is not None and expected is not None:
            for mine, theirs in ((found, expected), (found.tenant, expected.tenant), (found.user, expected.user)):
                assert model_to_dict(mine) == model_to_dict(theirs)
                assert mine == theirs

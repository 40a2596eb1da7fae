"""A form that nobody can manage: taken by an owner of the tenant, freshly signed in, logged and told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.accounts.models import User
from apps.accounts.tokens import issue_access
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from tests.api.test_api_keys import door, make
from tests.forms import published, step


@pytest.fixture
def orphan(api, acme):
    """A form whose only owner was switched off everywhere, past every page."""
    form = published(api, acme.editor, step("a", acme.reviewer), slug="orphan")
    User.objects.filter(pk=acme.editor.user_id).update(is_active=False)
    return form


def test_an_owner_of_the_tenant_takes_it_and_it_is_logged_and_told(api, acme, orphan):
    from apps.accounts.rules import Role

    second = acme.member("second", Role.OWNER)
    owner = api.as_(acme.owner)
    assert [one["id"] for one in owner.get("/api/v1/forms/unowned").json()["results"]] == [orphan]
    assert owner.get(f"/api/v1/forms/{orphan}/access").status_code == 403
    assert owner.post(f"/api/v1/forms/{orphan}/take").status_code == 201
    assert owner.get(f"/api/v1/forms/{orphan}/access").status_code == 200
    assert owner.get("/api/v1/forms/unowned").json()["results"] == []
    with as_system(acme.id):
        assert Entry.objects.filter(action="access.taken", actor_id=acme.owner.pk).count() == 1
        assert {mail.to for mail in OutboxMessage.objects.filter(template="forms/mail/taken")} == {second.user.email}


def test_a_form_with_an_owner_is_not_taken(api, acme):
    form = published(api, acme.editor, step("a", acme.reviewer))
    answer = api.as_(acme.owner).post(f"/api/v1/forms/{form}/take")
    assert (answer.status_code, answer.json()["code"]) == (409, "has_owner")
    assert api.as_(acme.owner).get(f"/api/v1/forms/{form}/access").status_code == 403


@pytest.mark.parametrize("who", ["reviewer", "viewer"])
def test_nobody_else_takes_or_sees_it(api, browse, acme, globex, orphan, who):
    member = getattr(acme, who)
    assert api.as_(member).post(f"/api/v1/forms/{orphan}/take").status_code == 403
    assert api.as_(member).get("/api/v1/forms/unowned").status_code == 403
    assert browse(member).get(acme.url("settings/forms-without-owner/")).status_code == 403
    assert api.as_(globex.owner).post(f"/api/v1/forms/{orphan}/take").status_code == 404


def test_an_old_sign_in_or_a_key_does_not_take_it(api, acme, orphan):
    old = clock.now() - timedelta(minutes=6)
    token = issue_access(user=acme.owner.user_id, tenant=acme.id, family=new_id(), auth_time=old, amr="pwd")
    assert door(token).post(f"/api/v1/forms/{orphan}/take").json()["code"] == "insufficient_user_authentication"
    key = make(api, acme.owner, scopes=["settings.write", "forms.read"]).json()["key"]
    assert door(key).post(f"/api/v1/forms/{orphan}/take").json()["code"] == "person_needed"


def test_the_page_lists_and_takes(browse, api, acme, orphan):
    page = browse(acme.owner)
    assert "1 form has no owner" in page.get(acme.url("forms/")).content.decode()
    assert "orphan" in page.get(acme.url("settings/forms-without-owner/")).content.decode()
    assert page.post(acme.url(f"settings/forms-without-owner/{orphan}/")).status_code == 302
    assert "no owner" not in page.get(acme.url("forms/")).content.decode()
    assert page.get(acme.url("forms/orphan/access/")).status_code == 200


def test_why_a_person_may_what_they_may_is_explained(api, acme):
    form = published(api, acme.owner, step("a", acme.reviewer))
    team = acme.team("Board", acme.viewer, acme.editor)
    body = {"principal_type": "TEAM", "principal_id": str(team.pk), "role": "EDITOR"}
    api.as_(acme.owner).post(f"/api/v1/forms/{form}/access", body)

    def why(member):
        return api.as_(acme.owner).get(f"/api/v1/forms/{form}/access/explain?member={member.pk}").json()

    editor, viewer = why(acme.editor), why(acme.viewer)
    assert (editor["role"], set(editor["may"])) == ("member", {"edit", "fill"})
    assert [grant["principal_id"] for grant in editor["grants"]] == [str(team.pk)]
    assert viewer["may"] == []
    assert len(viewer["grants"]) == 1
    assert "forms.edit" not in viewer["ceiling"]
    assert why(acme.reviewer)["grants"] == []
    assert api.as_(acme.editor).get(f"/api/v1/forms/{form}/access/explain?member={acme.viewer.pk}").status_code == 403
    assert api.as_(acme.owner).get(f"/api/v1/forms/{form}/access/explain?member=x").status_code == 404

"""Who leaves: what depends on them is shown and handed over, and everything of theirs ends in the same act."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import Member
from apps.accounts.rules import Role
from apps.approvals.models import Assignment
from apps.audit.models import Entry
from apps.forms.models import Form
from apps.tenants.context import as_system
from tests.api.test_api_keys import door, make
from tests.api.test_people import link_of
from tests.api.test_sessions import is_in, pair, signed_in
from tests.attack.test_ends_that_race import while_uncommitted
from tests.cast import PASSWORD
from tests.forms import published, step


def shut_out(api, company, member, **more):
    return api.as_(company.owner).patch(f"/api/v1/members/{member.pk}", {"is_active": False, **more})


def is_active(company, member):
    with as_system(company.id):
        return Member.objects.get(pk=member.pk).is_active


def waiting(api, member):
    return [row["submission"] for row in api.as_(member).get("/api/v1/tasks").json()["results"]]


def sent(api, company, form):
    body = {"data": {"item": "Lathe", "total": 5}}
    return api.as_(company.owner).post(f"/api/v1/forms/{form}/submissions", body).json()["id"]


@pytest.fixture
def busy(api, acme):
    """The editor owns a form alone, and a submission of another form waits for them."""
    published(api, acme.editor, step("a", acme.reviewer), slug="theirs")
    form = published(api, acme.owner, step("a", acme.editor), slug="other")
    return acme, sent(api, acme, form)


def test_nobody_goes_before_what_depends_on_them_is_settled(api, busy):
    acme, _submission = busy
    for answer in (shut_out(api, acme, acme.editor), api.as_(acme.owner).delete(f"/api/v1/members/{acme.editor.pk}")):
        assert (answer.status_code, answer.json()["code"]) == (409, "settle_first")
        assert len(answer.json()["ties"]) == 3
    assert is_active(acme, acme.editor)
    listed = api.as_(acme.owner).get(f"/api/v1/members/{acme.editor.pk}/ties").json()
    assert [tie["needs_heir"] for tie in listed] == [True] * 3


def test_one_heir_takes_everything_in_the_same_act(api, busy):
    acme, submission = busy
    token = api.as_(acme.editor)
    assert shut_out(api, acme, acme.editor, hand_to=str(acme.reviewer.pk)).status_code == 200
    assert token.get("/api/v1/forms").status_code == 401
    assert waiting(api, acme.reviewer) == [submission]
    (form,) = [one for one in api.as_(acme.reviewer).get("/api/v1/forms").json()["results"] if one["slug"] == "theirs"]
    assert api.as_(acme.reviewer).get(f"/api/v1/forms/{form['id']}/access").status_code == 200
    with as_system(acme.id):
        assert Entry.objects.filter(action="task.reassigned").count() == 1
        assert len(Entry.objects.get(action="member.deactivated").facts["handed_over"]) == 3


def test_the_heir_decides_and_the_case_goes_on(api, busy):
    acme, submission = busy
    shut_out(api, acme, acme.editor, hand_to=str(acme.reviewer.pk))
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    verdict = {"verdict": "approve", "revision": task["revision"]}
    assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", verdict).status_code == 201
    assert api.as_(acme.owner).get(f"/api/v1/submissions/{submission}").json()["state"] == "approved"


def test_each_thing_may_go_to_somebody_else(api, busy):
    acme, submission = busy
    other = acme.member("other")
    heirs = {
        tie["key"]: str(acme.reviewer.pk)
        for tie in api.as_(acme.owner).get(f"/api/v1/members/{acme.editor.pk}/ties").json()
    }
    task = next(key for key in heirs if key.startswith("assignment:"))
    assert shut_out(api, acme, acme.editor, heirs=heirs | {task: str(other.pk)}).status_code == 200
    assert waiting(api, other) == [submission]
    assert waiting(api, acme.reviewer) == []


@pytest.mark.parametrize("who", ["viewer", "editor", "owner"])
def test_an_heir_who_cannot_take_it_is_refused_and_nothing_happens(api, busy, who):
    """A viewer does not decide, the leaver stays nobody's heir, and the owner sent this very submission."""
    acme, _submission = busy
    answer = shut_out(api, acme, acme.editor, hand_to=str(getattr(acme, who).pk))
    assert answer.status_code == 400
    assert is_active(acme, acme.editor)
    assert waiting(api, acme.editor)
    assert door(pair(acme.editor, acme).json()["access"]).get("/api/v1/forms").status_code == 200


def test_a_rivals_member_is_no_heir(api, busy, globex):
    acme, _submission = busy
    assert shut_out(api, acme, acme.editor, hand_to=str(globex.owner.pk)).status_code == 400
    answer = api.as_(acme.owner).delete(f"/api/v1/members/{acme.editor.pk}?hand_to=x")
    assert answer.status_code == 400
    assert is_active(acme, acme.editor)


def test_an_heir_who_is_asked_already_is_refused(api, acme):
    form = published(api, acme.owner, step("a", acme.editor, acme.reviewer, kind="all"))
    sent(api, acme, form)
    assert shut_out(api, acme, acme.editor, hand_to=str(acme.reviewer.pk)).status_code == 400
    other = acme.member("other")
    assert shut_out(api, acme, acme.editor, hand_to=str(other.pk)).status_code == 200
    with as_system(acme.id):
        assert Assignment.objects.filter(state="open").count() == 2


def test_a_team_or_a_role_that_is_only_them_counts_as_them(api, acme):
    form = published(api, acme.owner, step("a", acme.reviewer))
    team = acme.team("Board", acme.editor)
    door_ = api.as_(acme.owner)
    body = {"principal_type": "TEAM", "principal_id": str(team.pk), "role": "OWNER"}
    assert door_.post(f"/api/v1/forms/{form}/access", body).status_code == 201
    (mine,) = [
        one for one in door_.get(f"/api/v1/forms/{form}/access").json()["results"] if one["principal_type"] == "USER"
    ]
    assert door_.delete(f"/api/v1/forms/{form}/access/{mine['id']}").status_code == 204
    assert shut_out(api, acme, acme.editor).json()["code"] == "settle_first"
    second = acme.member("second")
    api.as_(acme.owner).post(f"/api/v1/teams/{team.pk}/members", {"member": str(second.pk)})
    assert shut_out(api, acme, acme.editor).status_code == 200


def test_who_becomes_a_viewer_hands_over_first(api, busy):
    acme, _submission = busy
    answer = api.as_(acme.owner).patch(f"/api/v1/members/{acme.editor.pk}", {"role": "viewer"})
    assert (answer.status_code, answer.json()["code"]) == (400, "settle_first")


def test_sessions_tokens_and_keys_end_at_once(api, acme):
    second = acme.member("second", Role.OWNER)
    page, tokens, key = signed_in(second), pair(second, acme).json(), make(api, second).json()["key"]
    assert [tie["needs_heir"] for tie in api.as_(acme.owner).get(f"/api/v1/members/{second.pk}/ties").json()] == [False]
    assert shut_out(api, acme, second).status_code == 200
    assert not is_in(page, acme)
    assert page.get("/account/sessions/").status_code == 302
    assert door(tokens["access"]).get("/api/v1/forms").status_code == 401
    assert door(key).get("/api/v1/forms").status_code == 401
    assert APIClient().post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    api.as_(acme.owner).patch(f"/api/v1/members/{second.pk}", {"is_active": True})
    assert door(key).get("/api/v1/forms").status_code == 401


def test_in_other_tenants_they_go_on(api, acme, globex):
    from apps.accounts import actions
    from tests.cast import acting_as

    with acting_as(globex.owner):
        actions.add_member(acme.editor.user, role=Role.MEMBER, by=globex.owner)
    page = signed_in(acme.editor)
    assert shut_out(api, acme, acme.editor).status_code == 200
    assert page.get(acme.url()).status_code == 404
    assert is_in(page, globex)


def test_the_page_shows_asks_and_hands_over(api, browse, busy):
    acme, submission = busy
    page, url = browse(acme.owner), acme.url(f"settings/members/{acme.editor.pk}/")
    led = page.post(url, {"do": "deactivate"})
    assert led["Location"] == f"{url}leave/"
    text = page.get(f"{url}leave/").content.decode()
    assert "waits for their decision" in text
    assert "Nobody else owns the form" in text
    assert page.post(f"{url}leave/", {}).status_code == 422
    assert is_active(acme, acme.editor)
    listed = api.as_(acme.owner).get(f"/api/v1/members/{acme.editor.pk}/ties").json()
    chosen = {tie["key"]: str(acme.reviewer.pk) for tie in listed}
    assert page.post(f"{url}leave/", chosen | {listed[0]["key"]: str(acme.viewer.pk)}).status_code == 422
    assert is_active(acme, acme.editor)
    assert page.post(f"{url}leave/", chosen).status_code == 302
    assert not is_active(acme, acme.editor)
    assert waiting(api, acme.reviewer) == [submission]
    assert browse(acme.viewer).get(f"{url}leave/").status_code == 403


def test_a_path_that_names_who_leaves_is_published_again_with_the_heir(api, acme):
    form = published(api, acme.owner, step("a", acme.editor), slug="other")
    answer = shut_out(api, acme, acme.editor)
    assert [tie["key"] for tie in answer.json()["ties"]] == [f"path:{form}"]
    assert shut_out(api, acme, acme.editor, hand_to=str(acme.viewer.pk)).json()["code"] == "no_heir"
    assert is_active(acme, acme.editor)
    assert shut_out(api, acme, acme.editor, hand_to=str(acme.reviewer.pk)).status_code == 200
    with as_system(acme.id):
        found = Form.objects.select_related("live_version__path_version").get(pk=form)
    assert found.live_version.number == 2
    (asked,) = found.live_version.path_version.steps[0].approvers
    assert asked.id == found.path["steps"][0]["approvers"][0]["id"] == str(acme.reviewer.pk)
    submission = sent(api, acme, form)
    assert waiting(api, acme.reviewer) == [submission]


def test_the_last_of_a_team_that_a_path_asks_stays_until_somebody_else_is_in(api, browse, acme):
    team = acme.team("Buyers", acme.editor)
    asks = {"key": "a", "name": "A", "approvers": [{"type": "team", "id": str(team.pk)}], "quorum": {"kind": "any"}}
    form = published(api, acme.owner, asks, slug="other")
    place = f"/api/v1/teams/{team.pk}/members"
    refused = api.as_(acme.owner).delete(f"{place}/{acme.editor.pk}")
    assert (refused.status_code, refused.json()["code"]) == (409, "settle_first")
    assert [tie["key"] for tie in refused.json()["ties"]] == [f"path:{form}"]
    page = browse(acme.owner).post(acme.url(f"settings/teams/{team.pk}/"), {"leave": str(acme.editor.pk)}, follow=True)
    assert "put somebody else in first" in page.content.decode()
    assert api.as_(acme.owner).post(place, {"member": str(acme.reviewer.pk)}).status_code == 201
    assert api.as_(acme.owner).delete(f"{place}/{acme.editor.pk}").status_code == 204


@pytest.fixture
def asked_team(api, acme):
    """A live path asks a team in which only the editor can act, beside somebody who only reads: (company, team, form)."""
    team = acme.team("Buyers", acme.editor, acme.viewer)
    asks = {"key": "a", "name": "A", "approvers": [{"type": "team", "id": str(team.pk)}], "quorum": {"kind": "any"}}
    return acme, team, published(api, acme.owner, asks, slug="other")


def turned_viewer(api, company, member):
    return api.as_(company.owner).patch(f"/api/v1/members/{member.pk}", {"role": "viewer"})


@pytest.mark.parametrize("act", [shut_out, turned_viewer])
def test_the_last_of_a_team_that_a_path_asks_keeps_their_place_and_role(api, asked_team, act):
    acme, team, form = asked_team
    door_ = api.as_(acme.owner)
    (tie,) = door_.get(f"/api/v1/members/{acme.editor.pk}/ties").json()
    assert (tie["key"], tie["needs_heir"], tie["blocks"]) == (f"team:{team.pk}", False, True)
    answer = act(api, acme, acme.editor)
    assert (answer.status_code, answer.json()["code"]) == (409, "settle_first")
    assert [one["key"] for one in answer.json()["ties"]] == [f"team:{team.pk}"]
    assert "put somebody else in first" in answer.json()["detail"]
    assert door_.get(f"/api/v1/members/{acme.editor.pk}").json()["role"] == "member"
    assert is_active(acme, acme.editor)
    assert act(api, acme, acme.viewer).status_code == 200
    door_.post(f"/api/v1/teams/{team.pk}/members", {"member": str(acme.reviewer.pk)})
    assert act(api, acme, acme.editor).status_code == 200
    submission = sent(api, acme, form)
    assert waiting(api, acme.reviewer) == [submission]


def test_an_heir_does_not_lift_what_a_team_waits_for(api, asked_team):
    acme, team, _form = asked_team
    answer = shut_out(api, acme, acme.editor, hand_to=str(acme.reviewer.pk))
    assert (answer.status_code, [one["key"] for one in answer.json()["ties"]]) == (409, [f"team:{team.pk}"])
    assert is_active(acme, acme.editor)


def test_the_page_says_which_team_comes_first(browse, asked_team):
    acme, _team, _form = asked_team
    page, url = browse(acme.owner), acme.url(f"settings/members/{acme.editor.pk}/")
    assert page.post(url, {"do": "deactivate"})["Location"] == f"{url}leave/"
    words = "the last who can act in the team Buyers"
    assert words in page.get(f"{url}leave/").content.decode()
    refused = page.post(f"{url}leave/", {})
    assert (refused.status_code, refused.content.decode().count(words)) == (422, 2)
    assert words in page.post(url, {"do": "role", "role": "viewer"}, follow=True).content.decode()
    assert is_active(acme, acme.editor)


def test_of_two_who_leave_a_team_that_alone_owns_a_form_one_stays(api, acme):
    form = published(api, acme.owner, step("a", acme.reviewer))
    team = acme.team("Board", acme.editor, acme.reviewer)
    door_ = api.as_(acme.owner)
    body = {"principal_type": "TEAM", "principal_id": str(team.pk), "role": "OWNER"}
    assert door_.post(f"/api/v1/forms/{form}/access", body).status_code == 201
    (mine,) = [
        one for one in door_.get(f"/api/v1/forms/{form}/access").json()["results"] if one["principal_type"] == "USER"
    ]
    assert door_.delete(f"/api/v1/forms/{form}/access/{mine['id']}").status_code == 204
    first_leaves = [
        ("SELECT 1 FROM accounts_member WHERE tenant_id = %s AND role = 'owner' FOR NO KEY UPDATE", [acme.id]),
        ("DELETE FROM accounts_teammember WHERE team_id = %s AND member_id = %s", [team.pk, acme.editor.pk]),
    ]
    second = while_uncommitted(
        first_leaves, lambda: door_.delete(f"/api/v1/teams/{team.pk}/members/{acme.reviewer.pk}")
    )
    assert (second.status_code, second.json()["code"]) == (409, "settle_first")


def test_nobody_takes_a_step_that_must_be_another_persons_than_theirs_was(api, acme):
    """Four eyes: who confirmed is refused as the heir of who verifies, since their decision never would be taken."""
    other = acme.member("other")
    steps = step("confirm", acme.reviewer), step("verify", acme.editor, not_same_as=["confirm"])
    submission = sent(api, acme, published(api, acme.owner, *steps))
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    verdict = {"verdict": "approve", "revision": task["revision"]}
    assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", verdict).status_code == 201
    (tie,) = [
        one
        for one in api.as_(acme.owner).get(f"/api/v1/members/{acme.editor.pk}/ties").json()
        if one["key"].startswith("assignment:")
    ]
    heirs = {
        one["key"]: str(other.pk) for one in api.as_(acme.owner).get(f"/api/v1/members/{acme.editor.pk}/ties").json()
    }
    refused = shut_out(api, acme, acme.editor, heirs=heirs | {tie["key"]: str(acme.reviewer.pk)})
    assert (refused.status_code, refused.json()["code"]) == (400, "no_heir")
    assert "had a part in" in refused.content.decode()
    assert is_active(acme, acme.editor)
    assert shut_out(api, acme, acme.editor, heirs=heirs).status_code == 200
    (task,) = api.as_(other).get("/api/v1/tasks").json()["results"]
    assert api.as_(other).post(f"/api/v1/tasks/{task['id']}/decide", verdict).status_code == 201
    assert api.as_(acme.owner).get(f"/api/v1/submissions/{submission}").json()["state"] == "approved"


@pytest.fixture
def maker(api, acme):
    """A second owner, who made a service account's key and invited somebody: (them, the key, the invitation)."""
    second = acme.member("second", Role.OWNER)
    robot = api.as_(second).post("/api/v1/service-accounts", {"name": "Robot", "role": "viewer"}).json()["id"]
    key = make(api, second, ["forms.read"], service_account=robot).json()
    assert key["made_by"] == str(second.pk)
    invited = api.as_(second).post("/api/v1/invitations", {"email": f"x@{acme.slug}.example", "role": "owner"}).json()
    return second, key["key"], invited["id"]


def test_what_a_leaver_made_for_others_ends_with_them(api, acme, maker):
    second, key, invited = maker
    listed = api.as_(acme.owner).get(f"/api/v1/members/{second.pk}/ties").json()
    assert [tie["key"].partition(":")[0] for tie in listed] == ["made-key", "invitation"]
    assert not any(tie["needs_heir"] for tie in listed)
    assert shut_out(api, acme, second).status_code == 200
    assert door(key).get("/api/v1/forms").status_code == 401
    assert api.as_(acme.owner).get(f"/api/v1/invitations/{invited}").status_code == 404
    with as_system(acme.id):
        assert Entry.objects.filter(action__in=["api_key.revoked", "invitation.withdrawn"]).count() == 2


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_an_owner_who_is_one_no_longer_leaves_no_key_and_no_invitation_of_their_making(
    api, client_of, acme, maker, role
):
    second, key, invited = maker
    link = link_of(acme, f"x@{acme.slug}.example")
    assert api.as_(acme.owner).patch(f"/api/v1/members/{second.pk}", {"role": role}).status_code == 200
    assert door(key).get("/api/v1/forms").status_code == 401
    assert api.as_(acme.owner).get(f"/api/v1/invitations/{invited}").status_code == 404
    assert client_of.post(link, {"name": "Alter", "password": PASSWORD}).status_code == 404
    with as_system(acme.id):
        assert Entry.objects.filter(action__in=["api_key.revoked", "invitation.withdrawn"]).count() == 2


def test_another_role_that_holds_as_much_or_more_ends_nothing(api, acme, maker):
    _second, key, invited = maker
    assert api.as_(acme.owner).patch(f"/api/v1/members/{acme.editor.pk}", {"role": "owner"}).status_code == 200
    assert door(key).get("/api/v1/forms").status_code == 200
    assert api.as_(acme.owner).get(f"/api/v1/invitations/{invited}").status_code == 200


def test_keys_that_a_leaver_made_live_on_where_an_owner_says_so(api, browse, acme, maker):
    second, key, _invited = maker
    page, url = browse(acme.owner), acme.url(f"settings/members/{second.pk}/leave/")
    assert 'name="keep_keys"' in page.get(url).content.decode()
    assert page.post(url, {"keep_keys": "on"}).status_code == 302
    assert door(key).get("/api/v1/forms").status_code == 200
    with as_system(acme.id):
        assert len(Entry.objects.get(action="member.deactivated").facts["kept_keys"]) == 1


def test_the_page_ends_them_where_nobody_says_anything(browse, acme, maker):
    second, key, _invited = maker
    assert browse(acme.owner).post(acme.url(f"settings/members/{second.pk}/leave/"), {}).status_code == 302
    assert door(key).get("/api/v1/forms").status_code == 401

"""Members, invitations and teams: who may change whom, by page and by API, and from when it counts."""

from __future__ import annotations

import re

import pytest
from django.db import transaction

from apps.accounts.models import Invitation, Member
from apps.accounts.rules import MATRIX, PERMISSIONS, Role
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants.context import as_system
from tests import cast
from tests.attack.test_ends_that_race import while_uncommitted
from tests.cast import PASSWORD
from tests.forms import published, step

WRITES = ["forms.create", "members.write"]


def invite(api, company, email="", role="member"):
    email = email or new(company)
    return api.as_(company.owner).post("/api/v1/invitations", {"email": email, "role": role})


def new(company):
    """An address that nobody had before."""
    return f"new@{company.slug}.example"


def link_of(company, email):
    with as_system(company.id):
        return re.search(
            r"(/account/invitation/\S+/)", OutboxMessage.objects.filter(to=email).latest("queued_at").body
        )[1]


def member_of(company, email):
    with as_system(company.id):
        return Member.objects.select_related("user", "tenant").get(user__email=email)


def test_a_new_person_joins_by_the_link_in_their_mail(api, client_of, acme):
    assert invite(api, acme).status_code == 201
    link = link_of(acme, new(acme))
    assert acme.tenant.name in client_of.get(link).content.decode()
    answer = client_of.post(link, {"name": "Nora New", "password": PASSWORD})
    assert answer.status_code == 302
    joined = member_of(acme, new(acme))
    assert (joined.role, joined.name) == ("member", "Nora New")
    assert api.as_(joined).get("/api/v1/forms").status_code == 200
    client_of.post("/account/login/", {"login": new(acme), "password": PASSWORD})
    assert client_of.get(acme.url()).status_code == 200


def test_of_two_invitations_of_one_address_at_one_moment_one_is_refused_in_words(api, acme):
    first = (
        "INSERT INTO accounts_invitation (tenant_id, id, email, role, token_sha256, teams, invited_by_id, created_at,"
        " expires_at) VALUES (%s, gen_random_uuid(), %s, 'member', 'x', '[]', %s, now(), now() + interval '1 day')"
    )
    door = api.as_(acme.owner)
    body = {"email": new(acme), "role": "member"}
    second = while_uncommitted(
        [(first, [acme.id, new(acme), acme.owner.pk])], lambda: door.post("/api/v1/invitations", body)
    )
    assert second.status_code == 400
    assert "invited already" in second.json()["detail"]
    with as_system(acme.id):
        assert Invitation.objects.open().count() == 1


def test_what_is_asked_of_a_member_happens_in_whole_or_not_at_all(api, acme):
    """The second owner owns a form alone, so that they cannot be shut out; they are not demoted either."""
    second = acme.member("second", Role.OWNER)
    published(api, second, step("a", acme.reviewer), slug="theirs")
    place = f"/api/v1/members/{second.pk}"
    answer = api.as_(acme.owner).patch(place, {"role": "member", "is_active": False})
    assert (answer.status_code, answer.json()["code"]) == (409, "settle_first")
    found = api.as_(acme.owner).get(place).json()
    assert (found["role"], found["is_active"]) == ("owner", True)
    with as_system(acme.id):
        assert not Entry.objects.filter(action="member.changed").exists()


def test_a_link_works_once(api, client_of, acme):
    invite(api, acme)
    link = link_of(acme, new(acme))
    client_of.post(link, {"name": "Nora", "password": PASSWORD})
    assert client_of.get(link).status_code == 404
    assert client_of.post(link, {"name": "Eve", "password": PASSWORD}).status_code == 404


def test_looking_at_a_link_changes_nothing(api, client_of, acme):
    invite(api, acme)
    link = link_of(acme, new(acme))
    for _scan in range(3):
        assert client_of.get(link).status_code == 200
        client_of.head(link)
    with as_system(acme.id):
        assert Invitation.objects.open().count() == 1


def test_an_existing_person_joins_only_after_signing_in(api, client_of, browse, acme, globex):
    invite(api, acme, globex.editor.user.email, "viewer")
    link = link_of(acme, globex.editor.user.email)
    assert client_of.post(link, {"name": "Eve", "password": PASSWORD}).status_code == 200
    assert browse(globex.reviewer).post(link).status_code == 422
    assert browse(globex.editor).post(link).status_code == 302
    assert member_of(acme, globex.editor.user.email).role == "viewer"


@pytest.mark.parametrize("password", ["tiny words", "qwertyuiop"])
def test_a_weak_password_is_refused_and_the_name_kept(api, client_of, acme, password):
    invite(api, acme)
    answer = client_of.post(link_of(acme, new(acme)), {"name": "Nora New", "password": password})
    assert answer.status_code == 422
    assert "Nora New" in answer.content.decode()
    assert password not in answer.content.decode()


def test_a_withdrawn_or_old_invitation_opens_nothing(api, client_of, acme):
    made = invite(api, acme).json()
    link = link_of(acme, new(acme))
    assert api.as_(acme.owner).delete(f"/api/v1/invitations/{made['id']}").status_code == 204
    assert client_of.get(link).status_code == 404
    invite(api, acme)
    link = link_of(acme, new(acme))
    with as_system(acme.id):
        Invitation.objects.open().update(expires_at="2026-01-01T00:00Z")
    assert client_of.get(link).status_code == 404
    assert invite(api, acme).status_code == 201


def test_an_invitation_puts_into_its_teams(api, client_of, acme, globex):
    team, rival = acme.team("Board"), globex.team("Board")
    sent = {"email": new(acme), "role": "member", "teams": [str(team.pk)]}
    door = api.as_(acme.owner)
    assert door.post("/api/v1/invitations", sent | {"teams": [str(rival.pk)]}).status_code == 400
    assert door.post("/api/v1/invitations", sent).status_code == 201
    client_of.post(link_of(acme, new(acme)), {"name": "Nora", "password": PASSWORD})
    names = [one["email"] for one in door.get(f"/api/v1/teams/{team.pk}/members").json()["results"]]
    assert names == [new(acme)]


def test_an_invitation_sent_again_has_a_new_link_and_the_old_one_ends(api, browse, client_of, acme):
    made = invite(api, acme).json()
    old = link_of(acme, new(acme))
    assert api.as_(acme.owner).post(f"/api/v1/invitations/{made['id']}/resend").status_code == 201
    again = link_of(acme, new(acme))
    assert client_of.get(old).status_code == 404
    assert client_of.get(again).status_code == 200
    browse(acme.owner).post(acme.url(f"settings/invitations/{made['id']}/"), {"do": "resend"})
    assert client_of.get(again).status_code == 404
    assert api.as_(acme.editor).post(f"/api/v1/invitations/{made['id']}/resend").status_code == 403
    assert client_of.post(link_of(acme, new(acme)), {"name": "Nora", "password": PASSWORD}).status_code == 302


def test_members_and_the_invited_are_not_invited_again(api, acme):
    assert invite(api, acme, acme.editor.user.email).status_code == 400
    assert invite(api, acme).status_code == 201
    assert invite(api, acme).status_code == 400


@pytest.mark.parametrize("who", ["editor", "viewer"])
def test_only_owners_manage_people(api, acme, who):
    door = api.as_(getattr(acme, who))
    assert door.post("/api/v1/invitations", {"email": "x@y.example", "role": "member"}).status_code == 403
    assert door.patch(f"/api/v1/members/{acme.reviewer.pk}", {"role": "owner"}).status_code == 403
    assert door.delete(f"/api/v1/members/{acme.reviewer.pk}").status_code == 403
    assert door.post("/api/v1/teams", {"name": "T", "slug": "t"}).status_code == 403
    team = acme.team("Board")
    assert door.post(f"/api/v1/teams/{team.pk}/members", {"member": str(acme.viewer.pk)}).status_code == 403


def test_nobody_raises_themselves(api, acme):
    assert api.as_(acme.editor).patch(f"/api/v1/members/{acme.editor.pk}", {"role": "owner"}).status_code == 403


def test_another_role_counts_from_the_next_request_on(api, acme):
    door = api.as_(acme.editor)
    assert door.get("/api/v1/audit/entries").status_code == 403
    assert api.as_(acme.owner).patch(f"/api/v1/members/{acme.editor.pk}", {"role": "owner"}).status_code == 200
    assert door.get("/api/v1/audit/entries").status_code == 200


def test_who_is_shut_out_is_out_at_once_everywhere(api, browse, acme):
    token, page = api.as_(acme.editor), browse(acme.editor)
    pair = api.post(
        "/api/v1/auth/token", {"email": acme.editor.user.email, "password": PASSWORD, "tenant": acme.slug}
    ).json()
    assert api.as_(acme.owner).delete(f"/api/v1/members/{acme.editor.pk}").status_code == 204
    assert token.get("/api/v1/forms").status_code == 401
    assert page.get(acme.url()).status_code == 302  # this was their only tenant, so their sessions have ended
    assert api.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401
    assert api.as_(acme.owner).patch(f"/api/v1/members/{acme.editor.pk}", {"is_active": True}).status_code == 200
    assert token.get("/api/v1/forms").status_code == 200
    assert api.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]}).status_code == 401


def test_a_tenant_keeps_an_owner(api, acme):
    door = api.as_(acme.owner)
    assert door.delete(f"/api/v1/members/{acme.owner.pk}").status_code in {400, 409}
    assert door.patch(f"/api/v1/members/{acme.owner.pk}", {"role": "member"}).status_code == 400
    other = acme.member("second", Role.OWNER)
    assert door.patch(f"/api/v1/members/{acme.owner.pk}", {"role": "member"}).status_code == 200
    assert api.as_(other).patch(f"/api/v1/members/{other.pk}", {"role": "viewer"}).status_code == 400


def test_who_is_shut_out_is_asked_no_more(api, acme):
    form = published(api, acme.owner, step("board", acme.editor, acme.reviewer))
    api.as_(acme.owner).delete(f"/api/v1/members/{acme.editor.pk}")
    api.as_(acme.owner).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "Lathe", "total": 5}})
    assert len(api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]) == 1


def test_a_rivals_people_do_not_exist(api, browse, acme, globex):
    team = globex.team("Board", globex.editor)
    made = invite(api, globex).json()
    door = api.as_(acme.owner)
    assert door.patch(f"/api/v1/members/{globex.editor.pk}", {"role": "viewer"}).status_code == 404
    assert door.delete(f"/api/v1/members/{globex.editor.pk}").status_code == 404
    assert door.delete(f"/api/v1/invitations/{made['id']}").status_code == 404
    assert door.get(f"/api/v1/teams/{team.pk}/members").status_code == 404
    mine = acme.team("Mine")
    assert door.post(f"/api/v1/teams/{mine.pk}/members", {"member": str(globex.editor.pk)}).status_code == 404
    page = browse(acme.owner)
    assert page.get(acme.url(f"settings/teams/{team.pk}/")).status_code == 404
    assert page.post(acme.url(f"settings/members/{globex.editor.pk}/"), {"do": "deactivate"}).status_code == 404


def test_a_team_is_made_filled_and_emptied(api, acme):
    door = api.as_(acme.owner)
    team = door.post("/api/v1/teams", {"name": "Board", "slug": "board"}).json()
    seat = {"member": str(acme.reviewer.pk)}
    assert door.post(f"/api/v1/teams/{team['id']}/members", seat).status_code == 201
    names = [one["id"] for one in door.get(f"/api/v1/teams/{team['id']}/members").json()["results"]]
    assert names == [str(acme.reviewer.pk)]
    assert door.delete(f"/api/v1/teams/{team['id']}/members/{acme.reviewer.pk}").status_code == 204
    assert door.get(f"/api/v1/teams/{team['id']}/members").json()["results"] == []
    assert door.patch(f"/api/v1/teams/{team['id']}", {"name": "The board"}).json()["name"] == "The board"
    assert door.post("/api/v1/teams", {"name": "Again", "slug": "board"}).status_code == 400


def test_the_pages_do_the_same(browse, acme):
    page = browse(acme.owner)
    members = acme.url("settings/members/")
    assert page.post(members, {"email": "p@elsewhere.example", "role": "viewer"}, follow=True).status_code == 200
    assert "p@elsewhere.example" in page.get(members).content.decode()
    assert page.post(members, {"email": "no address", "role": "viewer"}).status_code == 422
    page.post(acme.url(f"settings/members/{acme.editor.pk}/"), {"do": "role", "role": "viewer"})
    assert member_of(acme, acme.editor.user.email).role == "viewer"
    refused = page.post(acme.url(f"settings/members/{acme.owner.pk}/"), {"do": "role", "role": "viewer"}, follow=True)
    assert "keeps at least one owner" in refused.content.decode()
    page.post(acme.url("settings/teams/"), {"name": "Board", "slug": "board"})
    page.post(acme.url("settings/general/"), {"name": "ACME Ltd", "timezone": "Asia/Tokyo"})
    assert "ACME Ltd" in page.get(acme.url("settings/general/")).content.decode()


@pytest.mark.parametrize("path", ["general", "members", "teams", "roles"])
@pytest.mark.parametrize("who", ["editor", "viewer"])
def test_settings_are_for_owners(browse, acme, who, path):
    assert browse(getattr(acme, who)).get(acme.url(f"settings/{path}/")).status_code == 403


def test_every_change_of_people_is_in_the_log(api, acme):
    made = invite(api, acme).json()
    door = api.as_(acme.owner)
    door.delete(f"/api/v1/invitations/{made['id']}")
    door.patch(f"/api/v1/members/{acme.editor.pk}", {"role": "viewer"})
    door.delete(f"/api/v1/members/{acme.editor.pk}")
    with as_system(acme.id):
        acts = set(Entry.objects.values_list("action", flat=True))
    assert {"invitation.sent", "invitation.withdrawn", "member.changed", "member.deactivated"} <= acts


def test_the_page_of_roles_shows_what_is_enforced(browse, acme):
    text = browse(acme.owner).get(acme.url("settings/roles/")).content.decode()
    rows = dict(re.findall(r"<code[^>]*>([a-z_.]+)</code></th>(.*?)</tr>", text, re.S))
    assert set(rows) == set(PERMISSIONS)
    for name, cells in rows.items():
        assert [">yes<" in cell for cell in cells.split("<td>")[1:]] == [name in MATRIX[role] for role in Role]


def test_the_rooms_ask_for_no_permission_that_the_matrix_lacks(repository):
    asked = set()
    for path in (repository / "apps").rglob("*.py"):
        asked |= set(re.findall(r"(?:require|allows)\(\"([a-z_.]+)\"\)", path.read_text()))
    assert asked <= set(PERMISSIONS)
    assert frozenset().union(*MATRIX.values()) == set(PERMISSIONS)


def test_two_owners_who_shut_each_other_out_leave_one(acme):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    from apps.accounts import actions
    from apps.tenants.refusals import Refused

    other = acme.member("second", Role.OWNER)

    def shut_out(pair):
        by, target = pair
        try:
            with cast.acting_as(by), transaction.atomic():
                actions.deactivate(Member.objects.get(pk=target.pk), by=by)
        except Refused:
            pass
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(shut_out, [(acme.owner, other), (other, acme.owner)]))
    with as_system(acme.id):
        assert Member.objects.active().filter(role=Role.OWNER).count() == 1

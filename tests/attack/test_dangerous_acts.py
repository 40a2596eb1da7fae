"""Every dangerous act asks whether it is really this person, at the page and at the API: one table, compared with the list."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest

from apps.accounts.actions import create_api_key, deactivate
from apps.accounts.models import User
from apps.accounts.rules import OWNER, Role
from apps.accounts.tokens import issue_access
from apps.approvals.models import CaseStep
from apps.forms.models import Form, Grant
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.freshness import DANGEROUS, FRESH_FOR
from apps.tenants.ids import new_id
from tests.cast import acting_as, super_admin
from tests.forms import body, published, step

HOOK = {"url": "https://hooks.example/in", "events": ["submission.sent"]}
DAY = (clock.now() + timedelta(days=3)).date().isoformat()
STREAM = {"url": "https://logs.example/in", "start": "now"}
# act -> (page, what is posted), (method, path of the API, what is sent); None where the door does not have the act.
# Names in braces are those of the scene.
DOORS = {
    "address.change": (("/account/email/", {"email": "x@new.example"}), None),
    "api_key.create": (("settings/api-keys/", {"name": "x", "scopes": ["forms.read"], "days": 9}), ("post", "api-keys", {"name": "x", "scopes": ["forms.read"]})),
    "billing.change": (("settings/billing/portal/", None), None),
    "delegation.create": (("stand-in/", {"stand_in": "{editor}", "starts_at": DAY, "ends_at": DAY}), ("post", "delegations", {"stand_in": "{editor}", "ends_at": f"{DAY}T00:00:00Z"})),
    "export.ask": (("settings/data/", {}), None),
    "factor.change": (("/account/2fa/totp/activate/", {"code": "000000"}), None),
    "factor.require": (("settings/security/second-factor/", {"days": "7"}), None),
    "form.delete": (("forms/request/delete/", {"typed": "request"}), ("delete", "forms/{form}", None)),
    "form.own": (("forms/request/access/", {"principal": "{editor_user}", "role": "OWNER"}), ("post", "forms/{form}/access", {"principal_type": "USER", "principal_id": "{editor}", "role": "OWNER"})),
    "form.take": (("settings/forms-without-owner/{orphan}/", {}), ("post", "forms/{orphan}/take", None)),
    "invitation.owner": (("settings/members/", {"email": "x@new.example", "role": "owner"}), ("post", "invitations", {"email": "x@new.example", "role": "owner"})),
    "log_export.private": (("settings/audit-log/exports/", {"format": "zip"}), ("get", "audit/export?private=1", None)),
    "privacy.erase": (("settings/members/{editor}/", {"do": "erase"}), None),
    "role.owner": (("settings/members/{editor}/", {"do": "role", "role": "owner"}), ("patch", "members/{editor}", {"role": "owner"})),
    "service_account.change": (("settings/api-keys/accounts/", {"service-name": "x", "service-role": "viewer"}), ("post", "service-accounts", {"name": "y", "role": "viewer"})),
    "sso.change": (("settings/sso/", {"domain": "acme.example"}), ("post", "sso/domains", {"domain": "api.acme.example"})),
    "step.staff": None,  # below, among the other ways
    "stream.add": (("settings/audit-log/streams/new/", STREAM), ("post", "audit/streams", {"url": STREAM["url"]})),
    "stream.rotate": (("settings/audit-log/streams/{stream}/act/", {"do": "rotate"}), ("post", "audit/streams/{stream}/rotate", None)),
    "support.enter": None,  # below: it is the platform's
    "tenant.suspend": None,  # the platform's too: test_suspension tries it
    "webhook.create": (("settings/webhooks/", HOOK), ("post", "webhooks", HOOK)),
    "webhook.move": (("settings/webhooks/{hook}/", HOOK | {"url": "https://other.example/"}), ("patch", "webhooks/{hook}", {"url": "https://other.example/"})),
    "webhook.rotate": (("settings/webhooks/{hook}/act/", {"do": "rotate"}), ("post", "webhooks/{hook}/rotate", None)),
}  # fmt: skip
WALKED = sorted(act for act, doors in DOORS.items() if doors)


def test_the_table_has_every_dangerous_act():
    assert set(DOORS) == set(DANGEROUS)


def test_every_dangerous_act_is_asked_for_somewhere_in_the_code(repository):
    text = "".join(path.read_text() for path in (repository / "apps").rglob("*.py"))
    asked = set(re.findall(r"(?:require_fresh\(|fresh=)\"([a-z_.]+)\"", text))
    assert asked == set(DANGEROUS)


@pytest.fixture
def scene(api, acme):
    door = api.as_(acme.owner)
    form = door.post("/api/v1/forms", body(step("a", acme.reviewer))).json()["id"]
    orphan = door.post("/api/v1/forms", body(step("a", acme.reviewer), slug="orphan")).json()["id"]
    hook = door.post("/api/v1/webhooks", HOOK | {"url": "https://first.example/"}).json()["id"]
    stream = door.post("/api/v1/audit/streams", {"url": "https://first.example/"}).json()["id"]
    with as_system(acme.id):
        Grant.objects.filter(form_id=orphan).delete()
    return {
        "form": form,
        "orphan": orphan,
        "hook": hook,
        "stream": stream,
        "editor": acme.editor.pk,
        "editor_user": f"USER:{acme.editor.pk}",
    }


def filled(value, scene):
    if isinstance(value, dict):
        return {key.format(**scene): filled(one, scene) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, scene) for one in value]
    return value.format(**scene) if isinstance(value, str) else value


def age(client, seconds):
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - seconds}]
    session.save()


def refuses_an_old_token(api, acme, scene, method, path, sent):
    old = issue_access(
        user=acme.owner.user_id, tenant=acme.id, family=new_id(), amr="pwd",
        auth_time=clock.now() - FRESH_FOR - timedelta(seconds=10),
    )  # fmt: skip
    answer = getattr(api, method)(
        filled(f"/api/v1/{path}", scene), filled(sent, scene), HTTP_AUTHORIZATION=f"Bearer {old}"
    )
    assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[-1]) == (401, "insufficient_user_authentication")
    assert (
        answer["WWW-Authenticate"] == 'Bearer realm="orkestra", error="insufficient_user_authentication", max_age="300"'
    )


@pytest.mark.parametrize("act", WALKED)
def test_an_old_sign_in_is_asked_again_at_the_page_and_at_the_api(api, acme, browse, scene, act):
    (place, posted), at_api = DOORS[act]
    place = filled(place, scene)
    place = place if place.startswith("/") else acme.url(place)
    if at_api is not None:
        refuses_an_old_token(api, acme, scene, *at_api)
    client = browse(acme.owner)
    age(client, FRESH_FOR.total_seconds() + 10)
    send = client.get if posted is None else client.post
    asked = send(place, filled(posted, scene))
    assert (asked.status_code, asked["Location"].split("?")[0]) == (302, "/account/reauthenticate/")
    age(client, 1)
    if act == "factor.change":  # the library's page asks whoever has no factor yet once more, by its own rule
        return
    assert not send(place, filled(posted, scene)).get("Location", "").startswith("/account/reauth")


# Other ways to the same acts, each as (page, what is posted), (method, path of the API, what is sent).
OTHER_WAYS = {
    "an owner's grant is taken back": (("forms/request/access/{grant}/", {}), ("delete", "forms/{form}/access/{grant}", None)),
    "somebody joins a team that owns a form": (("settings/teams/{team}/", {"member": "{editor}"}), ("post", "teams/{team}/members", {"member": "{editor}"})),
    "somebody is invited into such a team": (("settings/members/", {"email": "x@new.example", "role": "viewer", "teams": ["{team}"]}), ("post", "invitations", {"email": "x@new.example", "role": "viewer", "teams": ["{team}"]})),
    "somebody leaves a team that owns a form": (("settings/teams/{team}/", {"leave": "{seated}"}), ("delete", "teams/{team}/members/{seated}", None)),
    "somebody gets a role that owns a form": (("settings/members/{viewer}/", {"do": "role", "role": "member"}), ("patch", "members/{viewer}", {"role": "member"})),
    "somebody loses such a role": (("settings/members/{seated}/", {"do": "role", "role": "viewer"}), ("patch", "members/{seated}", {"role": "viewer"})),
    "somebody is invited with such a role": (("settings/members/", {"email": "y@new.example", "role": "member"}), ("post", "invitations", {"email": "y@new.example", "role": "member"})),
    "an owner is one no longer": (("settings/members/{second}/", {"do": "role", "role": "member"}), ("patch", "members/{second}", {"role": "member"})),
    "an owner is shut out": (("settings/members/{third}/", {"do": "deactivate"}), ("delete", "members/{third}", None)),
    "an owner is let in again": (("settings/members/{gone}/", {"do": "reactivate"}), ("patch", "members/{gone}", {"is_active": True})),
    "whoever owns a form alone is shut out": (("settings/members/{maker}/leave/", {"form:{made}": "{editor}"}), ("delete", "members/{maker}?hand_to={editor}", None)),
    "people are named for a step": (("settings/standing-still/", {"step": "{stuck}", "people": ["{editor}"]}), ("post", "stuck-steps/{stuck}/staff", {"people": ["{editor}"]})),
}  # fmt: skip


@pytest.fixture
def ways(api, acme, scene):
    """The scene with more owners, a team and a role that own a form, a form of somebody else, and a step that stands still."""
    maker, asked, seated = (acme.member(name) for name in ("maker", "asked", "seated"))
    team = acme.team("Owners", seated)
    second, third, gone = (acme.member(name, Role.OWNER) for name in ("second", "third", "gone"))
    with acting_as(acme.owner):
        deactivate(gone, by=acme.owner)
    give = {"principal_type": "TEAM", "principal_id": str(team.pk), "role": "OWNER"}
    grant = api.as_(acme.owner).post(f"/api/v1/forms/{scene['form']}/access", give).json()["id"]
    give = {"principal_type": "ROLE", "principal_id": "member", "role": "OWNER"}
    assert api.as_(acme.owner).post(f"/api/v1/forms/{scene['form']}/access", give).status_code == 201
    made = published(api, maker, step("a", asked), slug="made")
    User.objects.filter(pk=asked.user_id).update(is_active=False)
    sent = api.as_(acme.reviewer).post(f"/api/v1/forms/{made}/submissions", {"data": {"item": "A", "total": 5}})
    assert sent.status_code == 201, sent.json()
    with as_system(acme.id):
        stuck = CaseStep.objects.get(state="stuck")
    return scene | {
        "team": team.pk, "maker": maker.pk, "second": second.pk, "third": third.pk, "gone": gone.pk,
        "grant": grant, "made": made, "stuck": stuck.pk, "seated": seated.pk, "viewer": acme.viewer.pk,
    }  # fmt: skip


def test_every_other_way_to_a_dangerous_act_asks_too_and_takes_no_key(api, acme, browse, ways):
    with acting_as(acme.owner):
        _row, key = create_api_key(name="x", scopes=sorted(OWNER), days=1, by=acme.owner)
    client = browse(acme.owner)
    age(client, FRESH_FOR.total_seconds() + 10)
    for way, ((place, posted), at_api) in OTHER_WAYS.items():
        refuses_an_old_token(api, acme, ways, *at_api)
        method, path, sent = at_api
        by_key = getattr(api, method)(
            filled(f"/api/v1/{path}", ways), filled(sent, ways), headers={"Authorization": f"Bearer {key}"}
        )
        assert (by_key.status_code, by_key.json()["code"]) == (403, "person_needed"), way
        answer = client.post(acme.url(filled(place, ways)), filled(posted, ways))
        assert answer.get("Location", "").split("?")[0] == "/account/reauthenticate/", (way, answer.status_code)
    for way, (_page, (method, path, sent)) in reversed(OTHER_WAYS.items()):
        answer = getattr(api.as_(acme.owner), method)(filled(f"/api/v1/{path}", ways), filled(sent, ways))
        assert answer.status_code < 300, (way, answer.json())


def test_a_fresh_sign_in_passes_at_the_api(api, acme, scene):
    door = api.as_(acme.owner)
    for act in sorted(WALKED, key=lambda act: act == "form.delete"):
        if DOORS[act][1] is not None:
            method, path, sent = DOORS[act][1]
            answer = getattr(door, method)(filled(f"/api/v1/{path}", scene), filled(sent, scene))
            assert answer.status_code < 300, (act, answer.json())
    with as_system(acme.id):
        assert not Form.objects.filter(pk=scene["form"]).exists()


def test_entering_a_tenant_asks_a_super_admin_again(client_of, acme):
    from django.conf import settings

    admin = super_admin(f"root@{acme.slug}.example")
    client_of.force_login(admin, backend=settings.AUTHENTICATION_BACKENDS[0])
    session = client_of.session
    session["account_authentication_methods_user"] = str(admin.pk)
    session.save()
    age(client_of, FRESH_FOR.total_seconds() + 10)
    asked = client_of.post("/admin/accounts/supportvisit/add/", {"tenant": str(acme.id), "reason": "x"})
    assert (asked.status_code, asked["Location"].split("?")[0]) == (302, "/account/reauthenticate/")

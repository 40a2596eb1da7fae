"""API keys: shown once, scoped, expiring, ended at once; and what no key can do."""

from __future__ import annotations

import re
import time
import zlib
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from apps.accounts import key_format
from apps.accounts.actions import add_member
from apps.accounts.models import ApiKey, Member
from apps.accounts.rules import PERMISSIONS, Role
from apps.audit.models import Entry
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from tests import database
from tests.cast import acting_as
from tests.forms import body, step
from tests.routes import example, walk

READS = ["forms.read", "members.read"]


def make(api, owner, scopes=READS, **more):
    return api.as_(owner).post("/api/v1/api-keys", {"name": "Nightly export", "scopes": list(scopes), **more})


def door(key):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def test_a_key_opens_its_tenant_as_its_member_within_its_scopes(api, acme, globex):
    answer = make(api, acme.owner)
    assert answer.status_code == 201
    found = door(answer.json()["key"])
    assert found.get("/api/v1/forms").status_code == 200
    assert found.get("/api/v1/audit/entries").status_code == 403
    assert found.post("/api/v1/forms", body(step("a", acme.reviewer))).status_code == 403
    me = found.get("/api/v1/me").json()
    assert (me["tenant"], me["member"], me["credential"]) == (str(acme.id), str(acme.owner.pk), "api_key")
    assert me["permissions"] == sorted(READS)
    assert found.get(f"/api/v1/members/{globex.owner.pk}").status_code == 404


# What a key opens whatever its scopes are: who it is, switches of features, and what is anybody's.
ANY_SCOPE = re.compile(r"/api/v1/(me|schema|auth/.*|trust/.*)|/ofrep/.*")


def test_a_key_opens_nothing_beyond_its_scope_at_any_route(api, acme):
    found = door(make(api, acme.owner, ["forms.fill_named"]).json()["key"])
    opened, asked = [], 0
    for route in walk(get_resolver()):
        place = example(route)
        if not place.startswith(("/api/", "/ofrep/")) or ANY_SCOPE.fullmatch(place):
            continue
        for method in ("get", "post", "patch", "delete"):
            asked += 1
            status = getattr(found, method)(place, {}, format="json").status_code
            if status not in {403, 404, 405}:
                opened.append((method, place, status))
    assert opened == []
    assert asked > 100


def test_a_key_does_not_tell_of_the_other_tenants_of_its_person(api, acme, globex):
    with acting_as(globex.owner):
        add_member(acme.owner.user, role=Role.VIEWER, by=globex.owner)
    told = door(make(api, acme.owner).json()["key"]).get("/api/v1/me").json()["tenants"]
    assert [one["slug"] for one in told] == [acme.slug]
    assert len(api.as_(acme.owner).get("/api/v1/me").json()["tenants"]) == 2


def test_a_key_is_shown_once_and_stored_as_a_hash(api, acme):
    made = make(api, acme.owner).json()
    again = api.as_(acme.owner).get(f"/api/v1/api-keys/{made['id']}").json()
    assert "key" not in again
    assert again["shown"] == f"{made['key'][:8]}…{made['key'][-4:]}"
    with database.superuser() as connection:
        row = str(connection.execute("SELECT * FROM accounts_apikey WHERE id = %s", [made["id"]]).fetchone())
    assert made["key"] not in row


def test_a_key_can_be_told_by_its_look(api, acme):
    key = make(api, acme.owner).json()["key"]
    assert key_format.PATTERN.fullmatch(key)
    number = 0
    for digit in key[-6:]:
        number = number * 62 + key_format.ALPHABET.index(digit)
    assert number == zlib.crc32(key[4:36].encode())
    assert len({key_format.make_key() for _number in range(200)}) == 200


@pytest.mark.parametrize("key", ["ork_", "ork_x", "ork_" + "a" * 38, "ork_" + "é" * 38, "ork_" + "a" * 5000])
def test_what_is_no_key_opens_nothing(acme, key):
    answer = APIClient().get("/api/v1/forms", headers={"Authorization": f"Bearer {key}".encode().decode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["code"] == "api_key_invalid"


def test_guessing_keys_is_stopped(acme):
    answers = [door(key_format.make_key()).get("/api/v1/forms").status_code for _number in range(65)]
    assert answers[0] == 401
    assert answers[-1] == 429


def test_a_key_ends_at_once(api, acme):
    made = make(api, acme.owner).json()
    found = door(made["key"])
    assert found.get("/api/v1/forms").status_code == 200
    assert api.as_(acme.owner).delete(f"/api/v1/api-keys/{made['id']}").status_code == 204
    assert found.get("/api/v1/forms").status_code == 401
    assert api.as_(acme.owner).get("/api/v1/api-keys").json()["results"] == []


def test_a_key_runs_out(api, acme):
    key = make(api, acme.owner, days=1).json()["key"]
    with as_system(acme.id):
        ApiKey.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert door(key).get("/api/v1/forms").status_code == 401


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"member": "x"}, "member"),
        ({"secret_sha256": "x"}, "secret_sha256"),
    ],
)
def test_a_key_beyond_the_rules_is_refused_by_its_place(api, acme, sent, place):
    answer = api.as_(acme.owner).post("/api/v1/api-keys", {"name": "x", "scopes": READS, **sent})
    assert answer.status_code == 400
    assert place in {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("who", ["editor", "reviewer", "viewer"])
def test_only_owners_make_keys(api, browse, acme, who):
    assert make(api, getattr(acme, who)).status_code == 403
    assert browse(getattr(acme, who)).get(acme.url("settings/api-keys/")).status_code == 403


def test_making_a_key_needs_a_fresh_sign_in(api, acme):
    client = api.as_(acme.owner)
    with time_machine.travel(time.time() + 200):
        assert client.get("/api/v1/forms").status_code == 200
    from apps.accounts.tokens import issue_access
    from apps.tenants.ids import new_id

    old = clock.now() - timedelta(minutes=6)
    token = issue_access(user=acme.owner.user_id, tenant=acme.id, family=new_id(), auth_time=old, amr="pwd")
    answer = door(token).post("/api/v1/api-keys", {"name": "x", "scopes": READS})
    assert answer.status_code == 401
    assert answer.json()["code"] == "insufficient_user_authentication"
    assert 'error="insufficient_user_authentication"' in answer["WWW-Authenticate"]
    assert 'max_age="300"' in answer["WWW-Authenticate"]


def test_no_key_makes_keys_switches_or_rules_the_platform(api, acme):
    found = door(make(api, acme.owner, scopes=PERMISSIONS).json()["key"])
    answer = found.post("/api/v1/api-keys", {"name": "x", "scopes": READS})
    assert (answer.status_code, answer.json()["code"]) == (403, "person_needed")
    assert found.post("/api/v1/auth/switch", {"tenant": acme.slug}).status_code == 403
    assert found.post("/api/v1/platform/audit/verify").status_code == 404


def test_a_key_never_opens_a_page(api, acme):
    key = make(api, acme.owner).json()["key"]
    answer = Client().get(acme.url(), headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 302


def test_a_key_is_never_more_than_its_member(api, acme):
    second = acme.member("second", Role.OWNER)
    key = make(api, second, scopes=PERMISSIONS).json()["key"]
    found = door(key)
    assert found.get("/api/v1/audit/entries").status_code == 200
    api.as_(acme.owner).patch(f"/api/v1/members/{second.pk}", {"role": "viewer"})
    assert found.get("/api/v1/audit/entries").status_code == 403
    assert found.get("/api/v1/forms").status_code == 200
    with as_system(acme.id):
        Member.objects.filter(pk=second.pk).update(is_active=False)
    assert found.get("/api/v1/forms").status_code == 401


def test_the_last_use_is_shown(api, acme):
    made = make(api, acme.owner).json()
    assert made["last_used_at"] is None
    door(made["key"]).get("/api/v1/forms")
    seen = api.as_(acme.owner).get(f"/api/v1/api-keys/{made['id']}").json()
    assert seen["last_used_at"]
    assert seen["last_address"] == "127.0.0.1"


def test_keys_of_a_rival_do_not_exist(api, acme, globex):
    made = make(api, globex.owner).json()
    assert api.as_(acme.owner).get(f"/api/v1/api-keys/{made['id']}").status_code == 404
    assert api.as_(acme.owner).delete(f"/api/v1/api-keys/{made['id']}").status_code == 404
    assert door(made["key"]).get("/api/v1/forms").status_code == 200


def test_the_app_cannot_list_keys_without_a_tenant(api, acme):
    make(api, acme.owner)
    with tenant_context(NOBODY):
        assert ApiKey._base_manager.count() == 0


def test_what_a_key_does_is_in_the_log_as_done_by_a_key(api, acme):
    made = make(api, acme.owner, scopes=["teams.write", "members.read"]).json()
    assert door(made["key"]).post("/api/v1/teams", {"name": "Board", "slug": "board"}).status_code == 201
    with as_system(acme.id):
        entry = Entry.objects.get(action="team.created")
        assert entry.document["credential"] == "api_key"
        assert Entry.objects.filter(action="api_key.created").count() == 1


def test_the_page_makes_shows_once_and_ends(browse, acme):
    page, url = browse(acme.owner), acme.url("settings/api-keys/")
    answer = page.post(url, {"name": "Nightly", "scopes": READS, "days": "30"})
    (key,) = key_format.PATTERN.findall(answer.content.decode())
    assert door(key).get("/api/v1/forms").status_code == 200
    text = page.get(url).content.decode()
    assert key not in text
    assert "Nightly" in text
    with as_system(acme.id):
        pk = ApiKey.objects.get().pk
    page.post(f"{url}{pk}/")
    assert door(key).get("/api/v1/forms").status_code == 401
    assert page.post(url, {"name": "", "days": "0"}).status_code == 422


def test_the_page_asks_again_and_keeps_what_was_typed(browse, acme):
    from tests.cast import PASSWORD

    page, url, start = browse(acme.owner), acme.url("settings/api-keys/"), time.time()
    with time_machine.travel(start + 400):
        asked = page.post(url, {"name": "Nightly <b>", "scopes": READS, "days": "30"})
        assert asked.status_code == 302
        assert asked["Location"].startswith("/account/reauthenticate/?next=%2Faccount%2Fagain%2F")
        assert ApiKey._base_manager.count() == 0
        back = page.post(asked["Location"], {"password": PASSWORD}, follow=True)
        text = back.content.decode()
        assert f'action="{url}"' in text
        assert 'name="name" value="Nightly &lt;b&gt;"' in text
        assert text.count('name="scopes"') == len(READS)
        made = page.post(url, {"name": "Nightly <b>", "scopes": READS, "days": "30"})
        assert key_format.PATTERN.search(made.content.decode())
        assert page.get("/account/again/").status_code == 302

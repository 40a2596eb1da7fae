"""The five Trust controls at every place, each of the tenant that it says, and what strangers can make us compute."""

from __future__ import annotations

import threading

import pytest

from apps.forms.models import Form
from apps.operations import observe
from apps.tenants import measures
from apps.tenants.cache import walled_key
from apps.tenants.context import as_system
from apps.trust import claims, controls, probes, views
from apps.trust.not_claimed import NOT_CLAIMED
from apps.trust.recent import Recent
from tests.database import superuser
from tests.forms import published, step

TITLES = ["Tenant verified", "RBAC active", "Audit chain verified", "AI budget used", "Data stores isolated"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """What another test's stranger was shown does not count."""
    monkeypatch.setattr(controls, "_strangers", Recent(controls._for_stranger))
    monkeypatch.setattr(views, "_recent", Recent(views._public_state))


def asked(door, **more):
    answer = door.get("/api/v1/trust/controls", **more)
    assert answer.status_code == 200
    return answer.json()["controls"]


def test_there_are_exactly_five_and_each_was_checked_for_this_tenant(api, acme):
    found = asked(api.as_(acme.owner))
    assert [one["title"] for one in found] == TITLES
    assert {one["state"] for one in found} == {"holds"}
    assert all(acme.tenant.name in one["about"] for one in found)
    assert all(one["detail"] and one["checked_at"] for one in found)
    assert acme.tenant.name in found[0]["detail"]


def test_without_a_tenant_they_say_whose_they_are(api, client_of, acme, demo, settings):
    assert {one["about"] for one in asked(api)} == {
        "of the demo tenant Orkestra (this installation), since nobody is signed in"
    }
    assert "of the demo tenant" in client_of.get("/security").content.decode()
    assert asked(api.as_(acme.owner.user))[0]["about"].startswith("of the demo")
    settings.IS_DEMO = False


def test_an_installation_that_is_no_demo_shows_nobodys(api, client_of, settings):
    settings.IS_DEMO = False
    found = asked(api)
    assert [one["title"] for one in found] == TITLES
    assert found[0]["state"] == "unknown"
    assert "of no tenant" in client_of.get("/security").content.decode()


def test_a_token_that_does_not_hold_is_refused_not_ignored(api, acme):
    api.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    assert api.get("/api/v1/trust/controls").status_code == 401


def test_the_security_page_shows_the_tenant_of_whoever_is_signed_in(browse, acme, globex):
    page = browse(acme.viewer).get("/security").content.decode()
    assert f"of {acme.tenant.name}, your tenant" in page
    other = browse(acme.viewer).get(f"/security?tenant={globex.slug}").content.decode()
    assert f"of {acme.tenant.name}, your tenant" in other
    assert globex.tenant.name not in other


def test_the_home_page_shows_the_five(browse, acme):
    text = browse(acme.viewer).get(acme.url()).content.decode()
    assert [title for title in TITLES if f"<h3>{title}</h3>" in text] == TITLES


def test_a_dropped_policy_turns_the_stores_red(api, acme):
    with superuser() as connection:
        connection.execute("ALTER TABLE forms_form NO FORCE ROW LEVEL SECURITY")
        try:
            assert asked(api.as_(acme.owner))[4]["state"] == "broken"
        finally:
            connection.execute("ALTER TABLE forms_form FORCE ROW LEVEL SECURITY")
    assert asked(api.as_(acme.owner))[4]["state"] == "holds"


def test_a_store_that_gives_out_anothers_row_turns_red(api, acme, globex):
    with as_system(globex.id):
        Form.objects.create(title="Theirs", slug="theirs", schema={}, created_by=globex.owner)
    with superuser() as connection:
        connection.execute("ALTER TABLE forms_form DISABLE ROW LEVEL SECURITY")
        try:
            with as_system(acme.id):
                found = probes.stores()
        finally:
            connection.execute("ALTER TABLE forms_form ENABLE ROW LEVEL SECURITY")
    assert found.holds is False
    assert "1 gave any" in str(found.detail)


OF_TENANTS = {"four_eyes", "api_keys", "service_accounts", "form_acl"}


def test_what_lies_in_tenants_rows_is_said_to_hold_to_nobody_who_cannot_see_them(api, client_of, acme):
    found = {one["key"]: one for one in api.get("/api/v1/trust/claims").json()["live"]}
    unseen = {key for key, one in found.items() if one["detail"].startswith("Not seen from outside")}
    assert unseen == OF_TENANTS
    assert {found[key]["state"] for key in unseen} == {"unknown"}
    page = client_of.get("/security").content.decode()
    holding = sum(one["state"] == "holds" for one in found.values())
    assert f"{holding} of {len(found)} seen to hold" in page
    with as_system(acme.id):
        assert {probes.check(one).key for one in claims.live() if one.key in OF_TENANTS} == {"holds"}


def test_the_landing_page_counts_what_a_probe_saw_hold_and_names_what_is_broken(client_of, wall, monkeypatch):
    found = views.public_state()
    first = client_of.get("/").content.decode()
    assert f"Of {found.live} sentences about security, {found.holding} were seen to hold" in first
    assert "found broken" not in first
    with superuser() as connection:
        connection.execute("ALTER TABLE forms_form NO FORCE ROW LEVEL SECURITY")
        try:
            monkeypatch.setattr(views, "_recent", Recent(views._public_state))
            page = client_of.get("/").content.decode()
        finally:
            connection.execute("ALTER TABLE forms_form FORCE ROW LEVEL SECURITY")
    assert f"{found.holding - 1} were seen to hold" in page
    assert "1 was found broken." in page


@pytest.mark.every_tenant
def test_monitoring_sees_the_rows_of_every_tenant(api, acme):
    """A decision of the sender's own and a key without end, put in behind our code in one tenant."""
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A lathe", "total": 7}})
    assert sent.status_code == 201
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    said = {"verdict": "approve", "revision": task["revision"]}
    assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", said).status_code == 201
    assert api.as_(acme.owner).post("/api/v1/api-keys", {"name": "K", "scopes": ["forms.read"]}).status_code == 201
    assert monitored("trust.four_eyes", "accounts.api_keys") == ["holds", "holds"]
    turn = "UPDATE approvals_case SET requester_id = %s WHERE tenant_id = %s AND requester_id = %s"
    move = "UPDATE accounts_apikey SET expires_at = expires_at + %s * interval '1 year' WHERE tenant_id = %s"
    with superuser() as connection:
        connection.execute(turn, [acme.reviewer.pk, acme.id, acme.editor.pk])
        connection.execute(move, [2, acme.id])
        try:
            assert monitored("trust.four_eyes", "accounts.api_keys") == ["broken", "broken"]
        finally:
            connection.execute(turn, [acme.editor.pk, acme.id, acme.reviewer.pk])
            connection.execute(move, [-2, acme.id])


def monitored(*probes):
    """The state that each shows to who watches."""
    observe.probe_all()
    found = {}
    for sample in next(iter(measures.PROBES.collect())).samples:
        if sample.value == 1:
            found[sample.labels["probe"]] = sample.labels["state"]
    return [found[probe] for probe in probes]


def test_a_cache_without_the_tenant_in_its_keys_turns_red(acme, monkeypatch):
    with as_system(acme.id):
        assert str(acme.id) in walled_key("probe", "", 1)
        monkeypatch.setattr(probes, "walled_key", lambda key, prefix, version: key)
        assert probes.stores().holds is False


def test_strangers_make_us_compute_once_however_many_ask():
    runs, gate = [], threading.Event()

    def slow():
        runs.append(1)
        gate.wait(5)
        return len(runs)

    recent = Recent(slow)
    threads = [threading.Thread(target=recent.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert (recent.get(), len(runs)) == (1, 1)


def test_what_is_not_claimed_is_said_in_plain_words(api, client_of):
    keys = [one["key"] for one in api.get("/api/v1/trust/claims").json()["not_claimed"]]
    assert keys == ["penetration_test", "soc_2", "iso_27001", "soc_partner"]
    page = client_of.get("/security").content.decode()
    assert all(str(claim.title) in page for claim in NOT_CLAIMED)
    assert not {claim.key for claim in NOT_CLAIMED} & {claim.key for claim in claims.CLAIMS}

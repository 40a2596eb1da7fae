"""Single sign-on by the API: what the page does, by the same rules, and never a secret."""

from __future__ import annotations

import pytest

from apps.accounts.sso.models import SsoConnection
from apps.tenants.context import as_system
from tests.api.test_sso_settings import asked, dns  # noqa: F401  fixtures
from tests.identity_provider import SECRET
from tests.sso import acts


def test_a_provider_is_added_changed_and_removed(api, acme, globex, idp):
    door = api.as_(acme.owner)
    made = door.post("/api/v1/sso/providers", asked(idp))
    assert made.status_code == 201, made.json()
    place = f"/api/v1/sso/providers/{made.json()['id']}"
    assert made.json()["callback"].endswith(f"/account/sso/{made.json()['id']}/callback/")
    assert door.patch(place, {"name": "Another"}).json()["name"] == "Another"
    with as_system(acme.id):
        assert SsoConnection.objects.get().secret == SECRET
    for answer in (made, door.get(place), door.get("/api/v1/sso/providers")):
        assert SECRET not in answer.content.decode()
        assert "client_secret" not in answer.content.decode()
    assert api.as_(globex.owner).get(place).status_code == 404
    assert api.as_(globex.owner).delete(place).status_code == 404
    assert door.delete(place).status_code == 204
    assert door.get(place).status_code == 404
    assert [len(acts(acme, f"sso.{act}")) for act in ("connected", "changed", "removed")] == [1, 1, 1]


@pytest.mark.parametrize(
    "wrong", [{"issuer": ""}, {"default_role": "owner"}, {"issuer": "http://127.0.0.1:1/"}, {"tenant": "x"}]
)
def test_what_is_wrong_is_refused_in_words(api, acme, idp, wrong):
    answer = api.as_(acme.owner).post("/api/v1/sso/providers", asked(idp) | wrong)
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_domain_is_named_and_looked_up_and_only_an_owner_switches(api, acme, dns):  # noqa: F811
    door = api.as_(acme.owner)
    made = door.post("/api/v1/sso/domains", {"domain": "api.acme.example"}).json()
    assert made["verified_at"] is None
    place = f"/api/v1/sso/domains/{made['id']}"
    assert door.post(f"{place}/check").json()["verified_at"] is None
    dns.texts[made["record"]] = [made["value"]]
    assert door.post(f"{place}/check").json()["verified_at"]
    refused = door.patch("/api/v1/sso", {"only": True, "break_glass": [str(acme.owner.pk)]})
    assert refused.status_code == 400  # there is no provider yet, and no second factor
    assert door.get("/api/v1/sso").json() == {"only": False, "break_glass": []}
    assert door.patch("/api/v1/sso", {"only": False, "break_glass": [str(acme.editor.pk)]}).status_code == 400
    for person in (acme.editor, acme.viewer):
        other = api.as_(person)
        assert other.get("/api/v1/sso").status_code == 403
        assert other.get("/api/v1/sso/providers").status_code == 403
        assert other.post("/api/v1/sso/domains", {"domain": "b.example"}).status_code == 403
        assert other.delete(place).status_code == 403
    assert door.delete(place).status_code == 204

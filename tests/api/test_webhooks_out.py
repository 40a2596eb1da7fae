"""Webhook endpoints by API and by page: owners only, secrets shown once, and nothing of another tenant."""

from __future__ import annotations

import hashlib
import re

import pytest

from apps.audit.models import Entry
from apps.comms import actions
from apps.comms.models import WebhookDelivery, WebhookEndpoint
from apps.tenants.context import as_system
from apps.tenants.encryption import Unreadable, seal, unseal
from tests.cast import acting_as

URL = "https://hooks.example/in"
BODY = {"url": URL, "events": ["submission.sent", "decision.made"]}


def made(api, company, **more):
    answer = api.as_(company.owner).post("/api/v1/webhooks", BODY | more)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_an_endpoint_is_made_changed_and_removed(api, acme):
    door, first = api.as_(acme.owner), made(api, acme)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", first["secret"])
    (listed,) = door.get("/api/v1/webhooks").json()["results"]
    assert listed["url"] == URL
    assert "secret" not in listed
    place = f"/api/v1/webhooks/{first['id']}"
    assert door.patch(place, {"events": ["submission.approved"], "is_active": False}).json()["off"] == "owner"
    assert door.get(place).json()["events"] == ["submission.approved"]
    assert door.post(f"{place}/test").status_code == 409
    assert door.patch(place, {"is_active": True}).json()["is_active"] is True
    second = door.post(f"{place}/rotate").json()["secret"]
    assert second.startswith("whsec_")
    assert second != first["secret"]
    assert door.delete(place).status_code == 204
    assert door.get(place).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://hooks.example/"}, {"url": "https://127.0.0.1/"}, {"url": "https://[::1]/"}, {"url": "x"},
        {"url": "https://169.254.169.254/latest/"}, {"url": "https://2130706433/"}, {"url": "https://localhost:5432/"},
        {"events": []}, {"events": ["no.such"]}, {"events": "submission.sent"}, {"secret": "whsec_mine"}, {"url": ""},
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_in_words(api, acme, wrong):
    answer = api.as_(acme.owner).post("/api/v1/webhooks", BODY | wrong)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    with as_system(acme.id):
        assert not WebhookEndpoint.objects.exists()


def test_one_address_stands_once_and_a_tenant_has_a_bounded_number(api, acme):
    made(api, acme)
    assert api.as_(acme.owner).post("/api/v1/webhooks", BODY).status_code == 400
    for number in range(19):
        made(api, acme, url=f"{URL}/{number}")
    assert api.as_(acme.owner).post("/api/v1/webhooks", BODY | {"url": f"{URL}/more"}).json()["code"] == "too_many"


@pytest.mark.parametrize("who", ["editor", "reviewer", "viewer"])
def test_webhooks_are_for_owners(api, browse, acme, who):
    place, door = f"/api/v1/webhooks/{made(api, acme)['id']}", api.as_(getattr(acme, who))
    assert door.get("/api/v1/webhooks").status_code == 403
    assert door.post("/api/v1/webhooks", BODY).status_code == 403
    assert door.patch(place, {"is_active": False}).status_code == 403
    assert door.delete(place).status_code == 403
    assert door.post(f"{place}/rotate").status_code == 403
    assert door.post(f"{place}/test").status_code == 403
    assert door.get(f"{place}/deliveries").status_code == 403
    assert browse(getattr(acme, who)).get(acme.url("settings/webhooks/")).status_code == 403


def test_a_test_waits_once_and_stands_in_the_log(api, acme):
    place, door = f"/api/v1/webhooks/{made(api, acme)['id']}", api.as_(acme.owner)
    sent = door.post(f"{place}/test")
    assert sent.status_code == 201
    assert sent.json()["type"] == "webhook.test"
    assert door.post(f"{place}/test").status_code == 409
    (row,) = door.get(f"{place}/deliveries?state=queued").json()["results"]
    assert row["webhook_id"] == sent.json()["webhook_id"]
    assert door.get(f"{place}/deliveries?state=dead").json()["results"] == []
    again = door.post(f"{place}/deliveries/{row['id']}/resend")
    assert again.status_code == 201
    assert again.json()["webhook_id"] == row["webhook_id"]
    with as_system(acme.id):
        acts = set(Entry.objects.values_list("action", flat=True))
        assert {"webhook.created", "webhook.tested", "webhook.resent"} <= acts


def test_the_log_tells_where_an_endpoint_went_before_and_goes_now_and_keeps_no_key_of_the_address(api, acme):
    old, new = f"{URL}?key=s3cret", "https://other.example:8443/s3cret"
    place, door = f"/api/v1/webhooks/{made(api, acme, url=old)['id']}", api.as_(acme.owner)
    assert door.patch(place, {"description": "ERP"}).status_code == 200
    assert door.patch(place, {"url": new}).status_code == 200
    assert door.delete(place).status_code == 204
    with as_system(acme.id):
        rows = Entry.objects.filter(target_type="webhook").order_by("time", "id")
        told = [{name: fact for name, fact in row.facts.items() if name.startswith(("host", "url"))} for row in rows]
        assert not Entry.objects.filter(body__contains=b"s3cret").exists()
    first = {"host": "hooks.example", "url_sha256": hashlib.sha256(old.encode()).hexdigest()}
    second = {"host": "other.example:8443", "url_sha256": hashlib.sha256(new.encode()).hexdigest()}
    moved = second | {f"{name}_before": was for name, was in first.items()}
    assert told == [first, first, moved, second]


def test_a_rivals_endpoints_and_deliveries_do_not_exist(api, browse, acme, globex):
    theirs = made(api, globex)
    sent = api.as_(globex.owner).post(f"/api/v1/webhooks/{theirs['id']}/test").json()
    mine, door = made(api, acme), api.as_(acme.owner)
    place = f"/api/v1/webhooks/{theirs['id']}"
    assert door.get(place).status_code == 404
    assert door.patch(place, {"url": URL}).status_code == 404
    assert door.delete(place).status_code == 404
    assert door.get(f"{place}/deliveries").status_code == 404
    for home in (place, f"/api/v1/webhooks/{mine['id']}"):
        assert door.post(f"{home}/deliveries/{sent['id']}/resend").status_code == 404
    for act in ("rotate", "test"):
        assert door.post(f"{place}/{act}").status_code == 404
    page = browse(acme.owner)
    assert page.get(acme.url(f"settings/webhooks/{theirs['id']}/")).status_code == 404
    assert page.post(acme.url(f"settings/webhooks/{theirs['id']}/act/"), {"do": "delete"}).status_code == 404
    stolen = acme.url(f"settings/webhooks/{mine['id']}/{sent['id']}/resend/")
    assert page.post(stolen).status_code == 404
    with acting_as(acme.owner):
        assert not WebhookDelivery.objects.filter(pk=sent["id"]).exists()
    with as_system(globex.id):
        assert WebhookDelivery.objects.get(pk=sent["id"]).attempts == 0


def test_the_pages_do_the_same(browse, acme):
    page, place = browse(acme.owner), acme.url("settings/webhooks/")
    shown = page.post(place, BODY)
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/]{43}=", shown.content.decode()))
    assert shown.headers["Cache-Control"] == "no-store"
    refused = page.post(place, {"url": "https://10.0.0.1/", "events": ["submission.sent"], "description": "ERP"})
    assert refused.status_code == 422
    assert "private or reserved" in refused.content.decode()
    assert 'value="ERP"' in refused.content.decode()
    with as_system(acme.id):
        endpoint = WebhookEndpoint.objects.get()
    one = acme.url(f"settings/webhooks/{endpoint.pk}/")
    assert secret not in page.get(place).content.decode() + page.get(one).content.decode()
    assert page.post(one, BODY | {"description": "The ledger"}).status_code == 302
    assert "whsec_" in page.post(f"{one}act/", {"do": "rotate"}).content.decode()
    for act in ("test", "test", "end", "off", "on"):
        assert page.post(f"{one}act/", {"do": act}).status_code == 302
    text = page.get(one).content.decode()
    assert "webhook.test" in text
    assert "The ledger" in text
    assert "A test is on its way already." in text
    assert page.post(f"{one}act/", {"do": "delete"}).status_code == 302
    assert page.get(one).status_code == 404


def test_an_event_is_promised_in_a_transaction_and_of_a_known_type_only(acme):
    with as_system(acme.id), pytest.raises(RuntimeError):
        actions.publish_event("submission.sent")
    from django.db import transaction

    with as_system(acme.id), transaction.atomic(), pytest.raises(KeyError):
        actions.publish_event("no.such")


def test_sealed_fields_open_after_a_rotation_of_the_key_and_for_their_purpose_only(settings):
    settings.ENCRYPTION_KEY_FILE, settings.ENCRYPTION_KEYS = None, "a" * 40
    sealed = seal("one purpose", "a word")
    assert "word" not in sealed
    settings.ENCRYPTION_KEYS = f"{'b' * 40},{'a' * 40}"
    assert unseal("one purpose", sealed) == "a word"
    with pytest.raises(Unreadable):
        unseal("another purpose", sealed)
    settings.ENCRYPTION_KEYS = "b" * 40
    with pytest.raises(Unreadable):
        unseal("one purpose", sealed)

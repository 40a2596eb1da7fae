"""Plans by Stripe: an event is a hint, what Stripe answers now is what counts, whatever came in which order."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from stripe import WebhookSignature

from apps.billing import actions, tasks
from apps.billing.models import Subscription
from apps.comms.actions import process
from apps.comms.models import InboundEvent
from apps.tenants import clock
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.job_signing import signed
from apps.tenants.refusals import Unavailable
from tests.stripe_api import fake_stripe

SECRET = "whsec_for_tests"
PRICES = {"small": ["price_small"], "team": ["price_team", "price_team_yearly"], "business": ["price_business"]}


@pytest.fixture
def stripe(settings):
    with fake_stripe() as fake:
        settings.STRIPE_API, settings.STRIPE_KEY = fake.receiver.url, "sk_test_1"
        settings.STRIPE_PRICES, settings.STRIPE_WEBHOOK_SECRETS = PRICES, [SECRET]
        yield fake


def event(company, subscription, type_="updated", **more):
    """The text of an event; what it says of plan and state is never true."""
    told = {"id": subscription, "metadata": {"tenant": str(company.id)}, "status": "active", "items": {"data": []}}
    identity = f"evt_{uuid4().hex}"
    return identity, {"id": identity, "type": f"customer.subscription.{type_}", "data": {"object": told | more}}


def arrives(identity, body, times=1):
    """Through the door, signed by the SDK."""
    raw = json.dumps(body)
    header = WebhookSignature.generate_signature_header(raw, SECRET)
    for _copy in range(times):
        answer = Client().post(
            "/webhooks/stripe", raw, content_type="application/json", headers={"Stripe-Signature": header}
        )
        assert answer.status_code == 202
    return InboundEvent.objects.get(event_id=identity)


def work(row):
    with tenant_context(TenantContext.system(None)):
        process(row.pk)
    row.refresh_from_db()
    return row


def told(company, subscription, **more):
    return work(arrives(*event(company, subscription, **more)))


def has(company):
    with as_system(company.id):
        return Subscription.objects.select_related("plan").get()


def test_a_plan_that_is_bought_is_there_whatever_the_event_says(acme, stripe):
    stripe.buy("sub_1", acme.id, "price_team_yearly")
    row = told(acme, "sub_1", items={"data": [{"price": {"id": "price_small"}}]})
    assert (row.state, row.note) == ("done", "The plan is team.")
    found = has(acme)
    assert (found.plan.key, found.stripe_customer, found.stripe_status) == ("team", "cus_1", "active")


def test_buying_ends_a_trial(acme, stripe):
    with as_system(acme.id):
        actions.change_plan("team", trial_ends_at=clock.now() - timedelta(days=1))
    stripe.buy("sub_1", acme.id, "price_team")
    told(acme, "sub_1")
    assert has(acme).trial_ends_at is None


@pytest.mark.parametrize("order", list(permutations(["created", "updated", "deleted"])))
def test_the_order_of_events_does_not_matter(acme, stripe, order):
    stripe.buy("sub_old", acme.id, "price_team", status="canceled")
    stripe.buy("sub_new", acme.id, "price_business")
    for type_ in order:
        told(acme, "sub_old" if type_ == "deleted" else "sub_new", type_=type_)
    assert has(acme).plan.key == "business"


def test_when_nothing_is_paid_any_more_the_smallest_plan_is_left_and_nothing_is_lost(api, acme, stripe):
    stripe.buy("sub_1", acme.id, "price_business")
    told(acme, "sub_1")
    stripe.buy("sub_1", acme.id, "price_business", status="past_due")
    told(acme, "sub_1")
    assert has(acme).plan.key == "business"
    stripe.buy("sub_1", acme.id, "price_business", status="canceled")
    told(acme, "sub_1", type_="deleted")
    assert has(acme).plan.key == "small"
    assert api.as_(acme.owner).get("/api/v1/members").status_code == 200


def test_ten_copies_change_a_plan_once(acme, stripe):
    from apps.audit.models import Entry

    stripe.buy("sub_1", acme.id, "price_team")
    row = arrives(*event(acme, "sub_1"), times=10)

    def one(_number):
        try:
            with tenant_context(TenantContext.system(None)):
                process(row.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(one, range(10)))
    with as_system(acme.id):
        assert Entry.objects.filter(action="plan.changed").count() == 1


def test_while_stripe_is_away_the_event_waits_and_nothing_changes(acme, stripe):
    before = has(acme).plan.key
    stripe.buy("sub_1", acme.id, "price_small")
    row = arrives(*event(acme, "sub_1"))
    stripe.is_down = True
    with pytest.raises(Unavailable):
        work(row)
    row.refresh_from_db()
    assert row.state == "received"
    assert has(acme).plan.key == before
    stripe.is_down = False
    assert work(row).state == "done"
    assert has(acme).plan.key == "small"


def test_a_subscription_of_one_tenant_changes_no_other(acme, globex, stripe):
    before = has(acme).plan.key
    stripe.buy("sub_theirs", globex.id, "price_small", customer="cus_theirs")
    assert "another tenant" in told(acme, "sub_theirs").note
    stripe.buy("sub_1", acme.id, "price_team")
    told(acme, "sub_1")
    stripe.buy("sub_other", acme.id, "price_small", customer="cus_other")
    assert "another tenant or customer" in told(acme, "sub_other").note
    assert (before, has(acme).plan.key) == ("business", "team")


@pytest.mark.parametrize(
    "more", [{"metadata": {}}, {"metadata": {"tenant": "x"}}, {"metadata": None}, {"id": "../customers"}, {"id": 5}]
)
def test_an_event_that_names_nothing_of_ours_changes_nothing(acme, stripe, more):
    row = told(acme, "sub_1", **more)
    assert row.state == "done"
    assert stripe.receiver.calls == []


def test_other_events_are_marked_ignored_and_an_unknown_price_changes_nothing(acme, stripe):
    identity = f"evt_{uuid4().hex}"
    assert work(arrives(identity, {"id": identity, "type": "invoice.paid", "data": {}})).state == "ignored"
    stripe.buy("sub_1", acme.id, "price_of_somebody_else")
    assert "price that no plan names" in told(acme, "sub_1").note
    assert has(acme).plan.key == "business"


def test_the_hourly_comparison_makes_up_for_a_webhook_that_never_came(acme, globex, stripe):
    stripe.buy("sub_1", acme.id, "price_team")
    told(acme, "sub_1")
    stripe.buy("sub_1", acme.id, "price_small")
    tasks.follow_stripe(**signed("billing.follow_stripe", {"timestamp": 0}))
    assert has(acme).plan.key == "small"
    assert has(globex).plan.key == "business"
    stripe.is_down = True
    tasks.follow_stripe(**signed("billing.follow_stripe", {"timestamp": 0}))
    assert has(acme).plan.key == "small"


def test_an_owner_is_led_to_stripe_by_a_link(acme, browse, stripe):
    page = browse(acme.owner)
    place = acme.url("settings/billing/")
    assert "Buy at Stripe" in page.get(place).content.decode()
    answer = page.get(f"{place}buy/team/")
    assert answer.status_code == 302, answer.content.decode()
    assert answer["Location"] == "https://pay.stripe.example/checkout.session"
    asked = stripe.sessions[-1]
    assert asked["line_items[0][price]"] == "price_team"
    assert asked["subscription_data[metadata][tenant]"] == str(acme.id)
    assert page.get(f"{place}portal/").status_code == 404
    stripe.buy("sub_1", acme.id, "price_team")
    told(acme, "sub_1")
    assert page.get(f"{place}portal/")["Location"] == "https://pay.stripe.example/billing_portal.session"
    assert page.get(f"{place}buy/business/")["Location"].endswith("/portal/"), "no second subscription beside the first"
    assert page.get(f"{place}buy/no-such/").status_code == 302


@pytest.mark.parametrize("who", ["editor", "viewer"])
def test_only_owners_pay(acme, browse, stripe, who):
    page = browse(getattr(acme, who))
    for path in ("", "buy/team/", "portal/"):
        assert page.get(acme.url(f"settings/billing/{path}")).status_code == 403
    assert stripe.sessions == []


def test_paying_asks_whether_it_is_really_this_person(acme, browse, stripe):
    page = browse(acme.owner)
    session = page.session
    session["account_authentication_methods"] = [{"method": "password", "at": 1.0}]
    session.save()
    answer = page.get(acme.url("settings/billing/buy/team/"))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert stripe.sessions == []


def test_where_stripe_is_not_set_up_the_page_says_so(acme, browse):
    text = browse(acme.owner).get(acme.url("settings/billing/")).content.decode()
    assert "set by whoever runs this installation" in text
    assert "Buy at Stripe" not in text
    assert browse(acme.owner).get(acme.url("settings/billing/buy/team/")).status_code in {422, 503}


def test_a_stripe_that_is_away_is_a_503_that_says_when_to_try_again(acme, browse, stripe):
    stripe.is_down = True
    answer = browse(acme.owner).get(acme.url("settings/billing/buy/team/"))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"

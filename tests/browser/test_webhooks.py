"""An owner adds a webhook, keeps its secret, sees what came of a test, and sends it again; plans at Stripe are a link away."""

from __future__ import annotations

import pytest

from apps.comms import actions
from apps.comms.models import WebhookDelivery
from tests.cast import acting_as
from tests.receiver import receiving, says

from .visits import check, press, sees, sign_in

SCHEMES = ("light", "dark")


@pytest.mark.parametrize("width", [360, 1280])
def test_an_endpoint_is_added_tried_and_watched(chromium, address, acme, settings, width):
    settings.EGRESS_LOOPBACK = True
    page = sign_in(chromium, address, acme.owner, width)
    with receiving() as receiver:
        page.goto(f"{address}{acme.url('settings/webhooks/')}")
        check(page, *SCHEMES)
        page.fill("[name=url]", "https://10.0.0.1/in")
        page.fill("[name=description]", "The ledger books approved purchases")
        page.get_by_label("A submission was approved in the end").check()
        press(page, page.get_by_role("button", name="Add it and show its secret"))
        assert page.title().startswith("Error:")
        sees(page.get_by_text("private or reserved network"))
        assert page.get_by_label("A submission was approved in the end").is_checked()
        check(page, *SCHEMES)
        page.fill("[name=url]", f"{receiver.url}/in")
        press(page, page.get_by_role("button", name="Add it and show its secret"))
        assert page.input_value("#secret").startswith("whsec_")
        check(page, *SCHEMES)
        press(page, page.get_by_role("link", name="I have kept it"))
        receiver.answer = says(500, b"<b>The ledger is closed</b>")
        press(page, page.get_by_role("button", name="Send a test"))
        with acting_as(acme.owner):
            actions.attempt(WebhookDelivery.objects.get().pk)
        page.reload()
        sees(page.locator("small", has_text="HTTP 500"))
        page.get_by_text("1 attempt").click()
        sees(page.get_by_text("<b>The ledger is closed</b>"))
        check(page, *SCHEMES)
        receiver.answer = None
        press(page, page.get_by_role("button", name="again"))
        with acting_as(acme.owner):
            actions.attempt(WebhookDelivery.objects.get().pk)
        page.reload()
        sees(page.locator(".state", has_text="delivered"))
        press(page, page.get_by_role("button", name="Make a new secret"))
        press(page, page.get_by_role("link", name="I have kept it"))
        sees(page.get_by_text("The one before signs until"))
        check(page, *SCHEMES)
    page.goto(f"{address}{acme.url('settings/webhooks/')}")
    check(page, *SCHEMES)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_of_plans_is_clean_with_stripe_and_without(chromium, address, acme, settings, width):
    page = sign_in(chromium, address, acme.owner, width)
    page.goto(f"{address}{acme.url('settings/billing/')}")
    sees(page.get_by_text("set by whoever runs this installation"))
    check(page, *SCHEMES)
    settings.STRIPE_KEY, settings.STRIPE_PRICES = "sk_test_1", {"team": ["price_1"], "business": ["price_2"]}
    page.goto(f"{address}{acme.url('settings/billing/')}?paid=1")
    sees(page.get_by_role("link", name="Buy Team at Stripe"))
    check(page, *SCHEMES)

"""From the sign-in page to an organisation of one's own: with and without scripts, on a phone and at a desk."""

from __future__ import annotations

import re

import pytest

from tests.api.test_another_address import mails_to as address_mails_to
from tests.api.test_signing_up import mails_to
from tests.cast import PASSWORD

from .visits import Visit, check, press, sees, sign_in


@pytest.mark.parametrize(
    ("width", "scheme", "scripts"), [(360, "dark", True), (1280, "light", True), (360, "light", False)]
)
def test_a_stranger_begins_with_an_organisation(chromium, address, acme, settings, width, scheme, scripts):
    settings.SIGN_UP_IS_OPEN = True
    email, name = f"nora@n{acme.slug}.example", f"Nörd {acme.slug}"
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts, timezone_id="Asia/Tokyo"
    )  # fmt: skip
    page = context.new_page()
    visit = Visit(page)

    def clean():
        if scripts:
            check(page)
            assert visit.errors == []

    visit.to(f"{address}/account/login/")
    press(page, page.get_by_role("link", name="Begin with an organisation of your own"))
    clean()
    page.fill("[name=email]", "nobody")
    press(page, page.get_by_role("button", name="Send the link"))
    sees(page.get_by_role("heading", name="There is a problem"))
    visit.errors.clear()  # a browser writes each answer of 422 into its console
    clean()
    page.fill("[name=email]", email)
    press(page, page.get_by_role("button", name="Send the link"))
    sees(page.get_by_text("We have sent you a mail"))
    clean()
    visit.to(re.search(r"http\S+/account/signup/\S+", mails_to(email)[0][1])[0])
    clean()
    sees(page.get_by_text(email))
    page.fill("[name=name]", "Nora New")
    page.fill("[name=password]", "too short")
    page.locator("[name=organisation]").press_sequentially(name)
    if scripts:
        assert page.input_value("[name=slug]") == f"nord-{acme.slug}"
        assert page.input_value("[name=timezone]") == "Asia/Tokyo"
    press(page, page.get_by_role("button", name="Begin"))
    visit.errors.clear()
    clean()
    assert page.input_value("[name=slug]") == f"nord-{acme.slug}"
    assert page.input_value("[name=timezone]") == ("Asia/Tokyo" if scripts else "UTC")
    page.fill("[name=password]", PASSWORD)
    press(page, page.get_by_role("button", name="Begin"))
    assert page.url == f"{address}/t/nord-{acme.slug}/"
    sees(page.get_by_role("heading", name="Audit chain verified"))
    clean()
    link = re.search(r"http\S+/account/signup/\S+", mails_to(email)[0][1])[0]
    visit.to(link)
    sees(page.get_by_text("This link does not work any more"))


@pytest.mark.parametrize(("width", "name"), [(360, "Second"), (1280, "Third")])
def test_a_person_begins_a_further_organisation(chromium, address, acme, settings, width, name):
    settings.SIGN_UP_IS_OPEN = True
    page = sign_in(chromium, address, acme.editor, width)
    page.locator("details.who summary").click()
    press(page, page.get_by_role("link", name="New organisation"))
    check(page)
    press(page, page.get_by_role("button", name="Begin"))
    sees(page.get_by_role("heading", name="There is a problem"))
    check(page)
    page.locator("[name=organisation]").press_sequentially(f"{name} {acme.slug}")
    press(page, page.get_by_role("button", name="Begin"))
    assert page.url == f"{address}/t/{name.lower()}-{acme.slug}/"
    page.locator("details.who summary").click()
    sees(page.locator(f"details.who a[href='{acme.url()}']"))
    check(page)


def test_a_person_takes_another_address(chromium, address, acme):
    page, new = sign_in(chromium, address, acme.editor, 360), f"other@n{acme.slug}.example"
    page.goto(f"{address}/account/sessions/")
    press(page, page.get_by_role("link", name="E-mail address"))
    check(page)
    page.fill("[name=email]", acme.editor.email)
    press(page, page.get_by_role("button", name="Send the link"))
    sees(page.get_by_role("heading", name="There is a problem"))
    check(page)
    page.fill("[name=email]", new)
    press(page, page.get_by_role("button", name="Send the link"))
    check(page)
    link = re.search(r"http\S+/account/email/\S+", address_mails_to(new)[0][1])[0]
    page.goto(link)
    check(page)
    press(page, page.get_by_role("button", name="Take this address"))
    sees(page.get_by_text(f"Your address is {new} now."))
    check(page)
    page.goto(link)
    sees(page.get_by_text("This link does not work for you"))
    check(page)

"""Passkeys in a real Chromium, by a virtual authenticator: set up, asked for, used, and wrong ones refused."""

from __future__ import annotations

import pytest

from tests.cast import PASSWORD

from .visits import WATCH, check, give_password, press, sees


def device(page):
    """A device with a passkey chip and a finger that is always right; (its session, its id)."""
    page.add_init_script(WATCH)
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def enrol(page, address, member):
    """From the password to the recovery codes."""
    give_password(page, address, member)
    page.goto(f"{address}/account/2fa/")
    check(page)
    press(page, page.get_by_role("link", name="Add a passkey"))
    page.fill("[name=password]", PASSWORD)
    press(page, page.get_by_role("button", name="Go on"))
    check(page)
    press(page, page.get_by_role("button", name="Make the passkey"))
    sees(page.get_by_role("heading", name="Recovery codes"))  # they are shown this once, so they come by themselves
    check(page)
    return page.locator(".codes code").all_inner_texts()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_passkey_is_set_up_and_from_then_on_the_password_alone_opens_nothing(chromium, address, acme, width):
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    session, chip = device(page)
    codes = enrol(page, address, acme.editor)
    assert len(codes) == 10
    kept = session.send("WebAuthn.getCredentials", {"authenticatorId": chip})["credentials"]
    assert len(kept) == 1
    page.goto(f"{address}/account/2fa/webauthn/")
    check(page)
    page.context.clear_cookies()
    give_password(page, address, acme.editor)
    page.wait_for_url(f"{address}/account/2fa/authenticate/")
    check(page)
    assert page.context.request.get(f"{address}{acme.url()}", max_redirects=0).status == 302
    press(page, page.get_by_role("button", name="Use a passkey"))
    page.wait_for_url(f"{address}{acme.url()}")
    check(page)


def test_the_passkey_of_somebody_else_opens_nothing(chromium, address, acme):
    mine = chromium.new_context().new_page()
    device(mine)
    enrol(mine, address, acme.editor)
    theirs = chromium.new_context().new_page()
    device(theirs)
    enrol(theirs, address, acme.reviewer)
    theirs.context.clear_cookies()
    give_password(theirs, address, acme.editor)
    theirs.get_by_role("button", name="Use a passkey").click()
    sees(theirs.locator("[data-passkey-problem]:not([hidden])"))
    theirs.goto(f"{address}{acme.url()}")
    assert "/account/" in theirs.url


def test_a_recovery_code_opens_when_the_passkey_is_lost_and_only_once(chromium, address, acme):
    page = chromium.new_context().new_page()
    device(page)
    codes = enrol(page, address, acme.editor)
    for expected in (True, False):
        other = chromium.new_context().new_page()
        give_password(other, address, acme.editor)
        other.fill("[name=code]", codes[0].lower())
        press(other, other.get_by_role("button", name="Sign in", exact=True))
        other.goto(f"{address}{acme.url()}")
        assert other.url.endswith(acme.url()) is expected


def test_with_only_a_passkey_a_token_needs_a_recovery_code(chromium, address, acme, api):
    page = chromium.new_context().new_page()
    device(page)
    codes = enrol(page, address, acme.editor)
    body = {"email": acme.editor.email, "password": PASSWORD, "tenant": acme.slug}
    assert api.post("/api/v1/auth/token", body).json()["code"] == "otp_required"
    assert api.post("/api/v1/auth/token", {**body, "otp": "123456"}).json()["code"] == "otp_wrong"
    assert api.post("/api/v1/auth/token", {**body, "otp": codes[1]}).status_code == 200

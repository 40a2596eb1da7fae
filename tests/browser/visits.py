"""What a visitor does on any page: sign in, press a button that leads on, look whether the page is clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import expect

from tests.cast import PASSWORD, acting_as
from tests.clients import browser

WATCH = (
    "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective));"
)
AXE = Axe().axe_script
LOOK = (Path(__file__).parent / "looks.js").read_text()
COLOURS = {"runOnly": ["link-in-text-block"]}  # of the rules of axe, this one and contrast look at colours
READABLE: set[str] = set()  # the looks of text that axe has passed in this process


class Visit:
    """A page whose console is listened to; `errors` are those of the address that was opened last."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.add_init_script(WATCH)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def to(self, url: str) -> int:
        """Open an address; returns its status."""
        self.errors.clear()
        return int(self.page.goto(url).status)


def press(page: Any, locator: Any) -> None:
    """Click what leads to another page, and wait until that page is there."""
    with page.expect_navigation():
        locator.click()


def sees(locator: Any) -> None:
    """The first match is, or becomes, visible."""
    expect(locator.first).to_be_visible()


def check(page: Any, *schemes: str, whole: bool = False) -> None:
    """Nothing that axe finds, nothing that the policy stops, and nothing that overflows: as it is, or in each scheme.

    Contrast is asked once for each look of a text; `whole` asks for every text, in the first scheme.
    """
    assert page.evaluate("window.violations") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    for number, scheme in enumerate(schemes or [None]):
        if scheme:
            turn(page, scheme)
        asked = {"known": sorted(READABLE), "rules": COLOURS if number else {}, "whole": whole and not number}
        seen = page.evaluate(LOOK, asked)
        READABLE.update(seen["passed"])
        assert seen["found"] == [], (page.url, scheme)


def resize(page: Any, width: int) -> None:
    """As if the window were this wide; no script asks for the width, so the page is as one that was opened there."""
    page.set_viewport_size({"width": width, "height": 900})


def turn(page: Any, scheme: str) -> None:
    """Light or dark, at once: colours that still fade belong to neither."""
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.getAnimations().forEach((one) => one instanceof CSSTransition && one.finish())")


def give_password(page: Any, address: str, member: Any) -> None:
    """Sign in through the form, as far as the password goes."""
    page.goto(f"{address}/account/login/")
    page.fill("[name=login]", member.user.email)
    page.fill("[name=password]", PASSWORD)
    press(page, page.get_by_role("button", name="Sign in", exact=True))


def sign_in(chromium: Any, address: str, member: Any, width: int = 1280) -> Any:
    """This member's home, in a fresh browser context with the cookie of somebody who has just signed in."""
    context = chromium.new_context(viewport={"width": width, "height": 900})
    cookie = browser(member).cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address}])
    page = context.new_page()
    page.add_init_script(WATCH)
    with acting_as(member):
        page.goto(f"{address}/t/{member.tenant.slug}/")
    return page

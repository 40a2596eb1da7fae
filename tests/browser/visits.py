"""What a visitor does on any page: sign in, press a button that leads on, look whether the page is clean."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.cast import PASSWORD

WATCH = (
    "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective));"
)
AXE = Axe().axe_script
RUN_AXE = (
    "axe.run({resultTypes: ['violations']}).then((found) => found.violations)"  # the rest is hundreds of kilobytes
)


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


def check(page: Any) -> None:
    """No violation of the policy, and nothing that axe finds."""
    assert page.evaluate("window.violations") == []
    page.evaluate(AXE)
    found = page.evaluate(RUN_AXE)
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in found] == []


def sign_in(chromium: Any, address: str, member: Any, width: int = 1280) -> Any:
    """A page in a fresh browser context, signed in through the form as this member."""
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(f"{address}/account/login/")
    check(page)
    page.fill("[name=login]", member.user.email)
    page.fill("[name=password]", PASSWORD)
    press(page, page.locator("button[type=submit]"))
    page.wait_for_url(f"{address}/t/**")
    check(page)
    return page

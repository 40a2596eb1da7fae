"""The story of a request in a real browser: fill, see what is wrong, send, decide, and read the log."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.cast import PASSWORD
from tests.forms import published, step

pytestmark = pytest.mark.xdist_group("browser")
WATCH = (
    "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective));"
)


def check(page: Any) -> None:
    """No violation of the policy, and nothing that axe finds."""
    assert page.evaluate("window.violations") == []
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in found] == []


def sign_in(chromium: Any, address: str, member: Any, width: int = 1280) -> Any:
    page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(f"{address}/account/login/")
    check(page)
    page.fill("[name=login]", member.user.email)
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"{address}/t/**")
    check(page)
    return page


@pytest.mark.parametrize("width", [360, 1280])
def test_a_request_is_filled_sent_decided_and_logged(chromium, address, api, acme, width):
    published(api, acme.owner, step("manager", acme.reviewer))
    page = sign_in(chromium, address, acme.editor, width)
    page.goto(f"{address}{acme.url('forms/request/fill/')}")
    check(page)
    page.fill("[name=total]", "many")
    page.set_input_files("[name=quotes]", {"name": "q.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 x"})
    page.click("button.primary[value=continue]")
    assert page.title().startswith("Error:")
    assert page.input_value("[name=total]") == "many"
    assert page.get_by_text("q.pdf").first.is_visible()
    check(page)
    page.fill("[name=item]", "A lathe")
    page.fill("[name=total]", "7")
    page.click("button.primary[value=continue]")
    check(page)
    page.get_by_role("button", name="Send it").click()
    assert page.get_by_text("Sent. Its reference is").is_visible()
    check(page)

    reviewer = sign_in(chromium, address, acme.reviewer, width)
    reviewer.get_by_role("link", name="A lathe").first.click()
    check(reviewer)
    reviewer.get_by_label("Reject").check()
    reviewer.get_by_role("button", name="Record my decision").click()
    assert reviewer.title().startswith("Error:")
    reviewer.get_by_label("Reason").fill("Too heavy for the floor.")
    reviewer.get_by_role("button", name="Record my decision").click()
    assert reviewer.get_by_text("Your decision is recorded.").is_visible()

    page.reload()
    assert page.get_by_text("Too heavy for the floor.").first.is_visible()
    owner = sign_in(chromium, address, acme.owner, width)
    owner.goto(f"{address}{acme.url('settings/audit-log/')}")
    assert owner.get_by_role("cell", name="Rejected in the end").is_visible()
    check(owner)


@pytest.mark.parametrize("path", ["/", "/security", "/account/password/reset/", "/nothing-here"])
def test_public_pages_are_clean(chromium, address, path):
    page = chromium.new_page()
    page.add_init_script(WATCH)
    page.goto(address + path)
    check(page)

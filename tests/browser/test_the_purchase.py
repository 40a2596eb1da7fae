"""The purchase request of the demo in a real browser: questions that come and go, a total, rows, files, and the wall."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from .visits import check, give_password, press, sees, sign_in

QUOTE = {"name": "offer.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 offer"}
RATIONALE = "[name=sole_source_rationale]"


def fill(page: Any, item: str = "Press brake") -> None:
    """Everything but the files, for 2 × $9,000.50."""
    page.fill("[name=unit]", "Plant 2")
    page.fill("[name=item]", item)
    page.fill("[name=justification]", "The old one is worn out.")
    page.fill("[name=required_by]", "2027-02-01")
    page.fill("[name=vendor]", "Amada")
    page.fill("[name=fund_code]", "WKN2026A")
    page.fill("[name='lines-0-description']", "Press brake")
    page.fill("[name='lines-0-quantity']", "2")
    page.fill("[name='lines-0-unit_price']", "9000.50")


def approve(page: Any, address: str, item: str) -> None:
    page.goto(f"{address}/t/acme/tasks/")
    check(page)
    press(page, page.get_by_role("link", name=item).first)
    page.get_by_label("Approve").check()
    press(page, page.get_by_role("button", name="Record my decision"))
    sees(page.get_by_text("Your decision is recorded."))


def test_a_purchase_over_a_threshold_goes_through_two_hands(chromium, address, demo):
    page = sign_in(chromium, address, demo.acme("editor"))
    page.goto(f"{address}/t/acme/forms/purchase-request/fill/")
    item = f"Press brake {uuid4().hex[:8]}"
    fill(page, item)
    assert not page.locator(RATIONALE).is_visible()
    page.get_by_role("radio", name="Yes").check()
    page.locator(RATIONALE).wait_for(state="visible")
    page.get_by_text("$18,001.00").first.wait_for()
    page.get_by_role("radio", name="No").check()
    page.locator(RATIONALE).wait_for(state="hidden")
    press(page, page.locator("button.primary[value=continue]"))
    assert page.title().startswith("Error:")
    link = page.get_by_role("link", name="Attach at least one quote: the total is over $15,000.")
    sees(link)
    check(page)
    page.set_input_files("[name=quotes]", QUOTE)
    press(page, page.locator("button.primary[value=continue]"))
    sees(page.get_by_text("Plant 2"))
    press(page, page.get_by_role("button", name="Send it"))
    sees(page.get_by_text("Sent. Its reference is"))
    submission = page.url.split("?")[0]

    reviewer = sign_in(chromium, address, demo.acme("reviewer"))
    approve(reviewer, address, item)
    page.reload()
    sees(page.get_by_text("Contracting officer"))
    officer = sign_in(chromium, address, demo.acme("lindqvist"))
    approve(officer, address, item)
    page.reload()
    sees(page.get_by_text("Approved"))
    check(page)

    rival = sign_in(chromium, address, demo.globex("owner"))
    answer = rival.goto(submission)
    assert answer.status == 404
    assert item not in rival.content()
    rival.goto(f"{address}/t/globex/settings/audit-log/")
    assert "acme" not in rival.content().lower()


def test_rows_are_added_and_removed_and_keep_what_was_typed(chromium, address, demo):
    page = sign_in(chromium, address, demo.acme("editor"), width=360)
    page.goto(f"{address}/t/acme/forms/purchase-request/fill/")
    fill(page)
    page.get_by_role("button", name="Add a row").click()
    page.fill("[name='lines-1-description']", "Tooling")
    page.fill("[name='lines-1-quantity']", "1")
    page.fill("[name='lines-1-unit_price']", "100")
    page.get_by_text("18,101.00").first.wait_for()
    page.get_by_role("button", name="Remove row 1").click()
    assert page.input_value("[name='lines-0-description']") == "Tooling"
    assert page.input_value("[name=justification]") == "The old one is worn out."
    check(page)


def test_the_keyboard_alone_finds_the_first_fault(chromium, address, demo):
    page = sign_in(chromium, address, demo.acme("editor"))
    page.goto(f"{address}/t/acme/forms/purchase-request/fill/")
    page.fill("[name=unit]", "Plant 2")
    page.press("[name=unit]", "Enter")
    assert page.evaluate("document.activeElement.id") == "problems"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.name") == "item"


def test_without_a_script_the_page_does_the_same(chromium, address, demo):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    give_password(page, address, demo.acme("editor"))
    page.goto(f"{address}/t/acme/forms/purchase-request/fill/")
    fill(page)
    page.get_by_role("radio", name="Yes").check()
    press(page, page.get_by_role("button", name="Update the page"))
    sees(page.locator(RATIONALE))
    sees(page.get_by_text("$18,001.00"))
    assert page.input_value("[name=vendor]") == "Amada"

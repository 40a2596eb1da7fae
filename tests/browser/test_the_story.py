"""The story of a request in a real browser: fill, see what is wrong, send, decide, and read the log."""

from __future__ import annotations

import pytest

from tests.forms import published, step

from .visits import check, press, sees, sign_in


@pytest.mark.parametrize("width", [360, 1280])
def test_a_request_is_filled_sent_decided_and_logged(chromium, address, api, acme, width):
    published(api, acme.owner, step("manager", acme.reviewer))
    page = sign_in(chromium, address, acme.editor, width)
    page.goto(f"{address}{acme.url('forms/request/fill/')}")
    check(page)
    page.fill("[name=total]", "many")
    page.set_input_files("[name=quotes]", {"name": "q.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 x"})
    press(page, page.locator("button.primary[value=continue]"))
    assert page.title().startswith("Error:")
    assert page.input_value("[name=total]") == "many"
    sees(page.get_by_text("q.pdf"))
    check(page)
    page.fill("[name=item]", "A lathe")
    page.fill("[name=total]", "7")
    press(page, page.locator("button.primary[value=continue]"))
    check(page)
    press(page, page.get_by_role("button", name="Send it"))
    sees(page.get_by_text("Sent. Its reference is"))
    check(page)

    reviewer = sign_in(chromium, address, acme.reviewer, width)
    check(reviewer)
    press(reviewer, reviewer.get_by_role("link", name="A lathe").first)
    check(reviewer)
    reviewer.get_by_label("Reject").check()
    press(reviewer, reviewer.get_by_role("button", name="Record my decision"))
    assert reviewer.title().startswith("Error:")
    reviewer.get_by_label("Reason").fill("Too heavy for the floor.")
    press(reviewer, reviewer.get_by_role("button", name="Record my decision"))
    sees(reviewer.get_by_text("Your decision is recorded."))

    page.reload()
    sees(page.get_by_text("Too heavy for the floor."))
    owner = sign_in(chromium, address, acme.owner, width)
    owner.goto(f"{address}{acme.url('settings/audit-log/')}")
    sees(owner.get_by_role("main").locator("details").get_by_text("Rejected in the end").first)
    check(owner)

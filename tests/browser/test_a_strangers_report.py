"""Somebody without an account reports a vulnerability: with and without scripts, on a phone and at a desk."""

from __future__ import annotations

from typing import Any

import pytest

from apps.forms.actions.disclosure import SLUG, open_disclosure
from tests.cast import acting_as

from .visits import WATCH, check, press, sees, sign_in


@pytest.fixture
def report_form(acme, settings):
    """ACME takes reports; returns the form's path."""
    settings.DISCLOSURE_TENANT = acme.slug
    with acting_as(acme.owner):
        people = [acme.owner, acme.reviewer]
        open_disclosure(by=acme.owner, triage=people, owners=people)
    return f"/f/{acme.slug}/{SLUG}/"


def stranger(chromium: Any, width: int, **more: Any) -> Any:
    """A page of somebody who is not signed in."""
    page = chromium.new_context(viewport={"width": width, "height": 900}, **more).new_page()
    page.add_init_script(WATCH)
    return page


def fill(page: Any) -> None:
    page.fill("[name=affected]", "/account/login/")
    page.select_option("[name=kind]", "CWE-287")
    page.fill("[name=description]", "It lets me in.")
    page.fill("[name=steps]", "Open it.")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_report_is_sent_and_followed(chromium, address, acme, report_form, width):
    page = stranger(chromium, width)
    page.goto(address + report_form)
    check(page)
    sees(page.get_by_text("May we name you"))
    assert not page.locator("[name=name]").is_visible()
    page.get_by_label("Yes").check()
    sees(page.locator("[name=name]"))  # the server's condition, asked while one types
    press(page, page.locator("button.primary[value=send]"))
    assert page.title().startswith("Error:")
    check(page)
    fill(page)
    page.set_input_files(
        "[name=attachments]", {"name": "log.txt", "mimeType": "text/plain", "buffer": b"GET /account/login/ 200"}
    )
    press(page, page.locator("button.primary[value=send]"))
    sees(page.get_by_text("It has arrived. Its reference is"))
    check(page)

    owner = sign_in(chromium, address, acme.owner, width)
    check(owner)
    press(owner, owner.get_by_role("link", name="/account/login/").first)
    sees(owner.get_by_text("from the public form"))
    check(owner)
    owner.get_by_label("Approve").check()
    press(owner, owner.get_by_role("button", name="Record my decision"))
    page.reload()
    sees(page.get_by_text("Confirmed by the owner"))
    assert acme.owner.name not in page.content()


def test_a_report_is_sent_without_scripts(chromium, address, report_form):
    page = stranger(chromium, 360, java_script_enabled=False)
    page.goto(address + report_form)
    page.get_by_label("Yes").check()
    press(page, page.get_by_role("button", name="Update the page"))
    page.fill("[name=name]", "Lena")
    fill(page)
    press(page, page.locator("button.primary[value=send]"))
    sees(page.get_by_text("It has arrived. Its reference is"))

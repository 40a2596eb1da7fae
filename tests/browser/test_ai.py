"""The AI panel and its settings in a real browser: clean, keeps what was typed, and decides nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ai import allowed, run, waiting
from tests.models import ModelServer

from .visits import check, press, sees, sign_in


@pytest.fixture
def model(settings: Any) -> Any:
    server = ModelServer()
    settings.AI_URL, settings.AI_MODEL, settings.AI_PRICE = server.url, "small-1", "1/2"
    yield server
    server.end()


@pytest.mark.parametrize("width", [360, 1280])
def test_a_reviewer_asks_reads_and_says_what_became_of_it(chromium, address, api, acme, model, width):
    allowed(acme)
    _submission, task = waiting(api, acme)
    words = "A lathe. <img src=x onerror=alert(1)> [see](https://evil.example)"
    model.content = json.dumps({"summary": words, "points": ["One total."], "questions": []})
    page = sign_in(chromium, address, acme.reviewer, width)
    page.goto(f"{address}/t/{acme.slug}/tasks/{task['id']}/")
    check(page)
    page.fill("[name=reason]", "Half a thought")
    press(page, page.get_by_role("button", name="Summarise"))
    sees(page.get_by_text("It is being written."))
    assert page.locator("[name=reason]").input_value() == "Half a thought"
    run(acme)
    press(page, page.get_by_role("button", name="Look again"))
    sees(page.get_by_text("One total."))
    assert page.locator("[name=reason]").input_value() == "Half a thought"
    assert page.locator("[name=verdict]:checked").count() == 0
    assert page.locator("section[aria-labelledby=ai-title]").locator("a, img, script").count() == 0
    check(page)
    press(page, page.get_by_role("button", name="I used it"))
    sees(page.get_by_text("used", exact=True))
    check(page)


@pytest.mark.parametrize("width", [360, 1280])
def test_an_owner_sees_the_budget_and_switches_ai_off(chromium, address, api, acme, model, width):
    allowed(acme)
    _submission, task = waiting(api, acme)
    api.as_(acme.reviewer).post(f"/api/v1/ai/tasks/{task['id']}/summary")
    run(acme)
    page = sign_in(chromium, address, acme.owner, width)
    page.goto(f"{address}/t/{acme.slug}/settings/ai/")
    sees(page.get_by_text("AI on"))
    sees(page.get_by_text("$0.00052").first)
    check(page)
    page.fill("[name=cap]", "-4")
    press(page, page.get_by_role("button", name="Save"))
    assert page.title().startswith("Error:")
    check(page)
    press(page, page.get_by_role("button", name="Switch AI off for this tenant"))
    sees(page.get_by_text("No owner of this tenant has switched AI on."))
    check(page)

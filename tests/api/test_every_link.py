"""No page shows its reader a link that they may not open: what they may not do is not offered."""

from __future__ import annotations

import re
from collections import Counter, deque

import pytest
from django.urls import resolve

from tests.clients import browser

MOST_OF_A_KIND = 3  # pages of one name: a list leads to hundreds, which differ by their rows alone
LINK = re.compile(r'<a\b[^>]*\bhref="(/[^"#]*)')


@pytest.mark.parametrize("name", ["owner", "editor", "reviewer", "viewer", "lindqvist"])
def test_every_link_that_a_page_shows_opens_for_whom_it_is_shown(demo, name):
    member = demo.acme(name)
    client = browser(member)
    seen, of_kind = {"/t/acme/"}, Counter()
    waiting, dead = deque([("the menu", "/t/acme/")]), []
    while waiting:
        shown_on, link = waiting.popleft()
        answer = client.get(link)
        if answer.status_code not in (200, 302):
            dead.append((shown_on, link, answer.status_code))
        if answer.status_code != 200 or not answer.headers["Content-Type"].startswith("text/html"):
            continue
        for found in LINK.findall(answer.content.decode()):
            found = found.replace("&amp;", "&")
            kind = resolve(found.partition("?")[0]).view_name
            if found not in seen and of_kind[kind] < MOST_OF_A_KIND:
                seen.add(found)
                of_kind[kind] += 1
                waiting.append((link, found))
    assert not dead
    assert {"/t/acme/forms/", "/account/sessions/"} <= seen

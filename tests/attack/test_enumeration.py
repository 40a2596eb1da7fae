"""Whether somebody has an account shows at no door: it says the same, runs the same statements and computes as many hashes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import hashers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.api.test_second_factor import set_up
from tests.clients import browser
from tests.sso import prove

# What differs between any two requests: values, tokens against forgery, and the numbers of a request and of a savepoint.
VALUES = re.compile(r"'(?:[^']|'')*'|\b[0-9a-f]{16,}\b|\bs\d+_x\d+\b|\b\d+\b")
# Asked anew every few seconds, whoever asks and whatever for.
CLOCKED = re.compile("trust_candidatepolicy|flags_|signingkey|context_kid")
TOKENS = re.compile(rb'(name="csrfmiddlewaretoken" value|nonce|data-[a-z-]+|"request_id"|"instance")(=|: ?)"[^"]*"')
ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9]{32,}")


def by_page(email, acme, password="wrong horse battery"):
    return Client().post("/account/login/", {"login": email, "password": password})


def by_token(email, acme, password="wrong horse battery"):
    return Client().post("/api/v1/auth/token", {"email": email, "password": password, "tenant": acme.slug}, "application/json")  # fmt: skip


def by_reset(email, acme):
    return Client().post("/account/password/reset/", {"email": email})


def by_provider(email, acme):
    return Client().post("/account/sso/", {"email": email})


def by_sign_up(email, acme):
    return Client().post("/account/signup/", {"email": email})


def by_invitation(email, acme):
    """An owner asks a person in; whether they have an account at Orkestra is no owner's business."""
    return browser(acme.owner).post(acme.url("settings/members/"), {"email": email, "role": "viewer"})


DOORS = [by_page, by_token, by_reset, by_sign_up, by_provider, by_invitation]


def asked(door, email, acme) -> tuple[Any, ...]:
    """What is answered without the address that was typed, the statements without their values, and the hashes computed."""
    made: list[int] = []
    original = hashers.MD5PasswordHasher.encode
    with pytest.MonkeyPatch.context() as patch, CaptureQueriesContext(connection) as queries:
        patch.setattr(hashers.MD5PasswordHasher, "encode", lambda self, *args: made.append(1) or original(self, *args))
        answer = door(email, acme)
    body = ID.sub(b"", TOKENS.sub(rb"\1", answer.content.replace(email.encode(), b"")))
    headers = {
        name: value
        for name, value in answer.headers.items()
        if "Policy" not in name and "id" not in name.lower() and name != "Expires"  # a moment, to the second
    }
    statements = [
        VALUES.sub("?", query["sql"]) for query in queries.captured_queries if not CLOCKED.search(query["sql"])
    ]
    return answer.status_code, headers, sorted(answer.cookies), body, len(made), statements


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
@pytest.mark.parametrize("who", ["a member", "with a second factor", "shut out", "a program"])
def test_a_person_who_is_there_shows_as_one_who_is_not(settings, acme, globex, door, who):
    settings.SIGN_UP_IS_OPEN = True
    prove(acme)
    known = {"a member": globex.editor, "with a second factor": globex.reviewer}.get(who, globex.viewer).user
    if who == "with a second factor":
        set_up(known)
    if who == "shut out":
        known.is_active = False
        known.save()
    if who == "a program":
        known.is_service = True
        known.set_unusable_password()
        known.save()
    asked(door, f"first@{globex.slug}.example", acme)  # so that what is made or remembered once is there for both
    stranger = f"{'n' * len(known.email.split('@')[0])}@{globex.slug}.example"
    there, absent = asked(door, known.email, acme), asked(door, stranger, acme)
    for one, other in zip(there, absent, strict=True):
        assert one == other


@pytest.mark.parametrize("path", ["signup/", "confirm-email/x/", "confirm-email/", "password/set/", "inactive/"])
def test_nobody_signs_up_where_that_is_closed_nor_by_a_library_s_pages(wall, path):
    """Closed is what holds where nothing is said; the library's own pages for it are never there."""
    assert Client().get(f"/account/{path}").status_code == 404
    assert Client().post(f"/account/{path}", {"email": "a@b.example"}).status_code in {403, 404}

"""Every GET of the API asked by keys, each without one scope that what the route tells needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from apps.accounts import key_format
from apps.accounts.models import ApiKey
from apps.accounts.rules import PERMISSIONS
from apps.tenants import clock
from apps.tenants.context import as_system
from tests.cast import Company
from tests.forms import published, step
from tests.routes import example

# What a route tells -> the scopes of a key that may be told; "a|b" is either. Empty: who one is, and what is anybody's.
NEEDS: dict[str, set[str]] = {
    "schema": set(),
    "me": set(),
    "trust-controls": set(),
    "trust-claims": set(),
    "roles": {"members.read"},
    "member-list": {"members.read"},
    "member-detail": {"members.read"},
    "member-ties": {"members.write"},
    "team-list": {"members.read"},
    "team-detail": {"members.read"},
    "team-members": {"members.read"},
    "invitation-list": {"members.write"},
    "invitation-detail": {"members.write"},
    "service-account-list": {"api_keys.write"},
    "service-account-detail": {"api_keys.write"},
    "api-key-list": {"api_keys.write"},
    "api-key-detail": {"api_keys.write"},
    "sso": {"settings.read"},
    "sso-provider-list": {"settings.read"},
    "sso-provider-detail": {"settings.read"},
    "sso-domain-list": {"settings.read"},
    "sso-domain-detail": {"settings.read"},
    "usage": {"settings.read"},
    "webhook-list": {"settings.read"},
    "webhook-detail": {"settings.read"},
    "webhook-deliveries": {"settings.read"},
    "ai-usage": {"settings.read"},
    "ai-event-list": {"settings.read"},
    "ai-event-detail": {"settings.read"},
    "ai-task-summary": {"tasks.decide", "submissions.read"},
    "audit-actions": {"audit.read"},
    "audit-verify": {"audit.read"},
    "audit-checkpoint": {"audit.read"},
    "audit-proof": {"audit.read"},
    "audit-consistency": {"audit.read"},
    "audit-export": {"audit.read"},
    "audit-entry-list": {"audit.read"},
    "audit-entry-detail": {"audit.read"},
    "audit-stream-list": {"audit.read"},
    "audit-stream-detail": {"audit.read"},
    "audit-receipt-list": {"submissions.read"},
    "audit-receipt-detail": {"submissions.read"},
    "form-list": {"forms.read"},
    "form-detail": {"forms.read"},
    "form-versions": {"forms.read"},
    "form-unowned": {"settings.write"},
    "form-access": {"forms.read", "forms.edit"},
    "form-explain": {"forms.read", "forms.edit", "members.read"},
    "form-audit": {"forms.read", "audit.read|forms.edit"},
    "form-submissions": {"forms.read", "submissions.read"},
    "submission-list": {"submissions.read"},
    "submission-detail": {"submissions.read"},
    "submission-attachments": {"submissions.read"},
    "attachment-download": {"submissions.read"},
    "task-list": {"tasks.decide"},
    "task-detail": {"tasks.decide"},
    "delegation-list": {"tasks.decide"},
    "delegation-detail": {"tasks.decide"},
    "stuck-step-list": {"settings.write"},
    "stuck-step-detail": {"settings.write"},
}
OF_SUPER_ADMINS = {"platform-audit-verify"}  # no key opens it, whatever its scopes
NAMELESS_ID = r"\(\?P<pk>[^)]*\)"


def reads() -> list[tuple[str, str]]:
    """(name, route) of whatever answers GET below /api/ and /ofrep/ to others than Super Admins."""
    return [one for one in answering_get(get_resolver()) if one[0] not in OF_SUPER_ADMINS]


def answering_get(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, route) of whatever answers GET below /api/ and /ofrep/."""
    for entry in resolver.url_patterns:
        route = prefix + re.sub(r"^\^", "", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from answering_get(entry, route)
        elif isinstance(entry, URLPattern) and route.startswith(("api/", "ofrep/")):
            called: Any = entry.callback
            if "get" in getattr(called, "actions", {}) or hasattr(getattr(called, "cls", None), "get"):
                yield str(entry.name), route


@dataclass
class Work:
    """A form of the owner's with one submission, which waits for their own word."""

    company: Company
    form: str
    submission: str

    def key(self, scopes: set[str]) -> APIClient:
        """The API's door with a key of the owner's."""
        text, owner = key_format.make_key(), self.company.owner
        with as_system(self.company.id):
            ApiKey.objects.create(
                name="x", member=owner, user_id=owner.user_id, shown="x", secret_sha256=key_format.digest(text),
                scopes=sorted(scopes), expires_at=clock.now() + timedelta(days=1),
            )  # fmt: skip
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    def address(self, name: str, route: str) -> str:
        """The route with the form or the member in it, where it is about one; an id of nothing elsewhere."""
        pk = self.form if name.startswith("form-") else str(self.company.editor.pk)
        path = example(route.replace("<uuid:pk>", pk) if "<uuid:pk>" in route else re.sub(NAMELESS_ID, pk, route))
        return path + (f"?member={self.company.editor.pk}" if name == "form-explain" else "")


@pytest.fixture
def work(api, acme) -> Work:
    form = published(api, acme.owner, step("manager", acme.owner))
    answers = {"data": {"item": "Secret lathe", "total": 5}}
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", answers)
    assert sent.status_code == 201
    return Work(acme, form, sent.json()["id"])


def test_every_read_of_the_api_says_what_a_key_needs_for_it():
    assert sorted(name for name, _route in reads()) == sorted(NEEDS)


def test_a_key_without_a_scope_reads_nothing_that_needs_it(work):
    without = {one: work.key(set(PERMISSIONS) - set(one.split("|"))) for needed in NEEDS.values() for one in needed}
    told = {
        f"{name} without {one}": status
        for name, route in reads()
        for one in NEEDS[name]
        if (status := without[one].get(work.address(name, route)).status_code) != 403
    }
    assert told == {}


def test_a_key_with_just_these_scopes_is_let_in(work):
    keys = {
        needed: work.key({one.split("|")[0] for one in needed} or {"forms.fill"})
        for needed in map(frozenset, NEEDS.values())
    }
    refused = {
        name: status
        for name, route in reads()
        if (status := keys[frozenset(NEEDS[name])].get(work.address(name, route)).status_code) in {401, 403}
    }
    assert refused == {}


def test_what_is_for_super_admins_is_not_there_for_a_key_with_every_scope(work):
    door = work.key(set(PERMISSIONS))
    asked = {name: route for name, route in answering_get(get_resolver()) if name in OF_SUPER_ADMINS}
    assert set(asked) == OF_SUPER_ADMINS
    assert {door.get(work.address(name, route)).status_code for name, route in asked.items()} == {404}


def test_a_submissions_title_is_an_answer_and_told_with_the_answers_alone(work):
    for path in ("/api/v1/tasks", f"/api/v1/members/{work.company.owner.pk}/ties"):
        scopes, told = {"tasks.decide", "members.write"}, []
        for more in (set(), {"submissions.read"}):
            answer = work.key(scopes | more).get(path)
            assert answer.status_code == 200
            told.append("Secret lathe" in answer.content.decode())
        assert told == [False, True], path

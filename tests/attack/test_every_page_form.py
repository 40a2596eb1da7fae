"""Every page that takes a POST, with fields beside its own: none of them changes whose something is or what somebody may.

Each act below is a real form of a page, sent with what it asks for and with every field that would help an attacker, first
by people who may do less, then by somebody who may do it. Before and after, all rows of both companies are read by a
superuser: the columns that decide are what they were, but for those that the form is there to change.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from apps.accounts import actions
from apps.approvals.models import Delegation
from apps.audit.models import SavedView
from apps.comms.models import WebhookDelivery
from apps.forms.models import Grant, Submission
from apps.operations.streams.models import Stream
from apps.tenants import clock
from apps.tenants.context import as_system
from tests import identity_provider
from tests.ai import allowed
from tests.cast import Company, acting_as
from tests.clients import browser
from tests.forms import SCHEMA, published, step
from tests.identity_provider import CLIENT, SECRET
from tests.sso import connect, prove
from tests.watch import NOWHERE, Watch, foreign


@dataclass
class Act:
    """One form of one page: who may send it, what it asks for, and which deciding columns it is there to change."""

    name: str
    fields: Callable[[Any], dict[str, Any]] = lambda s: {}
    at: Callable[[Any], dict[str, Any]] = lambda s: {}
    may: str = ""
    who: str = "owner"
    status: int = 302
    query: str = ""


def _of(key: str, field: str = "pk") -> Callable[[Any], dict[str, Any]]:
    return lambda s: {field: getattr(s, key)}


def _days(first: int) -> dict[str, str]:
    """A week that begins in so many days."""
    today = clock.now().date()
    return {"starts_at": str(today + timedelta(days=first)), "ends_at": str(today + timedelta(days=first + 6))}


FORM = {"title": "Other", "slug": "other", "schema": json.dumps(SCHEMA), "ui": "", "path": ""}
SLUG = {"slug": "request"}
HOOK = {"url": "https://hooks.example/other", "events": ["submission.sent"]}
PROVIDER = {"client_id": CLIENT, "client_secret": SECRET, "default_role": "viewer", "factor_trust": "never"}

ACTS = [
    Act("accounts:general", lambda s: {"name": "Renamed", "timezone": "UTC"}),
    Act("accounts:members", lambda s: {"email": f"new@x.{s.acme.slug}.example", "role": "viewer"}),
    Act("accounts:member", lambda s: {"do": "role", "role": "viewer"}, _of("first"), "accounts_member.role"),
    Act("accounts:member", lambda s: {"do": "deactivate"}, _of("first"), "accounts_member.is_active"),
    Act("accounts:member", lambda s: {"do": "reactivate"}, _of("first"), "accounts_member.is_active"),
    Act("accounts:leave", at=_of("second"), may="accounts_member.is_active accounts_teammember-"),
    Act("accounts:member", lambda s: {"do": "erase"}, _of("second")),
    Act("accounts:invitation", lambda s: {"do": "resend"}, _of("invitation"), "accounts_invitation.token_sha256 accounts_invitation.expires_at"),
    Act("accounts:invitation", at=_of("invitation"), may="accounts_invitation.revoked_at"),
    Act("accounts:teams", lambda s: {"name": "Lab", "slug": "lab"}),
    Act("accounts:team", lambda s: {"member": str(s.acme.reviewer.pk)}, _of("team")),
    Act("accounts:team", lambda s: {"leave": str(s.acme.reviewer.pk)}, _of("team"), "accounts_teammember-"),
    Act("accounts:sso", lambda s: {"domain": f"other.{s.acme.slug}.example"}),
    Act("accounts:sso_add", lambda s: PROVIDER | {"kind": "oidc", "name": "Second", "issuer": s.idp.issuer}),
    Act("accounts:sso_connection", lambda s: PROVIDER | {"name": "Renamed"}, _of("provider")),
    Act("accounts:sso_only", lambda s: {"break_glass": [str(s.acme.owner.pk)]}, may="accounts_member.is_break_glass"),
    Act("accounts:sso_connection", lambda s: {"do": "remove"}, _of("provider"), "accounts_ssoconnection.removed_at"),
    Act("accounts:sso_domain", lambda s: {"do": "remove"}, _of("domain"), "accounts_ssodomain-"),
    Act("accounts:factor_policy", lambda s: {"days": "30"}, may="tenants_tenant.factor_required_from"),
    Act("accounts:factor_policy", lambda s: {"days": "never"}, may="tenants_tenant.factor_required_from"),
    Act("accounts:api-keys", lambda s: {"name": "CI", "scopes": ["forms.read"], "days": "30"}, status=200),
    Act("accounts:api-key", at=_of("key"), may="accounts_apikey.revoked_at"),
    Act("accounts:service-accounts", lambda s: {"service-name": "Robot", "service-role": "viewer"}, may="accounts_member+is_service accounts_user+is_service"),
    Act("accounts:service-account", lambda s: {"role": "member"}, _of("robot"), "accounts_member.role"),
    Act("accounts:service-account", lambda s: {"do": "off"}, _of("robot"), "accounts_member.is_active accounts_user.is_active"),
    Act("forms:new", lambda s: FORM, may="forms_grant+role", who="editor"),
    Act("forms:edit", lambda s: FORM | {"path": json.dumps({"steps": [step("b", s.acme.reviewer)]})}, lambda s: SLUG, who="editor"),
    Act("forms:form", at=lambda s: SLUG, may="forms_form.live_version_id", who="editor"),
    Act("forms:access", lambda s: {"principal": f"USER:{s.acme.viewer.pk}", "role": "REVIEWER"}, lambda s: SLUG, "", "editor"),
    Act("forms:revoke", at=lambda s: SLUG | {"pk": s.grant()}, may="forms_grant-", who="editor"),
    Act("forms:preview", lambda s: {"item": "x"}, lambda s: SLUG, who="editor", status=200),
    Act("forms:fill", lambda s: {"item": "A", "total": "3"}, lambda s: SLUG, who="editor"),
    Act("forms:draft", lambda s: {"item": "B", "total": "4", "do": "save"}, _of("draft"), who="editor"),
    Act("forms:check", at=_of("draft"), may="forms_submission.case_id forms_submission.current_revision_id", who="editor"),
    Act("forms:withdraw", at=_of("draft"), may="approvals_case.state approvals_casestep.state approvals_assignment.state", who="editor"),
    Act("forms:access", lambda s: {"filling": "named"}, lambda s: SLUG, "forms_form.filling", "editor"),
    Act("forms:discard", at=_of("second_draft"), may="forms_submission-", who="editor"),
    Act("forms:delete", lambda s: {"typed": "unpublished"}, lambda s: {"slug": "unpublished"}, "forms_form- forms_grant- approvals_path-", "editor"),
    Act("approvals:mine", lambda s: _days(10) | {"stand_in": str(s.acme.reviewer.pk)}, who="editor"),
    Act("approvals:end", at=_of("delegation"), may="approvals_delegation.ended_at", who="editor"),
    Act("approvals:stand-ins", lambda s: _days(20) | {"person": str(s.acme.reviewer.pk), "stand_in": str(s.acme.editor.pk), "note": "Away."}),
    Act("approvals:stuck", lambda s: {"step": NOWHERE, "people": [str(s.acme.reviewer.pk)]}, status=404),  # none is
    Act("forms:take", at=_of("lost"), may="forms_grant+role"),
    Act("forms:data"),
    Act("ai:summary", lambda s: {"ai": "ask"}, _of("task"), who="reviewer", status=200),
    Act("forms:task", lambda s: {"verdict": "approve", "revision": s.revision}, _of("task"), "approvals_case.state approvals_casestep.state approvals_assignment.state", "reviewer"),
    Act("ai:switch", lambda s: {"is_on": "off"}, may="ai_allowance.is_on"),
    Act("ai:cap", lambda s: {"cap": "5"}, may="ai_allowance.cap"),
    Act("audit:views", lambda s: {"name": "Mine"}, query="?outcome=done"),
    Act("audit:view", lambda s: {"name": "Renamed"}, _of("saved")),
    Act("audit:exports", lambda s: {"format": "jsonl"}),
    Act("comms:webhooks", lambda s: HOOK, status=200),
    Act("comms:webhook", lambda s: HOOK | {"url": "https://hooks.example/moved"}, _of("hook")),
    Act("comms:webhook_act", lambda s: {"do": "off"}, _of("hook"), "comms_webhookendpoint.off"),
    Act("comms:webhook_act", lambda s: {"do": "on"}, _of("hook"), "comms_webhookendpoint.off"),
    Act("comms:webhook_resend", at=lambda s: {"pk": s.hook, "delivery": s.delivery}, may="comms_webhookdelivery.state"),
    Act("streams:new", lambda s: {"url": "https://logs.example/other", "start": "now"}, status=200),
    Act("streams:stream", lambda s: {"since": "0"}, _of("stream")),
    Act("streams:act", lambda s: {"do": "pause"}, _of("stream"), "operations_stream.is_paused"),
]  # fmt: skip
# Pages that only show, and addresses that hand out a file. They are sent a POST too: with the foreign fields alone.
ONLY_SHOW = {
    "accounts:roles", "ai:settings", "audit:acts", "audit:export", "audit:log", "audit:log-export", "audit:proof", "audit:verifier",
    "audit:receipt", "billing:billing", "billing:buy", "billing:portal", "billing:usage", "flags:list", "forms:download",
    "forms:export", "forms:form_trail", "forms:list", "forms:submission", "forms:submission_trail", "forms:submissions",
    "forms:tasks", "forms:unowned", "streams:list", "trust:home", "trust:security",
}  # fmt: skip


def tenant_routes() -> dict[str, str]:
    """Name and route of every page below /t/<tenant>/."""
    found: dict[str, str] = {}

    def walk(patterns: Any, prefix: str, space: str) -> None:
        for entry in patterns:
            route = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                walk(entry.url_patterns, route, entry.namespace or space)
            elif route.startswith("t/<slug:tenant>/"):
                found[f"{space}:{entry.name}"] = route

    walk(get_resolver().url_patterns, "", "")
    return found


ROUTES = tenant_routes()


def _form(api: Any, acme: Company, slug: str) -> dict[str, Any]:
    made: dict[str, Any] = api.as_(acme.editor).post("/api/v1/forms", FORM | {"slug": slug, "schema": SCHEMA, "ui": {}, "path": None}).json()  # fmt: skip
    return made


def _draft(api: Any, acme: Company, form: str) -> str:
    sent = {"data": {"item": "A", "total": 3}, "draft": True}
    return str(api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", sent).json()["id"])


@pytest.fixture
def stage(api, acme, globex, settings):
    """A company in which each kind of thing is there; by the names that the acts use."""
    settings.EGRESS_LOOPBACK = True
    settings.AI_URL, settings.AI_MODEL, settings.AI_PRICE = "http://127.0.0.1:9/v1", "small-1", "1/2"
    allowed(acme)
    with identity_provider.serving() as idp:
        yield _stage(api, acme, globex, idp)


def _stage(api: Any, acme: Company, globex: Company, idp: Any) -> SimpleNamespace:
    form, door = published(api, acme.editor, step("a", acme.reviewer)), api.as_(acme.owner)
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 3}}).json()
    lost = _form(api, acme, "lost")["id"]
    _form(api, acme, "unpublished")
    hook = door.post("/api/v1/webhooks", {"url": "https://hooks.example/in", "events": ["submission.sent"]}).json()
    made = SimpleNamespace(acme=acme, globex=globex, idp=idp, form=form, lost=lost, hook=hook["id"])
    made.delivery = door.post(f"/api/v1/webhooks/{hook['id']}/test").json()["id"]
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    made.task, made.draft, made.second_draft = task["id"], _draft(api, acme, form), _draft(api, acme, form)
    made.first, made.second = acme.member("first").pk, acme.member("second").pk
    made.team = acme.team("Plant", acme.editor).pk
    made.provider, made.domain = connect(acme, idp).pk, prove(acme).pk
    with acting_as(acme.owner):
        made.invitation = actions.invite(email=f"x@y.{acme.slug}.example", role="viewer", by=acme.owner).pk
        made.robot = actions.create_service_account(name="Old", role="viewer", by=acme.owner).pk
        made.key = actions.create_api_key(name="Old", scopes=["forms.read"], days=9, by=acme.owner)[0].pk
        made.stream = Stream.objects.create(url="https://logs.example/in", description="", secret="").pk
        WebhookDelivery.objects.filter(pk=made.delivery).update(state="failed")
        made.revision = Submission.objects.get(pk=sent["id"]).current_revision_id
        made.delegation = Delegation.objects.create(
            person=acme.editor, stand_in=acme.owner, created_by=acme.owner,
            starts_at=clock.now() + timedelta(days=30), ends_at=clock.now() + timedelta(days=31),
        ).pk  # fmt: skip
        made.saved = SavedView.objects.create(person=acme.owner.pk, name="Old", query="outcome=refused").pk
        Grant.objects.filter(form=lost).delete()
    made.grant = lambda: _as(acme, lambda: Grant.objects.get(form=form, principal_member=acme.viewer).pk)
    made.submission = sent["id"]
    return made


def _show_a_factor(client: Client) -> None:
    """As if the person of this browser had shown a second factor just now."""
    session = client.session
    session["account_authentication_methods"] += [{"method": "mfa", "type": "totp", "at": time.time()}]
    session.save()


def _as(company: Company, found: Callable[[], Any]) -> Any:
    with as_system(company.id):
        return found()


def test_every_page_of_a_tenant_is_sent_or_only_shows():
    assert {one.name for one in ACTS} | ONLY_SHOW == set(ROUTES)
    assert {one.name for one in ACTS} & ONLY_SHOW == set()


def test_no_form_of_a_tenants_page_takes_a_field_that_it_does_not_show(stage):
    acme, watch = stage.acme, Watch(stage.acme, stage.globex)
    doors = {who: browser(getattr(acme, who)) for who in ("owner", "editor", "reviewer", "viewer")}
    _show_a_factor(doors["owner"])
    wrong: list[Any] = []
    for act in ACTS:
        path = reverse(act.name, kwargs={"tenant": acme.slug, **act.at(stage)}) + act.query
        for who in [one for one in ("viewer", "editor") if one != act.who]:
            lesser = foreign(getattr(acme, who), stage.globex) | act.fields(stage)
            answer = doors[who].post(path, lesser)
            if answer.status_code not in {403, 404}:
                wrong.append((who, act.name, answer.status_code))
        if news := watch.news():
            wrong.append(("lesser", act.name, news))
        answer = doors[act.who].post(path, foreign(getattr(acme, act.who), stage.globex) | act.fields(stage))
        news = watch.news()
        if answer.status_code != act.status or not news <= set(act.may.split()):
            wrong.append((act.who, act.name, answer.status_code, news))
        if act.may and not news:
            wrong.append((act.name, "changed nothing: this would prove nothing"))
    assert not wrong, "\n".join(map(str, wrong))


def test_pages_that_only_show_write_nothing_when_they_are_sent_something(stage):
    acme, watch = stage.acme, Watch(stage.acme, stage.globex)
    door, sent = browser(acme.owner), foreign(acme.owner, stage.globex)
    kwargs = {"pk": stage.submission, "slug": "request", "key": "x"}
    for name in sorted(ONLY_SHOW):
        needs = {word: value for word, value in kwargs.items() if f":{word}>" in ROUTES[name]}
        answer = door.post(reverse(name, kwargs={"tenant": acme.slug, **needs}), sent)
        assert answer.status_code in {200, 302, 404, 405}, (name, answer.status_code)
    assert watch.news() == set()

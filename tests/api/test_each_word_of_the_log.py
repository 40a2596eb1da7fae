"""What the audit log promises to tell, word by word: each act is done by its door, and its entry is held against the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from apps.accounts.models import Member
from apps.ai.actions import switch
from apps.audit import log_exports
from apps.audit.models import Entry, LogExport
from apps.audit.rows import changes
from apps.flags.actions import create_flag
from apps.forms.actions import exports
from apps.forms.models import Export
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from tests.ai import allowed, ask, run
from tests.api.test_leaving import shut_out
from tests.api.test_people import link_of
from tests.api.test_second_factor import set_up
from tests.cast import PASSWORD, acting_as, person
from tests.database import run_apart
from tests.forms import body, step

LOGIN = "/account/login/"


@pytest.fixture
def walked(acme, api, browse, model, settings, tmp_path):
    settings.EXPORTS_ROOT = tmp_path / "exports"
    settings.ATTACHMENTS_ROOT = tmp_path / "files"
    sign_in_and_out(acme)
    people(acme, api)
    work(acme, api)
    operators(acme)
    taken_out(acme, api)
    return acme


def ok(answer: Any) -> Any:
    assert answer.status_code in {200, 201, 204, 302}, (answer.status_code, answer.content.decode()[:500])
    return answer


def signed_in(member: Member) -> Client:
    client = Client()
    ok(client.post(LOGIN, {"login": member.user.email, "password": PASSWORD}))
    return client


def sign_in_and_out(acme: Any) -> None:
    ok(signed_in(acme.editor).post("/account/logout/"))
    Client().post(LOGIN, {"login": acme.editor.user.email, "password": "wrong horse"})
    run_apart("accounts.tell_of_wrong_password")
    set_up(acme.viewer.user)
    asked = {"email": acme.editor.user.email, "password": PASSWORD, "tenant": acme.slug}
    pair = ok(Client().post("/api/v1/auth/token", asked, content_type="application/json")).json()
    refresh = {"refresh": pair["refresh"]}
    ok(Client().post("/api/v1/auth/revoke", refresh, content_type="application/json"))


def people(acme: Any, api: Any) -> None:
    owner = api.as_(acme.owner)
    key = ok(owner.post("/api/v1/api-keys", {"name": "Reader", "scopes": ["forms.read"], "days": 3})).json()
    ok(owner.delete(f"/api/v1/api-keys/{key['id']}"))
    for number in range(2):
        address = f"{uuid4().hex}@new.example"
        made = ok(owner.post("/api/v1/invitations", {"email": address, "role": "member"})).json()
        if number:
            ok(owner.delete(f"/api/v1/invitations/{made['id']}"))
        else:
            ok(Client().post(link_of(acme, address), {"name": "Nora", "password": PASSWORD}))
    place = f"/api/v1/members/{acme.viewer.pk}"
    ok(owner.patch(place, {"role": "member"}))
    ok(owner.delete(place))
    ok(owner.patch(place, {"is_active": True}))
    hook = {"url": "https://hooks.example/in", "events": ["decision.made"]}
    made = ok(owner.post("/api/v1/webhooks", hook)).json()["id"]
    ok(owner.patch(f"/api/v1/webhooks/{made}", {"events": ["submission.sent"]}))
    ok(signed_in(acme.owner).post(acme.url("settings/general/"), {"name": "ACME Ltd", "timezone": "Asia/Tokyo"}))


def work(acme: Any, api: Any) -> None:
    owner, editor, reviewer = api.as_(acme.owner), api.as_(acme.editor), api.as_(acme.reviewer)
    leaver = acme.member("leaver")
    form = ok(owner.post("/api/v1/forms", body(step("manager", acme.reviewer, leaver)))).json()["id"]
    ok(owner.patch(f"/api/v1/forms/{form}", {"title": "Purchase"}))
    ok(owner.post(f"/api/v1/forms/{form}/publish"))
    grant = {"principal_type": "USER", "principal_id": str(acme.reviewer.pk), "role": "REVIEWER"}
    made = ok(owner.post(f"/api/v1/forms/{form}/access", grant)).json()
    ok(owner.delete(f"/api/v1/forms/{form}/access/{made['id']}"))
    draft = ok(editor.post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 5}, "draft": True}))
    place = f"/api/v1/submissions/{draft.json()['id']}"
    for _again in range(2):
        file = {"field": "quotes", "file": SimpleUploadedFile("quote.pdf", b"%PDF-1.4 hello")}
        kept = ok(editor.post(f"{place}/attachments", file, format="multipart")).json()["id"]
    b"".join(ok(editor.get(f"/api/v1/attachments/{kept}/download")).streaming_content)
    page = signed_in(acme.editor)
    ok(
        page.post(
            acme.url(f"submissions/{draft.json()['id']}/edit/"),
            {"item": "A", "total": "5", "do": f"remove-file:{kept}"},
        )
    )
    ok(editor.post(f"{place}/submit"))
    ok(shut_out(api, acme, leaver, hand_to=str(acme.owner.pk)))
    allowed(acme)
    with acting_as(acme.owner):
        switch(is_on=False, by=acme.owner)
    ok(signed_in(acme.owner).post(acme.url("settings/ai/switch/"), {"is_on": "on"}))
    for verdict in ("send_back", "approve"):
        (task,) = reviewer.get("/api/v1/tasks", {"state": "open"}).json()["results"]
        if verdict == "send_back":
            ok(ask(api, acme, task))
            assert run(acme) == "done"
        said = {"verdict": verdict, "reason": "Which one?", "revision": task["revision"]}
        ok(reviewer.post(f"/api/v1/tasks/{task['id']}/decide", said))
        if verdict == "send_back":
            ok(editor.patch(place, {"data": {"item": "A long lathe", "total": 8}}))
            ok(editor.post(f"{place}/submit"))
    ends = (clock.now() + timedelta(days=5)).isoformat()
    made = ok(reviewer.post("/api/v1/delegations", {"stand_in": str(acme.viewer.pk), "ends_at": ends})).json()["id"]
    ok(editor.post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "B", "total": 5}}))
    viewer = api.as_(acme.viewer)  # a member by now
    (task,) = viewer.get("/api/v1/tasks", {"state": "open"}).json()["results"]
    ok(viewer.post(f"/api/v1/tasks/{task['id']}/decide", {"verdict": "approve", "revision": task["revision"]}))
    ok(reviewer.delete(f"/api/v1/delegations/{made}"))


def operators(acme: Any) -> None:
    call_command("rotate_encryption_key", "--keep-keys", stdout=StringIO())
    call_command("set_plan", acme.slug, "team", "--limit", "members=80", stdout=StringIO())
    key = f"walk-{uuid4().hex[:8]}"
    create_flag(key=key, description="Walk")
    call_command("flag", "tenant", key, acme.slug, "on", stdout=StringIO())
    admin = person("root", uuid4().hex[:8])
    call_command("super_admin", admin.email, stdout=StringIO())
    visitor = Client()
    ok(visitor.post(LOGIN, {"login": admin.email, "password": PASSWORD}))
    reason = {"tenant": str(acme.id), "reason": "Ticket 4711: it does not publish."}
    ok(visitor.post("/admin/accounts/supportvisit/add/", reason))
    ok(visitor.post(acme.url("settings/general/"), {"name": "ACME AG", "timezone": "Asia/Tokyo"}))
    ok(visitor.post("/account/support/leave/"))
    ok(visitor.get("/admin/audit/entry/"))


def taken_out(acme: Any, api: Any) -> None:
    page = signed_in(acme.owner)
    ok(page.post(acme.url("settings/data/")))
    ok(page.post(acme.url("settings/audit-log/exports/"), {"format": "csv"}))
    with as_system(acme.id):
        whole, log = Export.objects.get(), LogExport.objects.get()
        exports.make_export(whole.pk)
        log_exports.make(log.pk)
    ok(page.get(acme.url(f"settings/data/exports/{whole.pk}/")))
    ok(page.get(acme.url(f"settings/audit-log/exports/{log.pk}/")))
    ok(api.as_(acme.owner).get("/api/v1/audit/entries"))
    ok(api.as_(acme.owner).get("/api/v1/audit/export"))


@dataclass(frozen=True)
class Told:
    """What an entry of an act must say: by whom, by which credential, about what, how it ended, and from what to what."""

    act: str
    by: str
    credential: str = "jwt"
    about: str = ""
    outcome: str = "done"
    changed: str = ""  # the fact that holds the value after; its former value stands there too
    platform: bool = False
    visitor: bool = False
    behalf: str = ""


LOG, PAGE, JOB = "log_export", "session", "system"
# Word for word what the log was asked to tell of.
WORDS: dict[str, list[Told]] = {
    "sign-in": [Told("session.opened", "editor", PAGE, "user")],
    "sign-out": [Told("session.closed", "editor", PAGE, "user")],
    "failed sign-ins": [
        Told("session.refused", "anonymous", "none", outcome="refused", platform=True),
        Told("password.refused", "anonymous", "none", "member", outcome="refused"),
    ],
    "tokens": [Told(f"token.{what}", "editor", about="token_family") for what in ("issued", "revoked")],
    "keys": [
        *(Told(f"api_key.{what}", "owner", about="api_key") for what in ("created", "revoked")),
        Told("encryption_key.rotated", JOB, JOB, "installation", platform=True),
    ],
    "MFA": [Told("factor.added", "viewer", PAGE, "user")],
    "invitations": [
        Told("invitation.sent", "owner", about="invitation"),
        Told("invitation.withdrawn", "owner", about="invitation"),
        Told("invitation.accepted", "member", "invitation", "invitation"),
    ],
    "members": [
        Told("member.added", "user", "invitation", "member"),
        Told("member.deactivated", "owner", about="member"),
        Told("member.reactivated", "owner", about="member"),
    ],
    "roles": [Told("member.changed", "owner", about="member", changed="role")],
    "grants": [Told(f"access.{what}", "owner", about="form") for what in ("granted", "revoked")],
    "forms": [Told("form.created", "owner", about="form"), Told("form.changed", "owner", about="form", changed="sha256")],
    "versions": [Told("form.published", "owner", about="form"), Told("path.published", "owner", about="path")],
    "submissions": [
        Told("draft.started", "editor", about="submission"), Told("submission.sent", "editor", about="submission"),
    ],
    "corrections": [
        Told("case.sent_back", "reviewer", about="submission"), Told("case.resubmitted", "editor", about="submission"),
    ],
    "decisions": [Told("submission.decided", "reviewer", about="submission")],
    "delegations": [
        Told("task.reassigned", "owner", about="submission"), Told("delegation.created", "reviewer", about="delegation"),
        Told("submission.decided", "viewer", about="submission", behalf="reviewer"),
        Told("delegation.ended", "reviewer", about="delegation"),
    ],
    "attachments": [
        Told("attachment.added", "editor", about="submission"),
        Told("attachment.removed", "editor", PAGE, "submission"),
    ],
    "attachments' downloads": [Told("attachment.downloaded", "editor", about="submission")],
    "exports": [
        Told("export.asked", "owner", PAGE, "export"), Told("export.made", JOB, JOB, "export"),
        Told("export.downloaded", "owner", PAGE, "export"),
        Told("log_export.asked", "owner", PAGE, LOG), Told("log_export.made", JOB, JOB, LOG),
        Told("log_export.downloaded", "owner", PAGE, LOG), Told("audit.exported", "owner"),
    ],
    "settings": [
        Told("tenant.changed", "owner", PAGE, "tenant", changed="name"),
        Told("webhook.changed", "owner", about="webhook", changed="events"),
    ],
    "billing": [
        Told("plan.changed", JOB, JOB, "subscription", changed="plan"),
        Told("quota.overridden", JOB, JOB, "subscription", changed="most"),
    ],
    "flags": [Told("flag.overridden", JOB, JOB, "flag", changed="after")],
    "AI calls": [
        Told("ai.called", JOB, JOB, "submission"), Told("ai.summary_asked", "reviewer", about="submission"),
        Told("ai.switched", "owner", PAGE, "ai_allowance", changed="after"),
    ],
    "support access": [
        Told("support.entered", "user", "support", "support_visit"),
        Told("tenant.changed", "owner", "support", "tenant", changed="name", visitor=True),
        Told("support.left", "user", "support", "support_visit"),
    ],
    "reading of the log itself": [
        Told("audit.viewed", "owner"), Told("audit.viewed", "user", PAGE, platform=True),
    ],
}  # fmt: skip


def test_every_word_of_the_list_has_an_entry_that_says_who_how_about_what_and_from_what_to_what(walked):
    names = {getattr(walked, name).pk: name for name in ("owner", "editor", "reviewer", "viewer")}
    seen: list[tuple[bool, Entry]] = []
    for tenant in (walked.id, PLATFORM_TENANT_ID):
        with as_system(tenant):
            seen += [(tenant != walked.id, entry) for entry in Entry.objects.filter(time__gte=walked.tenant.created_at)]
    missing = {
        word: [told for told in acts if not any(fits(told, *one, names) for one in seen)]
        for word, acts in WORDS.items()
    }
    assert {word: acts for word, acts in missing.items() if acts} == {}
    assert all(WORDS.values())


def fits(told: Told, of_platform: bool, entry: Entry, names: dict[Any, str]) -> bool:
    said = entry.document
    about = said["targets"][0]["type"] if said["targets"] else ""
    found = Told(
        said["action"], names.get(entry.actor_id, said["actor"]["type"]), said["credential"], about, said["outcome"],
        told.changed, of_platform, said["impersonator"] is not None, behalf_of(said, names),
    )  # fmt: skip
    is_whole = (said["actor"]["id"] is None) == (found.by in {JOB, "anonymous"})
    by_request = found.by == JOB or bool(said["request_id"])
    return found == told and is_whole and by_request and (not told.changed or has_before(entry, told.changed))


def behalf_of(said: dict[str, Any], names: dict[Any, str]) -> str:
    """In whose place a verdict was given; an act about oneself names nobody else."""
    other = said.get("on_behalf_of")
    return names[UUID(other["id"])] if other and other["id"] != said["actor"]["id"] else ""


def has_before(entry: Entry, name: str) -> bool:
    """Whether both values stand there, and differ where the act changed them."""
    return any(change.name in {name, ""} for change in changes(entry.action, entry.facts))

"""Two organisations at work, made by calling the real actions as the people who would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts import actions as accounts
from apps.accounts.models import Member, User
from apps.accounts.rules import Role
from apps.approvals import actions as approvals
from apps.approvals.models import Assignment, AssignmentState
from apps.approvals.rules.standing_in import days_between
from apps.tenants import clock
from apps.tenants.context import NOBODY, TenantContext, as_system, as_visitor, tenant_context
from apps.tenants.ids import new_id
from apps.tenants.models import Tenant

from .. import actions
from ..actions import disclosure
from ..actions.disclosure import open_disclosure
from ..actions.public import submit_public
from ..models import Form, Submission
from .people import ACME, AWAY, TEAMS, Away
from .reports import REPORTS, Report
from .story import DRAFTS, LEAVES, PURCHASES, Request, Said

FOLDER = Path(__file__).parent
FOUNDED_DAYS_AGO = 45
ACME_ZONE = ZoneInfo("America/New_York")
GLOBEX_FORM: dict[str, Any] = {
    "title": "Visitor announcement",
    "slug": "visitor",
    "description": "Tell reception who comes, and when.",
    "schema": {
        "type": "object",
        "properties": {
            "visitor": {"type": "string", "title": "Visitor", "maxLength": 120},
            "day": {"type": "string", "format": "date", "title": "Day"},
            "host": {"type": "string", "format": "person", "title": "Host"},
        },
        "required": ["visitor", "day", "host"],
    },
    "ui": {"reference": "VIS", "summary": "visitor"},
    "path": {
        "steps": [
            {
                "key": "reception",
                "name": "Reception",
                "approvers": [{"type": "role", "id": "member"}],
                "quorum": {"kind": "any"},
            }
        ]
    },
}

ADMIN = "admin@orkestra.example"  # the Super Admin


class Demo:
    """Makes everything, in the order of time."""

    def __init__(self, password: str) -> None:
        # Hashed once for all of them: that takes long, as it must.
        self.password = make_password(password)
        self.start = clock.now()
        self.people: dict[str, Member] = {}
        self.forms: dict[str, Form] = {}

    def run(self) -> None:
        with clock.at(self._ago(FOUNDED_DAYS_AGO)):
            self._acme()
            self._globex()
            self._orkestra()
        for away in AWAY:
            self._name(away)
        for request in sorted((*PURCHASES, *LEAVES, *DRAFTS), key=lambda request: -request.days_ago):
            self._play(request)
        for report in REPORTS:
            self._report(report)

    def _ago(self, days: float) -> datetime:
        return self.start - timedelta(days=days)

    def _acme(self) -> None:
        self._company("acme", "ACME Manufacturing", ACME_ZONE.key, "owner@acme.example", "Olivia Warren")
        owner = self.people["owner"]
        for key, (name, role) in ACME.items():
            if key != "owner":
                user = self._person(f"{key}@acme.example", name)
                with self._as(owner):
                    self.people[key] = accounts.add_member(user, role=role, by=owner)
        teams: dict[str, str] = {}
        with self._as(owner):
            for slug, (name, keys) in TEAMS.items():
                team = accounts.create_team(name=name, slug=slug, by=owner)
                teams[slug] = str(team.pk)
                for key in keys:
                    accounts.join_team(team, self.people[key], by=owner)
        editor = self.people["editor"]
        with self._as(editor):
            for name in ("purchase", "leave"):
                text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
                for slug, identity in teams.items():
                    text = text.replace(f'"team:{slug}"', f'"{identity}"')
                form = actions.create_form(by=editor, **json.loads(text))
                actions.publish(form, by=editor)
                self.forms[form.slug] = Form.objects.select_related("live_version__path_version").get(pk=form.pk)

    def _globex(self) -> None:
        self._company("globex", "Globex", "Europe/Berlin", "owner@globex.example", "Greta Olsen", key="globex-owner")
        owner = self.people["globex-owner"]
        user = self._person("reception@globex.example", "Ralf Ebert")
        with self._as(owner):
            accounts.add_member(user, role=Role.MEMBER, by=owner)
            form = actions.create_form(by=owner, **GLOBEX_FORM)
            actions.publish(form, by=owner)
            form = Form.objects.select_related("live_version__path_version").get(pk=form.pk)
            for visitor, day in (("Dr. Amara Nwosu", "2026-11-30"), ("Fire safety inspection", "2026-12-03")):
                draft = actions.start_draft(
                    form, by=owner, data={"visitor": visitor, "day": day, "host": str(owner.pk)}
                )
                actions.submit(draft, by=owner)

    def _orkestra(self) -> None:
        """This installation's own tenant, which takes reports about it; two people, for four eyes."""
        self._company("orkestra", "Orkestra (this installation)", "UTC", ADMIN, "Ada Admin", key="admin")
        ada = self.people["admin"]
        user = self._person("security@orkestra.example", "Sam Ito")
        with self._as(ada):
            self.people["security"] = accounts.add_member(user, role=Role.MEMBER, by=ada)
            team = [ada, self.people["security"]]
            form = open_disclosure(by=ada, triage=team, owners=team)
            self.forms[form.slug] = form

    def _report(self, report: Report) -> None:
        """One report by somebody unknown, and what was said about it."""
        form, moment = self.forms[disclosure.SLUG], self._ago(report.days_ago)
        assert form.tenant_id is not None
        with clock.at(moment), as_visitor(form.tenant_id):
            sent = submit_public(form, data=report.data, files={}).submission
        self._decide(sent, report.course, moment)

    def _person(self, email: str, name: str) -> User:
        user = accounts.create_person(email=email, name=name, password=None)
        user.password = self.password
        with tenant_context(NOBODY):
            user.save(update_fields=["password"])
        return user

    def _company(self, slug: str, name: str, zone: str, email: str, person: str, key: str = "owner") -> Tenant:
        user = self._person(email, person)
        plan = "small" if slug == "globex" else "business"
        tenant = accounts.create_tenant(slug=slug, name=name, timezone=zone, owner=user, plan=plan)
        with as_system(tenant.pk):
            self.people[key] = Member.objects.select_related("user").get(user=user)
        return tenant

    def _name(self, away: Away) -> None:
        """Somebody is away, and says who decides for them."""
        person, starts = self.people[away.who], self._ago(away.days_ago)
        with clock.at(starts), self._as(person):
            first = starts.astimezone(ACME_ZONE).date()
            _midnight, ends = days_between(first, first + timedelta(days=away.days), ACME_ZONE)
            stand_in = self.people[away.stand_in]
            approvals.set_stand_in(person, stand_in=stand_in, starts_at=starts, ends_at=ends, note=away.note, by=person)

    def _play(self, request: Request) -> None:
        """One submission, from its first page to wherever its course leads."""
        person, form, moment = self.people[request.who], self.forms[request.form], self._ago(request.days_ago)
        with clock.at(moment), self._as(person):
            draft = actions.start_draft(form, by=person, data=request.data)
            for number in range(request.quotes):
                actions.attach(draft, field="quotes", upload=quote(request, number), by=person)
            if request in DRAFTS:
                return
            draft = Submission.objects.with_all().get(pk=draft.pk)
            sent = actions.submit(draft, by=person)
        moment = self._decide(sent, request.course, moment)
        if request.again:
            moment = self._correct(sent, person, moment + timedelta(hours=3))
            moment = self._decide(sent, request.again, moment)
        if request.ends == "withdraw":
            with clock.at(moment + timedelta(hours=5)), self._as(person):
                actions.withdraw(Submission.objects.with_all().get(pk=sent.pk), by=person)

    def _decide(self, sent: Submission, course: tuple[Said, ...], moment: datetime) -> datetime:
        for said in course:
            moment = min(moment + timedelta(hours=said.hours), self.start - timedelta(minutes=5))
            person = self.people[said.who]
            with clock.at(moment), self._as(person):
                seats = Assignment.objects.of(self.people[said.of or said.who])
                rows = seats.with_case().filter(step__case__subject_id=sent.pk)
                asked = rows.filter(state=AssignmentState.OPEN).first()
                assert asked is not None, f"{said.who} is not asked about {sent.reference}"
                revision = asked.step.case.subject_revision
                approvals.decide(asked, by=person, verdict=said.verdict, revision=revision, reason=said.reason)
        return moment

    def _correct(self, sent: Submission, person: Member, moment: datetime) -> datetime:
        with clock.at(moment), self._as(person):
            found = Submission.objects.with_all().get(pk=sent.pk)
            assert found.current_revision is not None
            data = {name: value for name, value in found.current_revision.data.items() if name != "total"}
            data["justification"] += " Lines 2, 4 and 7 wait for it; the calibration is part of the second line."
            actions.save_draft(found, data=data, by=person)
            actions.submit(Submission.objects.with_all().get(pk=sent.pk), by=person)
        return moment

    @contextmanager
    def _as(self, member: Member) -> Iterator[None]:
        """The context that the gateway would make for this person."""
        context = TenantContext(
            tenant=member.tenant_id,
            user=member.user_id,
            member=member.pk,
            permissions=member.permissions,
            credential="session",
            auth_time=clock.now(),
            request_id=f"demo-{new_id()}",
        )
        with tenant_context(context):
            yield


def quote(request: Request, number: int) -> SimpleUploadedFile:
    """A small real PDF of one page: a vendor's offer."""
    lines = request.data["lines"]
    total = sum(line["quantity"] * line["unit_price"] for line in lines) * (100 + 4 * number) // 100
    rows = [f"Offer {number + 1}: {request.data['item']}"]
    rows += [f"{line['quantity']} x {line['description']}" for line in lines]
    rows.append(f"Total USD {total / 100:,.2f}, valid 60 days")
    return SimpleUploadedFile(f"quote-{number + 1}.pdf", pdf(rows), content_type="application/pdf")


def pdf(lines: list[str]) -> bytes:
    """One page of text as a PDF 1.4 file; Latin letters only."""
    shown = "".join(
        f"({line.encode('latin-1', 'replace').decode('latin-1').replace('(', '').replace(')', '')}) Tj 0 -22 Td "
        for line in lines
    )
    stream = f"BT /F1 14 Tf 60 760 Td {shown} ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 6\n0000000000 65535 f \n" + table + end

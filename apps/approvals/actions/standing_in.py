"""A member lets another decide in their place for a time; both may act, and each verdict says who and for whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.accounts.actions.members import locked
from apps.accounts.models import Member
from apps.audit.actions import record
from apps.comms.actions import publish_event
from apps.tenants import clock
from apps.tenants.context import refuse_support, require
from apps.tenants.freshness import require_fresh
from apps.tenants.refusals import Conflict, Forbidden, Refused
from apps.tenants.slots import Leaving, Tie

from .. import mails
from ..models import DECIDING_ROLES, Assignment, Case, CaseStep, Decision, Delegation
from ..rules.standing_in import Seat, may_take, overlap, period_fault

LONGEST_NOTE = 300


@transaction.atomic
def set_stand_in(
    person: Member, *, stand_in: Member, starts_at: datetime, ends_at: datetime, note: str = "", by: Member
) -> Delegation:
    """Let another member decide in a member's place, from `starts_at`, or now where that is past, until before `ends_at`.

    Raises NotFresh, Forbidden for somebody else's place without members.write, Refused naming the field that is wrong.
    """
    refuse_support()
    require_fresh("delegation.create")
    if by.pk != person.pk:
        require("members.write")
        if not note.strip():
            raise Refused(_("Say why; both of them read it."), code="reason_needed", field="note")
    # Owners' rows are locked first, so that two periods of one person are judged one after the other.
    person, stand_in, now = locked(person.pk), locked(stand_in.pk), clock.now()
    starts_at = max(starts_at, now)
    _check(person, stand_in, starts_at, ends_at, now)
    made = Delegation.objects.create(
        person=person,
        stand_in=stand_in,
        starts_at=starts_at,
        ends_at=ends_at,
        note=note.strip()[:LONGEST_NOTE],
        created_by=by,
        created_at=now,
    )
    facts = {
        "person": str(person.pk),
        "stand_in": str(stand_in.pk),
        "from": stored(starts_at),
        "until": stored(ends_at),
    }
    record("delegation.created", made, facts=facts, on_behalf_of=_behalf(made, by))
    publish_event("delegation.created", **_told(made))
    mails.stand_in_named(made, by)
    return made


@transaction.atomic
def end_stand_in(delegation: Delegation, *, by: Member) -> Delegation:
    """End it at once. Raises Forbidden unless by whom it stands in for or with members.write, Conflict when it is over."""
    refuse_support()
    if by.pk != delegation.person_id:
        require("members.write")
    delegation = Delegation.objects.with_people().select_for_update(of=("self",), no_key=True).get(pk=delegation.pk)
    if delegation.is_over:
        raise Conflict(_("It is over already."), code="over")
    return _end(delegation, "ended", by)


def end_what_ran_out() -> int:
    """Record, in the tenant in force, that the time of a stand-in is over; returns of how many.

    Nobody decides by one after its time, whether this was called or not.
    """
    count = 0
    for pk in ran_out().values_list("pk", flat=True):
        with transaction.atomic():
            rows = ran_out().select_for_update(of=("self",), no_key=True)
            if found := rows.filter(pk=pk).first():
                found.ended_at = found.ends_at
                _record_end(found, "over", None)
                count += 1
    return count


def ran_out() -> QuerySet[Delegation]:
    """Those whose time is over and whose end stands nowhere yet."""
    return Delegation.objects.filter(ended_at=None, ends_at__lte=clock.now())


def take_seat(case: Case, step: CaseStep, assignment: Assignment, by: Member) -> None:
    """Pass somebody who stands in for the person asked, until the transaction ends; the step's row is locked.

    Raises Forbidden where their period does not cover this moment or they have a part in the case themselves.
    """
    rows = Delegation.objects.running().filter(person_id=assignment.person_id, stand_in=by)
    if rows.select_for_update(of=("self",), no_key=True).first() is None:
        raise Forbidden(_("You do not stand in for this person any more."), code="no_stand_in")
    said = Decision.objects.filter(step__case_id=case.pk, step__round=case.round)
    seat = Seat(
        of=assignment.person_id,
        requester=case.requester_id,
        seated=frozenset(Assignment.objects.filter(step=step).values_list("person_id", flat=True)),
        said=frozenset(said.values_list("person_id", "on_behalf_of_id")),
    )
    if not may_take(seat, by.pk):
        raise Forbidden(_("You have a part in this already and cannot decide on it for somebody else."))


def stored(moment: datetime) -> str:
    """A moment as the database writes it, so that entries and rows can be compared."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".") + "+00"


def _check(person: Member, stand_in: Member, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if person.pk == stand_in.pk:
        raise Refused(_("Nobody stands in for themselves."), code="own_stand_in", field="stand_in")
    for one, field in ((person, "person"), (stand_in, "stand_in")):
        if not one.can_act or one.is_service or one.role not in DECIDING_ROLES:
            text = _("%(name)s does not decide here.") % {"name": one.name}
            raise Refused(text, code="does_not_decide", field=field)
    if fault := period_fault(starts_at, ends_at, now):
        raise Refused(fault.text, code="bad_period", field=fault.field)
    for other in Delegation.objects.filter(person=person, ended_at=None, ends_at__gt=now).with_people():
        if overlap((starts_at, ends_at), (other.starts_at, other.ends_at)):
            text = _("%(name)s stands in during a part of this time; end that first.") % {"name": other.stand_in.name}
            raise Refused(text, code="overlaps", field="starts_at")


def _end(delegation: Delegation, why: str, by: Member) -> Delegation:
    delegation.ended_at = clock.now()
    _record_end(delegation, why, _behalf(delegation, by))
    mails.stand_in_ended(delegation, by)
    return delegation


def _record_end(delegation: Delegation, why: str, behalf: Any) -> None:
    delegation.save()
    facts = {"person": str(delegation.person_id), "stand_in": str(delegation.stand_in_id), "why": why}
    record("delegation.ended", delegation, facts=facts, on_behalf_of=behalf)
    publish_event("delegation.ended", **_told(delegation))


def _behalf(delegation: Delegation, by: Member) -> Any:
    return delegation.person_id if by.pk != delegation.person_id else None


def _told(delegation: Delegation) -> dict[str, Any]:
    return {"delegation": delegation.pk, "person": delegation.person_id, "stand_in": delegation.stand_in_id}


def stand_ins_of(member: Member) -> list[Tie]:
    """What ends with a member who leaves: their stand-ins, and where they stand in."""
    texts = {True: _("%(other)s stands in for them."), False: _("They stand in for %(other)s.")}
    ties = []
    for row in Delegation.objects.alive().concerning(member).with_people():
        other = row.stand_in if row.person_id == member.pk else row.person
        ties.append(Tie(f"delegation:{row.pk}", texts[row.person_id == member.pk] % {"other": other.name}))
    return ties


def end_with(member: Member, by: Member) -> None:
    """End every stand-in from and for a member who leaves."""
    rows = Delegation.objects.alive().concerning(member).with_people()
    for row in rows.select_for_update(of=("self",), no_key=True).order_by("pk"):
        _end(row, "left", by)


def _nothing(tie: Tie, member: Member, heir: Member, by: Member) -> None:
    """A stand-in is chosen by whom it is for; an heir takes the tasks, never the voice."""


LEAVING = Leaving("approvals.delegations", stand_ins_of, _nothing, order=80, end=end_with)

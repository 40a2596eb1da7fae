"""A member lets another decide in their place: who may, when, on what, and what is said of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import Member
from apps.approvals.models import Assignment, Case, CaseStep, Decision, Delegation
from apps.approvals.rules.standing_in import Seat, days_between, may_take, overlap, period_fault
from apps.approvals.tasks import end_stand_ins
from apps.audit.models import Entry
from apps.audit.reconcile import reconcile
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.job_signing import signed
from tests import database
from tests.attack.standing import FREE
from tests.forms import published, step

ANSWERS = {"data": {"item": "A lathe", "total": 7}}


def days(number):
    return (clock.now() + timedelta(days=number)).isoformat()


def name_one(api, by, other, **more):
    return api.as_(by).post("/api/v1/delegations", {"stand_in": str(other.pk), "ends_at": days(5)} | more)


def tasks(api, member):
    return api.as_(member).get("/api/v1/tasks").json()["results"]


def decide(api, member, task, verdict="approve", reason=""):
    asked = {"verdict": verdict, "revision": task["revision"], "reason": reason}
    return api.as_(member).post(f"/api/v1/tasks/{task['id']}/decide", asked)


def send(api, by, form):
    return api.as_(by).post(f"/api/v1/forms/{form}/submissions", ANSWERS).json()["id"]


@pytest.fixture
def away(api, acme):
    """The reviewer is asked about a submission of the owner's, and the editor stands in for them."""
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme.owner, form)
    made = name_one(api, acme.reviewer, acme.editor, note="In Rome")
    assert made.status_code == 201, made.json()
    return SimpleNamespace(form=form, sent=sent, made=made.json())


def test_the_log_tells_once_that_a_period_is_over(api, browse, acme, away):
    with time_machine.travel(clock.now() + timedelta(days=5, minutes=1), tick=False):
        for _ in range(2):
            end_stand_ins(**signed("approvals.end_stand_ins", {"timestamp": 0}))
        with as_system(acme.id):
            (said,) = Entry.objects.filter(action="delegation.ended")
            assert reconcile().whole, reconcile().reason
        page = browse(acme.reviewer).get(acme.url("stand-in/")).content.decode()
    assert (said.actor_type, said.facts["why"], str(said.target_id)) == ("system", "over", away.made["id"])
    assert "ended early" not in page


def test_a_period_that_runs_is_left_alone(acme, away):
    end_stand_ins(**signed("approvals.end_stand_ins", {"timestamp": 0}))
    with as_system(acme.id):
        assert not Entry.objects.filter(action="delegation.ended").exists()


def test_a_stand_in_finds_the_task_and_decides_and_both_names_are_kept(api, browse, acme, away):
    (task,) = tasks(api, acme.editor)
    assert (task["submission"], task["person"]) == (away.sent, str(acme.reviewer.pk))
    assert "for Reviewer" in browse(acme.editor).get(acme.url("tasks/")).content.decode()
    assert len(tasks(api, acme.reviewer)) == 1
    made = decide(api, acme.editor, task)
    assert made.status_code == 201
    assert (made.json()["person"], made.json()["on_behalf_of"]) == (str(acme.editor.pk), str(acme.reviewer.pk))
    assert tasks(api, acme.reviewer) == tasks(api, acme.editor) == []
    assert api.as_(acme.owner).get(f"/api/v1/submissions/{away.sent}").json()["state"] == "approved"
    with as_system(acme.id):
        said = Entry.objects.get(action="submission.decided").document
        assert reconcile().whole
    assert said["actor"]["id"] == str(acme.editor.pk)
    assert said["on_behalf_of"] == {"type": "member", "id": str(acme.reviewer.pk)}
    for page in (f"submissions/{away.sent}/", f"tasks/{task['id']}/"):
        assert "Editor for Reviewer" in browse(acme.editor).get(acme.url(page)).content.decode()
    assert "by Editor for you" in browse(acme.reviewer).get(acme.url("tasks/")).content.decode()
    assert "Editor for Reviewer" in browse(acme.reviewer).get(acme.url(f"tasks/{task['id']}/")).content.decode()
    seal(acme.id)
    with as_system(acme.id):
        assert verify().whole
    trail = browse(acme.owner).get(acme.url(f"submissions/{away.sent}/trail/")).content.decode()
    assert "Editor for Reviewer approved the step" in " ".join(trail.split())


def test_the_reviewer_who_decides_first_leaves_nothing_to_the_stand_in(api, acme, away):
    (task,) = tasks(api, acme.editor)
    assert decide(api, acme.reviewer, task).json()["on_behalf_of"] is None
    late = decide(api, acme.editor, task)
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")


def test_only_the_period_opens_the_submission(api, browse, acme, away):
    other = acme.member("other")
    assert api.as_(other).get(f"/api/v1/submissions/{away.sent}").status_code == 404
    assert api.as_(acme.editor).get(f"/api/v1/submissions/{away.sent}").status_code == 200
    (task,) = tasks(api, acme.editor)
    assert api.as_(acme.reviewer).delete(f"/api/v1/delegations/{away.made['id']}").status_code == 204
    assert api.as_(acme.editor).get(f"/api/v1/submissions/{away.sent}").status_code == 404
    assert decide(api, acme.editor, task).status_code == 404
    assert browse(acme.editor).get(acme.url(f"tasks/{task['id']}/")).status_code == 404
    again = api.as_(acme.reviewer).delete(f"/api/v1/delegations/{away.made['id']}")
    assert (again.status_code, again.json()["code"]) == (409, "over")


def test_what_had_ended_before_the_period_stays_closed_to_the_stand_in(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme.owner, form)
    decide(api, acme.reviewer, tasks(api, acme.reviewer)[0])
    name_one(api, acme.reviewer, acme.editor)
    assert api.as_(acme.editor).get(f"/api/v1/submissions/{sent}").status_code == 404
    with as_system(acme.id):
        assert not Assignment.objects.seen_by(acme.editor).exists()


def test_the_interval_is_half_open(api, acme, away):
    with as_system(acme.id):
        row = Delegation.objects.get()
        for moment, holds in (
            (row.starts_at - timedelta(seconds=1), False),
            (row.starts_at, True),
            (row.ends_at - timedelta(microseconds=1), True),
            (row.ends_at, False),
        ):
            with clock.at(moment):
                assert Delegation.objects.running().exists() is holds
                assert Assignment.objects.waiting_for(acme.editor.pk).exists() is holds


def test_a_stand_ins_stand_in_gets_nothing(api, acme, away):
    other = acme.member("other")
    assert name_one(api, acme.editor, other).status_code == 201
    assert tasks(api, other) == []
    with as_system(acme.id):
        assert not Assignment.objects.seen_by(other).exists()


NEXT_WEEK = days(7)
REFUSED = {
    "oneself": (lambda acme: {"stand_in": str(acme.reviewer.pk)}, "own_stand_in"),
    "a viewer": (lambda acme: {"stand_in": str(acme.viewer.pk)}, "does_not_decide"),
    "nobody of the tenant": (lambda acme: {"stand_in": str(acme.id)}, "invalid"),
    "a period that is over": (lambda acme: {"starts_at": days(-3), "ends_at": days(-1)}, "bad_period"),
    "an empty period": (lambda acme: {"starts_at": NEXT_WEEK, "ends_at": NEXT_WEEK}, "bad_period"),
    "more than a year": (lambda acme: {"ends_at": days(400)}, "bad_period"),
    "a year ahead": (lambda acme: {"starts_at": days(400), "ends_at": days(401)}, "bad_period"),
    "what is no field": (lambda acme: {"created_by": str(acme.owner.pk)}, "invalid"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_stand_in_is_refused(api, acme, what):
    change, code = REFUSED[what]
    answer = name_one(api, acme.reviewer, acme.editor, **change(acme))
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    with as_system(acme.id):
        assert not Delegation.objects.exists()


def test_two_of_one_person_never_overlap_and_one_may_follow_the_other(api, acme, away):
    other = acme.member("other")
    again = name_one(api, acme.reviewer, other, ends_at=days(9))
    assert (again.status_code, again.json()["code"]) == (400, "overlaps")
    end = away.made["ends_at"]
    assert name_one(api, acme.reviewer, other, starts_at=end, ends_at=days(9)).status_code == 201


def test_nobody_but_an_owner_names_one_for_somebody_else_and_then_with_a_reason(api, browse, acme):
    sent = {"person": str(acme.reviewer.pk)}
    assert name_one(api, acme.editor, acme.editor, **sent).status_code == 403
    bare = name_one(api, acme.owner, acme.editor, **sent)
    assert (bare.status_code, bare.json()["code"]) == (400, "reason_needed")
    made = name_one(api, acme.owner, acme.editor, note="Illness", **sent)
    assert made.status_code == 201
    with as_system(acme.id):
        said = Entry.objects.get(action="delegation.created").document
        told = set(OutboxMessage.objects.filter(template__contains="stand_in").values_list("to", "template"))
    assert said["on_behalf_of"]["id"] == str(acme.reviewer.pk)
    assert set(said["facts"]) == {"person", "stand_in", "from", "until"}
    assert told == {
        (acme.editor.email, "approvals/mail/stand_in_named"),
        (acme.reviewer.email, "approvals/mail/stand_in_set"),
    }
    for member, words in ((acme.reviewer, "Editor decides in your place"), (acme.editor, "You stand in for Reviewer")):
        assert words in browse(member).get(acme.url("stand-in/")).content.decode()
        assert [row["id"] for row in api.as_(member).get("/api/v1/delegations").json()["results"]] == [
            made.json()["id"]
        ]
    other = acme.member("other")
    assert api.as_(other).get("/api/v1/delegations").json()["results"] == []
    assert api.as_(other).delete(f"/api/v1/delegations/{made.json()['id']}").status_code == 404
    assert api.as_(acme.editor).delete(f"/api/v1/delegations/{made.json()['id']}").status_code == 403
    assert api.as_(acme.owner).delete(f"/api/v1/delegations/{made.json()['id']}").status_code == 204


def test_both_are_mailed_about_a_new_task(api, acme, away):
    send(api, acme.owner, away.form)
    with as_system(acme.id):
        rows = OutboxMessage.objects.filter(template="approvals/mail/task_waits").order_by("queued_at")
        last = {row.to: row.body for row in rows}
    assert "You stand in for Reviewer" in last[acme.editor.email]
    assert "stand in" not in last[acme.reviewer.email]


@pytest.mark.parametrize("who", ["reviewer", "editor"])
def test_with_a_member_who_leaves_their_stand_ins_end(api, acme, away, who):
    leaver = getattr(acme, who)
    heir = acme.member("heir")
    ties = api.as_(acme.owner).get(f"/api/v1/members/{leaver.pk}/ties").json()
    assert [tie["needs_heir"] for tie in ties if tie["key"].startswith("delegation:")] == [False]
    left = api.as_(acme.owner).patch(f"/api/v1/members/{leaver.pk}", {"is_active": False, "hand_to": str(heir.pk)})
    assert left.status_code == 200, left.json()
    with as_system(acme.id):
        assert Delegation.objects.get().ended_at is not None
        assert Entry.objects.get(action="delegation.ended").facts["why"] == "left"


def test_a_stand_in_who_becomes_a_viewer_decides_nothing(api, acme, away):
    (task,) = tasks(api, acme.editor)
    with as_system(acme.id):
        Member.objects.filter(pk=acme.editor.pk).update(role="viewer")
        assert not Assignment.objects.waiting_for(acme.editor.pk).exists()
    assert decide(api, acme.editor, task).status_code == 403


def test_the_sender_never_decides_on_their_own_through_a_stand_in(api, acme, away):
    mine = send(api, acme.editor, away.form)
    assert {task["submission"] for task in tasks(api, acme.editor)} == {away.sent}
    (task,) = [one for one in tasks(api, acme.reviewer) if one["submission"] == mine]
    assert decide(api, acme.editor, task).status_code == 403


def test_four_eyes_hold_across_stand_ins(api, acme):
    """Whoever spoke and whoever's voice it was: neither takes the step that wants others."""
    other = acme.member("other")
    pair = (acme.reviewer, acme.editor, other)
    form = published(api, acme.owner, step("confirm", acme.reviewer), step("verify", *pair, not_same_as=["confirm"]))
    name_one(api, acme.reviewer, acme.editor)
    send(api, acme.owner, form)
    assert decide(api, acme.editor, tasks(api, acme.editor)[0]).status_code == 201
    assert tasks(api, acme.editor) == tasks(api, acme.reviewer) == []
    (task,) = tasks(api, other)
    name_one(api, other, acme.editor)
    assert decide(api, acme.editor, task).status_code == 403


def test_the_database_counts_each_voice_once(api, acme, away):
    from django.db import IntegrityError, transaction

    (task,) = tasks(api, acme.editor)
    decide(api, acme.editor, task)
    with as_system(acme.id):
        said = Decision.objects.get()
        kept = {"step": said.step, "verdict": "approve", "revision": said.revision, "subject_sha256": "x"}
        asked = said.assignment
        for person, behalf in ((acme.editor, None), (acme.owner, acme.reviewer), (acme.reviewer, None)):
            with pytest.raises(IntegrityError), transaction.atomic():
                Decision.objects.create(person=person, on_behalf_of=behalf, assignment=asked, **kept)


def test_a_period_that_somebody_prolongs_by_hand_is_found(acme, away):
    with database.superuser() as admin:
        admin.execute(FREE)
        admin.execute(
            "UPDATE approvals_delegation SET ends_at = ends_at + interval '1 day' WHERE tenant_id = %s", [acme.id]
        )
    with as_system(acme.id):
        found = reconcile()
    assert (found.whole, found.reason.split()[0]) == (False, "approvals.Delegation")


def test_the_pages_name_and_end_a_stand_in_and_keep_what_was_typed(browse, acme):
    page = browse(acme.reviewer)
    zone = ZoneInfo(acme.tenant.timezone)
    today = clock.now().astimezone(zone).date()
    typed = {"stand_in": str(acme.editor.pk), "starts_at": today.isoformat(), "note": "Rome"}
    wrong = page.post(acme.url("stand-in/"), typed | {"ends_at": "2020-01-01"})
    assert wrong.status_code == 422
    assert "Rome" in wrong.content.decode()
    assert page.post(acme.url("stand-in/"), typed | {"ends_at": today.isoformat()}).status_code == 302
    with as_system(acme.id):
        row = Delegation.objects.get()
    assert row.ends_at == days_between(today, today, zone)[1]
    assert browse(acme.editor).post(acme.url(f"stand-in/{row.pk}/end/")).status_code == 403
    assert page.post(acme.url(f"stand-in/{row.pk}/end/")).status_code == 302
    sent = typed | {"person": str(acme.reviewer.pk), "ends_at": today.isoformat()}
    assert browse(acme.owner).post(acme.url("settings/stand-ins/"), sent | {"note": ""}).status_code == 422
    assert browse(acme.owner).post(acme.url("settings/stand-ins/"), sent).status_code == 302
    assert browse(acme.editor).get(acme.url("settings/stand-ins/")).status_code == 403
    assert browse(acme.viewer).get(acme.url("stand-in/")).status_code == 403


# The rules alone: A, B and C are people, None nobody.
SEATS = [
    ("of another", "A", None, "", (), True),
    ("one's own", "S", None, "", (), False),
    ("where the stand-in sent it", "A", "S", "", (), False),
    ("where the one stood in for sent it", "A", "A", "", (), False),
    ("where the stand-in has a voice", "A", None, "S", (), False),
    ("where others have a voice", "A", None, "AB", (), True),
    ("after deciding for oneself", "A", None, "", (("S", None),), False),
    ("after deciding for somebody else", "A", None, "", (("S", "B"),), False),
    ("after deciding for the same person", "A", None, "", (("S", "A"),), True),
    ("after others have decided", "A", None, "", (("B", None), ("B", "S")), True),
]


@pytest.mark.parametrize(("what", "of", "requester", "seated", "said", "may"), SEATS)
def test_which_voice_a_stand_in_may_use(what, of, requester, seated, said, may):
    assert may_take(Seat(of, requester, frozenset(seated), frozenset(said)), "S") is may


moments = st.integers(0, 400 * 24).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


@given(a=st.tuples(moments, moments), b=st.tuples(moments, moments), at=moments)
def test_two_periods_overlap_exactly_where_they_share_a_moment(a, b, at):
    inside = [low <= at < high for low, high in (a, b)]
    if all(inside):
        assert overlap(a, b)
    if not period_fault(*a, at) and not period_fault(*b, at):
        assert overlap(a, b) is (max(a[0], b[0]) < min(a[1], b[1]))


def test_days_are_the_tenants_also_when_the_clock_is_changed():
    berlin = ZoneInfo("Europe/Berlin")
    starts, ends = days_between(date(2026, 10, 25), date(2026, 10, 25), berlin)
    assert ends.astimezone(UTC) - starts.astimezone(UTC) == timedelta(hours=25)


def test_the_list_shows_what_the_rule_allows(api, acme):
    """Every open seat of a small random organisation: listed for the stand-in exactly where `may_take` says so."""
    people = [acme.reviewer, acme.owner, acme.member("third"), acme.member("fourth")]
    stand_in = acme.editor
    steps = [
        step("a", *people[:2], stand_in, kind="all", group="g"),
        step("b", *people[1:3], kind="all", group="g"),
        step("c", *people[2:], kind="all", group="g"),
    ]
    form = published(api, acme.owner, *steps)
    for one in people:
        assert name_one(api, one, stand_in).status_code == 201
    for sender in (*people, stand_in, acme.member("sixth")):
        send(api, sender, form)
    with as_system(acme.id):
        for _round in range(8):
            listed = set(Assignment.objects.waiting_for(stand_in.pk).values_list("pk", flat=True))
            expected = {
                row.pk
                for row in Assignment.objects.filter(state="open").select_related("step__case")
                if allowed(row, stand_in)
            }
            assert listed == expected
            if not listed:
                break
            row = Assignment.objects.with_case().filter(pk__in=sorted(listed)).order_by("-pk")[0]
            task = {"id": str(row.pk), "revision": str(row.step.case.subject_revision)}
            assert decide(api, stand_in, task).status_code == 201
        assert Decision.objects.filter(on_behalf_of__isnull=False).count() >= 3


def allowed(row, stand_in):
    """The rule on one open seat, read from the rows by hand."""
    if row.person_id == stand_in.pk:
        return True
    said = Decision.objects.filter(step__case=row.step.case_id)
    seat = Seat(
        of=row.person_id,
        requester=Case.objects.get(pk=row.step.case_id).requester_id,
        seated=frozenset(Assignment.objects.filter(step=row.step_id).values_list("person_id", flat=True)),
        said=frozenset(said.values_list("person_id", "on_behalf_of_id")),
    )
    return CaseStep.objects.get(pk=row.step_id).state == "open" and may_take(seat, stand_in.pk)

"""Quotas: whatever door is used, the limit holds exactly; and a trial that is over locks writing only."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, connections, transaction
from django.urls import get_resolver

from apps.accounts.models import Invitation, Member, TeamMember
from apps.accounts.rules import Role
from apps.billing import actions
from apps.billing.exempt import EXEMPT
from apps.billing.models import Counter
from apps.billing.rules import Resource
from apps.comms.actions import endpoints
from apps.comms.models import WebhookEndpoint
from apps.forms.models import Attachment, Form, Submission
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.limits import OverLimit
from tests import cast
from tests.cast import acting_as
from tests.forms import body, published, step
from tests.routes import example, walk

FIELDS = {
    "type", "title", "status", "detail", "code", "resource", "limit", "used", "requested", "plan", "required_plan",
    "limit_source", "resets_at", "upgrade_url", "retryable", "request_id",
}  # fmt: skip


def limit(company, resource, most):
    with as_system(company.id):
        actions.override(Resource(resource), most)


def used(company, resource):
    with as_system(company.id):
        return sum(Counter.objects.filter(resource=resource).values_list("used", flat=True))


def send(api, company, form, **more):
    body = {"data": {"item": "Lathe", "total": 5}, **more}
    return api.as_(company.editor).post(f"/api/v1/forms/{form}/submissions", body)


def invite(api, company, number=0):
    address = {"email": f"n{number}@{company.slug}.example", "role": "member"}
    return api.as_(company.owner).post("/api/v1/invitations", address)


def test_a_402_says_all_that_a_client_needs(api, acme):
    limit(acme, "forms", 1)
    published(api, acme.owner, step("manager", acme.reviewer))
    answer = api.as_(acme.owner).post("/api/v1/forms", body(step("a", acme.reviewer), slug="second"))
    assert answer.status_code == 402
    found = answer.json()
    assert set(found) == FIELDS
    assert (found["resource"], found["limit"], found["used"], found["requested"]) == ("forms", 1, 1, 1)
    assert (found["plan"], found["required_plan"], found["limit_source"]) == ("business", "small", "override")
    assert found["upgrade_url"].endswith(f"/t/{acme.slug}/settings/billing/")
    with as_system(acme.id):
        assert Form.objects.count() == 1


def test_invitations_keep_seats_and_give_them_back(api, acme):
    with as_system(acme.id):
        actions.change_plan("small")
    assert used(acme, "members") == 4
    first = invite(api, acme, 1)
    assert first.status_code == 201
    assert invite(api, acme, 2).status_code == 402
    api.as_(acme.owner).delete(f"/api/v1/invitations/{first.json()['id']}")
    assert invite(api, acme, 2).status_code == 201
    assert invite(api, acme, 3).status_code == 402
    api.as_(acme.owner).delete(f"/api/v1/members/{acme.viewer.pk}")
    assert invite(api, acme, 3).status_code == 201
    assert api.as_(acme.owner).patch(f"/api/v1/members/{acme.viewer.pk}", {"is_active": True}).status_code == 402


def test_accepting_turns_the_kept_seat_into_a_member(api, client_of, acme):
    from tests.api.test_people import link_of

    limit(acme, "members", 5)
    invite(api, acme, 1)
    address = f"n1@{acme.slug}.example"
    assert client_of.post(link_of(acme, address), {"name": "N", "password": cast.PASSWORD}).status_code == 302
    assert used(acme, "members") == 5
    with as_system(acme.id):
        assert Member.objects.active().count() == 5


DOORS = ["the model", "many at once", "switching one on"]


@pytest.mark.parametrize("door", DOORS)
def test_no_door_goes_around_it(api, acme, door):
    acme.member("fifth")
    api.as_(acme.owner).delete(f"/api/v1/members/{acme.viewer.pk}")
    limit(acme, "members", 4)
    users = cast.person("x", f"{acme.slug}-{len(door)}"), cast.person("y", f"{acme.slug}-{len(door)}")
    ways = {
        "the model": lambda: Member.objects.create(user=users[0], role=Role.MEMBER),
        "many at once": lambda: Member.objects.bulk_create([Member(user=user, role=Role.MEMBER) for user in users]),
        "switching one on": lambda: Member.objects.filter(is_active=False).update(is_active=True),
    }
    with as_system(acme.id):
        with pytest.raises(OverLimit), transaction.atomic():
            ways[door]()
        assert Member.objects.active().count() == 4
    assert used(acme, "members") == 4


def test_submissions_are_counted_when_sent_and_drafts_are_not(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    limit(acme, "submissions", 2)
    for _number in range(3):
        assert send(api, acme, form, draft=True).status_code == 201
    assert send(api, acme, form).status_code == 201
    assert send(api, acme, form).status_code == 201
    answer = send(api, acme, form)
    assert answer.status_code == 402
    assert answer.json()["resets_at"]
    with as_system(acme.id):
        assert Submission.objects.exclude(submitted_at=None).count() == 2


def test_sending_again_after_changes_is_not_counted_twice(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme, form).json()
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    decision = {"verdict": "send_back", "reason": "More.", "revision": task["revision"]}
    api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", decision)
    answer = api.as_(acme.editor).patch(f"/api/v1/submissions/{sent['id']}", {"data": {"item": "Saw", "total": 6}})
    assert answer.status_code == 200, answer.json()
    assert api.as_(acme.editor).post(f"/api/v1/submissions/{sent['id']}/submit").status_code == 200
    assert used(acme, "submissions") == 1


def test_files_are_counted_by_their_bytes(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    draft = send(api, acme, form, draft=True).json()["id"]
    limit(acme, "storage", 20)

    def attach(size):
        file = SimpleUploadedFile("a.txt", b"x" * size)
        path = f"/api/v1/submissions/{draft}/attachments"
        return api.as_(acme.editor).post(path, {"field": "quotes", "file": file}, format="multipart")

    first = attach(12)
    assert first.status_code == 201
    assert attach(9).status_code == 402
    assert attach(8).status_code == 201
    with as_system(acme.id):
        assert sum(Attachment.objects.values_list("size", flat=True)) == used(acme, "storage") == 20


def test_many_at_once_never_overshoot(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    limit(acme, "submissions", 5)

    def one(_number):
        try:
            return send(type(api)(), acme, form).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(16)))
    assert sorted(answers) == [201] * 5 + [402] * 11
    assert used(acme, "submissions") == 5


def test_less_than_is_in_use_keeps_what_is_there(api, acme):
    limit(acme, "members", 2)
    assert api.as_(acme.viewer).get("/api/v1/forms").status_code == 200
    assert invite(api, acme).status_code == 402
    limit(acme, "members", None)
    assert invite(api, acme).status_code == 201


def test_one_tenants_use_is_not_anothers(api, acme, globex):
    limit(acme, "forms", 1)
    published(api, acme.owner, step("manager", acme.reviewer))
    published(api, globex.owner, step("manager", globex.reviewer))
    published(api, globex.owner, step("manager", globex.reviewer), slug="second")


def test_what_is_rolled_back_is_not_counted(acme):
    before = used(acme, "members")
    with as_system(acme.id), pytest.raises(ZeroDivisionError), transaction.atomic():
        Member.objects.create(user=cast.person("z", acme.slug), role=Role.MEMBER)
        1 / 0
    assert used(acme, "members") == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_counter SET used = 0",
        "INSERT INTO billing_counter SELECT * FROM billing_counter",
        "DELETE FROM billing_counter",
        "SELECT orkestra_count(orkestra_tenant(), 'members', '', -3)",
        "ALTER TABLE accounts_member DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "UPDATE billing_plan SET limits = '{}'",
    ],
)
def test_the_app_cannot_move_the_counters(acme, statement):
    with as_system(acme.id), connection.cursor() as cursor, pytest.raises(DatabaseError, match=r"denied|must be owner"):
        cursor.execute(statement)


def test_the_counters_equal_the_rows(api, acme):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    for number in range(3):
        send(api, acme, form)
        invite(api, acme, number)
    api.as_(acme.owner).delete(f"/api/v1/members/{acme.viewer.pk}")
    with as_system(acme.id):
        seats = Member.objects.filter(is_active=True).count() + Invitation.objects.open().count()
        assert used(acme, "members") == seats
        assert used(acme, "forms") == Form.objects.count()
        assert used(acme, "submissions") == Submission.objects.exclude(submitted_at=None).count()


def test_usage_by_page_and_by_api_say_the_same(api, browse, acme):
    limit(acme, "members", 8)
    quotas = {row["resource"]: row for row in api.as_(acme.owner).get("/api/v1/usage").json()["quotas"]}
    assert (quotas["members"]["used"], quotas["members"]["limit"]) == (4, 8)
    text = browse(acme.owner).get(acme.url("settings/usage/")).content.decode()
    assert "50 % used" in text
    assert api.as_(acme.editor).get("/api/v1/usage").status_code == 403


def test_over_quota_on_a_page_says_so(browse, acme):
    limit(acme, "members", 4)
    answer = browse(acme.owner).post(acme.url("settings/members/"), {"email": "x@y.example", "role": "member"})
    assert answer.status_code == 402
    text = answer.content.decode()
    assert "more than the plan allows" in text
    assert "See the plans" in text
    assert f"/t/{acme.slug}/settings/billing/" in text


@pytest.fixture
def expired(acme):
    with as_system(acme.id):
        actions.change_plan("team", trial_ends_at=clock.now() - timedelta(minutes=1))
    return acme


def test_after_the_trial_reading_goes_on_and_writing_stops(api, browse, expired):
    door, page = api.as_(expired.owner), browse(expired.owner)
    for path in ("forms", "submissions", "tasks", "audit/entries", "usage", "members"):
        assert door.get(f"/api/v1/{path}").status_code == 200
    answer = door.post("/api/v1/forms", body(step("a", expired.reviewer)))
    assert answer.status_code == 402
    assert answer.json()["code"] == "trial_expired"
    assert page.post(expired.url("settings/teams/"), {"name": "T", "slug": "t"}).status_code == 402
    assert "The trial is over" in page.get(expired.url()).content.decode()


def test_after_the_trial_people_sign_in_verify_delete_and_leave(api, expired):
    body = {"email": expired.owner.user.email, "password": cast.PASSWORD, "tenant": expired.slug}
    pair = api.post("/api/v1/auth/token", body).json()
    assert api.post("/api/v1/auth/refresh", {"refresh": pair["refresh"]}).status_code == 200
    assert api.as_(expired.owner).post("/api/v1/audit/verify").status_code == 200
    assert api.as_(expired.owner).delete(f"/api/v1/members/{expired.viewer.pk}").status_code == 204


def test_after_the_trial_access_is_taken_away_by_page_and_what_leaves_is_stopped(browse, expired):
    door, team = browse(expired.owner), expired.team("buyers", expired.viewer)
    with acting_as(expired.owner):
        hook, _secret = endpoints.create_endpoint(
            url="https://hooks.example/x", description="", events=["submission.sent"], by=expired.owner
        )
    seat, act = expired.url(f"settings/teams/{team.pk}/"), expired.url(f"settings/webhooks/{hook.pk}/act/")
    member = expired.url(f"settings/members/{expired.viewer.pk}/")
    assert door.post(seat, {"leave": str(expired.viewer.pk)}).status_code == 302
    assert door.post(act, {"do": "rotate"}).status_code == 402
    assert door.post(act, {"do": "delete"}).status_code == 302
    assert door.post(member, {"do": "role", "role": "member"}).status_code == 402
    assert door.post(member, {"do": "deactivate"}).status_code == 302
    assert door.post(member, {"do": "reactivate"}).status_code == 402
    with as_system(expired.id):
        assert not TeamMember.objects.filter(team=team).exists()
        assert not WebhookEndpoint.objects.exists()
        assert not Member.objects.active().filter(pk=expired.viewer.pk).exists()


ONE = "01a20acb-4e16-74de-b97c-4261e1ed4b89"
# Where one address takes away and gives: what passes, and what else its buttons send.
BUTTONS = {
    f"settings/members/{ONE}/": ([{"do": "deactivate"}, {"do": "erase"}], [{"do": "role"}, {"do": "reactivate"}, {}]),
    f"settings/invitations/{ONE}/": ([{}], [{"do": "resend"}]),
    f"settings/teams/{ONE}/": ([{"leave": ONE}], [{"member": ONE}]),
    f"settings/sso/{ONE}/": ([{"do": "remove"}, {"unlink": ONE}], [{"name": "N"}]),
    f"settings/sso/domains/{ONE}/": ([{"do": "remove"}], [{"do": "check"}, {}]),
    f"settings/api-keys/accounts/{ONE}/": ([{"do": "off"}], [{"do": "on"}, {"role": "member"}]),
    f"settings/webhooks/{ONE}/act/": ([{"do": "off"}, {"do": "delete"}, {"do": "end"}], [{"do": "on"}, {"do": "test"}]),
    f"settings/audit-log/streams/{ONE}/act/": ([{"do": "pause"}, {"do": "remove"}], [{"do": "resume"}, {"do": "test"}]),
    f"settings/audit-log/views/{ONE}/": ([{"delete": ""}], [{"name": "N"}]),
    "settings/ai/switch/": ([{"is_on": "off"}], [{"is_on": "on"}]),
    "settings/sso/add/": ([], [{"do": "remove"}]),
    "settings/api-keys/accounts/": ([], [{"name": "N"}]),
}


@pytest.mark.parametrize("path", BUTTONS)
def test_where_one_address_takes_away_and_gives_the_button_decides(browse, expired, path):
    door, (taken, given) = browse(expired.owner), BUTTONS[path]
    assert 402 not in {door.post(expired.url(path), sent).status_code for sent in taken}
    assert {door.post(expired.url(path), sent).status_code for sent in given} == {402}


def test_every_button_of_the_table_is_tried_and_each_of_its_addresses_exists():
    tried = {one.path for one in EXEMPT if one.field and any(re.match(one.path, f"/t/x/{path}") for path in BUTTONS)}
    assert tried == {one.path for one in EXEMPT if one.field}
    routes = [example(route) for route in walk(get_resolver())]
    assert not [one.path for one in EXEMPT if not any(re.match(one.path, route) for route in routes)]


def test_before_its_end_a_trial_locks_nothing_and_a_plan_ends_the_lock(api, expired):
    door = api.as_(expired.owner)
    with as_system(expired.id):
        actions.change_plan("team", trial_ends_at=clock.now() + timedelta(days=3))
    assert door.post("/api/v1/teams", {"name": "T", "slug": "t"}).status_code == 201
    with as_system(expired.id):
        actions.change_plan("team")
    assert door.post("/api/v1/teams", {"name": "U", "slug": "u"}).status_code == 201


def test_a_rivals_trial_is_not_ours(api, expired, globex):
    assert api.as_(globex.owner).post("/api/v1/teams", {"name": "T", "slug": "t"}).status_code == 201


def test_the_nightly_count_finds_no_difference_after_use_and_tells_of_one(api, acme):
    from apps.billing.reconciling import differences
    from tests import database

    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = send(api, acme, form, draft=True).json()["id"]
    file = SimpleUploadedFile("a.txt", b"x" * 77)
    path = f"/api/v1/submissions/{sent}/attachments"
    assert api.as_(acme.editor).post(path, {"field": "quotes", "file": file}, format="multipart").status_code == 201
    send(api, acme, form)
    invite(api, acme)
    api.as_(acme.owner).delete(f"/api/v1/members/{acme.viewer.pk}")
    with as_system(acme.id):
        assert differences() == {}
    with database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        change = "UPDATE billing_counter SET used = used + 3 WHERE tenant_id = %s AND resource = 'members'"
        connection.execute(change, [acme.id])
    with as_system(acme.id):
        assert differences() == {("members", ""): (4, 7)}

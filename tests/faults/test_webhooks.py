"""Webhooks go out signed, at least once, whatever breaks: the receiver, the way, or the worker in the middle of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from standardwebhooks import Webhook, WebhookVerificationError

from apps.audit.models import Entry
from apps.comms import actions
from apps.comms.events import EVENTS
from apps.comms.models import DeliveryState, OutboxMessage, WebhookDelivery, WebhookEndpoint, WebhookSecret
from apps.comms.rules import WAITS
from apps.operations.streams.actions import add_stream
from apps.operations.streams.models import Stream
from apps.tenants import clock, egress
from apps.tenants.context import as_system, with_changes
from tests import database
from tests.cast import acting_as
from tests.faults.test_mail import jobs, until
from tests.forms import published, step
from tests.receiver import Receiver, says

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A second process on the test's database that works off the jobs, and may call this machine."""
    name = str(connections["default"].settings_dict["NAME"])
    environment = os.environ | database.urls(name) | {"ORKESTRA_EGRESS_LOOPBACK": "1"}
    command = [sys.executable, "manage.py", "work", "--stalled-after", "1"]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def listen(company: Any, receiver: Receiver, *events: str) -> tuple[WebhookEndpoint, str]:
    with acting_as(company.owner):
        return actions.create_endpoint(
            url=f"{receiver.url}/in", events=list(events) or sorted(EVENTS), by=company.owner
        )


def promise(company: Any, **data: Any) -> WebhookDelivery:
    with as_system(company.id), transaction.atomic():
        actions.publish_event("submission.sent", **data)
        return WebhookDelivery.objects.order_by("-queued_at").first()


def now(company: Any, delivery: WebhookDelivery) -> WebhookDelivery:
    with as_system(company.id):
        return WebhookDelivery.objects.select_related("endpoint", "event").get(pk=delivery.pk)


def attempt(company: Any, delivery: WebhookDelivery) -> WebhookDelivery:
    with as_system(company.id):
        actions.attempt(delivery.pk)
    return now(company, delivery)


def test_the_story_of_a_submission_arrives_signed_and_thin(acme, api, receiver):
    _endpoint, secret = listen(acme, receiver)
    form = published(api, acme.owner, step("manager", acme.reviewer))
    data = {"item": "A very private lathe", "total": 5}
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": data}).json()
    database.work_for(acme.id)
    with worker():
        (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
        decision = {"verdict": "approve", "revision": task["revision"]}
        assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", decision).status_code == 201
        until(lambda: len(receiver.calls) >= 3 and jobs(acme) == 0, "three events arrive")
    found = {}
    for call in receiver.calls:
        body = Webhook(secret).verify(call.body, call.headers)
        found[body["type"]] = body["data"]
        assert b"private" not in call.body
        assert acme.editor.user.email.encode() not in call.body
    assert set(found) == {"submission.sent", "decision.made", "submission.approved"}
    for told in found.values():
        assert told["submission"] == sent["id"]
        assert told["tenant"] == str(acme.id)
        assert told["reference"] == sent["reference"]
    assert found["decision.made"]["verdict"] == "approve"
    assert found["submission.approved"]["state"] == "approved"


def test_every_way_a_submission_can_go_is_told(acme, api, receiver):
    listen(acme, receiver)
    form = published(api, acme.owner, step("manager", acme.reviewer))
    sent = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "A", "total": 5}}).json()
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    back = {"verdict": "send_back", "reason": "More.", "revision": task["revision"]}
    api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", back)
    api.as_(acme.editor).post(f"/api/v1/submissions/{sent['id']}/withdraw")
    other = api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "B", "total": 5}}).json()
    (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
    no = {"verdict": "reject", "reason": "No.", "revision": task["revision"]}
    api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", no)
    with as_system(acme.id):
        told = [
            (row.event.type, json.loads(row.event.payload)["data"]["submission"])
            for row in WebhookDelivery.objects.select_related("event").order_by("queued_at", "event_id")
        ]
    first = ["submission.sent", "decision.made", "submission.changes_requested", "submission.withdrawn"]
    second = ["submission.sent", "decision.made", "submission.rejected"]
    assert told == [(type_, sent["id"]) for type_ in first] + [(type_, other["id"]) for type_ in second]


def test_an_endpoint_hears_only_what_it_asks_for_and_a_rolled_back_act_is_not_told(acme, receiver):
    listen(acme, receiver, "decision.made")
    assert promise(acme) is None
    with as_system(acme.id), pytest.raises(ZeroDivisionError), transaction.atomic():
        actions.publish_event("decision.made")
        1 / 0
    with as_system(acme.id):
        assert WebhookDelivery.objects.count() == 0
    assert jobs(acme) == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (says(500, b"<h1>broken\x00\x1b[31m</h1>" * 100), "HTTP 500"),
        (says(404), "HTTP 404"),
        (says(302, Location="http://169.254.169.254/"), "HTTP 302"),
        (lambda handler: handler.connection.close(), "connection broke"),
    ],
)
def test_what_is_not_taken_is_tried_again_later(acme, receiver, answer, said):
    listen(acme, receiver)
    delivery = promise(acme)
    receiver.answer = answer
    failed = attempt(acme, delivery)
    assert (failed.state, failed.attempts) == (DeliveryState.QUEUED, 1)
    assert said in failed.last_error
    assert failed.next_at > clock.now()
    assert jobs(acme) == 2, "the first job, which this test did not use up, and that of the next attempt"
    with as_system(acme.id):
        (call,) = failed.calls.all()
        assert len(call.excerpt) <= 500
        assert call.excerpt.isprintable()
    receiver.answer = says(200, b"thank you")
    taken = attempt(acme, delivery)
    assert (taken.state, taken.attempts, taken.last_status) == (DeliveryState.DELIVERED, 2, 200)
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    assert attempt(acme, delivery).attempts == 2, "what is delivered is not sent again by an old job"


def test_a_receiver_that_is_down_or_slow_costs_a_bounded_wait(acme, receiver, monkeypatch):
    monkeypatch.setattr("apps.comms.actions.delivering.BOUNDS", egress.Bounds(total=0.3))
    listen(acme, receiver)
    delivery = promise(acme)
    over = threading.Event()
    receiver.answer = lambda handler: over.wait()
    assert "No answer within" in attempt(acme, delivery).last_error
    over.set()
    with as_system(acme.id):
        WebhookEndpoint.objects.update(url="http://127.0.0.1:9/in")
    assert "Nothing answers" in attempt(acme, delivery).last_error


def test_after_about_a_day_it_is_given_up_and_can_be_sent_again(acme, receiver):
    listen(acme, receiver)
    delivery = promise(acme)
    receiver.answer = says(503)
    for _wait in WAITS:
        assert attempt(acme, delivery).state == DeliveryState.QUEUED
    assert attempt(acme, delivery).state == DeliveryState.DEAD
    assert 23 * 3600 < sum(WAITS) < 25 * 3600
    receiver.answer = None
    with acting_as(acme.owner):
        actions.resend(delivery, by=acme.owner)
    assert attempt(acme, delivery).state == DeliveryState.DELIVERED
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1


def test_an_endpoint_that_is_gone_or_fails_for_days_is_switched_off_and_its_owners_are_told(acme, receiver):
    endpoint, _secret = listen(acme, receiver)
    receiver.answer = says(410)
    gone = attempt(acme, promise(acme))
    assert (gone.state, gone.endpoint.off) == (DeliveryState.DEAD, "gone")
    with acting_as(acme.owner):
        actions.change_endpoint(endpoint, is_active=True, by=acme.owner)
    receiver.answer = says(500)
    first = attempt(acme, promise(acme))
    assert first.endpoint.is_active
    with as_system(acme.id):
        WebhookEndpoint.objects.update(failing_since=clock.now() - timedelta(days=3))
    assert attempt(acme, first).endpoint.off == "failing"
    with as_system(acme.id):
        mails = OutboxMessage.objects.filter(template="comms/mail/webhook_off")
        assert {mail.to for mail in mails} == {acme.owner.user.email}
        assert mails.count() == 2
        assert Entry.objects.filter(action="webhook.disabled").count() == 2
    assert promise(acme).pk == first.pk, "an endpoint that is off is promised nothing"
    assert attempt(acme, first).state == DeliveryState.DEAD


def test_both_secrets_sign_during_a_rotation_and_only_the_new_one_after(acme, receiver):
    endpoint, old = listen(acme, receiver)
    with acting_as(acme.owner):
        new = actions.rotate_secret(endpoint, by=acme.owner)
    attempt(acme, promise(acme))
    for secret in (old, new):
        Webhook(secret).verify(receiver.calls[0].body, receiver.calls[0].headers)
    with acting_as(acme.owner):
        newest = actions.rotate_secret(endpoint, by=acme.owner)
    attempt(acme, promise(acme))
    Webhook(new).verify(receiver.calls[1].body, receiver.calls[1].headers)
    Webhook(newest).verify(receiver.calls[1].body, receiver.calls[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.calls[1].body, receiver.calls[1].headers)
    with as_system(acme.id):
        WebhookSecret.objects.exclude(expires_at=None).update(expires_at=clock.now())
    attempt(acme, promise(acme))
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(receiver.calls[2].body, receiver.calls[2].headers)
    Webhook(newest).verify(receiver.calls[2].body, receiver.calls[2].headers)


def test_secrets_are_not_readable_in_the_database(acme, receiver):
    _endpoint, secret = listen(acme, receiver)
    with database.superuser() as connection:
        rows = connection.execute("SELECT sealed FROM comms_webhooksecret").fetchall()
    assert rows
    assert not any(secret in str(row) or secret.removeprefix("whsec_") in str(row) for row in rows)


def test_an_address_that_turns_inwards_later_is_not_called(acme, receiver, settings):
    listen(acme, receiver)
    delivery = promise(acme)
    settings.EGRESS_LOOPBACK = False
    failed = attempt(acme, delivery)
    assert "https://" in failed.last_error
    with as_system(acme.id):
        WebhookEndpoint.objects.update(url="https://localhost/in")
    assert "private or reserved" in attempt(acme, delivery).last_error
    assert receiver.calls == []


@pytest.mark.every_tenant
def test_a_worker_killed_between_the_call_and_its_note_loses_nothing(acme, receiver):
    """Of a webhook and of a stream of the audit log, in the same two workers; one that is well waits for none of these."""
    listen(acme, receiver)
    reached, free = set(), threading.Event()

    def hold(handler: Any) -> None:
        reached.add(handler.path)
        free.wait()
        says(204)(handler)

    receiver.answer = lambda handler: (says(204) if handler.path == "/well" else hold)(handler)
    with acting_as(acme.owner), with_changes(auth_time=clock.now(), amr=("pwd", "otp")):
        stream, _secret = add_stream(url=f"{receiver.url}/log", by=acme.owner)
        for name in ("b", "c", "d"):
            add_stream(url=f"{receiver.url}/{name}", by=acme.owner)
        well, _secret = add_stream(url=f"{receiver.url}/well", by=acme.owner)
    delivery = promise(acme)
    database.work_for(acme.id)
    with worker() as first:
        until(lambda: reached == {"/in", "/log", "/b", "/c", "/d"}, "all are on their way")
        until(lambda: has_all(acme, well), "the fifth stream has all")
        with as_system(acme.id):
            assert not Stream.objects.exclude(last_ms=None).exclude(pk=well.pk).exists(), "while four are held"
        first.kill()
        first.wait()
    assert now(acme, delivery).state == DeliveryState.QUEUED
    with as_system(acme.id):
        assert Stream.objects.get(pk=stream.pk).next_seq == 0
    free.set()
    database.work_for(acme.id)
    with worker():
        until(lambda: now(acme, delivery).state == DeliveryState.DELIVERED, "another worker takes it over")
        until(lambda: has_all(acme, stream), "and the stream")
    calls = [call for call in receiver.calls if call.path == "/in"]
    assert len(calls) >= 2, "at least once"
    assert len({call.headers["webhook-id"] for call in calls}) == 1
    with as_system(acme.id):
        results = sorted(str(call.status) for call in delivery.calls.all())
        entries = {str(pk) for pk in Entry.objects.filter(seals__seq__gte=0).values_list("pk", flat=True)}
    assert results[0] == "204"
    assert set(results[1:]) == {"None"}, (
        "what was cut off stands in the log without a result, and so does what took too long"
    )
    told = [event for call in receiver.calls if call.path == "/log" for event in json.loads(call.body)]
    assert {event["id"] for event in told} == entries
    assert len(told) > len(entries), "what was cut off came again, under the same ids"


def has_all(company: Any, stream: Stream) -> bool:
    with as_system(company.id):
        found = Stream.objects.get(pk=stream.pk)
        return found.next_seq > 0 and found.behind == 0


def test_old_deliveries_are_forgotten_and_waiting_ones_kept(acme, receiver):
    listen(acme, receiver)
    done, waiting = promise(acme), promise(acme)
    attempt(acme, done)
    with as_system(acme.id):
        for delivery in (done, waiting):
            event = now(acme, delivery).event
            event.occurred_at = clock.now() - timedelta(days=31)
            event.save()
        actions.prune()
        assert list(WebhookDelivery.objects.values_list("pk", flat=True)) == [waiting.pk]


@pytest.mark.every_tenant
def test_what_waited_without_a_job_goes_out_once_the_outbox_is_released(acme, receiver):
    from django.core.management import call_command

    listen(acme, receiver)
    delivery = promise(acme)
    with database.superuser() as connection:
        connection.execute("DELETE FROM procrastinate_jobs WHERE args->>'tenant_id' = %s", [str(acme.id)])
    assert jobs(acme) == 0
    call_command("release_outbox", verbosity=0)
    assert jobs(acme) == 1
    assert attempt(acme, delivery).state == DeliveryState.DELIVERED
